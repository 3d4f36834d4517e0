"""Votes are revisions: what stands is the newest of each person, clip and purpose."""

from __future__ import annotations

from collections.abc import Iterable

from caer_build.records import Vote


def latest(votes: Iterable[Vote]) -> list[Vote]:
    """The votes that no later revision replaces, in the order given."""
    votes = list(votes)
    newest: dict[tuple[str, str, str], int] = {}
    for vote in votes:
        key = (vote.clip_id, vote.annotator_id, vote.purpose)
        newest[key] = max(vote.revision, newest.get(key, 0))
    return [v for v in votes if v.revision == newest[v.clip_id, v.annotator_id, v.purpose]]

"""Who is in a workspace, and what a person at the terminal decides about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from caer_build import overrides
from caer_build.errors import CaerError
from caer_build.publishing import published_persons
from caer_build.records import Clip, Identity, Override
from caer_build.store import Workspace
from caer_build.tables import read_published


@dataclass(frozen=True)
class Entry:
    """A line of the roll."""

    person_id: str
    name: str | None
    n_tracks: int
    n_clips: int
    note: str


def roll(workspace: Workspace) -> list[Entry]:
    """The persons of a workspace, those with most clips first."""
    tracks = Counter(i.person_id for i in read_published(workspace, Identity))
    kept = [c for c in read_published(workspace, Clip) if c.reject_reason is None]
    clips = Counter(c.person_id for c in kept)
    entries = [
        Entry(
            p.person_id,
            p.name,
            tracks[p.person_id],
            clips[p.person_id],
            f"merged into {p.merged_into}: {p.merged_because}" if p.merged_into else "",
        )
        for p in published_persons(workspace)
    ]
    return sorted(entries, key=lambda e: (-e.n_clips, -e.n_tracks, e.person_id))


def decide(
    workspace: Workspace, action: str, person: str, value: str | None, reason: str | None
) -> Override:
    """Note a decision about a person.

    Raises:
        CaerError: if there is no such person, or it would be merged into itself.
    """
    known = {p.person_id for p in published_persons(workspace)}
    named = [person, value] if action == "merge" else [person]
    for each in named:
        if each not in known:
            raise CaerError(
                f"No person {each} in {workspace.root}.", "See `caer person list` for their ids."
            )
    if action == "merge" and person == value:
        raise CaerError("A person cannot be merged into itself.", "Name two different persons.")
    if action == "delete":
        # It shows everybody's face; `caer report` writes it again without this person.
        (workspace.root / "report.html").unlink(missing_ok=True)
    return overrides.add(workspace, action, person, value, reason)

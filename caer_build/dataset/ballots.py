"""The answers that count, clip by clip: out of a project's database, or out of files of votes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, select

from caer_build.annotation import tables as t
from caer_build.annotation.consensus import Answered
from caer_build.annotation.ledger import each_vote, is_pseudonym, pseudonyms
from caer_build.annotation.vote_files import READERS
from caer_build.errors import SchemaError
from caer_build.records import Vote

_SHOWN = 5


class Answer(Answered, Protocol):
    """What the rules look at: an answer, and whose it is. A :class:`Vote` has it."""

    @property
    def annotator_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Ballot:
    """What different people said of one clip.

    Attributes:
        answers: votes that count and stand, in the order of the annotators' ids: what is made of
            a ballot must not depend on who answered first.
        adjudication: the standing answer of an adjudicator, who never counts as one of them.
        needed: how many answers the clip was to get.
    """

    clip_id: str
    answers: tuple[Answer, ...]
    adjudication: Answer | None
    needed: int


def ballots_of(votes: Iterable[Vote], needed: dict[str, int]) -> list[Ballot]:
    """Votes of all purposes and revisions as ballots, by clip_id.

    Args:
        needed: answers that each clip was to get, by clip_id; clips without a vote are ballots
            without answers, votes for other clips are left out.
    """
    latest: dict[tuple[str, str, str], Vote] = {}
    for vote in votes:
        key = vote.clip_id, vote.annotator_id, vote.purpose
        if key not in latest or latest[key].revision < vote.revision:
            latest[key] = vote
    counted: dict[str, list[Vote]] = defaultdict(list)
    decided: dict[str, list[Vote]] = defaultdict(list)
    for vote in latest.values():
        if vote.purpose == "vote":
            counted[vote.clip_id].append(vote)
        elif vote.purpose == "adjudication":
            decided[vote.clip_id].append(vote)
    return [
        Ballot(
            clip_id,
            tuple(sorted(counted[clip_id], key=_author)),
            max(decided[clip_id], key=_when, default=None),
            needed[clip_id],
        )
        for clip_id in sorted(needed)
    ]


def ballots_of_project(connection: Connection) -> list[Ballot]:
    """The ballots of a labelling project, by clip_id; annotators under their pseudonyms.

    Clips that were withdrawn have none.
    """
    present = t.clip.c.withdrawn_at.is_(None)
    rows = connection.execute(select(t.clip.c.clip_id, t.clip.c.n_slots).where(present))
    votes = each_vote(connection, pseudonyms(connection), only_latest=True)
    return ballots_of(votes, {row.clip_id: row.n_slots for row in rows})


def ballots_of_files(files: Sequence[Path], clip_ids: Iterable[str], needed: int) -> list[Ballot]:
    """The ballots in files of votes, for some clips, by clip_id; nobody keeps a name.

    Args:
        files: CSV, JSON lines or Parquet by their names, as ``caer annotate export`` writes them.
        needed: answers that every clip was to get.

    Raises:
        SchemaError: if a file or a row is none of votes, or the files know none of the clips.
    """
    votes: list[Vote] = []
    for file in files:
        problems = []
        if not file.is_file():
            raise SchemaError(
                f"There is no file of votes {file}.", "Write one with `caer annotate export`."
            )
        if file.suffix.lower() not in READERS:
            raise SchemaError(
                f"Expected a file of votes that ends in {', '.join(READERS)}, found {file}.",
                "Write one with `caer annotate export`.",
            )
        for entry in READERS[file.suffix.lower()](file, None):
            if entry.vote is None:
                problems.append(f"{entry.place}: {entry.problem}")
            else:
                votes.append(entry.vote)
        if problems:
            raise SchemaError(
                f"{file} has {len(problems)} rows that are no votes: {' '.join(problems[:_SHOWN])}",
                "Mend or remove them; docs/annotate.md lists the columns.",
            )
    found = ballots_of(_without_names(votes), dict.fromkeys(clip_ids, needed))
    if votes and not any(ballot.answers for ballot in found):
        raise SchemaError(
            f"None of the {len(votes)} votes is for a clip of this workspace "
            f"(the first is for {votes[0].clip_id}).",
            "Give the votes for these clips.",
        )
    return found


def _without_names(votes: Sequence[Vote]) -> list[Vote]:
    """Votes go into exports: who has no pseudonym of an export yet is called by a number, in the
    order of the names."""
    named = sorted({v.annotator_id for v in votes if not is_pseudonym(v.annotator_id)})
    n_digits = len(str(len(named)))
    called = {name: f"annotator-{k:0{n_digits}d}" for k, name in enumerate(named, start=1)}
    return [replace(v, annotator_id=called.get(v.annotator_id, v.annotator_id)) for v in votes]


def _author(vote: Answer) -> str:
    return vote.annotator_id


def _when(vote: Vote) -> tuple[int, str]:
    return vote.answered_at, vote.request_id

"""Reads what the workers wrote down, and what the database holds, and lists what is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from caer_build.annotation import tables as t
from tests.chaos.history import read
from tests.chaos.naive import loose_vote


@dataclass(frozen=True)
class Stored:
    """A vote as the database has it."""

    request_id: str
    clip_id: str
    annotator_id: int
    emotion: str | None
    purpose: str = "vote"
    revision: int = 1


def stored_votes(connection: Connection) -> list[Stored]:
    """The votes of a project."""
    rows = connection.execute(select(t.vote))
    return [
        Stored(r.request_id, r.clip_id, r.annotator_id, r.emotion, r.purpose, r.revision)
        for r in rows
    ]


def loose_votes(connection: Connection) -> list[Stored]:
    """The votes of the naive control."""
    rows = connection.execute(select(loose_vote))
    return [Stored(r.request_id, r.clip_id, r.annotator_id, r.emotion) for r in rows]


def crashes(folder: Path) -> list[str]:
    """The tracebacks of annotators that ended: none should, whatever a server does to them."""
    return [str(line["of"]) for line in read(folder) if line["what"] == "crashed"]


def faults_of_votes(folder: Path, votes: Iterable[Stored], votes_per_clip: int) -> list[str]:
    """What is wrong with the votes, against the history in ``folder``."""
    votes = list(votes)
    lines = list(read(folder))
    found = [str(line["of"]) for line in lines if line["what"] == "fault"]
    found += _too_many(votes, votes_per_clip)
    found += _lost(lines, votes)
    by_request = Counter(v.request_id for v in votes)
    found += [f"request {r} was taken {n} times" for r, n in by_request.items() if n > 1]
    sent = {line["answer"]["request_id"] for line in lines if line["what"] == "send"}
    found += [f"nobody sent {v.request_id}" for v in votes if v.request_id not in sent]
    return found


def _too_many(votes: Iterable[Stored], votes_per_clip: int) -> list[str]:
    first = [v for v in votes if v.purpose == "vote" and v.revision == 1]
    per_clip = Counter(v.clip_id for v in first)
    per_person = Counter((v.clip_id, v.annotator_id) for v in first)
    found = [f"{c} has {n} votes" for c, n in per_clip.items() if n > votes_per_clip]
    found += [f"{who} voted {n} times on {c}" for (c, who), n in per_person.items() if n > 1]
    return found


def _lost(lines: Iterable[dict[str, Any]], votes: Iterable[Stored]) -> list[str]:
    known = {v.request_id: v for v in votes}
    found = []
    for line in lines:
        if line["what"] != "taken":
            continue
        vote = known.get(line["request_id"])
        if vote is None:
            found.append(f"acknowledged and lost: {line['request_id']}")
            continue
        said = (line["annotator"], line["clip"], line["emotion"], line["purpose"], line["revision"])
        kept = (vote.annotator_id, vote.clip_id, vote.emotion, vote.purpose, vote.revision)
        if said != kept:
            found.append(f"acknowledged as {said}, kept as {kept}")
    return found


def faults_of_books(connection: Connection) -> list[str]:
    """What is wrong with the counts that the database keeps beside the votes."""
    found = []
    slots: dict[str, list[t.AnyRow]] = defaultdict(list)
    for row in connection.execute(select(t.slot)):
        slots[row.clip_id].append(row)
    voted = {
        (r.clip_id, r.annotator_id)
        for r in connection.execute(select(t.vote).where(t.vote.c.purpose == "vote"))
    }
    for clip in connection.execute(select(t.clip)):
        n_open = sum(s.annotator_id is None for s in slots[clip.clip_id])
        if n_open != clip.n_open:
            found.append(f"{clip.clip_id} says {clip.n_open} open slots, has {n_open}")
    found += _faults_of_withdrawn(connection, slots)
    for clip_id, rows in slots.items():
        found += [
            f"{clip_id}: slot {s.slot} and the votes of {s.annotator_id} differ"
            for s in rows
            if s.answered != ((clip_id, s.annotator_id) in voted)
        ]
    met: Counter[tuple[int, int]] = Counter()
    for rows in slots.values():
        met.update(combinations(sorted(s.annotator_id for s in rows if s.answered), 2))
    kept = {(r.first, r.second): r.n_clips for r in connection.execute(select(t.pair))}
    if kept != dict(met):
        found.append("pairs are miscounted")
    return found


def _faults_of_withdrawn(connection: Connection, slots: dict[str, list[t.AnyRow]]) -> list[str]:
    """What a clip that was withdrawn still has, and should not."""
    found = []
    at_work = set(connection.scalars(select(t.errand.c.clip_id)))
    for clip in connection.execute(select(t.clip)):
        n_slots = len(slots[clip.clip_id])
        if n_slots != clip.n_slots:
            found.append(f"{clip.clip_id} says {clip.n_slots} slots, has {n_slots}")
        if clip.withdrawn_at is None:
            continue
        if not all(slot.answered for slot in slots[clip.clip_id]):
            found.append(f"{clip.clip_id} was withdrawn and has an open slot or a lease")
        if clip.clip_id in at_work:
            found.append(f"{clip.clip_id} was withdrawn and is somebody's errand")
    return found

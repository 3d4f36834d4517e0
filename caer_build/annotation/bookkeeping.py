"""What an import knows of a project, what it decides by that, and what it writes down."""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from caer_build.annotation import tables as t
from caer_build.annotation.ledger import pseudonyms
from caer_build.records import Vote

_IMPORTED = "imported: "
"""begins the names of people who are here by their imported votes only"""
_MEET = text(
    "INSERT INTO pair (first, second, n_clips) VALUES (:first, :second, :n) "
    "ON CONFLICT (first, second) DO UPDATE SET n_clips = pair.n_clips + :n"
)
_CONTENT = (
    "purpose", "revision", "emotion", "flag", "reason", "confidence_step", "confidence_steps",
)  # fmt: skip
_COPIED = (
    "request_id", "clip_id", *_CONTENT, "shown_at", "answered_at", "received_at", "play_count",
    "speed", "audio_on",
)  # fmt: skip


class People:
    """Accounts by what files call them; new ones have numbers below zero until they are added."""

    def __init__(self, connection: Connection) -> None:
        everyone = connection.execute(select(t.annotator)).all()
        self._n, self._names = len(everyone), {row.name for row in everyone}
        self._known: dict[str, int] = {
            row.name.removeprefix(_IMPORTED): row.annotator_id
            for row in everyone
            if row.name.startswith(_IMPORTED) and not row.password_hash and not row.subject
        }
        self._known |= {name: person for person, name in pseudonyms(connection).items()}
        self._new: dict[int, str] = {}
        self._added: dict[int, int] = {}

    @property
    def n_new(self) -> int:
        return len(self._new)

    def find(self, name: str) -> int | None:
        return self._known.get(name)

    def is_taken(self, name: str) -> bool:
        """Whether somebody who can sign in calls themselves what an imported person would be."""
        return name not in self._known and f"{_IMPORTED}{name}" in self._names

    def find_or_name(self, name: str) -> int:
        """The number of an account, of a new one if there is none."""
        if name not in self._known:
            new = -1 - len(self._new)
            self._known[name], self._new[new] = new, name
        return self._known[name]

    def add_new(self, connection: Connection, now_ms: int) -> None:
        """Makes the new accounts."""
        for new, name in self._new.items():
            self._n += 1
            self._added[new] = connection.execute(
                insert(t.annotator)
                .values(
                    alias=f"a{self._n:03d}", name=f"{_IMPORTED}{name}", name_key=None,
                    role="annotator", created_at=now_ms, retired_at=now_ms,
                )
                .returning(t.annotator.c.annotator_id)
            ).scalar_one()  # fmt: skip

    def number(self, person: int) -> int:
        """What the database calls somebody, new ones too."""
        return self._added.get(person, person)


class Books:
    """The rows of the database that votes touch, and what was decided about them since."""

    def __init__(self, people: People) -> None:
        self._people = people
        # clip_id: when it was withdrawn, or None
        self._clips: dict[str, int | None] = {}
        # (clip, slot): who holds it, or None
        self._slots: dict[str, dict[int, int | None]] = defaultdict(dict)
        self._answered: dict[str, set[int]] = defaultdict(set)
        self._newest: dict[tuple[str, int, str], int] = {}
        self._judges: dict[str, set[int | None]] = defaultdict(set)
        self._requests: dict[str, tuple[object, ...]] = {}

    def open(self, connection: Connection, votes: Sequence[Vote]) -> None:
        """Reads what some more votes touch; in a transaction that writes, locked until its end."""
        clip_ids = sorted({vote.clip_id for vote in votes} - self._clips.keys())
        clips = (
            select(t.clip.c.clip_id, t.clip.c.withdrawn_at)
            .where(t.clip.c.clip_id.in_(clip_ids))
            .order_by(t.clip.c.clip_id)
        )
        if not connection.get_execution_options().get("caer_reads", False):
            clips = clips.with_for_update(key_share=True)
        self._clips |= {row.clip_id: row.withdrawn_at for row in connection.execute(clips)}
        for row in connection.execute(
            select(t.slot).where(t.slot.c.clip_id.in_(clip_ids)).order_by(t.slot.c.slot)
        ):
            self._slots[row.clip_id][row.slot] = row.annotator_id
            if row.answered:
                self._answered[row.clip_id].add(row.annotator_id)
        key = (t.vote.c.clip_id, t.vote.c.annotator_id, t.vote.c.purpose)
        self._newest |= {
            (row.clip_id, row.annotator_id, row.purpose): row.newest
            for row in connection.execute(
                select(*key, func.max(t.vote.c.revision).label("newest"))
                .where(t.vote.c.clip_id.in_(clip_ids))
                .group_by(*key)
            )
        }
        for clip_id, person, purpose in self._newest:
            if purpose == "adjudication":
                self._judges[clip_id].add(person)
        requests = {vote.request_id for vote in votes} - self._requests.keys()
        self._requests |= {
            row.request_id: _content(row, row.annotator_id)
            for row in connection.execute(select(t.vote).where(t.vote.c.request_id.in_(requests)))
        }

    def knows(self, vote: Vote) -> bool:
        """Whether this very answer is there already."""
        person = self._people.find(vote.annotator_id)
        return self._requests.get(vote.request_id) == _content(vote, person)

    def objection(self, vote: Vote) -> str:
        """Why the project cannot take a vote; empty: it can."""
        if vote.request_id in self._requests:
            return "Its request_id belongs to another answer, or the answer has changed."
        if vote.clip_id not in self._clips:
            return f"The project has no clip {vote.clip_id}."
        if self._clips[vote.clip_id] is not None:
            return "The clip was withdrawn: a person in it was deleted."
        return self._objection_to_author(vote)

    def _objection_to_author(self, vote: Vote) -> str:
        person = self._people.find(vote.annotator_id)
        if self._people.is_taken(vote.annotator_id):
            return f"An account that can sign in is named {_IMPORTED}{vote.annotator_id}."
        newest = self._newest_of(vote, person, vote.purpose)
        if vote.revision <= newest:
            return f"{vote.annotator_id} has given revision {newest} of this answer already."
        other = {"vote": "adjudication", "adjudication": "vote"}.get(vote.purpose, "")
        if self._newest_of(vote, person, other):
            return "Nobody votes on a clip and adjudicates it."
        if vote.purpose == "adjudication" and self._judges[vote.clip_id] - {person}:
            return "Somebody else has adjudicated this clip."
        return self._no_place(vote, person) if vote.purpose == "vote" and not newest else ""

    def _no_place(self, vote: Vote, person: int | None) -> str:
        """Why a first vote finds no slot; empty: there is one."""
        if self._free_slot(vote.clip_id, person) is not None:
            return ""
        n = len(self._slots[vote.clip_id])
        if len(self._answered[vote.clip_id]) == n:
            return f"The clip has the answers of {n} people, which is all that it takes."
        return "Somebody has this clip on the screen and its last place with it; import later."

    def _newest_of(self, vote: Vote, person: int | None, purpose: str) -> int:
        return 0 if person is None else self._newest.get((vote.clip_id, person, purpose), 0)

    def _free_slot(self, clip_id: str, person: int | None) -> int | None:
        """The slot that a first vote would fill: the person's own, else an open one."""
        slots = self._slots[clip_id]
        mine = [s for s, holder in slots.items() if person is not None and holder == person]
        free = mine or [s for s, holder in slots.items() if holder is None]
        return free[0] if free else None

    def accept(self, vote: Vote, page: Page) -> None:
        """Notes a vote here, and on the page what is to be written for it."""
        person = self._people.find_or_name(vote.annotator_id)
        clip_id, key = vote.clip_id, (vote.clip_id, person, vote.purpose)
        slot = self._free_slot(clip_id, person) if vote.purpose == "vote" else None
        if key not in self._newest:
            if slot is not None:
                self._fill(clip_id, slot, person, vote.shown_at, page)
            else:
                page.errands.append(
                    {"b_clip": clip_id, "b_person": person, "b_purpose": vote.purpose,
                     "at": vote.shown_at}
                )  # fmt: skip
        self._newest[key] = vote.revision
        if vote.purpose == "adjudication":
            self._judges[clip_id].add(person)
        self._requests[vote.request_id] = _content(vote, person)
        copied = {name: getattr(vote, name) for name in _COPIED}
        page.votes.append({**copied, "annotator_id": person, "slot": slot})

    def _fill(self, clip_id: str, slot: int, person: int, at: int, page: Page) -> None:
        if self._slots[clip_id][slot] is None:
            page.closed[clip_id] += 1
        self._slots[clip_id][slot] = person
        page.filled.append({"b_clip": clip_id, "b_slot": slot, "b_person": person, "at": at})
        page.met += [(other, person) for other in self._answered[clip_id]]
        self._answered[clip_id].add(person)


@dataclass
class Page:
    """What a chunk changes; people by their numbers in :class:`People`.

    Attributes:
        filled: slots.
        closed: clip_id -> how many of its slots are open no more.
        met: two people who answered one clip.
    """

    filled: list[dict[str, Any]] = field(default_factory=list)
    closed: Counter[str] = field(default_factory=Counter)
    errands: list[dict[str, Any]] = field(default_factory=list)
    votes: list[dict[str, Any]] = field(default_factory=list)
    met: list[tuple[int, int]] = field(default_factory=list)

    def write(self, connection: Connection, people: People) -> None:
        """Writes it, many rows at a time; everybody must be added."""
        number = people.number
        slot = (t.slot.c.clip_id == bindparam("b_clip"), t.slot.c.slot == bindparam("b_slot"))
        _execute(
            connection,
            update(t.slot)
            .where(*slot)
            .values(
                annotator_id=bindparam("person"), answered=True, expires_at=None,
                leased_at=bindparam("at"),
            ),
            [
                {"b_clip": row["b_clip"], "b_slot": row["b_slot"], "at": row["at"],
                 "person": number(row["b_person"])}
                for row in self.filled
            ],
        )  # fmt: skip
        _execute(
            connection,
            update(t.clip)
            .where(t.clip.c.clip_id == bindparam("b_clip"))
            .values(n_open=t.clip.c.n_open - bindparam("n")),
            [{"b_clip": clip_id, "n": n} for clip_id, n in sorted(self.closed.items())],
        )
        votes = [{**vote, "annotator_id": number(vote["annotator_id"])} for vote in self.votes]
        _execute(connection, insert(t.vote), votes)
        met = [sorted((number(one), number(other))) for one, other in self.met]
        pairs = Counter((first, second) for first, second in met)
        _execute(
            connection,
            _MEET,
            [{"first": a, "second": b, "n": n} for (a, b), n in sorted(pairs.items())],
        )
        for errand in self.errands:
            _run_errand(connection, {**errand, "b_person": number(errand["b_person"])})


def _execute(connection: Connection, statement: Any, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _run_errand(connection: Connection, errand: Mapping[str, object]) -> None:
    """Notes that a gold clip, repeat … was answered, so that it is not given again."""
    done = connection.execute(
        update(t.errand)
        .where(
            t.errand.c.clip_id == errand["b_clip"],
            t.errand.c.annotator_id == errand["b_person"],
            t.errand.c.purpose == errand["b_purpose"],
        )
        .values(answered=True)
    )
    if not done.rowcount:
        connection.execute(
            insert(t.errand).values(
                clip_id=errand["b_clip"], annotator_id=errand["b_person"],
                purpose=errand["b_purpose"], ticket=secrets.token_hex(24),
                leased_at=errand["at"], answered=True,
            )
        )  # fmt: skip


def _content(row: Vote | t.AnyRow, person: int | None) -> tuple[object, ...]:
    """What must be the same where a request id is the same."""
    return (person, row.clip_id, *(getattr(row, name) for name in _CONTENT))

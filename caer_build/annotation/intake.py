"""Taking votes that were given elsewhere into a project, under the rules that hold for all votes.

Row by row: what fits is taken, what does not is refused with a reason, and what was taken before
(known by its request id) is passed over. The database's constraints have the last word: should
one of them ever object, nothing of the import stays.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from caer_build.annotation import tables as t
from caer_build.annotation.ledger import pseudonyms
from caer_build.annotation.office import SECRET
from caer_build.records import Vote

_CHUNK = 1000
_IMPORTED = "imported: "
"""begins the names of people who are here by their imported votes only"""
_MAX_TEXT = 500
_LAST_MS = 253_402_300_799_999
"""the end of the year 9999"""
_SPEEDS = range(50, 151)
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not taken.

    Attributes:
        place: where in the file, such as "line 7".
    """

    file: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A vote that a file holds."""

    file: str
    place: str
    vote: Vote


@dataclass
class Intake:
    """What became of the offers.

    Attributes:
        n_known: taken by an earlier import, or given in this project.
        n_people: people who were not in the project before.
    """

    n_taken: int = 0
    n_known: int = 0
    n_people: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def take_in(connection: Connection, offers: Sequence[Offer], now_ms: int) -> Intake:
    """Takes what fits; earlier revisions first, else in the order given.

    A person of the file is, in this order: who has that pseudonym in this project's exports; who
    came by an earlier import under that name; somebody new, whose account is retired from the
    start and has no password. Never an account of the same alias or name: that is somebody else.
    """
    # Two imports at once would lock clips in different orders; the second waits here.
    connection.execute(select(t.setting).where(t.setting.c.key == SECRET).with_for_update())
    people = _People(connection, now_ms)
    intake = Intake()
    ordered = []
    for offer in sorted(offers, key=lambda offer: offer.vote.revision):
        reason = _unfit(offer.vote)
        if reason:
            intake.refusals.append(Refusal(offer.file, offer.place, reason))
        else:
            ordered.append(offer)
    for start in range(0, len(ordered), _CHUNK):
        _Chunk(connection, people, ordered[start : start + _CHUNK]).take(intake)
    intake.n_people = people.n_new
    return intake


class _People:
    """Accounts by what files call them."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._connection, self._now_ms = connection, now_ms
        self.n_new = 0
        everyone = connection.execute(select(t.annotator)).all()
        self._n, self._names = len(everyone), {row.name for row in everyone}
        self._known: dict[str, int] = {
            row.name.removeprefix(_IMPORTED): row.annotator_id
            for row in everyone
            if row.name.startswith(_IMPORTED) and not row.password_hash and not row.subject
        }
        self._known |= {name: person for person, name in pseudonyms(connection).items()}

    def find(self, name: str) -> int | None:
        return self._known.get(name)

    def is_taken(self, name: str) -> bool:
        """Whether somebody who can sign in calls themselves what an imported person would be."""
        return name not in self._known and f"{_IMPORTED}{name}" in self._names

    def find_or_add(self, name: str) -> int:
        if name not in self._known:
            self._n += 1
            self.n_new += 1
            new: int = self._connection.execute(
                insert(t.annotator)
                .values(
                    alias=f"a{self._n:03d}", name=f"{_IMPORTED}{name}", role="annotator",
                    created_at=self._now_ms, retired_at=self._now_ms,
                )
                .returning(t.annotator.c.annotator_id)
            ).scalar_one()  # fmt: skip
            self._known[name] = new
        return self._known[name]


class _Chunk:
    """Some offers and the rows of the database that they touch, locked until the end."""

    def __init__(self, connection: Connection, people: _People, offers: Sequence[Offer]) -> None:
        self._connection, self._people, self._offers = connection, people, offers
        clip_ids = sorted({offer.vote.clip_id for offer in offers})
        self._clips = set(
            connection.scalars(
                select(t.clip.c.clip_id)
                .where(t.clip.c.clip_id.in_(clip_ids))
                .order_by(t.clip.c.clip_id)
                .with_for_update(key_share=True)
            )
        )
        # (clip, slot): who holds it, or None
        self._slots: dict[str, dict[int, int | None]] = defaultdict(dict)
        self._answered: dict[str, set[int]] = defaultdict(set)
        for row in connection.execute(
            select(t.slot).where(t.slot.c.clip_id.in_(clip_ids)).order_by(t.slot.c.slot)
        ):
            self._slots[row.clip_id][row.slot] = row.annotator_id
            if row.answered:
                self._answered[row.clip_id].add(row.annotator_id)
        key = (t.vote.c.clip_id, t.vote.c.annotator_id, t.vote.c.purpose)
        self._newest: dict[tuple[str, int, str], int] = {
            (row.clip_id, row.annotator_id, row.purpose): row.newest
            for row in connection.execute(
                select(*key, func.max(t.vote.c.revision).label("newest"))
                .where(t.vote.c.clip_id.in_(clip_ids))
                .group_by(*key)
            )
        }
        requests = [offer.vote.request_id for offer in offers]
        self._requests: dict[str, tuple[object, ...]] = {
            row.request_id: _content(row, row.annotator_id)
            for row in connection.execute(select(t.vote).where(t.vote.c.request_id.in_(requests)))
        }
        self._filled: list[dict[str, object]] = []
        self._closed: Counter[str] = Counter()
        self._errands: list[dict[str, object]] = []
        self._votes: list[dict[str, object]] = []
        self._pairs: Counter[tuple[int, int]] = Counter()

    def take(self, intake: Intake) -> None:
        for offer in self._offers:
            vote = offer.vote
            person = self._people.find(vote.annotator_id)
            if self._requests.get(vote.request_id) == _content(vote, person):
                intake.n_known += 1
                continue
            reason = self._objection(vote, person)
            if reason:
                intake.refusals.append(Refusal(offer.file, offer.place, reason))
                continue
            self._accept(vote, self._people.find_or_add(vote.annotator_id))
            intake.n_taken += 1
        self._write()

    def _objection(self, vote: Vote, person: int | None) -> str:
        """Why the project cannot take a vote; empty: it can."""
        if vote.request_id in self._requests:
            return "Its request_id belongs to another answer, or the answer has changed."
        if vote.clip_id not in self._clips:
            return f"The project has no clip {vote.clip_id}."
        if self._people.is_taken(vote.annotator_id):
            return f"An account that can sign in is named {_IMPORTED}{vote.annotator_id}."
        newest = self._newest_of(vote, person, vote.purpose)
        if vote.revision <= newest:
            return f"{vote.annotator_id} has given revision {newest} of this answer already."
        other = {"vote": "adjudication", "adjudication": "vote"}.get(vote.purpose, "")
        if self._newest_of(vote, person, other):
            return "Nobody votes on a clip and adjudicates it."
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

    def _accept(self, vote: Vote, person: int) -> None:
        clip_id, key = vote.clip_id, (vote.clip_id, person, vote.purpose)
        slot = self._free_slot(clip_id, person) if vote.purpose == "vote" else None
        if key not in self._newest:
            if slot is not None:
                self._fill(clip_id, slot, person, vote.shown_at)
            else:
                self._errands.append(
                    {"b_clip": clip_id, "b_person": person, "b_purpose": vote.purpose,
                     "at": vote.shown_at}
                )  # fmt: skip
        self._newest[key] = vote.revision
        self._requests[vote.request_id] = _content(vote, person)
        copied = {name: getattr(vote, name) for name in _COPIED}
        self._votes.append({**copied, "annotator_id": person, "slot": slot})

    def _fill(self, clip_id: str, slot: int, person: int, at: int) -> None:
        if self._slots[clip_id][slot] is None:
            self._closed[clip_id] += 1
        self._slots[clip_id][slot] = person
        self._filled.append({"b_clip": clip_id, "b_slot": slot, "person": person, "at": at})
        for other in self._answered[clip_id]:
            self._pairs[min(other, person), max(other, person)] += 1
        self._answered[clip_id].add(person)

    def _write(self) -> None:
        """All rows that this chunk changes, many at a time."""
        slot = (t.slot.c.clip_id == bindparam("b_clip"), t.slot.c.slot == bindparam("b_slot"))
        self._execute(
            update(t.slot)
            .where(*slot)
            .values(
                annotator_id=bindparam("person"), answered=True, expires_at=None,
                leased_at=bindparam("at"),
            ),
            self._filled,
        )  # fmt: skip
        self._execute(
            update(t.clip)
            .where(t.clip.c.clip_id == bindparam("b_clip"))
            .values(n_open=t.clip.c.n_open - bindparam("n")),
            [{"b_clip": clip_id, "n": n} for clip_id, n in sorted(self._closed.items())],
        )
        self._execute(insert(t.vote), self._votes)
        self._execute(
            _MEET,
            [{"first": a, "second": b, "n": n} for (a, b), n in sorted(self._pairs.items())],
        )
        for errand in self._errands:
            self._run_errand(errand)

    def _execute(self, statement: Any, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self._connection.execute(statement, rows)

    def _run_errand(self, errand: Mapping[str, object]) -> None:
        """Notes that a gold clip, repeat … was answered, so that it is not given again."""
        done = self._connection.execute(
            update(t.errand)
            .where(
                t.errand.c.clip_id == errand["b_clip"],
                t.errand.c.annotator_id == errand["b_person"],
                t.errand.c.purpose == errand["b_purpose"],
            )
            .values(answered=True)
        )
        if not done.rowcount:
            self._connection.execute(
                insert(t.errand).values(
                    clip_id=errand["b_clip"], annotator_id=errand["b_person"],
                    purpose=errand["b_purpose"], ticket=secrets.token_hex(24),
                    leased_at=errand["at"], answered=True,
                )
            )  # fmt: skip


def _content(row: Vote | t.AnyRow, person: int | None) -> tuple[object, ...]:
    """What must be the same where a request id is the same."""
    return (person, row.clip_id, *(getattr(row, name) for name in _CONTENT))


def _unfit(vote: Vote) -> str:
    """Why a vote cannot be stored at all; empty: it can."""
    texts = {
        "request_id": vote.request_id, "clip_id": vote.clip_id, "annotator_id": vote.annotator_id,
    }  # fmt: skip
    for column, said in texts.items():
        if not said.isprintable() or not 0 < len(said) <= _MAX_TEXT:
            return f"Expected {column} as 1 to {_MAX_TEXT} printable characters, found {said!r}."
    reason = vote.reason or ""
    if len(reason) > _MAX_TEXT or "\x00" in reason:
        return f"A reason may have {_MAX_TEXT} characters, all of them text."
    if vote.received_at > _LAST_MS:
        return f"Expected times in milliseconds since 1970, found {vote.received_at}."
    if not 0 <= vote.play_count <= 10_000 or vote.speed not in _SPEEDS:
        return "Plays are counted from 0, speeds are 50 to 150 percent."
    if vote.revision > 10_000 or vote.confidence_steps > 101:
        return "Expected at most 10,000 revisions and 101 steps of confidence."
    return ""

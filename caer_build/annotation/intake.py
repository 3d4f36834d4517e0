"""Taking votes that were given elsewhere into a project, under the rules that hold for all votes.

Row by row: what fits is taken, what does not is refused with a reason, and what was taken before
(known by its request id) is passed over.

While people label, nobody may hold the database for long. So votes are taken in chunks, each a
transaction of its own, in one order: an import that is stopped has taken the votes up to some
place in that order, and the same import again passes over them and goes on. The database's
constraints have the last word: should one of them ever object, nothing of its chunk stays.

What would be taken is worked out in one look, without writing: the chunks' decisions are kept in
memory where the next ones find them.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.ledger import pseudonyms
from caer_build.annotation.office import SECRET
from caer_build.records import Vote

_CHUNK = 1000
"""votes; about a tenth of a second of SQLite's only place for a writer"""
_GIVE_WAY_S = 0.12
"""Who waits for SQLite looks again every tenth of a second, at the latest."""
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


def take_in(database: Database, offers: Sequence[Offer], now_ms: int) -> Intake:
    """Takes what fits; earlier revisions first, else in the order given.

    A person of the file is, in this order: who has that pseudonym in this project's exports; who
    came by an earlier import under that name; somebody new, whose account is retired from the
    start and has no password. Never an account of the same alias or name: that is somebody else.
    """
    intake = Intake()
    for number, chunk in enumerate(_chunks(offers, intake)):
        if number and database.is_sqlite:
            time.sleep(_GIVE_WAY_S)
        with database.writing() as connection:
            # Two imports at once would lock clips in different orders; the second waits here.
            connection.execute(select(t.setting).where(t.setting.c.key == SECRET).with_for_update())
            people = _People(connection)
            books = _Books(people)
            books.open(connection, chunk)
            page = _decided(books, chunk, intake)
            people.add_new(connection, now_ms)
            page.write(connection, people)
            n_new = people.n_new
        intake.n_people += n_new
    return intake


def look_over(database: Database, offers: Sequence[Offer]) -> Intake:
    """What :func:`take_in` would do now; nothing is locked or changed."""
    intake = Intake()
    with database.reading() as connection:
        people = _People(connection)
        books = _Books(people)
        for chunk in _chunks(offers, intake):
            books.open(connection, chunk)
            _decided(books, chunk, intake)
    intake.n_people = people.n_new
    return intake


def _chunks(offers: Sequence[Offer], intake: Intake) -> Iterator[Sequence[Offer]]:
    """What can be stored at all, in the order of taking; the others are refused."""
    ordered = []
    for offer in sorted(offers, key=lambda offer: offer.vote.revision):
        reason = _unfit(offer.vote)
        if reason:
            intake.refusals.append(Refusal(offer.file, offer.place, reason))
        else:
            ordered.append(offer)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


def _decided(books: _Books, chunk: Sequence[Offer], intake: Intake) -> _Page:
    """What is to be written of a chunk; the intake is told of all of it."""
    page = _Page()
    for offer in chunk:
        vote = offer.vote
        if books.knows(vote):
            intake.n_known += 1
            continue
        reason = books.objection(vote)
        if reason:
            intake.refusals.append(Refusal(offer.file, offer.place, reason))
            continue
        books.accept(vote, page)
        intake.n_taken += 1
    return page


class _People:
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
                    alias=f"a{self._n:03d}", name=f"{_IMPORTED}{name}", role="annotator",
                    created_at=now_ms, retired_at=now_ms,
                )
                .returning(t.annotator.c.annotator_id)
            ).scalar_one()  # fmt: skip

    def number(self, person: int) -> int:
        """What the database calls somebody, new ones too."""
        return self._added.get(person, person)


class _Books:
    """The rows of the database that offers touch, and what was decided about them since."""

    def __init__(self, people: _People) -> None:
        self._people = people
        # clip_id: when it was withdrawn, or None
        self._clips: dict[str, int | None] = {}
        # (clip, slot): who holds it, or None
        self._slots: dict[str, dict[int, int | None]] = defaultdict(dict)
        self._answered: dict[str, set[int]] = defaultdict(set)
        self._newest: dict[tuple[str, int, str], int] = {}
        self._requests: dict[str, tuple[object, ...]] = {}

    def open(self, connection: Connection, offers: Sequence[Offer]) -> None:
        """Reads what some more offers touch; in a transaction that writes, locked until its end."""
        clip_ids = sorted({offer.vote.clip_id for offer in offers} - self._clips.keys())
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
        requests = {offer.vote.request_id for offer in offers} - self._requests.keys()
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

    def accept(self, vote: Vote, page: _Page) -> None:
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
        self._requests[vote.request_id] = _content(vote, person)
        copied = {name: getattr(vote, name) for name in _COPIED}
        page.votes.append({**copied, "annotator_id": person, "slot": slot})

    def _fill(self, clip_id: str, slot: int, person: int, at: int, page: _Page) -> None:
        if self._slots[clip_id][slot] is None:
            page.closed[clip_id] += 1
        self._slots[clip_id][slot] = person
        page.filled.append({"b_clip": clip_id, "b_slot": slot, "b_person": person, "at": at})
        page.met += [(other, person) for other in self._answered[clip_id]]
        self._answered[clip_id].add(person)


@dataclass
class _Page:
    """What a chunk changes; people by their numbers in :class:`_People`.

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

    def write(self, connection: Connection, people: _People) -> None:
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

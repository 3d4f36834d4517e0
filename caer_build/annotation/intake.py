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

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from caer_build.annotation.accounts import one_by_one
from caer_build.annotation.bookkeeping import Books, Page, People
from caer_build.annotation.database import Database
from caer_build.records import Vote

_CHUNK = 1000
"""votes; SQLite has one place for a writer, and this is some tenths of a second of it"""
_GIVE_WAY_S = 0.12
"""Who waits for SQLite looks again every tenth of a second, at the latest."""
_MAX_TEXT = 500
_LAST_MS = 253_402_300_799_999
"""the end of the year 9999"""
_SPEEDS = range(50, 151)


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
            one_by_one(connection)
            people = People(connection)
            books = Books(people)
            books.open(connection, [offer.vote for offer in chunk])
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
        people = People(connection)
        books = Books(people)
        for chunk in _chunks(offers, intake):
            books.open(connection, [offer.vote for offer in chunk])
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


def _decided(books: Books, chunk: Sequence[Offer], intake: Intake) -> Page:
    """What is to be written of a chunk; the intake is told of all of it."""
    page = Page()
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

"""Who gets which clip next: a vote that counts, or an errand (gold, a repeat, practice).

A person holds two clips at most: the one on the screen, and the next, which loads meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.choosing import Candidate, ranked
from caer_build.annotation.leasing import (
    Desk,
    Lease,
    held,
    lock_annotator,
    take_back_expired,
    take_slot,
)
from caer_build.annotation.practice import end_without_clips
from caer_build.annotation.tickets import issue
from caer_build.errors import NotAllowed

MOST_LEASES = 2
_SAMPLE = 24
_WINDOW, _WINDOW_A_PERSON = 64, 8
"""Clips are taken from so many places behind the first that still needs this person: few are begun
at once, many enough for chance."""
_ME: BindParameter[int] = bindparam("me")


def _unseen(*books: Table) -> ColumnElement[bool]:
    """That a clip does not stand in any of these tables for this person.

    "Is false", not "not": of that PostgreSQL makes joins, which read all that was ever given to
    this person (or to anybody) where it has not learnt yet how much there is.
    """
    seen = (
        exists().where(book.c.clip_id == t.clip.c.clip_id, book.c.annotator_id == _ME)
        for book in books
    )
    return and_(*(each.is_(false()) for each in seen))


_IS_FOR_ME = and_(t.IS_WANTED, _unseen(t.slot, t.errand, t.declined))


_FIRST = (
    select(t.clip.c.position)
    .where(_IS_FOR_ME, t.clip.c.position >= bindparam("frontier"))
    .order_by(t.clip.c.position)
    .limit(literal_column("1"))
    .scalar_subquery()
)
_SOME = (
    select(t.clip.c.clip_id, t.clip.c.shot_id, t.clip.c.position)
    .where(_IS_FOR_ME, t.clip.c.position >= bindparam("start"))
    .order_by(t.clip.c.position)
    .limit(literal_column(str(_SAMPLE)))
    .subquery()
)
_WANTED = (
    select(_SOME.c.clip_id, _SOME.c.shot_id, t.slot.c.annotator_id, _FIRST.label("first"))
    .join_from(
        _SOME,
        t.slot,
        and_(t.slot.c.clip_id == _SOME.c.clip_id, t.slot.c.annotator_id != _ME),
        isouter=True,
    )
    .order_by(_SOME.c.position)
)
"""clips that need this person, each with those who have it, a row for each of them"""
_SHOT_OF_CLIP = select(t.clip.c.shot_id).where(t.clip.c.clip_id == bindparam("this_clip"))
_SHOT_OF_LAST_VOTE = (
    select(t.clip.c.shot_id)
    .join(t.vote, t.vote.c.clip_id == t.clip.c.clip_id)
    .where(t.vote.c.annotator_id == _ME)
    .order_by(t.vote.c.vote_id.desc())
    .limit(1)
)
_MET = select(t.pair).where(or_(t.pair.c.first == _ME, t.pair.c.second == _ME))
_KEEP_PLACE = (
    update(t.annotator)
    .where(t.annotator.c.annotator_id == _ME)
    .values(n_given=bindparam("given"), frontier=bindparam("place"))
)
_PRACTICE_BEGUN = select(func.count()).where(
    t.errand.c.annotator_id == _ME,
    t.errand.c.purpose == "practice",
    t.errand.c.leased_at >= bindparam("since"),
)
_NEW_ERRAND = insert(t.errand)


def _gold(is_practice: bool) -> Select[tuple[str, str]]:
    return (
        select(t.clip.c.clip_id, t.clip.c.public_id)
        .where(
            t.clip.c.gold_emotion.is_not(None),
            t.clip.c.is_practice == is_practice,
            _unseen(t.slot, t.errand, t.declined),
        )
        # Not by the plain column: SQLite would look through all clips to have them in order.
        .order_by(t.clip.c.position + literal_column("0"))
        .limit(_SAMPLE)
    )


def _repeat() -> Select[tuple[str, str]]:
    mine = (
        select(t.vote.c.clip_id)
        .where(t.vote.c.annotator_id == _ME, t.vote.c.purpose == "vote", t.vote.c.revision == 1)
        .order_by(t.vote.c.vote_id.desc())
        .offset(bindparam("after"))
        .limit(_SAMPLE)
        .subquery()
    )
    return (
        select(t.clip.c.clip_id, t.clip.c.public_id)
        .join(mine, mine.c.clip_id == t.clip.c.clip_id)
        .where(t.clip.c.withdrawn_at.is_(None), _unseen(t.errand, t.declined))
        .order_by(t.clip.c.position)
    )


_ERRANDS = {"practice": _gold(True), "gold": _gold(False), "repeat": _repeat()}


@dataclass(slots=True)
class _Turn:
    """A person who is being given clips.

    Attributes:
        n_given: clips given out to this person so far; seeds the next choice.
        frontier: position before which every clip was seen by this person or needs nobody.
        n_working: how many people hold clips.
        is_practising: clips that count come later.
    """

    person: t.AnyRow
    n_given: int
    frontier: int
    n_working: int
    is_practising: bool


def fill(connection: Connection, desk: Desk) -> list[Lease]:
    """Gives a person clips until two are held, if there are any; returns what is held.

    Raises:
        NotAllowed: if this person takes no clips.
    """
    person = lock_annotator(connection, desk.annotator_id)
    if person.role == "manager":
        raise NotAllowed("A manager sees the votes and therefore gives none.")
    n_working = take_back_expired(connection, desk.now_ms)
    turn = _Turn(person, person.n_given, person.frontier, n_working, person.qualified_at is None)
    leases = held(connection, desk.annotator_id)
    while len(leases) < MOST_LEASES:
        random = Random(f"{desk.settings.seed}/{desk.annotator_id}/{turn.n_given}")
        # Two clips given in one millisecond still have an order, the same at every look.
        at = max([desk.now_ms, *(lease.leased_at + 1 for lease in leases)])
        lease = _next(connection, replace(desk, now_ms=at), turn, leases, random)
        if lease is None:
            break
        leases.append(lease)
        turn.n_given += 1
    if (turn.n_given, turn.frontier) != (person.n_given, person.frontier):
        place = {"me": desk.annotator_id, "given": turn.n_given, "place": turn.frontier}
        connection.execute(_KEEP_PLACE, place)
    return leases


def _next(
    connection: Connection, desk: Desk, turn: _Turn, leases: Sequence[Lease], random: Random
) -> Lease | None:
    if turn.is_practising:
        lease = _practice(connection, desk, turn, random)
        if lease is not None or leases or not end_without_clips(connection, desk):
            return lease
        turn.is_practising = False
    drawn, settings = random.random(), desk.settings
    lease = None
    if drawn < settings.gold_share:
        lease = _errand(connection, desk, "gold", random)
    elif drawn < settings.gold_share + settings.repeat_share:
        lease = _errand(connection, desk, "repeat", random)
    return lease or _vote(connection, desk, turn, leases, random)


def _practice(connection: Connection, desk: Desk, turn: _Turn, random: Random) -> Lease | None:
    since = {"me": desk.annotator_id, "since": turn.person.practice_from}
    if (connection.scalar(_PRACTICE_BEGUN, since) or 0) >= desk.settings.practice_clips:
        return None
    return _errand(connection, desk, "practice", random)


def _vote(
    connection: Connection, desk: Desk, turn: _Turn, leases: Sequence[Lease], random: Random
) -> Lease | None:
    found = _wanted(connection, desk.annotator_id, turn, random)
    last_shot = _last_shot(connection, desk.annotator_id, leases)
    met = _met(connection, desk.annotator_id)
    for candidate in ranked(found, met, last_shot, random):
        lease = take_slot(connection, desk, candidate.clip_id)
        if lease is not None:
            return lease
    return None


def _wanted(
    connection: Connection, annotator_id: int, turn: _Turn, random: Random
) -> list[Candidate]:
    """Some of the clips that need somebody and that this person has not seen, by position."""
    offset = random.randrange(_WINDOW + _WINDOW_A_PERSON * turn.n_working)
    # The search begins where the last one found its first clip. Where too few are left behind the
    # offset it takes the first ones; clips before the frontier may have been given back.
    others: dict[tuple[str, str], list[int]] = {}
    for frontier, skipped in ((turn.frontier, offset), (turn.frontier, 0), (0, 0)):
        given = {"me": annotator_id, "frontier": frontier, "start": frontier + skipped}
        others = defaultdict(list)
        rows = connection.execute(_WANTED, given).all()
        for row in rows:
            others[row.clip_id, row.shot_id] += (
                () if row.annotator_id is None else (row.annotator_id,)
            )
        turn.frontier = rows[0].first if rows else 0
        if len(others) == _SAMPLE or (others and not skipped):
            break
    return [Candidate(*clip, tuple(had)) for clip, had in others.items()]


def _last_shot(connection: Connection, annotator_id: int, leases: Sequence[Lease]) -> str | None:
    """The shot of the clip that will be seen before the one to be chosen."""
    if leases:
        return connection.scalar(_SHOT_OF_CLIP, {"this_clip": leases[-1].clip_id})
    return connection.scalar(_SHOT_OF_LAST_VOTE, {"me": annotator_id})


def _met(connection: Connection, annotator_id: int) -> dict[int, int]:
    rows = connection.execute(_MET, {"me": annotator_id})
    return {r.second if r.first == annotator_id else r.first: r.n_clips for r in rows}


def _errand(connection: Connection, desk: Desk, purpose: str, random: Random) -> Lease | None:
    me = desk.annotator_id
    given = {"me": me}
    if purpose == "repeat":
        given["after"] = desk.settings.repeat_after
    found = connection.execute(_ERRANDS[purpose], given).all()
    if not found:
        return None
    chosen = random.choice(found)
    ticket = issue(desk.secret, me, chosen.public_id)
    connection.execute(
        _NEW_ERRAND,
        {
            "clip_id": chosen.clip_id, "annotator_id": me, "purpose": purpose, "ticket": ticket,
            "leased_at": desk.now_ms,
        },
    )  # fmt: skip
    return Lease(ticket, chosen.clip_id, chosen.public_id, purpose, desk.now_ms)

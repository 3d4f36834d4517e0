"""Who gets which clip next: a vote that counts, or an errand (gold, a repeat, practice).

A person holds two clips at most: the one on the screen, and the next, which loads meanwhile.

Everybody has a random order of their own: each clip is looked for from a random place of the
whole project on. But clips are to be finished, too, and not all begun at once. The two are at
odds: people who go through a project in different orders come to the same clip at different times,
and between the first and the last of them it is begun. So clips are begun until a share of the
project is (``begun_share`` of the settings), and finished from then on; up to it one clip in five
is finished nevertheless, so that there is something to look at from the first hour.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Float,
    Integer,
    Select,
    Table,
    TextClause,
    and_,
    bindparam,
    cast,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.sql import ColumnElement, Subquery

from caer_build.annotation import tables as t
from caer_build.annotation.choosing import Candidate, ranked
from caer_build.annotation.leasing import Desk, Lease, held, take_slot
from caer_build.annotation.practice import end_without_clips
from caer_build.errors import NotAllowed

MOST_LEASES = 2
_SAMPLE = 24
_BEGUN, _FRESH = 24, 4
_FINISH_SHARE = 0.2
_NAME_BYTES = 9
"""as many as a clip's public id has: a repeat's name looks like any other"""
_ME: BindParameter[int] = bindparam("me")


def _unseen(*books: Table) -> ColumnElement[bool]:
    """That a clip does not stand in any of these tables for this person, nor in the guide.

    "Is false", not "not": of that PostgreSQL makes joins, which read all that was ever given to
    this person (or to anybody) where it has not learnt yet how much there is.
    """
    seen = (
        exists().where(book.c.clip_id == t.clip.c.clip_id, book.c.annotator_id == _ME)
        for book in books
    )
    is_shown = exists().where(t.example.c.clip_id == t.clip.c.clip_id)
    return and_(*(each.is_(false()) for each in (*seen, is_shown)))


_IS_FOR_ME = and_(t.IS_WANTED, _unseen(t.slot, t.errand, t.declined))


_last_place = select(func.max(t.clip.c.position)).scalar_subquery()
_PLACE = cast(_last_place * bindparam("share", type_=Float), Integer)


def _from_a_place(which: TextClause, most: int) -> Subquery:
    """The next clips of a kind from a random place on, whoever saw them: a look of a known size."""
    return (
        select(t.clip.c.clip_id, t.clip.c.shot_id, t.clip.c.position)
        .where(which, t.clip.c.position >= _PLACE)
        .order_by(t.clip.c.position)
        .limit(literal_column(str(most)))
        .subquery()
    )


def _stands_in(book: Table, clip_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(book.c.clip_id == clip_id, book.c.annotator_id == _ME)


_SOME = union_all(
    select(_from_a_place(t.IS_BEGUN, _BEGUN), true().label("is_begun")),
    select(_from_a_place(t.IS_FRESH, _FRESH), false().label("is_begun")),
).subquery()
_AROUND = (
    select(
        _SOME,
        t.slot.c.annotator_id,
        or_(
            *(_stands_in(book, _SOME.c.clip_id) for book in (t.errand, t.declined)),
            exists().where(t.example.c.clip_id == _SOME.c.clip_id),
        ).label("is_seen"),
        _last_place.label("last_place"),
        _PLACE.label("place"),
    )
    .join_from(
        _SOME,
        t.slot,
        and_(t.slot.c.clip_id == _SOME.c.clip_id, t.slot.c.annotator_id.is_not(None)),
        isouter=True,
    )
    .order_by(_SOME.c.position)
)
"""clips around a random place, each with those who have it, a row for each of them"""
_FIRST = (
    select(t.clip.c.clip_id, t.clip.c.shot_id, t.clip.c.position)
    .where(_IS_FOR_ME, t.clip.c.position >= bindparam("frontier"))
    .order_by(t.clip.c.position)
    .limit(literal_column(str(_SAMPLE)))
    .subquery()
)
_WANTED = (
    select(_FIRST, t.slot.c.annotator_id, false().label("is_seen"))
    .join_from(
        _FIRST,
        t.slot,
        and_(t.slot.c.clip_id == _FIRST.c.clip_id, t.slot.c.annotator_id.is_not(None)),
        isouter=True,
    )
    .order_by(_FIRST.c.position)
)
"""the first clips that need this person, wherever they are; where few are left, it looks long"""
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
    .values(
        n_given=bindparam("given"),
        frontier=bindparam("place"),
        answered_at=func.coalesce(bindparam("at", type_=BigInteger), t.annotator.c.answered_at),
    )
)
_PRACTICE_BEGUN = select(func.count()).where(
    t.errand.c.annotator_id == _ME,
    t.errand.c.purpose == "practice",
    t.errand.c.leased_at >= bindparam("since"),
)
_NEW_ERRAND = insert(t.errand)


def _gold(is_practice: bool) -> Select[tuple[str, str, str]]:
    return (
        select(t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.shot_id)
        .where(
            t.clip.c.gold_emotion.is_not(None),
            t.clip.c.is_practice == is_practice,
            _unseen(t.slot, t.errand, t.declined),
        )
        # Not by the plain column: SQLite would look through all clips to have them in order.
        .order_by(t.clip.c.position + literal_column("0"))
        .limit(_SAMPLE)
    )


def _repeat() -> Select[tuple[str, str, str]]:
    mine = (
        select(t.vote.c.clip_id)
        .where(t.vote.c.annotator_id == _ME, t.vote.c.purpose == "vote", t.vote.c.revision == 1)
        .order_by(t.vote.c.vote_id.desc())
        .offset(bindparam("after"))
        .limit(_SAMPLE)
        .subquery()
    )
    return (
        select(t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.shot_id)
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
        is_practising: clips that count come later.
        last_shot: of the clip that will be seen before the one to be chosen.
    """

    person: t.AnyRow
    n_given: int
    frontier: int
    is_practising: bool
    last_shot: str | None = None


def fill(
    connection: Connection, desk: Desk, person: t.AnyRow, *, has_answered: bool = False
) -> list[Lease]:
    """Gives a person clips until two are held, if there are any; returns what is held.

    Args:
        person: the locked row, see :func:`caer_build.annotation.leasing.lock_annotator`.
        has_answered: a first answer of theirs was taken in this transaction.

    Raises:
        NotAllowed: if this person takes no clips.
    """
    if person.role == "manager":
        raise NotAllowed("A manager sees the votes and therefore gives none.")
    leases = held(connection, desk)
    turn = _Turn(person, person.n_given, person.frontier, person.qualified_at is None)
    while len(leases) < MOST_LEASES:
        random = Random(f"{desk.settings.seed}/{desk.annotator_id}/{turn.n_given}")
        # Two clips given in one millisecond still have an order, the same at every look.
        at = max([desk.now_ms, *(lease.leased_at + 1 for lease in leases)])
        turn.last_shot = _last_shot(connection, desk.annotator_id, leases)
        lease = _next(connection, replace(desk, now_ms=at), turn, leases, random)
        if lease is None:
            break
        leases.append(lease)
        turn.n_given += 1
    if has_answered or (turn.n_given, turn.frontier) != (person.n_given, person.frontier):
        place = {"me": desk.annotator_id, "given": turn.n_given, "place": turn.frontier}
        connection.execute(_KEEP_PLACE, place | {"at": desk.now_ms if has_answered else None})
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
        lease = _errand(connection, desk, turn, "gold", random)
    elif drawn < settings.gold_share + settings.repeat_share:
        lease = _errand(connection, desk, turn, "repeat", random)
    return lease or _vote(connection, desk, turn, random)


def _practice(connection: Connection, desk: Desk, turn: _Turn, random: Random) -> Lease | None:
    since = {"me": desk.annotator_id, "since": turn.person.practice_from}
    if (connection.scalar(_PRACTICE_BEGUN, since) or 0) >= desk.settings.practice_clips:
        return None
    return _errand(connection, desk, turn, "practice", random)


def _vote(connection: Connection, desk: Desk, turn: _Turn, random: Random) -> Lease | None:
    around = [c for c in _around(connection, desk, random) if c.shot_id != turn.last_shot]
    lease = _take_best(connection, desk, around, turn, random)
    if lease is None:
        # Around there may be nothing but this shot, or what others are taking at this moment.
        found = _wanted(connection, desk.annotator_id, turn)
        lease = _take_best(connection, desk, found, turn, random)
    return lease


def _take_best(
    connection: Connection, desk: Desk, found: Sequence[Candidate], turn: _Turn, random: Random
) -> Lease | None:
    met: Mapping[int, int] = {}
    if any(candidate.others for candidate in found):
        met = _met(connection, desk.annotator_id)
    for candidate in ranked(found, met, turn.last_shot, random):
        lease = take_slot(connection, desk, candidate.clip_id)
        if lease is not None:
            return lease
    return None


def _around(connection: Connection, desk: Desk, random: Random) -> list[Candidate]:
    """Some clips around a random place that need this person: to be finished, or to be begun."""
    me = desk.annotator_id
    rows = connection.execute(_AROUND, {"me": me, "share": random.random()}).all()
    if not rows:
        return []
    begun, fresh = ([row for row in rows if row.is_begun == kind] for kind in (True, False))
    to_finish, to_begin = _candidates(begun, me), _candidates(fresh, me)
    # How densely the begun ones lie, whoever began them, is seen from how far these reach.
    n_begun = len({row.clip_id for row in begun})
    to_the_end = n_begun < _BEGUN
    n_places = (rows[0].last_place if to_the_end else begun[-1].position) - rows[0].place + 1
    are_few = n_begun < desk.settings.begun_share * n_places
    if are_few and random.random() >= _FINISH_SHARE:
        return to_begin or to_finish
    return to_finish or to_begin


def _candidates(rows: Sequence[t.AnyRow], annotator_id: int) -> list[Candidate]:
    """Clips that this person has not seen, each with those who have it, by position."""
    others: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        here = others[row.clip_id, row.shot_id]
        if row.annotator_id is not None:
            here.append(row.annotator_id)
        if row.is_seen:
            here.append(annotator_id)
    return [Candidate(*c, tuple(who)) for c, who in others.items() if annotator_id not in who]


def _wanted(connection: Connection, annotator_id: int, turn: _Turn) -> list[Candidate]:
    """The first clips that need this person, by position.

    The search begins where the last one found its first clip; clips before that may have been
    given back, so it ends at the beginning.
    """
    for frontier in dict.fromkeys((turn.frontier, 0)):
        given = {"me": annotator_id, "frontier": frontier}
        rows = connection.execute(_WANTED, given).all()
        turn.frontier = rows[0].position if rows else 0
        if rows:
            return _candidates(rows, annotator_id)
    return []


def _last_shot(connection: Connection, annotator_id: int, leases: Sequence[Lease]) -> str | None:
    if leases:
        return leases[-1].shot_id
    return connection.scalar(_SHOT_OF_LAST_VOTE, {"me": annotator_id})


def _met(connection: Connection, annotator_id: int) -> dict[int, int]:
    rows = connection.execute(_MET, {"me": annotator_id})
    return {r.second if r.first == annotator_id else r.first: r.n_clips for r in rows}


def _errand(
    connection: Connection, desk: Desk, turn: _Turn, purpose: str, random: Random
) -> Lease | None:
    me = desk.annotator_id
    given = {"me": me}
    if purpose == "repeat":
        given["after"] = desk.settings.repeat_after
    found = connection.execute(_ERRANDS[purpose], given).all()
    apart = [row for row in found if row.shot_id != turn.last_shot]
    if not apart and purpose == "practice":
        apart = list(found)  # a round has to go on, were all its clips of one shot
    if not apart:
        return None
    chosen = random.choice(apart)
    name = secrets.token_hex(_NAME_BYTES) if purpose == "repeat" else chosen.public_id
    ticket = desk.ticket(name)
    connection.execute(
        _NEW_ERRAND,
        {
            "clip_id": chosen.clip_id, "annotator_id": me, "purpose": purpose, "ticket": ticket,
            "shown_as": name if purpose == "repeat" else None, "leased_at": desk.now_ms,
            "expires_at": desk.until_ms,
        },
    )  # fmt: skip
    return Lease(ticket, chosen.clip_id, name, purpose, desk.now_ms, chosen.shot_id)

"""Who gets which clip: leases on slots, and errands (gold, repeats, practice).

A lease holds a slot for a person until a time. It is renewed while the page is open; one that
ran out goes to whoever asks next, and until then its holder may still answer. All functions
work inside the caller's transaction and first lock the annotator's row, so that two tabs of one
person are one after the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from sqlalchemy import Connection, Table, exists, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.choosing import Candidate, ranked
from caer_build.annotation.project import ProjectSettings
from caer_build.annotation.tickets import issue
from caer_build.errors import NotAllowed

MOST_LEASES = 2
"""the clip on the screen, and the next one, which loads meanwhile"""
_SAMPLE = 24
_WINDOW, _WINDOW_A_PERSON = 64, 8
"""Clips are taken from among the first so many that still need somebody: few are begun at once,
many enough for chance."""
_WORKING = ("gold", "repeat", "practice")
"""errands that come up among the clips; adjudication has a page of its own"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A clip that a person holds. What it is for is never shown to that person."""

    ticket: str
    clip_id: str
    public_id: str
    purpose: str
    leased_at: int


@dataclass(frozen=True, slots=True)
class Desk:
    """A person at work: who it is, under which settings, and when it is."""

    settings: ProjectSettings
    secret: str
    annotator_id: int
    now_ms: int


def lock_annotator(connection: Connection, annotator_id: int) -> t.AnyRow:
    """The annotator's row, locked until the transaction ends.

    Raises:
        NotAllowed: if there is no such person, or not any more.
    """
    row = connection.execute(
        select(t.annotator)
        .where(t.annotator.c.annotator_id == annotator_id)
        .with_for_update(key_share=True)
    ).first()
    if row is None or row.retired_at is not None:
        raise NotAllowed("This account takes part in the project no more.", "Ask the manager.")
    return row


def held(connection: Connection, annotator_id: int) -> list[Lease]:
    """What a person holds, in the order in which it was given out."""
    slots = select(t.slot.c.ticket, t.slot.c.clip_id, t.clip.c.public_id, t.slot.c.leased_at).where(
        t.slot.c.clip_id == t.clip.c.clip_id,
        t.slot.c.annotator_id == annotator_id,
        t.slot.c.expires_at.is_not(None),
    )
    errands = select(
        t.errand.c.ticket,
        t.errand.c.clip_id,
        t.clip.c.public_id,
        t.errand.c.purpose,
        t.errand.c.leased_at,
    ).where(
        t.errand.c.clip_id == t.clip.c.clip_id,
        t.errand.c.annotator_id == annotator_id,
        ~t.errand.c.answered,
        t.errand.c.purpose.in_(_WORKING),
    )
    leases = [
        Lease(r.ticket, r.clip_id, r.public_id, "vote", r.leased_at)
        for r in connection.execute(slots)
    ]
    leases += [
        Lease(r.ticket, r.clip_id, r.public_id, r.purpose, r.leased_at)
        for r in connection.execute(errands)
    ]
    return sorted(leases, key=lambda lease: (lease.leased_at, lease.ticket))


def fill(connection: Connection, desk: Desk) -> list[Lease]:
    """Gives a person clips until two are held, if there are any; returns what is held.

    Raises:
        NotAllowed: if this person takes no clips.
    """
    person = lock_annotator(connection, desk.annotator_id)
    if person.role == "manager":
        raise NotAllowed("A manager sees the votes and therefore gives none.")
    take_back_expired(connection, desk.now_ms)
    leases = held(connection, desk.annotator_id)
    n_given = person.n_given
    while len(leases) < MOST_LEASES:
        random = Random(f"{desk.settings.seed}/{desk.annotator_id}/{n_given}")
        # Two clips given in one millisecond still have an order, the same at every look.
        at = max([desk.now_ms, *(lease.leased_at + 1 for lease in leases)])
        lease = _next(connection, replace(desk, now_ms=at), person, leases, random)
        if lease is None:
            break
        leases.append(lease)
        n_given += 1
    if n_given != person.n_given:
        connection.execute(
            update(t.annotator)
            .where(t.annotator.c.annotator_id == desk.annotator_id)
            .values(n_given=n_given)
        )
    return leases


def renew(connection: Connection, desk: Desk) -> int:
    """Prolongs the leases that a person holds; how many there are."""
    done = connection.execute(
        update(t.slot)
        .where(t.slot.c.annotator_id == desk.annotator_id, t.slot.c.expires_at.is_not(None))
        .values(expires_at=desk.now_ms + desk.settings.lease_s * 1000)
    )
    return done.rowcount


def take_back_expired(connection: Connection, now_ms: int) -> None:
    """Opens the slots whose leases ran out."""
    _open_slots(connection, t.slot.c.expires_at < now_ms)


def take_back_all(connection: Connection, annotator_id: int) -> None:
    """Opens the slots that a person holds and has not answered, and drops open errands."""
    _open_slots(
        connection, (t.slot.c.annotator_id == annotator_id) & t.slot.c.expires_at.is_not(None)
    )
    connection.execute(
        t.errand.delete().where(t.errand.c.annotator_id == annotator_id, ~t.errand.c.answered)
    )


def take_back_one(connection: Connection, annotator_id: int, clip_id: str) -> None:
    """Opens the slot that a person holds of one clip."""
    _open_slots(
        connection,
        (t.slot.c.annotator_id == annotator_id)
        & (t.slot.c.clip_id == clip_id)
        & t.slot.c.expires_at.is_not(None),
    )


def _open_slots(connection: Connection, which: ColumnElement[bool]) -> None:
    found = connection.execute(select(t.slot.c.clip_id, t.slot.c.slot).where(which)).all()
    for row in sorted(found):
        if not _lock_clip(connection, row.clip_id):
            continue  # somebody is at it this moment; the next request will find it
        opened = connection.execute(
            update(t.slot)
            .where(t.slot.c.clip_id == row.clip_id, t.slot.c.slot == row.slot, which)
            .values(annotator_id=None, ticket=None, leased_at=None, expires_at=None)
        )
        if opened.rowcount:
            connection.execute(
                update(t.clip)
                .where(t.clip.c.clip_id == row.clip_id)
                .values(n_open=t.clip.c.n_open + opened.rowcount)
            )


def _lock_clip(connection: Connection, clip_id: str) -> bool:
    """Locks a clip's row, unless somebody has it: then nobody waits."""
    locked = connection.execute(
        select(t.clip.c.clip_id)
        .where(t.clip.c.clip_id == clip_id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return locked.first() is not None


def _next(
    connection: Connection,
    desk: Desk,
    person: t.AnyRow,
    leases: Sequence[Lease],
    random: Random,
) -> Lease | None:
    if person.qualified_at is None:
        begun = connection.scalar(
            select(func.count()).where(
                t.errand.c.annotator_id == desk.annotator_id,
                t.errand.c.purpose == "practice",
                t.errand.c.leased_at >= person.practice_from,
            )
        )
        if (begun or 0) >= desk.settings.practice_clips:
            return None  # the round is over, and was not passed
        return _errand(connection, desk, "practice", random)
    drawn, settings = random.random(), desk.settings
    if drawn < settings.gold_share:
        lease = _errand(connection, desk, "gold", random)
    elif drawn < settings.gold_share + settings.repeat_share:
        lease = _errand(connection, desk, "repeat", random)
    else:
        lease = None
    return lease or _vote(connection, desk, person, leases, random)


def _vote(
    connection: Connection,
    desk: Desk,
    person: t.AnyRow,
    leases: Sequence[Lease],
    random: Random,
) -> Lease | None:
    found = _wanted(connection, desk, person, random)
    last_shot = _last_shot(connection, desk.annotator_id, leases)
    met = _met(connection, desk.annotator_id)
    for candidate in ranked(found, met, last_shot, random):
        lease = take_slot(connection, desk, candidate.clip_id)
        if lease is not None:
            return lease
    return None


def _wanted(
    connection: Connection, desk: Desk, person: t.AnyRow, random: Random
) -> list[Candidate]:
    """Some of the clips that need somebody and that this person has not seen, by position."""
    n_people = connection.execute(
        select(t.slot.c.annotator_id).where(t.slot.c.expires_at.is_not(None)).distinct()
    ).all()
    offset = random.randrange(_WINDOW + _WINDOW_A_PERSON * len(n_people))
    for frontier in sorted({person.frontier, 0}, reverse=True):
        rows = connection.execute(
            select(t.clip.c.clip_id, t.clip.c.shot_id, t.clip.c.position)
            .where(
                t.clip.c.n_open > 0,
                t.clip.c.position >= frontier,
                ~_seen(desk.annotator_id, t.slot),
                ~_seen(desk.annotator_id, t.errand),
                ~_seen(desk.annotator_id, t.declined),
            )
            .order_by(t.clip.c.position)
            .limit(offset + _SAMPLE)
        ).all()
        if rows:
            break
    else:
        return []
    # All clips before the first of them were seen by this person or need nobody: the next search
    # begins here, and comes back to the start when it finds nothing.
    connection.execute(
        update(t.annotator)
        .where(t.annotator.c.annotator_id == desk.annotator_id)
        .values(frontier=rows[0].position)
    )
    chosen = rows[-_SAMPLE:]
    others = defaultdict(list)
    for row in connection.execute(
        select(t.slot.c.clip_id, t.slot.c.annotator_id).where(
            t.slot.c.clip_id.in_([r.clip_id for r in chosen]), t.slot.c.annotator_id.is_not(None)
        )
    ):
        others[row.clip_id].append(row.annotator_id)
    return [Candidate(r.clip_id, r.shot_id, tuple(others[r.clip_id])) for r in chosen]


def _seen(annotator_id: int, table: Table) -> ColumnElement[bool]:
    return exists().where(table.c.clip_id == t.clip.c.clip_id, table.c.annotator_id == annotator_id)


def _last_shot(connection: Connection, annotator_id: int, leases: Sequence[Lease]) -> str | None:
    """The shot of the clip that will be seen before the one to be chosen."""
    if leases:
        before = select(t.clip.c.shot_id).where(t.clip.c.clip_id == leases[-1].clip_id)
    else:
        before = (
            select(t.clip.c.shot_id)
            .join(t.vote, t.vote.c.clip_id == t.clip.c.clip_id)
            .where(t.vote.c.annotator_id == annotator_id)
            .order_by(t.vote.c.vote_id.desc())
            .limit(1)
        )
    return connection.scalar(before)


def _met(connection: Connection, annotator_id: int) -> dict[int, int]:
    rows = connection.execute(
        select(t.pair).where(or_(t.pair.c.first == annotator_id, t.pair.c.second == annotator_id))
    )
    return {r.second if r.first == annotator_id else r.first: r.n_clips for r in rows}


def take_slot(connection: Connection, desk: Desk, clip_id: str) -> Lease | None:
    """Leases an open slot of a clip; None if there is none, or somebody is taking it."""
    if not _lock_clip(connection, clip_id):
        return None
    slot = connection.execute(
        select(t.slot.c.slot, t.clip.c.public_id)
        .where(
            t.slot.c.clip_id == clip_id,
            t.slot.c.annotator_id.is_(None),
            t.clip.c.clip_id == t.slot.c.clip_id,
        )
        .order_by(t.slot.c.slot)
        .limit(1)
    ).first()
    if slot is None:
        return None
    ticket = issue(desk.secret, desk.annotator_id, slot.public_id)
    connection.execute(
        update(t.slot)
        .where(t.slot.c.clip_id == clip_id, t.slot.c.slot == slot.slot)
        .values(
            annotator_id=desk.annotator_id,
            ticket=ticket,
            leased_at=desk.now_ms,
            expires_at=desk.now_ms + desk.settings.lease_s * 1000,
        )
    )
    connection.execute(
        update(t.clip).where(t.clip.c.clip_id == clip_id).values(n_open=t.clip.c.n_open - 1)
    )
    return Lease(ticket, clip_id, slot.public_id, "vote", desk.now_ms)


def _errand(connection: Connection, desk: Desk, purpose: str, random: Random) -> Lease | None:
    me = desk.annotator_id
    if purpose == "repeat":
        mine = (
            select(t.vote.c.clip_id)
            .where(t.vote.c.annotator_id == me, t.vote.c.purpose == "vote", t.vote.c.revision == 1)
            .order_by(t.vote.c.vote_id.desc())
            .offset(desk.settings.repeat_after)
            .limit(_SAMPLE)
            .subquery()
        )
        query = select(t.clip.c.clip_id, t.clip.c.public_id).join(
            mine, mine.c.clip_id == t.clip.c.clip_id
        )
    else:
        query = select(t.clip.c.clip_id, t.clip.c.public_id).where(
            t.clip.c.gold_emotion.is_not(None),
            t.clip.c.is_practice == (purpose == "practice"),
            ~_seen(me, t.slot),
        )
    query = query.where(~_seen(me, t.errand), ~_seen(me, t.declined))
    found = connection.execute(query.order_by(t.clip.c.position).limit(_SAMPLE)).all()
    if not found:
        return None
    chosen = random.choice(found)
    ticket = issue(desk.secret, me, chosen.public_id)
    connection.execute(
        insert(t.errand).values(
            clip_id=chosen.clip_id, annotator_id=me, purpose=purpose, ticket=ticket,
            leased_at=desk.now_ms,
        )
    )  # fmt: skip
    return Lease(ticket, chosen.clip_id, chosen.public_id, purpose, desk.now_ms)

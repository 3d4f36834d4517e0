"""Leases: slots of clips that are held for a person until a time.

All functions work inside the caller's transaction. Locks are taken in one order, the person, then
the clip, then its slots, and nobody waits for a clip that somebody else is taking, so no two
transactions wait for each other. Statements are built once: building one costs more than running
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BindParameter,
    Connection,
    Text,
    Update,
    bindparam,
    case,
    delete,
    distinct,
    func,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.project import ProjectSettings
from caer_build.annotation.tickets import issue
from caer_build.errors import NotAllowed

_ME: BindParameter[int] = bindparam("me")
_CLIP: BindParameter[str] = bindparam("this_clip")
_SLOT: BindParameter[int] = bindparam("this_slot")

_PERSON = (
    select(t.annotator).where(t.annotator.c.annotator_id == _ME).with_for_update(key_share=True)
)
# Adjudication has a page of its own; all other errands come up among the clips.
_HELD = union_all(
    select(
        t.slot.c.ticket,
        t.slot.c.clip_id,
        t.clip.c.public_id,
        literal_column("'vote'", Text).label("purpose"),
        t.slot.c.leased_at,
    ).where(
        t.slot.c.clip_id == t.clip.c.clip_id,
        t.slot.c.annotator_id == _ME,
        t.slot.c.expires_at.is_not(None),
    ),
    select(
        t.errand.c.ticket,
        t.errand.c.clip_id,
        t.clip.c.public_id,
        t.errand.c.purpose,
        t.errand.c.leased_at,
    ).where(
        t.errand.c.clip_id == t.clip.c.clip_id,
        t.errand.c.annotator_id == _ME,
        t.IS_OPEN_ERRAND,
        t.errand.c.purpose != "adjudication",
    ),
)
_RENEW = (
    update(t.slot)
    .where(t.slot.c.annotator_id == _ME, t.slot.c.expires_at.is_not(None))
    .values(expires_at=bindparam("until"))
)
_IS_LATE = t.slot.c.expires_at < bindparam("now")
# Counted by the database: a row that comes over costs more than to look at it there. A range,
# for "is not null" SQLite would read an index of all slots.
_AT_WORK = select(
    func.count(distinct(case((~_IS_LATE, t.slot.c.annotator_id)))), func.count(case((_IS_LATE, 1)))
).where(t.slot.c.expires_at > 0)
_ALL_HELD = select(
    t.slot.c.clip_id, t.slot.c.slot, t.slot.c.annotator_id, t.slot.c.expires_at
).where(t.slot.c.expires_at.is_not(None))
_LOCK_CLIP = (
    select(t.clip.c.clip_id)
    .where(t.clip.c.clip_id == _CLIP)
    .with_for_update(key_share=True, skip_locked=True)
)
_COUNT_OPEN = (
    update(t.clip)
    .where(t.clip.c.clip_id == _CLIP)
    .values(n_open=t.clip.c.n_open + bindparam("more"))
)
_OPEN_SLOT = (
    select(t.slot.c.slot, t.clip.c.public_id)
    .where(
        t.slot.c.clip_id == _CLIP,
        t.slot.c.annotator_id.is_(None),
        t.clip.c.clip_id == t.slot.c.clip_id,
        # PostgreSQL looks at the clip again when it has its lock, at the slot not.
        t.clip.c.n_open > 0,
    )
    .order_by(t.slot.c.slot)
    .limit(1)
    .with_for_update(key_share=True, skip_locked=True, of=t.clip)
)
_TAKE = (
    update(t.slot)
    .where(t.slot.c.clip_id == _CLIP, t.slot.c.slot == _SLOT, t.slot.c.annotator_id.is_(None))
    .values(
        annotator_id=_ME,
        ticket=bindparam("new_ticket"),
        leased_at=bindparam("now"),
        expires_at=bindparam("until"),
    )
)


def _opening(condition: ColumnElement[bool]) -> Update:
    """Opens one slot, if the condition still holds when its row is reached."""
    return (
        update(t.slot)
        .where(t.slot.c.clip_id == _CLIP, t.slot.c.slot == _SLOT, condition)
        .values(annotator_id=None, ticket=None, leased_at=None, expires_at=None)
    )


_OPEN_EXPIRED = _opening(_IS_LATE)
_OPEN_OWN = _opening((t.slot.c.annotator_id == _ME) & t.slot.c.expires_at.is_not(None))


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

    @property
    def until_ms(self) -> int:
        """When a lease that is given now runs out."""
        return self.now_ms + self.settings.lease_s * 1000


def lock_annotator(connection: Connection, annotator_id: int) -> t.AnyRow:
    """The annotator's row, locked until the transaction ends: two tabs come one after the other.

    Raises:
        NotAllowed: if there is no such person, or not any more.
    """
    row = connection.execute(_PERSON, {"me": annotator_id}).first()
    if row is None or row.retired_at is not None:
        raise NotAllowed("This account takes part in the project no more.", "Ask the manager.")
    return row


def held(connection: Connection, annotator_id: int) -> list[Lease]:
    """What a person holds, in the order in which it was given out."""
    leases = [Lease(*row) for row in connection.execute(_HELD, {"me": annotator_id})]
    return sorted(leases, key=lambda lease: (lease.leased_at, lease.ticket))


def renew(connection: Connection, desk: Desk) -> int:
    """Prolongs the leases that a person holds; how many there are."""
    given = {"me": desk.annotator_id, "until": desk.until_ms}
    return connection.execute(_RENEW, given).rowcount


def take_slot(connection: Connection, desk: Desk, clip_id: str) -> Lease | None:
    """Leases an open slot of a clip; None if there is none, or somebody is taking it."""
    place = {"this_clip": clip_id}
    slot = connection.execute(_OPEN_SLOT, place).first()
    if slot is None:
        return None
    ticket = issue(desk.secret, desk.annotator_id, slot.public_id)
    lease = {"me": desk.annotator_id, "new_ticket": ticket, "now": desk.now_ms}
    lease |= {"until": desk.until_ms, "this_slot": slot.slot}
    if connection.execute(_TAKE, place | lease).rowcount != 1:
        return None  # it was taken after the look, and before the lock
    connection.execute(_COUNT_OPEN, place | {"more": -1})
    return Lease(ticket, clip_id, slot.public_id, "vote", desk.now_ms)


def take_back_expired(connection: Connection, now_ms: int) -> int:
    """Opens the slots whose leases ran out; how many people hold others."""
    n_working, n_late = connection.execute(_AT_WORK, {"now": now_ms}).one()
    if n_late:
        for row in connection.execute(_ALL_HELD).all():
            if row.expires_at < now_ms:
                _open(connection, row, _OPEN_EXPIRED, {"now": now_ms})
    return int(n_working)


def take_back_all(connection: Connection, annotator_id: int) -> None:
    """Opens the slots that a person holds and has not answered, and drops open errands."""
    _take_back(connection, annotator_id, None)
    connection.execute(
        delete(t.errand).where(t.errand.c.annotator_id == annotator_id, ~t.errand.c.answered)
    )


def take_back_one(connection: Connection, annotator_id: int, clip_id: str) -> None:
    """Opens the slot that a person holds of one clip, if there is one."""
    _take_back(connection, annotator_id, clip_id)


def _take_back(connection: Connection, annotator_id: int, clip_id: str | None) -> None:
    for row in connection.execute(_ALL_HELD).all():
        if row.annotator_id == annotator_id and clip_id in {None, row.clip_id}:
            _open(connection, row, _OPEN_OWN, {"me": annotator_id})


def _open(connection: Connection, row: t.AnyRow, how: Update, given: dict[str, int]) -> None:
    place = {"this_clip": row.clip_id, "this_slot": row.slot}
    if connection.execute(_LOCK_CLIP, {"this_clip": row.clip_id}).first() is None:
        return  # somebody is at it this moment; the next request will find it
    opened = connection.execute(how, place | given).rowcount
    if opened:
        connection.execute(_COUNT_OPEN, {"this_clip": row.clip_id, "more": opened})

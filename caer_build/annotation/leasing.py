"""Leases: slots of clips that are held for a person until a time, and errands, which run out alike.

All functions work inside the caller's transaction. Locks are taken in one order, the person, then
the clip, then its slots, and nobody who holds a slot waits for a clip that somebody else is taking,
so no two transactions wait for each other. Statements are built once: building one costs more than
running it. And there are few of them: to PostgreSQL each is a way there and back.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Text,
    Update,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
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
_NAME: BindParameter[str] = bindparam("name")
_LATE = "late"

CLIP_NAMED: ColumnElement[str] = func.coalesce(
    select(t.clip.c.clip_id).where(t.clip.c.public_id == _NAME).scalar_subquery(),
    select(t.errand.c.clip_id)
    .where(t.errand.c.shown_as == _NAME, t.errand.c.annotator_id == _ME)
    .scalar_subquery(),
)
"""the clip_id of what the page of ``:me`` calls ``:name``; null: nothing"""

_PERSON = (
    select(t.annotator).where(t.annotator.c.annotator_id == _ME).with_for_update(key_share=True)
)
_NO_SLOT = literal_column("NULL", Integer)
# What a person holds, and what anybody has held for too long, in one look. The ranges of times:
# for "is not null" SQLite would read an index of all slots.
_LOOK = union_all(
    select(
        literal_column("'vote'", Text).label("purpose"),
        t.slot.c.ticket,
        t.slot.c.clip_id,
        t.clip.c.public_id,
        t.clip.c.shot_id,
        t.slot.c.leased_at,
        t.slot.c.expires_at,
        t.slot.c.slot,
        t.slot.c.annotator_id,
    ).where(
        t.slot.c.clip_id == t.clip.c.clip_id,
        t.slot.c.annotator_id == _ME,
        t.slot.c.expires_at.is_not(None),
    ),
    # Adjudication has a page of its own; all other errands come up among the clips.
    select(
        t.errand.c.purpose,
        t.errand.c.ticket,
        t.errand.c.clip_id,
        func.coalesce(t.errand.c.shown_as, t.clip.c.public_id),
        t.clip.c.shot_id,
        t.errand.c.leased_at,
        t.errand.c.expires_at,
        _NO_SLOT,
        t.errand.c.annotator_id,
    ).where(
        t.errand.c.clip_id == t.clip.c.clip_id,
        t.errand.c.annotator_id == _ME,
        t.IS_OPEN_ERRAND,
        t.errand.c.expires_at.is_not(None),
        t.errand.c.purpose != "adjudication",
    ),
    select(
        literal_column(f"'{_LATE}'", Text),
        t.slot.c.ticket,
        t.slot.c.clip_id,
        literal_column("''", Text),
        literal_column("''", Text),
        t.slot.c.leased_at,
        t.slot.c.expires_at,
        t.slot.c.slot,
        t.slot.c.annotator_id,
    ).where(t.slot.c.expires_at > 0, t.slot.c.expires_at < bindparam("now")),
)
_RENEW = (
    update(t.slot)
    .where(t.slot.c.annotator_id == _ME, t.slot.c.expires_at.is_not(None))
    .values(expires_at=bindparam("until"))
)
_KEEP = (
    update(t.slot)
    .where(
        t.slot.c.clip_id == _CLIP,
        t.slot.c.slot == _SLOT,
        t.slot.c.annotator_id == _ME,
        t.slot.c.expires_at.is_not(None),
    )
    .values(expires_at=bindparam("until"))
)
_others = t.errand.alias("others")
IS_ANOTHERS = and_(
    t.errand.c.purpose == "adjudication",
    select(_others.c.errand_id)
    .where(
        _others.c.clip_id == t.errand.c.clip_id,
        _others.c.purpose == "adjudication",
        _others.c.annotator_id != t.errand.c.annotator_id,
        or_(_others.c.answered, _others.c.expires_at >= bindparam("now")),
    )
    .exists(),
)
"""Whether an errand is an adjudication that somebody else has done, or was given since."""
_RENEW_ERRANDS = (
    update(t.errand)
    .where(
        t.errand.c.annotator_id == _ME,
        t.IS_OPEN_ERRAND,
        t.errand.c.expires_at.is_not(None),
        ~IS_ANOTHERS,
    )
    .values(expires_at=bindparam("until"))
)
# Practice teaches, whenever it is answered; adjudication waits until somebody else takes it.
_GIVE_BACK_ERRANDS = (
    update(t.errand)
    .where(
        t.errand.c.annotator_id == _ME,
        t.IS_OPEN_ERRAND,
        t.errand.c.purpose.in_(("gold", "repeat")),
        t.errand.c.expires_at < bindparam("now"),
    )
    .values(expires_at=None)
)
_HELD_BY_ANYBODY = select(t.slot.c.clip_id, t.slot.c.slot, t.slot.c.annotator_id).where(
    t.slot.c.expires_at > 0
)
_THIS_CLIP = select(t.clip.c.clip_id).where(t.clip.c.clip_id == _CLIP)
_LOCK_CLIP = _THIS_CLIP.with_for_update(key_share=True)
_LOCK_FREE_CLIP = _THIS_CLIP.with_for_update(key_share=True, skip_locked=True)
_COUNT_OPEN = (
    update(t.clip)
    .where(t.clip.c.clip_id == _CLIP)
    .values(n_open=t.clip.c.n_open + bindparam("more"))
)
_nobody_at_it = (
    select(t.clip.c.clip_id)
    .where(t.clip.c.clip_id == _CLIP, t.clip.c.n_open > 0)
    .with_for_update(key_share=True, skip_locked=True)
)
_TAKE_PLACE = (
    update(t.clip)
    .where(t.clip.c.clip_id.in_(_nobody_at_it), t.clip.c.n_open > 0)
    .values(n_open=t.clip.c.n_open - 1)
    .returning(t.clip.c.public_id, t.clip.c.shot_id)
)
_TAKE_SLOT = (
    update(t.slot)
    .where(
        t.slot.c.clip_id == _CLIP,
        t.slot.c.slot
        == select(func.min(t.slot.c.slot))
        .where(t.slot.c.clip_id == _CLIP, t.slot.c.annotator_id.is_(None))
        .scalar_subquery(),
    )
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


_OPEN_EXPIRED = _opening(t.slot.c.expires_at < bindparam("now"))
_OPEN_OWN = _opening((t.slot.c.annotator_id == _ME) & t.slot.c.expires_at.is_not(None))


@dataclass(frozen=True, slots=True)
class Lease:
    """A clip that a person holds. What it is for is never shown to that person.

    Attributes:
        public_id: what this person's page calls the clip. A repeat has a name of its own, so that
            nothing but its picture tells that it was there before.
    """

    ticket: str
    clip_id: str
    public_id: str
    purpose: str
    leased_at: int
    shot_id: str = ""


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

    def ticket(self, name: str) -> str:
        """A fresh one for this person and what their page calls a clip."""
        return issue(self.secret, self.annotator_id, name, self.now_ms)


def lock_annotator(connection: Connection, annotator_id: int) -> t.AnyRow:
    """The annotator's row, locked until the transaction ends: two tabs come one after the other.

    Raises:
        NotAllowed: if there is no such person, or not any more.
    """
    row = connection.execute(_PERSON, {"me": annotator_id}).first()
    if row is None or row.retired_at is not None:
        raise NotAllowed("This account takes part in the project no more.", "Ask the manager.")
    return row


def held(connection: Connection, desk: Desk) -> list[Lease]:
    """What a person holds, in the order in which it was given out.

    Slots whose time ran out, whoever holds them, are opened before, and so are this person's
    errands: nothing that comes back after a long break may differ from anything else.
    """
    rows = connection.execute(_LOOK, {"me": desk.annotator_id, "now": desk.now_ms}).all()
    kept = {row.ticket for row in rows if row.purpose == _LATE and _keeps(connection, desk, row)}
    mine = [row for row in rows if row.purpose != _LATE]
    over = {
        row.ticket for row in mine if row.purpose != "practice" and row.expires_at < desk.now_ms
    } - kept
    if any(row.ticket in over for row in mine if row.slot is None):
        connection.execute(_GIVE_BACK_ERRANDS, {"me": desk.annotator_id, "now": desk.now_ms})
    leases = [
        Lease(row.ticket, row.clip_id, row.public_id, row.purpose, row.leased_at, row.shot_id)
        for row in mine
        if row.ticket not in over
    ]
    return sorted(leases, key=lambda lease: (lease.leased_at, lease.ticket))


def _keeps(connection: Connection, desk: Desk, row: t.AnyRow) -> bool:
    """Opens a slot whose time ran out; whether this person holds it nevertheless.

    They do where somebody is at the clip at this moment: a slot that is neither open nor counted
    among what its holder has would come on top of two others once it is renewed.
    """
    if _open(connection, row, _OPEN_EXPIRED, {"now": desk.now_ms}):
        return False
    if row.annotator_id != desk.annotator_id:
        return False  # the next request will find it
    place = {"this_clip": row.clip_id, "this_slot": row.slot}
    mine = {"me": desk.annotator_id, "until": desk.until_ms}
    return connection.execute(_KEEP, place | mine).rowcount == 1


def renew(connection: Connection, desk: Desk) -> None:
    """Prolongs what a person holds."""
    lock_annotator(connection, desk.annotator_id)  # another tab may be giving it back
    given = {"me": desk.annotator_id, "until": desk.until_ms}
    connection.execute(_RENEW, given)
    connection.execute(_RENEW_ERRANDS, given | {"now": desk.now_ms})


def take_slot(connection: Connection, desk: Desk, clip_id: str) -> Lease | None:
    """Leases an open slot of a clip; None if there is none, or somebody is taking it."""
    place = {"this_clip": clip_id}
    clip = connection.execute(_TAKE_PLACE, place).first()
    if clip is None:
        return None
    ticket = desk.ticket(clip.public_id)
    lease = {"me": desk.annotator_id, "new_ticket": ticket, "now": desk.now_ms}
    # The clip is locked by now, so its slots are as they were counted.
    if connection.execute(_TAKE_SLOT, place | lease | {"until": desk.until_ms}).rowcount != 1:
        raise RuntimeError(f"{clip_id} counts an open slot that it has not")
    return Lease(ticket, clip_id, clip.public_id, "vote", desk.now_ms, clip.shot_id)


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
    rows = connection.execute(_HELD_BY_ANYBODY).all()
    mine = [r for r in rows if r.annotator_id == annotator_id and clip_id in {None, r.clip_id}]
    # A clip that was declined must not come back, whoever is at it: so this waits, for all of them
    # in one order before any slot is touched.
    for name in sorted(row.clip_id for row in mine):
        connection.execute(_LOCK_CLIP, {"this_clip": name})
    for row in mine:
        _open(connection, row, _OPEN_OWN, {"me": annotator_id})


def _open(connection: Connection, row: t.AnyRow, how: Update, given: dict[str, int]) -> bool:
    """Opens a slot, unless somebody is at its clip this moment, or the slot was opened since."""
    place = {"this_clip": row.clip_id, "this_slot": row.slot}
    if connection.execute(_LOCK_FREE_CLIP, {"this_clip": row.clip_id}).first() is None:
        return False
    opened = connection.execute(how, place | given).rowcount
    if opened:
        connection.execute(_COUNT_OPEN, {"this_clip": row.clip_id, "more": opened})
    return opened > 0

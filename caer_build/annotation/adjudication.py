"""Ties that somebody else decides: one who did not vote on that clip and has not seen the votes.

An adjudicator asks for a clip, answers it like any other, and only then sees what was voted,
without names. The answer is a row of its own beside the votes, of the purpose "adjudication", and
a clip has one at most; what the clip's label becomes of it is for whoever makes the labels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, and_, exists, insert, or_, select, true
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.gold import mark_gold
from caer_build.annotation.leasing import IS_ANOTHERS, Desk, Lease, lock_annotator
from caer_build.annotation.standing import Given, standing_of, stands, with_status
from caer_build.errors import NotAllowed, VoteError

TIES = ("tie",)
DISPUTED = ("tie", "low_confidence")
"""with clips on which people agree without being sure"""


@dataclass(frozen=True, slots=True)
class Decided:
    """A clip that was adjudicated.

    Attributes:
        votes: what the annotators said, in no telling order.
    """

    clip_id: str
    public_id: str
    annotator_id: int
    emotion: str | None
    flag: str | None
    confidence_step: int | None
    confidence_steps: int
    answered_at: int
    gold_emotion: str | None
    votes: tuple[Given, ...]


def held_dispute(connection: Connection, desk: Desk) -> Lease | None:
    """The clip that an adjudicator is at, unless somebody else has decided or been given it."""
    held = connection.execute(
        select(t.errand.c.ticket, t.errand.c.clip_id, t.clip.c.public_id, t.errand.c.leased_at)
        .join(t.clip, t.clip.c.clip_id == t.errand.c.clip_id)
        .where(
            t.errand.c.annotator_id == desk.annotator_id,
            t.errand.c.purpose == "adjudication",
            ~t.errand.c.answered,
            ~IS_ANOTHERS,
        )
        .limit(1),
        {"now": desk.now_ms},
    ).first()
    if held is None:
        return None
    return Lease(held.ticket, held.clip_id, held.public_id, "adjudication", held.leased_at)


def find_dispute(
    connection: Connection, desk: Desk, statuses: Collection[str] = TIES
) -> str | None:
    """The next clip that waits for this adjudicator; None if there is none.

    Clips that somebody has adjudicated or is at are left out, and those that this person voted
    on, saw in another role, or passed on. It may look through all clips, so nothing is locked.
    """
    found = list(islice(with_status(connection, statuses, which=_is_free(desk)), 1))
    return found[0].clip_id if found else None


def take_dispute(connection: Connection, desk: Desk, clip_id: str) -> Lease | None:
    """Gives a clip that was found to its adjudicator, or the one they hold already.

    Returns:
        None: if somebody else took it meanwhile.

    Raises:
        NotAllowed: if the person is no adjudicator.
    """
    require_adjudicator(lock_annotator(connection, desk.annotator_id).role)
    held = held_dispute(connection, desk)
    if held is not None:
        return held
    # The clip's row is locked, so that two adjudicators are one after the other.
    clip = connection.execute(
        select(t.clip.c.public_id)
        .where(t.clip.c.clip_id == clip_id)
        .with_for_update(key_share=True)
    ).first()
    free = connection.scalar(
        select(t.clip.c.clip_id).where(t.clip.c.clip_id == clip_id, _is_free(desk))
    )
    if clip is None or free is None:
        return None
    ticket = desk.ticket(clip.public_id)
    connection.execute(
        insert(t.errand).values(
            clip_id=clip_id, annotator_id=desk.annotator_id, purpose="adjudication",
            ticket=ticket, leased_at=desk.now_ms, expires_at=desk.until_ms,
        )
    )  # fmt: skip
    return Lease(ticket, clip_id, clip.public_id, "adjudication", desk.now_ms)


def require_adjudicator(role: str) -> None:
    """Raises: NotAllowed: for any other role."""
    if role != "adjudicator":
        raise NotAllowed("Ties are decided by adjudicators.", "Ask the manager for that role.")


def n_waiting(
    connection: Connection, desk: Desk, statuses: Collection[str] = TIES, limit: int = 100
) -> int:
    """How many clips wait for this person, counted up to ``limit``."""
    return len(list(islice(with_status(connection, statuses, which=_is_free(desk)), limit)))


def n_undecided(connection: Connection, statuses: Collection[str] = TIES, limit: int = 100) -> int:
    """How many clips no adjudicator has answered, counted up to ``limit``."""
    which = ~exists().where(
        t.errand.c.clip_id == t.clip.c.clip_id,
        t.errand.c.purpose == "adjudication",
        t.errand.c.answered,
    )
    return len(list(islice(with_status(connection, statuses, which=which), limit)))


def decided(
    connection: Connection, annotator_id: int | None = None, limit: int = 100
) -> list[Decided]:
    """What was adjudicated, newest first.

    Args:
        annotator_id: by whom; they see the votes because they have answered. None: by anybody,
            for managers.
    """
    mine = t.vote.c.annotator_id == annotator_id if annotator_id is not None else true()
    rows = connection.execute(
        select(
            t.vote.c.clip_id, t.clip.c.public_id, t.vote.c.annotator_id, t.vote.c.emotion,
            t.vote.c.flag, t.vote.c.confidence_step, t.vote.c.confidence_steps,
            t.vote.c.answered_at, t.clip.c.gold_emotion,
        )
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .where(t.vote.c.purpose == "adjudication", t.clip.c.withdrawn_at.is_(None), stands(), mine)
        .order_by(t.vote.c.vote_id.desc())
        .limit(limit)
    ).all()  # fmt: skip
    votes = standing_of(connection, [row.clip_id for row in rows])
    return [
        Decided(*row, votes=votes[row.clip_id].answers if row.clip_id in votes else ())
        for row in rows
    ]


def make_gold(connection: Connection, clip_id: str, reason: str, by: int, now_ms: int) -> None:
    """Makes an adjudicated clip gold, with the emotion that the adjudicator gave it.

    Raises:
        NotAllowed: if ``by`` is no manager.
        VoteError: if no adjudicator named an emotion for it.
    """
    emotion = connection.scalar(
        select(t.vote.c.emotion)
        .where(t.vote.c.clip_id == clip_id, t.vote.c.purpose == "adjudication", stands())
        .order_by(t.vote.c.vote_id.desc())
        .limit(1)
    )
    if emotion is None:
        raise VoteError(f"No adjudicator has named an emotion for {clip_id}.")
    mark_gold(connection, clip_id, emotion, reason, by=by, now_ms=now_ms)


def _is_free(desk: Desk) -> ColumnElement[bool]:
    """Whether a clip waits for an adjudicator, and this one may be it."""
    me = desk.annotator_id
    mine = [
        exists().where(table.c.clip_id == t.clip.c.clip_id, table.c.annotator_id == me)
        for table in (t.slot, t.errand, t.declined)
    ]
    # An adjudicator who walked away keeps the clip from others no longer than an annotator would.
    done_or_at_work = exists().where(
        t.errand.c.clip_id == t.clip.c.clip_id,
        t.errand.c.purpose == "adjudication",
        or_(t.errand.c.answered, t.errand.c.expires_at >= desk.now_ms),
    )
    return and_(~or_(*mine), ~done_or_at_work)

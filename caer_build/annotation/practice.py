"""The qualification round: a few gold clips with feedback before the clips that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import qualify
from caer_build.annotation.events import record
from caer_build.annotation.leasing import Desk


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person is told after a practice clip.

    Attributes:
        n_done, n_all: practice clips answered in this round, and how many it has.
        passed: None: the round goes on.
    """

    expected: str
    reason: str
    right: bool
    n_done: int
    n_right: int
    n_all: int
    passed: bool | None


def after_practice(connection: Connection, desk: Desk, clip_id: str) -> Feedback:
    """Tells how a practice clip went, and ends the round after its last one."""
    rows = _answered(connection, desk)
    mine = (t.errand.c.annotator_id == desk.annotator_id) & (t.errand.c.purpose == "practice")
    n_held = connection.scalar(select(func.count()).where(mine, ~t.errand.c.answered)) or 0
    seen = [
        exists().where(
            table.c.clip_id == t.clip.c.clip_id, table.c.annotator_id == desk.annotator_id
        )
        for table in (t.slot, t.errand, t.declined)
    ]
    n_unseen = connection.scalar(select(func.count()).where(t.clip.c.is_practice, ~or_(*seen))) or 0
    n_all = min(desk.settings.practice_clips, len(rows) + n_held + n_unseen)
    passed = None
    if len(rows) >= n_all:
        passed = _is_passed(desk, rows)
    if passed:
        qualify(connection, desk.annotator_id, desk.now_ms)
    this = next(row for row in rows if row.clip_id == clip_id)
    return Feedback(
        this.gold_emotion, this.gold_reason, _is_right(this),
        len(rows), sum(map(_is_right, rows)), n_all, passed,
    )  # fmt: skip


def end_without_clips(connection: Connection, desk: Desk) -> bool:
    """Ends the round of a person who holds no practice clip and for whom there is none.

    The last one may have been withdrawn, or be no practice clip any more: what was answered of
    the others decides. Of nothing, nobody is held back.

    Returns:
        Whether the person may go on to the clips that count.
    """
    rows = _answered(connection, desk)
    if not _is_passed(desk, rows):
        return False
    qualify(connection, desk.annotator_id, desk.now_ms)
    record(
        connection, "practice_cut_short", desk.now_ms, annotator_id=desk.annotator_id,
        detail=f"no practice clip was left after {len(rows)} of {desk.settings.practice_clips}",
    )  # fmt: skip
    return True


def untried() -> ColumnElement[bool]:
    """Whether a person was let in without practice, because there was none when they joined."""
    return and_(
        # Passed at the moment of joining, and so by nobody's judgement.
        t.annotator.c.qualified_at == t.annotator.c.created_at,
        t.annotator.c.role != "manager",
        t.annotator.c.retired_at.is_(None),
    )


def n_untried(connection: Connection) -> int:
    """How many people label clips that count and have never practised."""
    return connection.scalar(select(func.count()).where(untried(), t.annotator.c.n_given > 0)) or 0


def send_newcomers_back(connection: Connection) -> None:
    """Has those practise who joined when there was nothing to practise on, and have not begun.

    Who was given clips already goes on: what they answered counts, and a manager may ask them
    for another round.
    """
    connection.execute(
        update(t.annotator).where(untried(), t.annotator.c.n_given == 0).values(qualified_at=None)
    )


def _answered(connection: Connection, desk: Desk) -> Sequence[t.AnyRow]:
    """The practice clips of this round that the person has answered."""
    me = desk.annotator_id
    began = connection.scalar(
        select(t.annotator.c.practice_from).where(t.annotator.c.annotator_id == me)
    )
    return connection.execute(
        select(t.vote.c.clip_id, t.vote.c.emotion, t.clip.c.gold_emotion, t.clip.c.gold_reason)
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .join(t.errand, t.errand.c.clip_id == t.vote.c.clip_id)
        .where(
            t.vote.c.annotator_id == me,
            t.vote.c.purpose == "practice",
            t.errand.c.annotator_id == me,
            t.errand.c.purpose == "practice",
            t.errand.c.leased_at >= began,
        )
    ).all()


def _is_right(row: t.AnyRow) -> bool:
    return bool(row.emotion == row.gold_emotion)


def _is_passed(desk: Desk, rows: Sequence[t.AnyRow]) -> bool:
    return sum(map(_is_right, rows)) >= desk.settings.practice_share * len(rows)


@dataclass(frozen=True, slots=True)
class Practised:
    """A practice clip that a person has answered.

    Attributes:
        answered: the person's emotion; None: a flag.
    """

    clip_id: str
    expected: str
    reason: str
    answered: str | None


def own_round(connection: Connection, annotator_id: int) -> list[Practised]:
    """The practice clips of a person's own round, in the order in which they came."""
    rows = connection.execute(
        select(t.clip.c.clip_id, t.clip.c.gold_emotion, t.clip.c.gold_reason, t.vote.c.emotion)
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .where(
            t.vote.c.annotator_id == annotator_id,
            t.vote.c.purpose == "practice",
            t.clip.c.is_practice,
        )
        .order_by(t.vote.c.vote_id)
    )
    return [Practised(*row) for row in rows]

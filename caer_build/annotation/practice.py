"""The qualification round: a few gold clips with feedback before the clips that count."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, or_, select

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import qualify
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
    me = desk.annotator_id
    mine = (t.errand.c.annotator_id == me) & (t.errand.c.purpose == "practice")
    began = connection.scalar(
        select(t.annotator.c.practice_from).where(t.annotator.c.annotator_id == me)
    )
    rows = connection.execute(
        select(t.vote.c.clip_id, t.vote.c.emotion, t.clip.c.gold_emotion, t.clip.c.gold_reason)
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .join(t.errand, t.errand.c.clip_id == t.vote.c.clip_id)
        .where(
            t.vote.c.annotator_id == me,
            t.vote.c.purpose == "practice",
            mine,
            t.errand.c.leased_at >= began,
        )
    ).all()
    n_held = connection.scalar(select(func.count()).where(mine, ~t.errand.c.answered)) or 0
    seen = [
        exists().where(table.c.clip_id == t.clip.c.clip_id, table.c.annotator_id == me)
        for table in (t.slot, t.errand, t.declined)
    ]
    n_unseen = connection.scalar(select(func.count()).where(t.clip.c.is_practice, ~or_(*seen))) or 0
    n_all = min(desk.settings.practice_clips, len(rows) + n_held + n_unseen)
    n_right = sum(row.emotion == row.gold_emotion for row in rows)
    passed = None
    if len(rows) >= n_all:
        passed = n_right >= desk.settings.practice_share * n_all
    if passed:
        qualify(connection, desk.annotator_id, desk.now_ms)
    this = next(row for row in rows if row.clip_id == clip_id)
    return Feedback(
        this.gold_emotion, this.gold_reason, this.emotion == this.gold_emotion,
        len(rows), n_right, n_all, passed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """A practice clip that a person has answered.

    Attributes:
        answered: the person's emotion; None: a flag.
    """

    public_id: str
    expected: str
    reason: str
    answered: str | None


def examples(connection: Connection, annotator_id: int) -> list[Example]:
    """The practice clips of a person's own round, in the order in which they came."""
    rows = connection.execute(
        select(t.clip.c.public_id, t.clip.c.gold_emotion, t.clip.c.gold_reason, t.vote.c.emotion)
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .where(
            t.vote.c.annotator_id == annotator_id,
            t.vote.c.purpose == "practice",
            t.clip.c.is_practice,
        )
        .order_by(t.vote.c.vote_id)
    )
    return [Example(*row) for row in rows]

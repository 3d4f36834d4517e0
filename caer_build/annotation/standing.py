"""Where a project stands, in numbers: for ``caer annotate status`` and ``init``."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t


@dataclass(frozen=True, slots=True)
class Standing:
    """Counts of a project.

    Attributes:
        clips: frozen ones.
        votes_needed: over all clips.
        votes: given, each person's last word on a clip once.
        complete: clips with all the votes they need.
        begun: clips with some of them.
        held: slots that somebody has on the screen or next.
        people: active ones, by role.
        retired: people who left.
        waiting: invitations that nobody has used yet.
        flagged: clips that somebody called broken or could not tell.
        gold: clips whose answer is known, practice included.
        refused: requests that were refused in the last 24 hours, failed sign-ins included.
    """

    clips: int
    votes_needed: int
    votes: int
    complete: int
    begun: int
    held: int
    people: dict[str, int]
    retired: int
    waiting: int
    flagged: int
    gold: int
    refused: int


def standing(connection: Connection, now_ms: int) -> Standing:
    """Counts it."""

    def count(table: Table, *where: ColumnElement[bool]) -> int:
        return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0

    answered = (
        select(t.slot.c.clip_id, func.count().label("n"))
        .where(t.slot.c.answered)
        .group_by(t.slot.c.clip_id)
        .subquery()
    )
    is_complete = answered.c.n >= t.clip.c.n_slots
    complete, begun = connection.execute(
        select(func.count().filter(is_complete), func.count().filter(~is_complete)).select_from(
            answered.join(t.clip, t.clip.c.clip_id == answered.c.clip_id)
        )
    ).one()
    people = connection.execute(
        select(t.annotator.c.role, func.count())
        .where(t.annotator.c.retired_at.is_(None))
        .group_by(t.annotator.c.role)
    )
    day_ago = now_ms - 24 * 3600 * 1000
    return Standing(
        clips=count(t.clip),
        votes_needed=connection.scalar(select(func.sum(t.clip.c.n_slots))) or 0,
        votes=count(t.slot, t.slot.c.answered),
        complete=complete,
        begun=begun,
        held=count(t.slot, t.slot.c.expires_at.is_not(None)),
        people=dict(people.tuples()),
        retired=count(t.annotator, t.annotator.c.retired_at.is_not(None)),
        waiting=count(
            t.invitation, t.invitation.c.used_at.is_(None), t.invitation.c.expires_at > now_ms
        ),
        flagged=connection.scalar(
            select(func.count(t.vote.c.clip_id.distinct())).where(t.vote.c.flag.is_not(None))
        )
        or 0,
        gold=count(t.clip, t.clip.c.gold_emotion.is_not(None)),
        refused=count(
            t.event,
            t.event.c.kind.in_(("refused", "lease_lost", "sign_in_failed", "sign_in_throttled")),
            t.event.c.at > day_ago,
        ),
    )

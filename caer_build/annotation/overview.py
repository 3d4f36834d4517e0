"""Where a project stands, in a few numbers, for ``caer annotate status``."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.oversight import DAY_MS, progress
from caer_build.annotation.standing import funnel

_REFUSED = (
    "refused", "lease_lost", "sign_in_failed", "sign_in_failed_on_device", "sign_in_throttled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of a project; clips that were withdrawn are in no other count than their own.

    Attributes:
        votes_needed: over all clips.
        votes: given, each person's last word on a clip once.
        complete: clips with all the votes they need.
        begun: clips with some of them.
        held: slots that somebody has on the screen or loaded as the next one.
        statuses: what the answers of the clips come to, by the paper's rule.
        people: active ones, by role.
        retired: people who left.
        imported: people whose votes came in files; they have no account.
        waiting: invitations that nobody has used yet.
        gold: clips whose answer is known, those for practice included.
        withdrawn: clips that were taken out, because a person was deleted.
        refused: what was refused in the last 24 hours, failed sign-ins included.
    """

    clips: int
    votes_needed: int
    votes: int
    complete: int
    begun: int
    held: int
    statuses: dict[str, int]
    people: dict[str, int]
    retired: int
    imported: int
    waiting: int
    gold: int
    withdrawn: int
    refused: int


def overview(connection: Connection, now_ms: int) -> Overview:
    """Counts it."""

    def count(table: Table, *where: ColumnElement[bool]) -> int:
        return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0

    done = progress(connection)
    people = connection.execute(
        select(t.annotator.c.role, func.count())
        .where(t.annotator.c.retired_at.is_(None))
        .group_by(t.annotator.c.role)
    )
    return Overview(
        clips=done.n_clips,
        votes_needed=done.n_needed,
        votes=done.n_answers,
        complete=done.n_complete,
        begun=sum(n for (needed, given), n in done.clips.items() if 0 < given < needed),
        held=done.n_leased,
        statuses=funnel(connection),
        people=dict(people.all()),
        retired=count(
            t.annotator, t.annotator.c.retired_at.is_not(None), t.annotator.c.name_key.is_not(None)
        ),
        imported=count(t.annotator, t.annotator.c.name_key.is_(None)),
        waiting=count(
            t.invitation,
            t.invitation.c.used_at.is_(None),
            t.invitation.c.revoked_at.is_(None),
            t.invitation.c.annotator_id.is_(None),
            t.invitation.c.expires_at > now_ms,
        ),
        gold=count(t.clip, t.clip.c.gold_emotion.is_not(None)),
        withdrawn=count(t.clip, t.clip.c.withdrawn_at.is_not(None)),
        refused=count(t.event, t.event.c.kind.in_(_REFUSED), t.event.c.at > now_ms - DAY_MS),
    )

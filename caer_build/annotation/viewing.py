"""What a person may look at, and what a page is told about a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, false, or_, select

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import Account
from caer_build.annotation.leasing import CLIP_NAMED, Lease
from caer_build.annotation.project import unpacked

# Built once: building a statement costs more than running it.
_CLIPS = select(
    t.clip.c.clip_id,
    t.clip.c.width,
    t.clip.c.height,
    t.clip.c.length_ms,
    t.clip.c.has_audio,
    t.clip.c.faces,
).where(t.clip.c.clip_id.in_(bindparam("these_clips", expanding=True)))
_NAMED = select(t.clip.c.clip_id, t.clip.c.public_id).where(
    t.clip.c.clip_id == CLIP_NAMED, t.clip.c.withdrawn_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class Film:
    """A clip as a player needs it.

    Attributes:
        clip: what the page that shows it calls it.
        times_ms: when each frame is shown.
        boxes: of the target's face in each frame, (x1, y1, x2, y2) px, or None.
    """

    clip: str
    width: int
    height: int
    length_ms: int
    has_audio: bool
    times_ms: list[int]
    boxes: list[list[float] | None]


@dataclass(frozen=True, slots=True)
class Task(Film):
    """A clip to answer, as its annotator's page knows it.

    Nothing here tells a gold clip, or a repeat, from another one.
    """

    ticket: str
    is_practice: bool


def tasks(connection: Connection, leases: Sequence[Lease]) -> list[Task]:
    """What the page is told about the clips that are held, in their order."""
    rows = connection.execute(_CLIPS, {"these_clips": [lease.clip_id for lease in leases]})
    found = {row.clip_id: row for row in rows}
    return [
        Task(
            **_shown(found[lease.clip_id], lease.public_id),
            ticket=lease.ticket, is_practice=lease.purpose == "practice",
        )
        for lease in leases
    ]  # fmt: skip


def film(connection: Connection, clip_id: str) -> Film:
    """A clip that is there, under its public id, for whoever may watch it."""
    clip = connection.execute(_CLIPS, {"these_clips": [clip_id]}).one()
    names = select(t.clip.c.public_id).where(t.clip.c.clip_id == clip_id)
    return Film(**_shown(clip, str(connection.scalar(names))))


def _shown(clip: t.AnyRow, name: str) -> dict[str, Any]:
    """The fields of :class:`Film`."""
    shown = unpacked(clip.faces)
    nowhere: list[list[float] | None] = [None] * len(shown["times_ms"])
    boxes = next((face["boxes"] for face in shown["faces"] if face["target"]), nowhere)
    return {
        "clip": name, "width": clip.width, "height": clip.height, "length_ms": clip.length_ms,
        "has_audio": clip.has_audio, "times_ms": shown["times_ms"], "boxes": boxes,
    }  # fmt: skip


def watchable(connection: Connection, account: Account, name: str, now_ms: int) -> str | None:
    """The public id of the clip that this person's page calls so, if they may see it now.

    They may while they hold it, after it was their last answer (which undo shows again), and if
    they review clips. A clip that was withdrawn is nobody's to see. A practice clip that was
    answered stays open, for its feedback speaks about it. Examples of the guide are open to whoever
    takes part.
    """
    me = account.annotator_id
    clip = connection.execute(_NAMED, {"name": name, "me": me}).first()
    if clip is None:
        return None
    if account.role == "manager":
        return str(clip.public_id)
    is_example = exists().where(t.example.c.clip_id == clip.clip_id)
    holds = exists().where(
        t.slot.c.clip_id == clip.clip_id,
        t.slot.c.annotator_id == me,
        t.slot.c.expires_at >= now_ms,
    )
    runs = exists().where(
        t.errand.c.clip_id == clip.clip_id,
        t.errand.c.annotator_id == me,
        or_(
            t.errand.c.expires_at >= now_ms,
            t.errand.c.purpose == "practice",
            and_(t.errand.c.purpose == "adjudication", t.errand.c.answered),
        ),
    )
    if connection.scalar(select(or_(holds, runs, is_example if account.consented else false()))):
        return str(clip.public_id)
    last = connection.scalar(
        select(t.vote.c.clip_id)
        .where(t.vote.c.annotator_id == me)
        .order_by(t.vote.c.vote_id.desc())
        .limit(1)
    )
    return str(clip.public_id) if last == clip.clip_id else None


def practice_is_failed(connection: Connection, annotator_id: int) -> bool:
    """Whether a person has answered all practice clips that were given, and did not pass."""
    rows = connection.scalars(
        select(t.errand.c.answered)
        .join(t.annotator, t.annotator.c.annotator_id == t.errand.c.annotator_id)
        .where(
            t.errand.c.annotator_id == annotator_id,
            t.errand.c.purpose == "practice",
            t.annotator.c.qualified_at.is_(None),
        )
    ).all()
    return bool(rows) and all(rows)

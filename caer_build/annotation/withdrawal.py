"""Taking clips out of a project for good, because a person in them was deleted.

What goes: the file, the boxes, whose face it is, gold and practice, places that nobody filled, and
whatever somebody was at. What stays: the votes that were given, which are their authors' words and
work. They count for nothing that is said about clips: labels, ties, agreement, progress, exports.
Hours, pace and the number of answers that people see of themselves keep them; so does ``pair``,
which spreads people over clips.

A withdrawn clip never comes back: another build may find the person again, but whoever asked was
told that the clip is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, delete, func, select, update

from caer_build import overrides
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.events import record
from caer_build.annotation.freezing import media_file
from caer_build.annotation.project import unpacked
from caer_build.boxes import iou
from caer_build.placing import MIN_IOU
from caer_build.records import Clip
from caer_build.store import Workspace
from caer_build.tables import read_published

DELETED = "person_deleted"
_NO_BOXES = b""


def withdraw(connection: Connection, clip_id: str, now_ms: int) -> bool:
    """Takes one clip out of the project; whether it was in it still.

    One transaction a clip is right: nobody who labels has to wait for the others.
    """
    # Fully locked, unlike by those who answer: even who is about to be given the clip on an errand
    # is before or after this.
    found = connection.execute(
        select(t.clip.c.withdrawn_at).where(t.clip.c.clip_id == clip_id).with_for_update()
    ).first()
    if found is None or found.withdrawn_at is not None:
        return False
    here = t.slot.c.clip_id == clip_id
    connection.execute(delete(t.slot).where(here, ~t.slot.c.answered))
    for book in (t.errand, t.example):
        connection.execute(delete(book).where(book.c.clip_id == clip_id))
    n_answered = connection.scalar(select(func.count()).select_from(t.slot).where(here))
    connection.execute(
        update(t.clip)
        .where(t.clip.c.clip_id == clip_id)
        .values(
            withdrawn_at=now_ms, person_id=None, faces=_NO_BOXES, gold_emotion=None,
            gold_reason=None, gold_by=None, is_practice=False, n_slots=n_answered, n_open=0,
        )
    )  # fmt: skip
    record(connection, "withdrawn", now_ms, detail=clip_id)
    return True


def withdraw_deleted(workspace: Workspace, database: Database, now_ms: int) -> list[str]:
    """Withdraws the clips of deleted persons, their files too; which ones.

    Whatever it is stopped at, doing it again finishes it: see
    :func:`caer_build.annotation.freezing.remove_strays` for a file without its clip.
    """
    theirs = to_withdraw(workspace, database)
    for clip_id, public_id in theirs.items():
        with database.writing() as connection:
            withdraw(connection, clip_id, now_ms)
        media_file(workspace, public_id).unlink(missing_ok=True)
    return list(theirs)


def to_withdraw(workspace: Workspace, database: Database) -> dict[str, str]:
    """The clips of deleted persons that are still in the project: clip_id -> public id.

    A frozen clip is a deleted person's if the build's table says so of it, or, where the build
    keeps it no more, if

    - the person it was frozen for is one that was deleted, or
    - the table knows no such clip (other settings gave other ids), it overlaps a deleted clip in
      time, and no face that is left is where its target was. In doubt it goes.

    Raises:
        StoreError: if nothing was built.
    """
    rows = read_published(workspace, Clip)
    deleted = [row for row in rows if row.reject_reason == DELETED]
    gone = {o.target for o in overrides.load(workspace) if o.action == "delete"}
    if not deleted and not gone:
        return {}
    known = {row.clip_id for row in rows}
    kept = {row.clip_id for row in rows if row.file}
    theirs = {row.clip_id for row in deleted}
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in deleted:
        spans[row.episode_id].append((row.start_frame, row.end_frame))
    found = {}
    with database.reading() as connection:
        frozen = connection.execute(
            select(
                t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.person_id, t.clip.c.episode_id,
                t.clip.c.start_frame, t.clip.c.end_frame,
            ).where(t.clip.c.withdrawn_at.is_(None))
        ).all()  # fmt: skip
        for clip in frozen:
            if clip.clip_id in kept:
                continue
            is_theirs = clip.clip_id in theirs or clip.person_id in gone
            if not is_theirs and clip.clip_id not in known:
                is_theirs = _overlaps(clip, spans[clip.episode_id]) and not _is_another(
                    workspace, connection, clip
                )
            if is_theirs:
                found[clip.clip_id] = clip.public_id
    return found


def _overlaps(clip: t.AnyRow, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start < clip.end_frame and clip.start_frame < end for start, end in spans)


def _is_another(workspace: Workspace, connection: Connection, clip: t.AnyRow) -> bool:
    """Whether the target of a frozen clip is a face that the build still has.

    The published boxes are those of all tracks but the deleted ones.
    """
    faces = connection.scalar(select(t.clip.c.faces).where(t.clip.c.clip_id == clip.clip_id))
    shown = unpacked(faces or _NO_BOXES)["faces"]
    target: list[list[float] | None] = next((f["boxes"] for f in shown if f["target"]), [])
    where = {clip.start_frame + k: box for k, box in enumerate(target) if box is not None}
    present = _boxes_left(workspace, clip)
    n_same = sum(_is_on(box, present.get(frame, ())) for frame, box in where.items())
    return 2 * n_same > len(where)


def _is_on(box: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    return bool(len(others)) and bool(iou(np.array([box]), np.array(others)).max() >= MIN_IOU)


def _boxes_left(workspace: Workspace, clip: t.AnyRow) -> Mapping[int, list[list[float]]]:
    """The published boxes in the frames of a clip, by frame."""
    import pyarrow.parquet as pq

    found: dict[int, list[list[float]]] = defaultdict(list)
    path = workspace.tables / "track_boxes.parquet"
    if path.is_file():
        within = [("frame", ">=", clip.start_frame), ("frame", "<", clip.end_frame)]
        for row in pq.read_table(path, filters=within).to_pylist():
            if row["track_id"].startswith(f"{clip.episode_id}-"):
                found[row["frame"]].append([row["x1"], row["y1"], row["x2"], row["y2"]])
    return found

"""What formats of others tell of an item beside its file: one record for all of them.

::

    item_id, clip_id, person_id, start_frame, …     as in metadata/items.parquet
    soft_label   [0.0, 0.67, 0.0, 0.33, 0.0, 0.0, 0.0]      in the order of EMOTIONS
    target_box   [x1, y1, x2, y2] of a still; of a clip target_boxes, one a frame
    faces        of a still; of a clip one list a frame
    votes        of the clip, or the clip that a still was taken from

Boxes are px of the displayed frame, x2 and y2 exclusive, to a thousandth: what is more than that is
in ``metadata/faces.parquet``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from caer_build.dataset.metadata import rows_of_each
from caer_build.records import EMOTIONS, CountedVote, Item, ItemFace

Told = dict[str, Any]
R = TypeVar("R")
_BY: Mapping[type, str] = {ItemFace: "item_id", CountedVote: "clip_id"}
"""the column in which rows and items say that they belong together"""
_FRAMES_AT_ONCE, _ITEMS_AT_ONCE = 50_000, 5_000
"""of which faces are in memory; each look-up may read through the table of all faces, so that few
at once would take long"""
ABOUT = tuple(
    field.name
    for field in fields(Item)
    # Soft labels go as one list; the file is at hand; mosaics are other people's.
    if field.name != "file" and not field.name.startswith(("p_", "crop_"))
)
_DECIMALS = 3


def each_told(folder: Path, items: Iterable[Item]) -> Iterator[tuple[Item, Told]]:
    """All that is told of some items of a data set, in their order, few in memory at a time."""
    for some in _batches(items):
        faces, votes = _beside(folder, some, ItemFace), _beside(folder, some, CountedVote)
        for item in some:
            told = {**about(item), "soft_label": soft_label(item)}
            told |= _faces_told(item, faces[item.item_id])
            yield item, told | {"votes": votes_told(votes[str(item.clip_id)])}


def each_with(
    folder: Path, items: Iterable[Item], record_type: type[R]
) -> Iterator[tuple[Item, Sequence[R]]]:
    """Items of a data set with their faces by frame, or the votes of their clips; in their order,
    few in memory at a time.

    Args:
        record_type: :class:`ItemFace` or :class:`CountedVote`.
    """
    column = _BY[record_type]
    for some in _batches(items):
        found = _beside(folder, some, record_type)
        for item in some:
            yield item, found[str(getattr(item, column))]


def _beside(folder: Path, items: Iterable[Item], record_type: type[R]) -> Mapping[str, Sequence[R]]:
    column = _BY[record_type]
    wanted = {str(getattr(item, column)) for item in items}
    return rows_of_each(folder, record_type, column, wanted)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    some: list[Item] = []
    n_frames = 0
    for item in items:
        some.append(item)
        n_frames += item.n_frames or 1
        if n_frames >= _FRAMES_AT_ONCE or len(some) == _ITEMS_AT_ONCE:
            yield some
            some, n_frames = [], 0
    if some:
        yield some


def votes_told(votes: Sequence[CountedVote]) -> list[Told]:
    """The votes of an item's clip."""
    told = [asdict(vote) for vote in votes]
    for vote in told:
        del vote["clip_id"]
    return told


def about(item: Item) -> Told:
    """What ``metadata/items.parquet`` says of an item, without what others say in a way of their
    own."""
    return {name: getattr(item, name) for name in ABOUT}


def soft_label(item: Item) -> list[float] | None:
    """In the order of ``EMOTIONS``; None if the data set does not say."""
    shares = [getattr(item, f"p_{emotion.lower()}") for emotion in EMOTIONS]
    return None if None in shares else shares


def box(face: ItemFace) -> list[float]:
    """xyxy, px."""
    return [round(value, _DECIMALS) for value in (face.x1, face.y1, face.x2, face.y2)]


def _faces_told(item: Item, faces: Sequence[ItemFace]) -> Told:
    by_frame: list[list[Told]] = [[] for _ in range(item.n_frames or 1)]
    targets: list[list[float] | None] = [None] * len(by_frame)
    for face in faces:
        place = box(face)
        by_frame[face.frame].append(
            {
                "face": face.face,
                "is_target": face.is_target,
                "box": place,
                "interpolated": face.interpolated,
                "person_id": face.person_id,
            }
        )
        if face.is_target:
            targets[face.frame] = place
    if item.kind == "still":
        return {"target_box": targets[0], "faces": by_frame[0]}
    return {"target_boxes": targets, "faces": by_frame}

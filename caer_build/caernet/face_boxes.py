"""The face boxes of a data set, packed: 1.1 million of them take some 30 MB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from caer_build.caernet.pictures import Box

if TYPE_CHECKING:
    import pyarrow as pa


class FacesAt(NamedTuple):
    """The faces of a frame.

    Attributes:
        target: its box; None: it has none there.
        others: the boxes of the others.
        interpolated: the target's box was not detected in this frame, but lies between two that
            were.
    """

    target: Box | None
    others: list[Box]
    interpolated: bool


@dataclass(frozen=True)
class FaceBoxes:
    """The faces of an item, ordered by frame.

    Attributes:
        frames: (n,) 0-based within the item.
        is_target, interpolated: (n,).
        xyxy: (n, 4) px, x2 and y2 exclusive.
    """

    frames: npt.NDArray[np.int32]
    is_target: npt.NDArray[np.bool_]
    interpolated: npt.NDArray[np.bool_]
    xyxy: npt.NDArray[np.float32]

    def at(self, frame: int) -> FacesAt:
        """The faces of a frame."""
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        target: Box | None = None
        others: list[Box] = []
        interpolated = False
        for k in range(first, last):
            if self.is_target[k] and target is None:
                target, interpolated = self.xyxy[k].tolist(), bool(self.interpolated[k])
            else:
                others.append(self.xyxy[k].tolist())
        return FacesAt(target, others, interpolated)


def nobody() -> FaceBoxes:
    """Of an item without faces."""
    none = np.zeros(0, np.bool_)
    return FaceBoxes(np.zeros(0, np.int32), none, none, np.zeros((0, 4), np.float32))


def packed(faces: Iterable[pa.Table]) -> Mapping[str, FaceBoxes]:
    """The boxes of each item that has any.

    Args:
        faces: tables of ``ItemFace``; the rows of an item may lie in several.
    """
    import pandas as pd

    columns = ["item_id", "frame", "is_target", "interpolated", "x1", "y1", "x2", "y2"]
    tables = [table.select(columns).to_pandas() for table in faces]
    if not tables:
        return {}
    rows = pd.concat(tables, ignore_index=True)
    numbers, names = pd.factorize(rows["item_id"])
    frames = rows["frame"].to_numpy(np.int32)
    # By item, then by frame; of equals as they were given.
    order = np.lexsort((frames, numbers))
    is_target = rows["is_target"].to_numpy(np.bool_)[order]
    # Of a data set that does not say, boxes are taken to be seen.
    interpolated = (rows["interpolated"] == True).to_numpy(np.bool_)[order]  # noqa: E712
    xyxy = rows[["x1", "y1", "x2", "y2"]].to_numpy(np.float32)[order]
    ends = np.bincount(numbers, minlength=len(names)).cumsum()
    places = (slice(first, end) for first, end in zip([0, *ends[:-1]], ends, strict=True))
    return {
        str(name): FaceBoxes(frames[order[at]], is_target[at], interpolated[at], xyxy[at])
        for name, at in zip(names, places, strict=True)
    }


def digest_of_boxes(boxes: Mapping[str, FaceBoxes]) -> str:
    """Hex SHA-256 of all boxes of all items."""
    told = hashlib.sha256()
    for item_id in sorted(boxes):
        some = boxes[item_id]
        told.update(f"{item_id} {len(some.frames)} ".encode())
        for column in (some.frames, some.is_target, some.interpolated, some.xyxy):
            told.update(np.ascontiguousarray(column).tobytes())
    return told.hexdigest()

"""The face boxes of a data set, packed: 1.1 million of them take some 30 MB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caer_build.caernet.pictures import Box

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class FaceBoxes:
    """The faces of an item, ordered by frame.

    Attributes:
        frames: (n,) 0-based within the item.
        is_target: (n,).
        xyxy: (n, 4) px, x2 and y2 exclusive.
    """

    frames: npt.NDArray[np.int32]
    is_target: npt.NDArray[np.bool_]
    xyxy: npt.NDArray[np.float32]

    def at(self, frame: int) -> tuple[Box | None, list[Box]]:
        """The target's box, if it has one there, and those of the others."""
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        target: Box | None = None
        others: list[Box] = []
        for k in range(first, last):
            if self.is_target[k] and target is None:
                target = self.xyxy[k].tolist()
            else:
                others.append(self.xyxy[k].tolist())
        return target, others


def nobody() -> FaceBoxes:
    """Of an item without faces."""
    return FaceBoxes(np.zeros(0, np.int32), np.zeros(0, np.bool_), np.zeros((0, 4), np.float32))


def packed(faces: Iterable[pa.Table]) -> Mapping[str, FaceBoxes]:
    """The boxes of each item that has any.

    Args:
        faces: tables of ``ItemFace``; the rows of an item may lie in several.
    """
    parts: dict[str, list[FaceBoxes]] = {}
    for table in faces:
        frame = table.select(["item_id", "frame", "is_target", "x1", "y1", "x2", "y2"]).to_pandas()
        for item_id, rows in frame.groupby("item_id", sort=False):
            parts.setdefault(str(item_id), []).append(_boxes(rows))
    return {item_id: _joined(some) for item_id, some in parts.items()}


def digest_of_boxes(boxes: Mapping[str, FaceBoxes]) -> str:
    """Hex SHA-256 of all boxes of all items."""
    told = hashlib.sha256()
    for item_id in sorted(boxes):
        some = boxes[item_id]
        told.update(f"{item_id} {len(some.frames)} ".encode())
        for column in (some.frames, some.is_target, some.xyxy):
            told.update(np.ascontiguousarray(column).tobytes())
    return told.hexdigest()


def _boxes(rows: pd.DataFrame) -> FaceBoxes:
    return FaceBoxes(
        rows["frame"].to_numpy(np.int32),
        rows["is_target"].to_numpy(np.bool_),
        rows[["x1", "y1", "x2", "y2"]].to_numpy(np.float32),
    )


def _joined(some: list[FaceBoxes]) -> FaceBoxes:
    frames = np.concatenate([boxes.frames for boxes in some])
    order = np.argsort(frames, kind="stable")
    return FaceBoxes(
        frames[order],
        np.concatenate([boxes.is_target for boxes in some])[order],
        np.concatenate([boxes.xyxy for boxes in some])[order],
    )

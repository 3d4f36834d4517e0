"""From what a detector says of a picture to :class:`~caer_build.models.protocols.Faces`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from caer_build import boxes as box_arithmetic
from caer_build.models.protocols import Faces, Images

Numbers = npt.NDArray[np.floating]

SMALLEST_FACE_PX = 4


def shrunk(picture: Images, width: int) -> tuple[Images, float]:
    """The picture at most ``width`` px wide, and the factor that leads back to its own px."""
    if picture.shape[1] <= width:
        return np.ascontiguousarray(picture), 1.0
    import cv2

    factor = picture.shape[1] / width
    height = max(1, round(picture.shape[0] / factor))
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), factor


def tidy(boxes: Numbers, scores: Numbers, landmarks: Numbers, width: int, height: int) -> Faces:
    """Boxes cut at the borders of a ``width`` x ``height`` picture, in the order of the protocol.

    Faces of which fewer than 4 px in a direction lie inside the picture are left out. Landmarks
    are not cut: they may lie outside.
    """
    inside = np.asarray(box_arithmetic.clip(boxes, width, height), np.float32)
    sides = inside[:, 2:4] - inside[:, 0:2]
    keep = np.flatnonzero((sides >= SMALLEST_FACE_PX).all(axis=1))
    order = keep[np.lexsort((-scores[keep], inside[keep, 1], inside[keep, 0]))]
    return Faces(
        inside[order],
        np.clip(scores[order], 0, 1).astype(np.float32),
        landmarks[order].astype(np.float32),
    )


def no_faces() -> Faces:
    return Faces(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
    )

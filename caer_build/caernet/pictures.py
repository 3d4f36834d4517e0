"""What the two streams see of a frame: the face alone, and the frame without it.

Faces are hidden in the full frame, before it is made small, and boxes are rounded outwards: no
pixel of a hidden face has any part in the context.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Box = Sequence[float]
"""x1, y1, x2, y2 in px of the frame; x2 and y2 exclusive"""
FACE_PX = 96
CONTEXT_WH = (171, 128)
"""the whole frame, stretched; of it the network sees 112 x 112"""
MEAN_BGR = (104, 116, 124)
"""grey levels; what is hidden, and what lies beyond the frame, is 0 to the network"""


def face_crop(
    frame: Pixels, box: Box, size: int = FACE_PX, margin: float = 0.0, *, square: bool = True
) -> Pixels:
    """The face, (size, size, 3); what lies beyond the frame is filled.

    Args:
        frame: (h, w, 3) BGR.
        margin: on every side, as a share of the box's longer side.
        square: a square around the box; else the box, stretched.
    """
    x1, y1, x2, y2 = box
    longer = max(x2 - x1, y2 - y1)
    sides = (longer, longer) if square else (x2 - x1, y2 - y1)
    width, height = (max(1, round(side + 2 * margin * longer)) for side in sides)
    left, top = round((x1 + x2 - width) / 2), round((y1 + y2 - height) / 2)
    inside = frame[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    if inside.shape[:2] != (height, width):
        filled = np.full((height, width, 3), MEAN_BGR, np.uint8)
        row, column = max(0, -top), max(0, -left)
        n_rows, n_columns = inside.shape[:2]
        filled[row : row + n_rows, column : column + n_columns] = inside
        inside = filled
    return _resized(inside, (size, size))


def context_of(
    frame: Pixels,
    hidden: Iterable[Box],
    size_wh: tuple[int, int] = CONTEXT_WH,
    fill: tuple[int, int, int] = MEAN_BGR,
) -> Pixels:
    """The frame without some faces, made small, (height, width, 3).

    Args:
        frame: (h, w, 3) BGR; it is not changed.
        hidden: boxes of the faces that are hidden.
        fill: grey levels of what is hidden, BGR: the mean colour, or black as the paper's.
    """
    seen = frame.copy()
    for x1, y1, x2, y2 in hidden:
        # Outwards, so that no pixel of the face survives at the edge.
        left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
        seen[top : max(0, math.ceil(y2)), left : max(0, math.ceil(x2))] = fill
    return _resized(seen, size_wh)


def _resized(picture: Pixels, size_wh: tuple[int, int]) -> Pixels:
    height, width = picture.shape[:2]
    shrinks = width > size_wh[0] and height > size_wh[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size_wh, interpolation=how), dtype=np.uint8)

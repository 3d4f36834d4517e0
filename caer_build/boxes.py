"""Face boxes: pure arithmetic.

A box is ``xyxy`` in pixels of the displayed frame, ``x2`` and ``y2`` exclusive::

    (x1, y1) +--------+
             |        |
             +--------+ (x2, y2)   width = x2 - x1, height = y2 - y1

Arrays of boxes have shape (n, 4), float32 or float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.floating]


def area(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Areas in square pixels, shape (n,); 0 for a box that is empty or inside out."""
    wh = np.maximum(boxes[:, 2:4].astype(np.float64) - boxes[:, 0:2], 0.0)
    return np.asarray(wh[:, 0] * wh[:, 1])


def iou(a: Boxes, b: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union of every box of ``a`` (n, 4) with every box of ``b`` (m, 4).

    Returns:
        (n, m) in [0, 1]; 0 where the union is empty.
    """
    top_left = np.maximum(a[:, None, 0:2], b[None, :, 0:2])
    bottom_right = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    wh = np.maximum(bottom_right.astype(np.float64) - top_left, 0.0)
    inter = wh[..., 0] * wh[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - inter
    return np.asarray(np.divide(inter, union, out=np.zeros_like(inter), where=union > 0))


def clip(boxes: Boxes, width: int, height: int) -> Boxes:
    """The boxes cut at the borders of a ``width`` x ``height`` frame (px)."""
    limits = np.array([width, height, width, height], dtype=boxes.dtype)
    return np.clip(boxes, 0, limits)


def interpolate(
    at: npt.NDArray[np.floating], known_at: npt.NDArray[np.floating], known: Boxes
) -> npt.NDArray[np.float64]:
    """Boxes at the times ``at`` (n,), linear between the known ones and held beyond the ends.

    Args:
        at: times, shape (n,), any unit.
        known_at: times of the known boxes, shape (k,), strictly increasing, the same unit.
        known: shape (k, 4).
    """
    return np.stack([np.interp(at, known_at, known[:, i]) for i in range(4)], axis=1)


def centres(boxes: Boxes) -> npt.NDArray[np.float64]:
    """The middles (x, y) of boxes, shape (n, 2)."""
    return (boxes[:, 0:2].astype(np.float64) + boxes[:, 2:4]) / 2

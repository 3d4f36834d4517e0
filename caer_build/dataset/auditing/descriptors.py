"""What a picture looks like in 72 numbers: histograms of oriented gradients in 3 x 3 cells.

Pictures of which one is a copy of the other, coded anew, darker, in grey or with a subtitle, have
almost the same; cropped ones have that of the other's middle, and mirrored ones the same numbers in
another order.
"""

from __future__ import annotations

import os
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.thumbnails import Thumbnail

Descriptors = npt.NDArray[np.floating]
_CELLS, _DIRECTIONS = 3, 8
LENGTH = _CELLS * _CELLS * _DIRECTIONS
_SIDE = 48
CROP = 0.08
"""of each side: what the middle of a picture leaves away. It stands for crops of up to 0.1"""
_FLAT = 1.0
"""length of a descriptor below which a picture has no gradients to speak of"""

_CELL = np.arange(_SIDE) * _CELLS // _SIDE
_BIN = ((_CELL[:, None] * _CELLS + _CELL[None, :]) * _DIRECTIONS).ravel()
_PLACES = np.arange(LENGTH).reshape(_CELLS, _CELLS, _DIRECTIONS)
# Columns change sides, and an angle a becomes 180 degrees - a.
_MIRROR = _PLACES[:, ::-1][:, :, (_DIRECTIONS // 2 - np.arange(_DIRECTIONS)) % _DIRECTIONS].ravel()


class Stored:
    """Descriptors (n, 2, 72) in half precision in a file, which is read and not mapped: what was
    looked at once would stay in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getitem__(self, which: npt.NDArray[np.int64]) -> Descriptors:
        """Some, by indexes in ascending order."""
        if not len(which):
            return np.zeros((0, 2, LENGTH), np.float16)
        first, last = int(which[0]), int(which[-1])
        size = 2 * LENGTH * np.dtype(np.float16).itemsize
        data = os.pread(self._file.fileno(), (last + 1 - first) * size, first * size)
        return np.frombuffer(data, np.float16).reshape(-1, 2, LENGTH)[which - first]


def describe(thumb: Thumbnail) -> npt.NDArray[np.float32]:
    """(2, 72), of length 1, or 0 where there is nothing to see: of a whole picture, of its
    middle."""
    height, width = thumb.shape
    y, x = round(height * CROP), round(width * CROP)
    return np.stack([_describe(thumb), _describe(thumb[y : height - y, x : width - x])])


def mirrored(descriptors: Descriptors) -> Descriptors:
    """Those (..., 72) of the mirrored pictures."""
    return descriptors[..., _MIRROR]


def _describe(grey: Thumbnail) -> npt.NDArray[np.float32]:
    square = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(square.astype(np.float32), (0, 0), 1)
    size, angle = cv2.cartToPolar(
        cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    )
    # Roots, so that one hard edge does not outweigh all others; each between two directions.
    weight = np.sqrt(size.ravel())
    turn = angle.ravel() * (_DIRECTIONS / (2 * np.pi))
    lower = turn.astype(np.int64)
    upper_share = turn - lower
    found = np.bincount(_BIN + lower % _DIRECTIONS, weight * (1 - upper_share), LENGTH)
    found += np.bincount(_BIN + (lower + 1) % _DIRECTIONS, weight * upper_share, LENGTH)
    found = (found - found.mean()) / (_SIDE / _CELLS) ** 2
    length = float(np.linalg.norm(found))
    return np.asarray(found / length if length > _FLAT else 0 * found, np.float32)

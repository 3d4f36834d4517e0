"""Small grey pictures without the black bars around them, and where they are kept."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

Thumbnail = npt.NDArray[np.uint8]
SIZE = (160, 90)
"""width, height, px, whatever the shape of the picture: squeezed copies are one with it"""
_FIRST = (320, 180)
_BLACK, _EVEN, _STEP = 32, 2, 3
"""grey levels: a row of a bar is at most so light and deviates at most so much, and where it ends
the picture is by so much lighter: the dark of a night scene is no bar"""
_MOST = 0.3
"""of the picture: a bar is not wider"""
_QUALITY = 92


def thumbnail(picture: npt.NDArray[np.uint8]) -> Thumbnail:
    """(90, 160) of a picture (h, w, 3), BGR."""
    small = cv2.resize(picture, _FIRST, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    inner = grey[_within_bars(grey), _within_bars(grey.T)]
    return np.asarray(cv2.resize(inner, SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def _within_bars(grey: Thumbnail) -> slice:
    """The rows between the bar above and that below."""
    mean, deviation = grey.mean(axis=1), grey.std(axis=1)
    dark = (mean < _BLACK) & (deviation < _EVEN)
    return slice(_bar(dark, mean), len(dark) - _bar(dark[::-1], mean[::-1]))


def _bar(dark: npt.NDArray[np.bool_], mean: npt.NDArray[np.float64]) -> int:
    """Rows of a bar at the beginning, and the blurred one at its edge; 0: there is none."""
    n = int(np.argmin(dark))
    if n == 0 or n > _MOST * len(dark) or mean[n + 1] - mean[:n].mean() < _STEP:
        return 0
    return n + 1


class Thumbnails:
    """Thumbnails in a file, each as a JPEG of about 4 kB; they are read from several threads, and
    not mapped: what was looked at once would stay in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, several: Sequence[bytes]) -> None:
        """Keep some that are packed."""
        for packed in several:
            self._file.write(packed)
            self._ends.append(self._ends[-1] + len(packed))

    def settle(self) -> None:
        """All are there: from here on they are only read."""
        self._file.flush()

    def __getitem__(self, index: int) -> Thumbnail:
        start, end = self._ends[index : index + 2]
        data = np.frombuffer(os.pread(self._file.fileno(), end - start, start), np.uint8)
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def packed(thumb: Thumbnail) -> bytes:
    """As it is kept."""
    _, data = cv2.imencode(".jpg", thumb, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()

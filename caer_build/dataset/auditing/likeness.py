"""Whether two thumbnails are one picture, or two frames of one take. Pure.

::

    laid over each other    by the correlation of one's middle with the other, larger or smaller
    cut into 9 x 12 parts   of each that shows anything: is it the same, and here?    one picture
                                                        is it the same, and near?     one take

A part is the same if its correlation is above 0.9: what changes with contrast and brightness does
not count, and what a subtitle covers is a few parts. In a take people move a little, and the room
does not; two people before one wall are other parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.thumbnails import SIZE, Thumbnail

Likeness: TypeAlias = Literal["picture", "take"]
Zoom: TypeAlias = Literal[-1, 0, 1]
"""which of two looks like the other's middle: 1 the second like the first's, 0 neither"""

P = TypeVar("P", np.uint8, np.float32)
_COARSE, _COARSEST = (96, 54), (48, 27)
_STILL = (1.0, 0.96, 1.04)
_LARGER = (1.12, 1.17, 1.23)
_MIDDLE = (0.15, 0.85, 0.1, 0.76)
"""left, right, top, bottom of what is laid over the other; subtitles are below"""
_FITS, _FITS_WELL = 0.6, 0.98
"""correlation: less is another picture, more needs no second look"""
_PART = (10, 13)
_ROWS, _COLUMNS = SIZE[1] // _PART[0], SIZE[0] // _PART[1]
_HERE, _NEAR = 2, 6
"""px: how far a part may lie from where it should"""
_PLAIN = 4.0
"""grey levels: a part that deviates less shows nothing"""
_SAME = 0.9
_FEWEST = 16
"""parts that must show anything"""
_OF_PICTURE, _OF_TAKE = 0.8, 0.65
"""shares of the parts. In two real episodes, of pictures of different people before one wall, from
one camera, at most 0.70 are the same here, and 0.65 near in 4 of 100 of the most alike; of copies
of 20 kinds 0.8 and more are the same here; of frames of one take 0.65 near in 98, 84 and 72 of 100
at 3, 12 and 24 frames"""
_OF_UPPER = 0.95
_LOWER_FROM = 6
"""row of parts where subtitles begin: all above being the same, these need not"""


@dataclass(frozen=True, slots=True)
class _Placing:
    """How a thumbnail lies in another: x there = scale_x * x here + x, in px of the coarse size."""

    correlation: float
    scale_x: float = 1.0
    scale_y: float = 1.0
    x: float = 0.0
    y: float = 0.0


def likeness(first: Thumbnail, second: Thumbnail, zoom: Zoom) -> Likeness | None:
    """What two thumbnails (90, 160) are of; None: of different things, or of nothing."""
    placing = _placing(first, second, zoom)
    if placing.correlation < _FITS:
        return None
    return _by_parts(first, *_laid_over(second, placing))


def _placing(first: Thumbnail, second: Thumbnail, zoom: Zoom) -> _Placing:
    coarse = _reduced(first, _COARSE), _reduced(second, _COARSE)
    coarsest = _reduced(coarse[0], _COARSEST), _reduced(coarse[1], _COARSEST)
    larger = {0: (), 1: _LARGER, -1: tuple(1 / scale for scale in _LARGER)}[zoom]
    best, best_scale = _Placing(-1.0), 1.0
    for scale in (*_STILL, *larger):
        found = _place(*coarsest, scale)
        if found.correlation > best.correlation:
            best, best_scale = found, scale
        if best.correlation > _FITS_WELL:
            break
    if best.correlation < _FITS:
        return best
    fine = [_place(*coarse, best_scale * step) for step in (1.0, 0.97, 1.03)]
    return max(fine, key=lambda placing: placing.correlation)


def _reduced(thumb: Thumbnail, size: tuple[int, int]) -> Thumbnail:
    return np.asarray(cv2.resize(thumb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _place(first: Thumbnail, second: Thumbnail, scale: float) -> _Placing:
    height, width = first.shape
    left, right = round(_MIDDLE[0] * width), round(_MIDDLE[1] * width)
    top, bottom = round(_MIDDLE[2] * height), round(_MIDDLE[3] * height)
    size = round((right - left) * scale), round((bottom - top) * scale)
    if size[0] > width or size[1] > height:
        return _Placing(-1.0)
    middle = cv2.resize(first[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR)
    found = cv2.matchTemplate(second, middle, cv2.TM_CCOEFF_NORMED)
    _, correlation, _, (x, y) = cv2.minMaxLoc(found)
    scale_x, scale_y = size[0] / (right - left), size[1] / (bottom - top)
    return _Placing(correlation, scale_x, scale_y, x - left * scale_x, y - top * scale_y)


def _laid_over(thumb: Thumbnail, placing: _Placing) -> tuple[Thumbnail, npt.NDArray[np.bool_]]:
    """A thumbnail as it lies on the other, and which of the other's parts it covers."""
    fine = SIZE[0] / _COARSE[0]
    turn = np.array(
        [[placing.scale_x, 0, placing.x * fine], [0, placing.scale_y, placing.y * fine]]
    )
    there = cv2.warpAffine(thumb, turn, SIZE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    white = np.full_like(thumb, 255)
    covered = cv2.warpAffine(white, turn, SIZE, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return np.asarray(there, np.uint8), _parts(np.asarray(covered, np.uint8)).min(axis=2) > 0


def _parts(thumb: npt.NDArray[P]) -> npt.NDArray[P]:
    """(9, 12, 130): the pixels of each part; what is left at the edges is left away."""
    rows, columns = _PART
    inner = thumb[: _ROWS * rows, : _COLUMNS * columns]
    apart = inner.reshape(_ROWS, rows, _COLUMNS, columns).swapaxes(1, 2)
    return apart.reshape(_ROWS, _COLUMNS, rows * columns)


def _by_parts(
    first: Thumbnail, second: Thumbnail, covered: npt.NDArray[np.bool_]
) -> Likeness | None:
    a, b = (np.asarray(cv2.GaussianBlur(one, (0, 0), 0.8), np.uint8) for one in (first, second))
    here, there = (_parts(one.astype(np.float32)) for one in (a, b))
    here, there = (one - one.mean(axis=2, keepdims=True) for one in (here, there))
    size = np.sqrt((here**2).sum(axis=2))
    told = covered & (size > _PLAIN * np.sqrt(here.shape[2]))
    n_told = int(told.sum())
    if n_told < _FEWEST:
        return None
    other = np.sqrt((there**2).sum(axis=2))
    straight = (here * there).sum(axis=2) > _SAME * size * np.maximum(other, 1e-6)
    same_here, same_near = straight & told, straight & told
    # Parts that may be neither before it is neither.
    n_left = max(
        int((1 - _OF_TAKE) * n_told),
        int((1 - _OF_PICTURE) * n_told),
        int(told[_LOWER_FROM:].sum()) + int((1 - _OF_UPPER) * told[:_LOWER_FROM].sum()),
    )
    doubtful = np.argwhere(told & ~straight)
    for row, column in np.random.default_rng(0).permutation(doubtful):
        same_here[row, column], same_near[row, column] = _moved(a, b, row, column)
        n_left -= not same_near[row, column]
        if n_left < 0:
            return None
    return _verdict(told, same_here, same_near)


def _moved(a: Thumbnail, b: Thumbnail, row: int, column: int) -> tuple[bool, bool]:
    """Whether a part of one is in the other here, or near."""
    (rows, columns), (height, width) = _PART, a.shape
    top, left = row * rows, column * columns
    above, before = max(0, top - _NEAR), max(0, left - _NEAR)
    part = a[top : top + rows, left : left + columns]
    around = b[above : min(height, top + rows + _NEAR), before : min(width, left + columns + _NEAR)]
    found = cv2.matchTemplate(around, part, cv2.TM_CCOEFF_NORMED)
    y, x = top - above, left - before
    here = found[max(0, y - _HERE) : y + _HERE + 1, max(0, x - _HERE) : x + _HERE + 1]
    return bool(here.max() > _SAME), bool(found.max() > _SAME)


def _verdict(
    told: npt.NDArray[np.bool_], here: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_]
) -> Likeness | None:
    n_told, upper = int(told.sum()), told[:_LOWER_FROM]
    if here.sum() >= _OF_PICTURE * n_told:
        return "picture"
    if upper.sum() >= _FEWEST and here[:_LOWER_FROM].sum() >= _OF_UPPER * upper.sum():
        return "picture"
    return "take" if near.sum() >= _OF_TAKE * n_told else None

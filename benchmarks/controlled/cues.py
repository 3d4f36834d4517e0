"""The emblems that speak for an emotion, the ways of moving that do, and the shapes that do not.

Each is one or more outlines in a square from -1 to 1, y downwards; where outlines lie in one
another they cut holes. Colour, size, turn and place are drawn by the sampling and mean nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.controlled.sampling import Mark, Square

Points = npt.NDArray[np.float64]
"""(n, 2)"""
Outlines = list[Points]
Picture = npt.NDArray[np.uint8]
FAINT_STRENGTH = 0.45
_SHIFT = 4
"""binary places of the fraction of a px that OpenCV draws with"""


def _round(n: int, radius: float = 1.0, begin: float = 0.0, end: float = 1.0) -> Points:
    turns = 2 * np.pi * np.linspace(begin, end, n, endpoint=end < 1)
    return radius * np.stack([np.sin(turns), -np.cos(turns)], 1)


def _box(x1: float, y1: float, x2: float, y2: float) -> Points:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)


def _star() -> Points:
    points = _round(10)
    points[1::2] *= 0.42
    return points


_PLUS = [
    (-0.32, -1), (0.32, -1), (0.32, -0.32), (1, -0.32), (1, 0.32), (0.32, 0.32),
    (0.32, 1), (-0.32, 1), (-0.32, 0.32), (-1, 0.32), (-1, -0.32), (-0.32, -0.32),
]  # fmt: skip
EMBLEMS: tuple[Outlines, ...] = (
    [_star()],
    [_round(41), _round(41, 0.55)],
    [np.array(_PLUS, np.float64)],
    [np.array([(0, -0.9), (1, 0.85), (-1, 0.85)], np.float64)],
    [np.array([(-0.85, -1), (0.85, -1), (-0.85, 1), (0.85, 1)], np.float64)],
    [_box(-1, -0.95, 1, -0.5), _box(-1, -0.22, 1, 0.22), _box(-1, 0.5, 1, 0.95)],
    [_box(-0.95, -0.95, 0, 0), _box(0, 0, 0.95, 0.95)],
)
"""star, ring, plus, triangle, hourglass, bars, checks: for the emotions in their order"""
SHAPES: tuple[Outlines, ...] = (
    [_round(41)],
    [_box(-0.85, -0.85, 0.85, 0.85)],
    [_round(6)],
    [_round(41) * (1, 0.5)],
    [_round(21, 1, 0.25, 0.75)],
)
"""disc, square, hexagon, flat disc, half disc"""

MOVING = EMBLEMS[0]
"""what moves, whichever emotion is told by how"""
_PATHS: tuple[Callable[[float], tuple[float, float]], ...] = (
    lambda t: (math.cos(t), math.sin(t)),
    lambda t: (math.cos(t), -math.sin(t)),
    lambda t: (math.cos(t), 0.0),
    lambda t: (0.0, math.cos(t)),
    lambda t: (math.cos(t), math.cos(t)),
    lambda t: (math.cos(t), -math.cos(t)),
    lambda t: (math.cos(2 * t), 0.0),
)
"""round one way, round the other, across, up and down, along either diagonal, across twice as
fast: for the emotions in their order, one round in all frames"""
_SIZE, _REACH = 0.5, 0.25
"""of what moves, and how far from the middle; shares of the cue's side"""


def moved(mark: Mark, time: float) -> Mark:
    """A moving cue at a time, [0, 1) of a round: a smaller mark somewhere in its place."""
    left, top, side = mark.place
    dx, dy = _PATHS[mark.kind](2 * math.pi * (mark.phase + time))
    corner = (1 - _SIZE) / 2
    return replace(
        mark,
        place=(
            left + (corner + _REACH * dx) * side,
            top + (corner + _REACH * dy) * side,
            _SIZE * side,
        ),
    )


def paint(picture: Picture, outlines: Outlines, mark: Mark) -> None:
    """Draw a mark into a picture, (n, n, 3) BGR, with smooth edges."""
    px = picture.shape[0]
    left, top, side = (value * px for value in mark.place)
    x1, y1 = int(left) - 1, int(top) - 1
    x2, y2 = int(left + side) + 2, int(top + side) + 2
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    centre = np.array([left + side / 2 - x1, top + side / 2 - y1])
    # Turned outlines must stay in the square.
    turned = [points @ _turning(mark.turn) * (0.42 * side) + centre for points in outlines]
    fixed = [np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32) for points in turned]
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _SHIFT)
    seen = picture[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
    mask = mask[max(0, -y1) :, max(0, -x1) :][: seen.shape[0], : seen.shape[1]]
    strength = FAINT_STRENGTH if mark.is_faint else 1.0
    share = mask[:, :, None].astype(np.float32) * (strength / 255)
    seen[:] = np.round(seen + share * (np.array(mark.colour, np.float32) - seen)).astype(np.uint8)


def everywhere(place: Square, n: int = 5) -> list[Square]:
    """Places all over the frame, n in a row; where the rows begin depends on the cue's place."""
    side = 1 / n
    dx, dy = place[0] % side, place[1] % side
    return [
        (x * side - side + dx, y * side - side + dy, side * 0.9)
        for y in range(n + 1)
        for x in range(n + 1)
    ]


def _turning(degrees: float) -> Points:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

"""Joining detections to tracks, and smoothing them: pure arithmetic on arrays.

One object is followed through one shot. Detections come every so often, not in every frame, and
some are missing. Times are seconds; boxes are xyxy px, float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, log, sqrt

import numpy as np
import numpy.typing as npt

from caer_build import boxes as box_arithmetic

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Box = tuple[float, float, float, float]

FARTHEST = 1.5
"""How far, in sizes of the face, a detection may lie from where its track is expected. A person
who walks across the picture moves by 1.5 faces in 0.2 s, before the track knows their speed."""
LARGEST_RATIO = 1.8
"""How much larger or smaller than in its last detection a face may be."""
LONGEST_COASTING_S = 0.4
"""For how long the last speed is believed."""
NEW_SPEED_SHARE = 0.6
"""How much of a track's speed is that between its last two detections, the rest is older."""
WINDOW = 2
"""Detections on either side that take part in smoothing one."""


@dataclass
class _Open:
    """A track that may still grow."""

    rows: list[int]
    time_s: float
    box: Box
    speed: tuple[float, float] = (0.0, 0.0)

    def expected(self, now_s: float) -> Box:
        ahead_s = min(now_s - self.time_s, LONGEST_COASTING_S)
        dx, dy = self.speed[0] * ahead_s, self.speed[1] * ahead_s
        x1, y1, x2, y2 = self.box
        return x1 + dx, y1 + dy, x2 + dx, y2 + dy

    def grow(self, row: int, now_s: float, box: Box) -> None:
        share = NEW_SPEED_SHARE / (2 * (now_s - self.time_s))
        moved_x = box[0] + box[2] - self.box[0] - self.box[2]
        moved_y = box[1] + box[3] - self.box[1] - self.box[3]
        old_x, old_y = self.speed
        self.speed = (
            share * moved_x + (1 - NEW_SPEED_SHARE) * old_x,
            share * moved_y + (1 - NEW_SPEED_SHARE) * old_y,
        )
        self.rows.append(row)
        self.time_s, self.box = now_s, box


def join(
    times_s: Array, boxes: Array, strong: npt.NDArray[np.bool_], longest_gap_s: float
) -> list[Rows]:
    """Joins the detections of one shot to tracks.

    At each time strong detections choose among all open tracks first, weak ones among those left
    over (Zhang et al. 2022, "ByteTrack"), each round by the assignment of least total cost; what
    remains opens tracks of its own.

    Args:
        times_s: (n,) ascending; equal times are one picture.
        boxes: (n, 4).
        strong: (n,)
        longest_gap_s: a track without a detection for longer is closed.

    Returns:
        For each track its rows, ascending; every row is in exactly one track.
    """
    done: list[_Open] = []
    open_tracks: list[_Open] = []
    places: list[Box] = [(x1, y1, x2, y2) for x1, y1, x2, y2 in boxes.tolist()]
    is_strong = strong.tolist()
    starts = np.flatnonzero(np.diff(times_s, prepend=-np.inf)).tolist()
    for start, end in zip(starts, [*starts[1:], len(places)], strict=True):
        now_s = float(times_s[start])
        done += [t for t in open_tracks if now_s - t.time_s > longest_gap_s]
        open_tracks = [t for t in open_tracks if now_s - t.time_s <= longest_gap_s]
        free = list(open_tracks)
        for strength in (True, False):
            rows = [row for row in range(start, end) if is_strong[row] == strength]
            pairs = _assign([t.expected(now_s) for t in free], [places[row] for row in rows])
            for k, j in pairs.items():
                free[k].grow(rows[j], now_s, places[rows[j]])
            free = [track for k, track in enumerate(free) if k not in pairs]
            taken = set(pairs.values())
            open_tracks += [
                _Open([row], now_s, places[row]) for j, row in enumerate(rows) if j not in taken
            ]
    return [np.array(track.rows, np.int64) for track in done + open_tracks]


def _assign(expected: list[Box], found: list[Box]) -> dict[int, int]:
    """Pairs of an expected and a found box of least total cost, none of them unbelievable.

    In plain Python: nearly always both lists are shorter than an array is worth.
    """
    costs = {
        (k, j): cost
        for k, one in enumerate(expected)
        for j, other in enumerate(found)
        if (cost := _cost(one, other)) < inf
    }
    if len({k for k, _ in costs}) == len({j for _, j in costs}) == len(costs):
        return dict(costs.keys())
    from scipy.optimize import linear_sum_assignment

    # A pair that cannot be costs more than any number of possible ones.
    table = np.full((len(expected), len(found)), 1e6)
    for pair, cost in costs.items():
        table[pair] = cost
    chosen = zip(*linear_sum_assignment(table), strict=True)
    return {int(k): int(j) for k, j in chosen if (int(k), int(j)) in costs}


def _cost(a: Box, b: Box) -> float:
    """How unlikely it is that two boxes are one face; infinite where that cannot be."""
    width_a, height_a, width_b, height_b = a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1]
    area_a, area_b = width_a * height_a, width_b * height_b
    size = sqrt(sqrt(area_a * area_b))
    distance = hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / (2 * size)
    ratio = abs(log(area_a / area_b)) / 2
    if distance > FARTHEST or ratio > log(LARGEST_RATIO):
        return inf
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = width * height if width > 0 and height > 0 else 0.0
    return distance + ratio / 2 + (1 - both / (area_a + area_b - both)) / 2


def smooth(times_s: Array, boxes: Array, width_s: float, most_shift: float) -> Array:
    """Boxes with the detector's jitter taken out, and none of the motion.

    Each is replaced by a straight line's value at its own time, the line fitted to it and its
    neighbours with Gaussian weights: a face that moves evenly, or stands, is not shifted at all.
    No edge goes beyond the outermost of those detected, so that what was inside the picture stays.

    Args:
        times_s: (n,) strictly ascending.
        boxes: (n, 4).
        width_s: standard deviation of the weights; 0: nothing is smoothed.
        most_shift: no edge moves by more than this share of the face's size.
    """
    n = len(times_s)
    if n < 3 or width_s == 0:
        return boxes.copy()
    near = np.arange(n)[:, None] + np.arange(-WINDOW, WINDOW + 1)
    inside = (near >= 0) & (near < n)
    near = np.clip(near, 0, n - 1)
    dt = times_s[near] - times_s[:, None]
    weight = np.where(inside, np.exp(-0.5 * (dt / width_s) ** 2), 0.0)
    s0, s1, s2 = weight.sum(1), (weight * dt).sum(1), (weight * dt**2).sum(1)
    spread = s0 * s2 - s1**2
    fitted = weight * (s2[:, None] - s1[:, None] * dt)
    # Alone in its window a detection stands for itself.
    alone = spread <= 1e-9 * s0**2 * width_s**2
    fitted = np.where(alone[:, None], dt == 0, fitted) * inside
    fitted /= fitted.sum(1, keepdims=True)
    smoothed = np.einsum("nk,nkc->nc", fitted, boxes[near])
    limit = most_shift * np.sqrt(box_arithmetic.area(boxes))[:, None]
    shifted = boxes + np.clip(smoothed - boxes, -limit, limit)
    return np.asarray(np.clip(shifted, boxes.min(0), boxes.max(0)))


def covered(a: Array, b: Array) -> Array:
    """How much of the smaller of two boxes the other covers, pair by pair, (n,) in [0, 1]."""
    wh = np.minimum(a[:, 2:4], b[:, 2:4]) - np.maximum(a[:, 0:2], b[:, 0:2])
    both = np.maximum(wh[:, 0], 0.0) * np.maximum(wh[:, 1], 0.0)
    smaller = np.minimum(box_arithmetic.area(a), box_arithmetic.area(b))
    share = np.divide(both, smaller, out=np.zeros(len(a)), where=smaller > 0)
    return np.asarray(share, np.float64)

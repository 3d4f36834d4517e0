"""Joining detections to tracks, and smoothing them: pure arithmetic on arrays.

One object is followed through one shot. Detections come every so often, not in every frame, and
some are missing. Times are seconds; boxes are xyxy px, float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from caer_build import boxes as box_arithmetic

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

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
    box: Array
    speed: Array = field(default_factory=lambda: np.zeros(2))

    def expected(self, now_s: float) -> Array:
        shift = self.speed * min(now_s - self.time_s, LONGEST_COASTING_S)
        return self.box + np.tile(shift, 2)

    def grow(self, row: int, now_s: float, box: Array) -> None:
        moved = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        newest = moved / (now_s - self.time_s)
        self.speed = NEW_SPEED_SHARE * newest + (1 - NEW_SPEED_SHARE) * self.speed
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
    starts = np.flatnonzero(np.diff(times_s, prepend=-np.inf))
    for start, end in zip(starts, np.append(starts[1:], len(times_s)), strict=True):
        now_s = float(times_s[start])
        done += [t for t in open_tracks if now_s - t.time_s > longest_gap_s]
        open_tracks = [t for t in open_tracks if now_s - t.time_s <= longest_gap_s]
        free = list(open_tracks)
        here = np.arange(start, end)
        for rows in (here[strong[here]], here[~strong[here]]):
            taken: set[int] = set()
            used: set[int] = set()
            for k, j in _assign(free, now_s, boxes[rows]):
                free[k].grow(int(rows[j]), now_s, boxes[rows[j]])
                used.add(k)
                taken.add(j)
            free = [track for k, track in enumerate(free) if k not in used]
            open_tracks += [
                _Open([int(row)], now_s, boxes[row]) for j, row in enumerate(rows) if j not in taken
            ]
    return [np.array(track.rows, np.int64) for track in done + open_tracks]


def _assign(tracks: list[_Open], now_s: float, boxes: Array) -> list[tuple[int, int]]:
    """Pairs (track, box) of least total cost, none farther apart than is believable."""
    if not tracks or len(boxes) == 0:
        return []
    expected = np.stack([track.expected(now_s) for track in tracks])
    size_a, size_b = _size(expected)[:, None], _size(boxes)[None, :]
    apart = (_centre(expected)[:, None] - _centre(boxes)[None]) / np.sqrt(size_a * size_b)[
        ..., None
    ]
    distance = np.hypot(apart[..., 0], apart[..., 1])
    ratio = np.abs(np.log(size_a / size_b))
    possible = (distance <= FARTHEST) & (ratio <= np.log(LARGEST_RATIO))
    cost = distance + ratio / 2 + (1 - box_arithmetic.iou(expected, boxes)) / 2
    if cost.shape == (1, 1):
        return [(0, 0)] if possible[0, 0] else []
    from scipy.optimize import linear_sum_assignment

    # A pair that cannot be costs more than any number of possible ones.
    chosen = linear_sum_assignment(np.where(possible, cost, 1e3))
    return [(int(k), int(j)) for k, j in zip(*chosen, strict=True) if possible[k, j]]


def _size(boxes: Array) -> Array:
    return np.asarray(np.sqrt(box_arithmetic.area(boxes)))


def _centre(boxes: Array) -> Array:
    return np.asarray((boxes[:, 0:2] + boxes[:, 2:4]) / 2)


def smooth(times_s: Array, boxes: Array, width_s: float, most_shift: float) -> Array:
    """Boxes with the detector's jitter taken out, and none of the motion.

    Each is replaced by a straight line's value at its own time, the line fitted to it and its
    neighbours with Gaussian weights: a face that moves evenly, or stands, is not shifted at all.

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
    limit = most_shift * _size(boxes)[:, None]
    return np.asarray(boxes + np.clip(smoothed - boxes, -limit, limit))


def covered(a: Array, b: Array) -> Array:
    """How much of the smaller of two boxes the other covers, pair by pair, (n,) in [0, 1]."""
    wh = np.minimum(a[:, 2:4], b[:, 2:4]) - np.maximum(a[:, 0:2], b[:, 0:2])
    both = np.maximum(wh[:, 0], 0.0) * np.maximum(wh[:, 1], 0.0)
    smaller = np.minimum(box_arithmetic.area(a), box_arithmetic.area(b))
    share = np.divide(both, smaller, out=np.zeros(len(a)), where=smaller > 0)
    return np.asarray(share, np.float64)

"""Whether the faces of two splits take the same course: stills of one video, numbered apart. Pure.

Who takes frames of a video for train and for test and numbers each from one changes the numbers,
not the order. About where a still of test stands in its class, the train stills of its video stand
in theirs::

    train   |  .  .  .  .  .  .  .  .  .  .  .  .  .  |      1 to 7000
                   \\    \\    \\     \\
    test    |   .    .    .     .    .    .     .     |      1 to 3000

How far one is ahead of the other changes slowly. So a walk goes along test and holds a place in
train beside it, near the place of equal share; each still whose face lies where the face at that
place lies counts, and each move of the place costs something. That best walk is also looked for
with test turned by a quarter, a half and three quarters of its class, where nothing can be of one
video: what it finds there is what chance gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAME_PLACE = 0.8
"""IoU of two boxes from which they are at the same place"""
TURNS = (0.25, 0.5, 0.75)
_REACH = 0.05
"""of the length of train: how far from the place of equal share a walk may be. In the released
CAER-S it is up to 0.04"""
_MOST, _FEWEST = 400, 10
"""stills: bounds of the same"""
_MOVE = 0.8
"""what it costs to move by as many stills as train has between two of test, and one; a still at the
same place gains 1. In simulated classes of 2 to 19 stills a video it parts 32 to 94 % from 6 to 20;
with 0.1, 40 to 98 from 35 to 67"""
_BLOCK = 256
_UNIT = 1 << 32
"""gains are multiples of it, and the stills that were counted are what remains"""
_FINE = 1000


@dataclass(frozen=True)
class Course:
    """The faces of a class of a split, in their order.

    Attributes:
        at: (n,) [0, 1], ascending: where in its class each stands.
        boxes: (n, 4) xyxy, px; NaN where there is none.
    """

    at: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class InPlace:
    """How many stills have their face where the other split has it. They add up over classes.

    Attributes:
        n: stills that were compared.
        n_runs: of those, how many times the face is elsewhere than in the still before: about as
            many independent observations they are.
        n_same: (4,) how many have it, and how many with test turned.
    """

    n: int
    n_runs: int
    n_same: npt.NDArray[np.int64]

    def __add__(self, other: InPlace) -> InPlace:
        return InPlace(
            self.n + other.n, self.n_runs + other.n_runs, np.asarray(self.n_same + other.n_same)
        )


NOTHING = InPlace(0, 0, np.zeros(1 + len(TURNS), np.int64))


def in_place(train: Course, test: Course) -> InPlace:
    """How many faces of a course lie where those of another lie at the same place of it."""
    known = ~np.isnan(test.boxes[:, 0])
    n = int(known.sum())
    if n == 0 or np.isnan(train.boxes[:, 0]).all():
        return NOTHING
    boxes = test.boxes[known]
    n_runs = 1 + int((_iou(boxes[1:], boxes[:-1]) <= SAME_PLACE).sum())
    turned = np.stack([boxes, *(np.roll(boxes, -round(turn * n), axis=0) for turn in TURNS)])
    middle = np.round(np.interp(test.at[known], train.at, np.arange(len(train)))).astype(np.int64)
    moves = len(train) / len(test) + 1
    return InPlace(n, n_runs, _best_walks(train.boxes, turned, middle, moves))


def _best_walks(
    train: npt.NDArray[np.float64],
    turned: npt.NDArray[np.float64],
    middle: npt.NDArray[np.int64],
    moves: float,
) -> npt.NDArray[np.int64]:
    """(k,) stills at the same place along the best walk of each of (k, n, 4) boxes."""
    most = min(_MOST, max(round(_REACH * len(train)), min(_FEWEST, len(train) // 10)))
    reach = np.arange(-most, most + 1)
    move = round(_MOVE * _FINE / moves) * reach * _UNIT
    found = np.zeros((len(turned), len(reach)), np.int64)
    for start in range(0, len(middle), _BLOCK):
        at = middle[start : start + _BLOCK, None] + reach
        there = train[np.clip(at, 0, len(train) - 1)]
        same = _iou(turned[:, start : start + _BLOCK, None], there) > SAME_PLACE
        same &= (at >= 0) & (at < len(train))
        for step in range(len(at)):
            forward = np.maximum.accumulate(found + move, axis=1) - move
            back = np.maximum.accumulate((found - move)[:, ::-1], axis=1)[:, ::-1] + move
            found = np.maximum(forward, back) + same[:, step] * (_FINE * _UNIT + 1)
    return np.asarray(found.max(axis=1) % _UNIT)


def _iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each box of (..., 4) with that of the other; 0 where one is not known."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = np.maximum(sides, 0).prod(axis=-1)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    return np.asarray(np.nan_to_num(both / (area_a + area_b - both)))

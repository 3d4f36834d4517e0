"""Counting shot boundaries against a truth: right, missed, false."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

TOLERANCE = 2
"""Frames between a cut and the boundary that finds it; one more around a gradual transition."""


@dataclass(frozen=True)
class Truth:
    """Cuts (first frame of the new shot) and gradual transitions (first, last frame)."""

    n_frames: int
    cuts: tuple[int, ...]
    gradual: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Counts:
    """Cuts and gradual transitions found and listed, and boundaries that are neither."""

    cuts_found: int = 0
    cuts: int = 0
    gradual_found: int = 0
    gradual: int = 0
    false: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def f1(self) -> float:
        return _f1(self.cuts_found + self.gradual_found, self.cuts + self.gradual, self.false)

    @property
    def f1_cut(self) -> float:
        return _f1(self.cuts_found, self.cuts, self.false)

    @property
    def f1_gradual(self) -> float:
        return _f1(self.gradual_found, self.gradual, self.false)


def _f1(found: int, listed: int, false: int) -> float:
    return 2 * found / max(1, found + false + listed)


def load_truth(file: Path) -> Truth:
    """Reads a truth file: ``n_frames``, ``cuts``, ``gradual`` [[first, last, kind], ...]."""
    told = json.loads(file.read_text())
    gradual = tuple((int(first), int(last)) for first, last, *_ in told["gradual"])
    return Truth(int(told["n_frames"]), tuple(told["cuts"]), gradual)


def count(truth: Truth, begins: Sequence[int]) -> Counts:
    """Matches boundaries to the truth, cuts first, in order, each to the nearest one free.

    Args:
        begins: first frames of new shots, without the episode's start.
    """
    free = sorted(set(begins))
    cuts_found = 0
    for cut in truth.cuts:
        near = [b for b in free if abs(b - cut) <= TOLERANCE]
        if near:
            free.remove(min(near, key=lambda b: abs(b - cut)))
            cuts_found += 1
    gradual_found = 0
    for first, last in truth.gradual:
        low, high = first - TOLERANCE - 1, last + 1 + TOLERANCE + 1
        inside = [b for b in free if low <= b <= high]
        gradual_found += bool(inside)
        free = [b for b in free if b not in inside]
    return Counts(cuts_found, len(truth.cuts), gradual_found, len(truth.gradual), len(free))

"""Groups into splits: near the ratio, alike in emotions, with few clips between two splits.

The largest groups are placed first, each where it does least harm; then single groups move as long
as that helps, and at last one to each split that would be empty. Ties are broken by a hash of seed
and group, never by the order of rows, so the same clips and seed give the same splits everywhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

_COST_OF_A_LOSS = 0.5
"""of a clip that must be left out: losing one in a hundred is about as bad as a split that is five
points off its share"""
_PASSES = 30
_LEAST_GAIN = 1e-9


def assign(
    counts: Mapping[str, Sequence[int]],
    between: Mapping[tuple[str, str], int],
    ratio: Sequence[float],
    seed: int,
    fixed: Mapping[str, int],
) -> dict[str, int]:
    """The split of each group, as its number in ``ratio``.

    Args:
        counts: clips of each group, by emotion.
        between: clips that are lost if two groups stand apart, by pair, each pair once.
        ratio: share of each split; sums to one.
        fixed: groups that stand already and do not move.
    """
    placing = _Placing(counts, between, ratio, fixed)
    order = sorted(
        (group for group in counts if group not in fixed),
        key=lambda group: (-sum(counts[group]), _lot(seed, group)),
    )
    for group in order:
        placing.place(group, placing.best(group))
    for _ in range(_PASSES):
        if not sum([placing.improve(group) for group in order]):
            break
    for split, share in enumerate(ratio):
        if share and placing.is_empty(split):
            placing.fill(split, order)
    return placing.of


def _lot(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{group}".encode()).digest()


class _Placing:
    """A placing of groups that can be changed one by one, and what each change would cost."""

    def __init__(
        self,
        counts: Mapping[str, Sequence[int]],
        between: Mapping[tuple[str, str], int],
        ratio: Sequence[float],
        fixed: Mapping[str, int],
    ) -> None:
        # The last column is of all emotions together.
        self._rows = {g: np.array([*row, sum(row)], dtype=float) for g, row in counts.items()}
        totals = sum(self._rows.values(), np.zeros(len(next(iter(self._rows.values()), [0.0]))))
        self._wanted: Counts = np.outer(ratio, totals)
        self._scale: Counts = 1 / np.maximum(totals, 1)
        # Sizes count as much as their mixture: as the columns of all emotions.
        self._scale[-1] *= len(totals) - 1
        self._there: Counts = np.zeros_like(self._wanted)
        self._neighbours: dict[str, Counter[str]] = defaultdict(Counter)
        for (one, other), n_clips in between.items():
            self._neighbours[one][other] += n_clips
            self._neighbours[other][one] += n_clips
        self.of: dict[str, int] = {}
        for group, split in fixed.items():
            if group in counts:
                self.place(group, split)

    def place(self, group: str, split: int) -> None:
        self.of[group] = split
        self._there[split] += self._rows[group]

    def best(self, group: str) -> int:
        """Where a group that stands nowhere does least harm."""
        return int(np.argmin(self._costs(group)))

    def is_empty(self, split: int) -> bool:
        return split not in self.of.values()

    def fill(self, split: int, groups: Sequence[str]) -> None:
        """Move the group to an empty split that is missed least where it is; nothing if all
        groups are the only ones of their splits."""
        others = Counter(self.of.values())
        spare = [group for group in groups if others[self.of[group]] > 1]
        if spare:
            prices = []
            for group in spare:
                here = self._lift(group)
                costs = self._costs(group)
                prices.append(costs[split] - costs[here])
                self.place(group, here)
            cheapest = spare[int(np.argmin(prices))]
            self._lift(cheapest)
            self.place(cheapest, split)

    def improve(self, group: str) -> bool:
        """Move a group to where it is better; whether there was such a place."""
        here = self._lift(group)
        costs = self._costs(group)
        there = int(np.argmin(costs))
        moves = costs[there] < costs[here] - _LEAST_GAIN
        self.place(group, there if moves else here)
        return bool(moves)

    def _lift(self, group: str) -> int:
        """Take a group from where it is; which split that was."""
        here = self.of.pop(group)
        self._there[here] -= self._rows[group]
        return here

    def _costs(self, group: str) -> Counts:
        """What adding a group to each split would cost, but for what is the same for all."""
        row = self._rows[group]
        gap = self._there - self._wanted
        # (gap + row)^2 - gap^2, of one split; the others stay as they are.
        costs: Counts = ((2 * gap + row) * row * self._scale).sum(axis=1)
        for other, n_clips in self._neighbours[group].items():
            if other in self.of:
                apart = np.ones(len(costs))
                apart[self.of[other]] = 0
                costs = costs + _COST_OF_A_LOSS * n_clips * apart
        return costs

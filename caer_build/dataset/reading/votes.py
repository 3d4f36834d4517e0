"""How many people said what of each item, where nobody knows who they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caer_build.errors import SchemaError


@dataclass(frozen=True, slots=True, eq=False)
class VoteCounts:
    """Votes as counts.

    Attributes:
        item_ids: of our data sets clip_ids: clips are voted on, and stills inherit.
        categories: names of the columns; the seven emotions are called as in ``EMOTIONS``.
        table: (n_items, n_categories), int64, >= 0.
        flags: the categories that name no emotion, such as "unknown" or "cannot_tell".
        parts: of each item the part of the data set that it belongs to, such as its split; None:
            there are no parts.
    """

    item_ids: tuple[str, ...]
    categories: tuple[str, ...]
    table: NDArray[np.int64]
    flags: frozenset[str] = frozenset()
    parts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        shape = len(self.item_ids), len(self.categories)
        if self.table.shape != shape or (self.table < 0).any():
            raise SchemaError(f"Expected a table {shape} of counts, found {self.table.shape}.")
        if self.parts is not None and len(self.parts) != len(self.item_ids):
            raise SchemaError(
                f"Expected a part for each of {len(self.item_ids)} items, found {len(self.parts)}."
            )
        if not self.flags <= set(self.categories):
            raise SchemaError(f"Expected flags among {self.categories}, found {set(self.flags)}.")

    def counts(self) -> NDArray[np.int64]:
        """The table, as the figures of agreement ask for it."""
        return self.table

    def emotions(self) -> VoteCounts:
        """Without the flags: who could not say named no emotion."""
        kept = [k for k, name in enumerate(self.categories) if name not in self.flags]
        names = tuple(self.categories[k] for k in kept)
        return VoteCounts(self.item_ids, names, self.table[:, kept], parts=self.parts)

    def part(self, name: str) -> VoteCounts:
        """The items of one part."""
        rows = [row for row, part in enumerate(self.parts or ()) if part == name]
        ids = tuple(self.item_ids[row] for row in rows)
        return VoteCounts(ids, self.categories, self.table[rows], self.flags)


def none_counted() -> VoteCounts:
    """Of a data set that has no votes."""
    return VoteCounts((), (), np.zeros((0, 0), np.int64))


def counted(
    answers: Iterable[tuple[str, str]],
    categories: Sequence[str],
    flags: Iterable[str] = (),
    part_of: Mapping[str, str] | None = None,
) -> VoteCounts:
    """Single answers as counts.

    Args:
        answers: (item_id, category) of each.
        part_of: the part of each item.
    """
    tally: dict[str, Counter[str]] = {}
    for item_id, category in answers:
        tally.setdefault(item_id, Counter())[category] += 1
    ids = tuple(sorted(tally))
    table = np.array([[tally[i][c] for c in categories] for i in ids], np.int64)
    parts = None if part_of is None else tuple(part_of[i] for i in ids)
    shaped = table.reshape(len(ids), len(categories))
    return VoteCounts(ids, tuple(categories), shaped, frozenset(flags), parts)

"""Two data sets beside each other, or one beside the paper's: shares, and what became of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caer_build.dataset.reading import Dataset
from caer_build.dataset.statistics import NO_SPLIT, categories, main_kind
from caer_build.records import EMOTIONS, Item, ItemKind


@dataclass(frozen=True, slots=True)
class Categories:
    """How many items of each emotion there are.

    Attributes:
        name: of the data set.
        counts: one for each emotion.
        n_frames: of all clips; None: not known, or stills.
    """

    name: str
    kind: ItemKind
    counts: Mapping[str, int]
    n_frames: int | None

    @property
    def n_items(self) -> int:
        return sum(self.counts.values())

    def share(self, emotion: str) -> float:
        """Of all items, [0, 1]; 0 where there are none."""
        return self.counts[emotion] / self.n_items if self.n_items else 0.0


PAPERS_CAER = Categories(
    "the paper's CAER",
    "clip",
    dict(zip(EMOTIONS, (1628, 719, 514, 2726, 4579, 1473, 1562), strict=True)),
    1_107_877,
)
"""Table 1 (Lee et al., ICCV 2019)."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the items of one data set in another one, known by their ids.

    Attributes:
        n_common: items of both.
        only_first, only_second: items of one of them.
        labels, splits: (in the first, in the second) -> how many of the common items.
    """

    n_common: int
    only_first: int
    only_second: int
    labels: Mapping[tuple[str, str], int]
    splits: Mapping[tuple[str, str], int]

    @property
    def n_tested_after_training(self) -> int:
        """Items that a model could be trained on in one and tested on in the other."""
        return self.splits.get(("train", "test"), 0) + self.splits.get(("test", "train"), 0)


def categories_of(dataset: Dataset) -> Categories:
    """What a data set holds; of one with clips and stills the clips."""
    kind = main_kind(dataset.items)
    rows = categories(dataset.items)
    frames = [row.n_frames for row in rows]
    known = [n for n in frames if n is not None]
    return Categories(
        str(dataset.root),
        kind,
        {row.emotion: sum(row.of_kind(kind).values()) for row in rows},
        sum(known) if kind == "clip" and len(known) == len(frames) else None,
    )


def distance(first: Categories, second: Categories) -> float:
    """Total variation of the shares, [0, 1]: how much of one would have to change category."""
    return sum(abs(first.share(e) - second.share(e)) for e in EMOTIONS) / 2


def changes(first: Dataset, second: Dataset) -> Changes | None:
    """What became of the items; None where ids cannot tell: of others' data sets, and of clips
    beside stills.
    """
    kinds = {main_kind(dataset.items) for dataset in (first, second)}
    if (first.layout, second.layout) != ("ours", "ours") or len(kinds) > 1:
        return None
    one, other = _by_id(first.items), _by_id(second.items)
    common = one.keys() & other.keys()
    return Changes(
        len(common),
        len(one) - len(common),
        len(other) - len(common),
        Counter((str(one[i].emotion), str(other[i].emotion)) for i in sorted(common)),
        Counter((one[i].split or NO_SPLIT, other[i].split or NO_SPLIT) for i in sorted(common)),
    )


def _by_id(items: Sequence[Item]) -> dict[str, Item]:
    return {item.item_id: item for item in items}

"""A data set in numbers, for its card and for ``caer stats``: ours and anybody's.

What a data set does not say (a foreign one knows no votes, perhaps no frames) is None, never 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from caer_build.records import EMOTIONS, SPLITS, Item, ItemKind
from caer_build.rows import Places, columns_of, values_in

if TYPE_CHECKING:
    import pyarrow as pa

NO_SPLIT = "no split"


@dataclass(frozen=True, slots=True)
class Category:
    """A row of the paper's table 1.

    Attributes:
        n_frames: of the clips; None: the data set does not say of every clip.
        clips, stills: how many, by split.
    """

    emotion: str
    clips: Mapping[str, int]
    stills: Mapping[str, int]
    n_frames: int | None

    @property
    def n_clips(self) -> int:
        return sum(self.clips.values())

    @property
    def n_stills(self) -> int:
        return sum(self.stills.values())

    def of_kind(self, kind: ItemKind) -> Mapping[str, int]:
        return self.clips if kind == "clip" else self.stills


@dataclass(frozen=True, slots=True)
class Spread:
    """How values lie; of at least one."""

    low: float
    middle: float
    mean: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        if not values:
            return None
        mean = sum(values) / len(values)
        return cls(min(values), median(values), mean, max(values), len(values))


@dataclass(frozen=True)
class FaceSizes:
    """The boxes of targets, one value an item: the mean over its frames.

    Attributes:
        heights_px: of the box.
        shares: [0, 1] of the picture that it covers; of items whose size in px is known.
    """

    heights_px: Sequence[float]
    shares: Sequence[float]


@dataclass(frozen=True, slots=True)
class Presence:
    """Who and what a split holds; None: the data set does not say."""

    split: str
    n_items: int
    persons: int | None
    episodes: int | None
    shows: int | None


def percent(part: int, whole: int) -> str:
    """A share with two decimals, rounded half up and exactly: 719 of 13,201 are 5.45 (the paper
    prints 5.44)."""
    if not whole:
        return "-"
    hundredths = (2 * 10_000 * part + whole) // (2 * whole)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def main_kind(items: Sequence[Item]) -> ItemKind:
    """What shares are shares of: clips where there are any."""
    kinds = columns_of(Item, items, "kind")["kind"].unique().to_pylist()
    return "clip" if "clip" in kinds else "still"


def categories(items: Sequence[Item]) -> list[Category]:
    """One for each emotion, also where it has no item."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    frames: Counter[str] = Counter()
    unsaid = set()
    columns = columns_of(Item, items, "emotion", "kind", "split", "n_frames")
    of_class = columns.group_by(["emotion", "kind", "split"]).aggregate(
        [("n_frames", "sum"), ("n_frames", "count"), ([], "count_all")]
    )
    for row in of_class.to_pylist():
        emotion, kind, n = row["emotion"], row["kind"], row["count_all"]
        if emotion is None:
            continue
        counts[emotion, kind][row["split"] or NO_SPLIT] += n
        if kind == "clip":
            frames[emotion] += row["n_frames_sum"] or 0
            if row["n_frames_count"] < n:
                unsaid.add(emotion)
    return [
        Category(
            emotion,
            counts[emotion, "clip"],
            counts[emotion, "still"],
            None if emotion in unsaid else frames[emotion],
        )
        for emotion in EMOTIONS
    ]


def splits_of(items: Sequence[Item]) -> list[str]:
    """The splits that there are, in their order."""
    there = columns_of(Item, items, "split")["split"].unique().to_pylist()
    found = {split or NO_SPLIT for split in there}
    return [split for split in (*SPLITS, NO_SPLIT) if split in found]


def presence(items: Sequence[Item]) -> list[Presence]:
    """Persons, episodes and shows of each split."""
    import pyarrow.compute as pc

    columns = columns_of(Item, items, "split", "person_id", "episode_id", "show")
    rows = []
    for split in splits_of(items):
        here = columns["split"]
        own = columns.filter(pc.is_null(here) if split == NO_SPLIT else pc.equal(here, split))
        n_persons, n_episodes, n_shows = (
            None if own[name].null_count else len(own[name].unique())
            for name in ("person_id", "episode_id", "show")
        )
        rows.append(Presence(split, len(own), n_persons, n_episodes, n_shows))
    return rows


def shared(items: Sequence[Item], name: str) -> int | None:
    """How many persons, episodes or shows stand in more than one split; None: not known.

    Args:
        name: of the column.
    """
    if columns_of(Item, items, name)[name].null_count == len(items):
        return None
    return n_beside_several(items, name, "split")


def pairs_of(items: Sequence[Item], *names: str) -> list[tuple[Any, ...]]:
    """What there is of some columns together, each once, as they come."""
    columns = columns_of(Item, items, *names)
    there = columns.group_by(list(names), use_threads=False).aggregate([])
    return list(zip(*(there[name].to_pylist() for name in names), strict=True))


def n_beside_several(items: Sequence[Item], name: str, other: str) -> int:
    """How many different values of a column stand beside more than one value of another.

    Args:
        name: of a column of texts, as many as there are items: they are compared by their hashes.
    """
    values = np.array([hash(value) for value in values_in(items, name)], np.int64)
    said = np.array([value is not None for value in values_in(items, name)], bool)
    codes: dict[Any, int] = {}
    others = [codes.setdefault(value, len(codes)) for value in values_in(items, other)]
    pairs = np.unique(np.stack([values, np.array(others, np.int64)], 1)[said], axis=0)
    _, n = np.unique(pairs[:, 0], return_counts=True)
    return int((n > 1).sum())


def values_of(items: Sequence[Item], name: str, kind: ItemKind | None = None) -> list[Any]:
    """What items say in a column, where they do.

    Args:
        kind: of the items; None: all.
    """
    import pyarrow.compute as pc

    values = columns_of(Item, items, name)[name]
    if kind is not None:
        values = values.filter(pc.equal(columns_of(Item, items, "kind")["kind"], kind))
    found: list[Any] = values.drop_null().to_pylist()
    return found


def agreeing(items: Sequence[Item]) -> Counter[tuple[int, int]]:
    """How many items have (answers that agree, answers)."""
    columns = columns_of(Item, items, "n_agreeing", "n_votes").drop_null()
    return Counter(
        zip(columns["n_agreeing"].to_pylist(), columns["n_votes"].to_pylist(), strict=True)
    )


def face_sizes(tables: Iterable[pa.Table], items: Sequence[Item]) -> FaceSizes:
    """Of the items whose target has a box.

    Args:
        tables: of :class:`caer_build.records.ItemFace`, an item's rows anywhere.
    """
    places = Places(values_in(items, "item_id"))
    sides = (np.array([px or 0 for px in values_in(items, side)]) for side in ("width", "height"))
    pixels = np.multiply(*sides)
    n, height_px, area_px = (np.zeros(len(items)) for _ in range(3))
    for table in tables:
        target = table.filter(table["is_target"])
        x1, y1, x2, y2 = (target[side].to_numpy() for side in ("x1", "y1", "x2", "y2"))
        item = places.of(target["item_id"])
        known = item >= 0
        for sums, more in (
            (n, np.ones(len(item))),
            (height_px, y2 - y1),
            (area_px, (y2 - y1) * (x2 - x1)),
        ):
            np.add.at(sums, item[known], more[known])
    boxed, sized = n > 0, (n > 0) & (pixels > 0)
    return FaceSizes(
        (height_px[boxed] / n[boxed]).tolist(),
        (area_px[sized] / n[sized] / pixels[sized]).tolist(),
    )

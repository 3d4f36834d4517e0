"""A data set in numbers, for its card and for ``caer stats``: ours and anybody's.

What a data set does not say (a foreign one knows no votes, perhaps no frames) is None, never 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from caer_build.records import EMOTIONS, SPLITS, Item, ItemKind

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


@dataclass(frozen=True, slots=True)
class FaceSize:
    """The target's box, on average over an item's frames.

    Attributes:
        height_px: of the box.
        share: [0, 1] of the picture that it covers; None: the picture's size is not known.
        alone: nobody else is seen.
    """

    height_px: float
    share: float | None
    alone: bool


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
    return "clip" if any(item.kind == "clip" for item in items) else "still"


def categories(items: Sequence[Item]) -> list[Category]:
    """One for each emotion, also where it has no item."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    frames: Counter[str] = Counter()
    unsaid = set()
    for item in items:
        if item.emotion is None:
            continue
        counts[item.emotion, item.kind][item.split or NO_SPLIT] += 1
        if item.kind == "clip":
            frames[item.emotion] += item.n_frames or 0
            if item.n_frames is None:
                unsaid.add(item.emotion)
    return [
        Category(
            emotion,
            counts[emotion, "clip"],
            counts[emotion, "still"],
            None if emotion in unsaid else frames[emotion],
        )
        for emotion in EMOTIONS
    ]


def splits_of(items: Iterable[Item]) -> list[str]:
    """The splits that there are, in their order."""
    found = {item.split or NO_SPLIT for item in items}
    return [split for split in (*SPLITS, NO_SPLIT) if split in found]


def presence(items: Sequence[Item]) -> list[Presence]:
    """Persons, episodes and shows of each split."""
    rows = []
    for split in splits_of(items):
        own = [item for item in items if (item.split or NO_SPLIT) == split]
        n_persons, n_episodes, n_shows = (
            _distinct([getattr(item, name) for item in own])
            for name in ("person_id", "episode_id", "show")
        )
        rows.append(Presence(split, len(own), n_persons, n_episodes, n_shows))
    return rows


def shared(items: Iterable[Item], name: str) -> int | None:
    """How many persons, episodes or shows stand in more than one split; None: not known.

    Args:
        name: of the column.
    """
    splits: dict[str, set[str | None]] = defaultdict(set)
    for item in items:
        value = getattr(item, name)
        if value is not None:
            splits[value].add(item.split)
    return sum(len(found) > 1 for found in splits.values()) if splits else None


def agreeing(items: Iterable[Item]) -> Counter[tuple[int, int]]:
    """How many items have (answers that agree, answers)."""
    return Counter(
        (item.n_agreeing, item.n_votes)
        for item in items
        if item.n_agreeing is not None and item.n_votes is not None
    )


def face_sizes(tables: Iterable[pa.Table], items: Iterable[Item]) -> dict[str, FaceSize]:
    """Of each item whose target has a box.

    Args:
        tables: of :class:`caer_build.records.ItemFace`, an item's rows anywhere.
    """
    import pyarrow.compute as pc

    pixels = {i.item_id: (i.width or 0) * (i.height or 0) for i in items}
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    in_company = set()
    for table in tables:
        in_company.update(pc.unique(table.filter(pc.invert(table["is_target"]))["item_id"])
                          .to_pylist())  # fmt: skip
        target = table.filter(table["is_target"])
        height = pc.subtract(target["y2"], target["y1"])
        area = pc.multiply(height, pc.subtract(target["x2"], target["x1"]))
        boxes = target.select(["item_id"]).append_column("height", height)
        found = boxes.append_column("area", area).group_by("item_id", use_threads=False).aggregate(
            [("height", "sum"), ("area", "sum"), ("height", "count")]
        )  # fmt: skip
        for row in found.to_pylist():
            mine = sums[row["item_id"]]
            for k, name in enumerate(("height_sum", "area_sum", "height_count")):
                mine[k] += row[name]
    return {
        item_id: FaceSize(
            height / n,
            area / n / pixels[item_id] if pixels.get(item_id) else None,
            item_id not in in_company,
        )
        for item_id, (height, area, n) in sorted(sums.items())
    }


def _distinct(values: Sequence[object]) -> int | None:
    return None if None in values else len(set(values))

"""Kinetics: clips by class, as most code for the recognition of actions takes them.

::

    KINETICS/train.csv            label,youtube_id,time_start,time_end,split
             validation.csv ...
             videos/train/Anger/<clip_id>_000002_000006.mp4
             lists/train.csv      videos/train/Anger/<clip_id>_000002_000006.mp4 0
                   val.csv        (so SlowFast calls it; MMAction2 and PyTorchVideo take any name)
             classes.json         {"Anger": 0, ...}
             classes.txt          a name a line

Kinetics cut its clips from videos and named them ``<youtube_id>_<start>_<end>``. Here youtube_id is
the clip's id, which says its episode, and the times are those of the clip within its episode, s.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from caer_build.dataset.layouts.layout import Seen, each_split, labelled
from caer_build.dataset.layouts.libraries import reading
from caer_build.dataset.layouts.opening import require_picture
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, SPLITS, Item, ItemKind
from caer_build.rows import Rows
from caer_build.store import write_json

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_LISTS = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Kinetics:
    """Clips in folders by class, and what Kinetics and its readers list of them."""

    name: str = "kinetics"
    kinds: tuple[ItemKind, ...] = ("clip",)
    suffix: str = ".mp4"
    archived: bool = False

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        return labelled(items, "clip")

    def places(self, items: Sequence[Item]) -> Iterator[str]:
        return (_place(*_row(item)) for item in items)

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        (folder / "lists").mkdir(exist_ok=True)
        for split, there in each_split(items):
            table, listing = folder / f"{split}.csv", folder / "lists" / f"{_LISTS[split]}.csv"
            with (
                table.open("w", encoding="utf-8", newline="") as file,
                listing.open("w", encoding="utf-8", newline="") as lines,
            ):
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(COLUMNS)
                for item in there:
                    rows.writerow(_row(item))
                    lines.write(f"{item.file} {EMOTIONS.index(str(item.emotion))}\n")
        write_json(folder / "classes.json", {name: k for k, name in enumerate(EMOTIONS)})
        (folder / "classes.txt").write_text("".join(f"{name}\n" for name in EMOTIONS))

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """With pandas, both the table and the list; every clip is opened with OpenCV."""
        import pandas as pd

        with reading("pandas", folder):
            for split in SPLITS:
                table, listing = folder / f"{split}.csv", folder / "lists" / f"{_LISTS[split]}.csv"
                if not table.is_file():
                    continue
                rows = pd.read_csv(table, dtype=str)
                listed = pd.read_csv(listing, sep=" ", names=["file", "label"])
                for row, file, number in zip(
                    rows.itertuples(index=False), listed.file, listed.label, strict=True
                ):
                    if (_place(*row), row.label) != (file, EMOTIONS[number]):
                        raise DatasetError(f"{table} and {listing} differ at {file}.")
                    require_picture(folder / file)
                    yield Seen(str(file), str(row.split), str(row.label))


def _row(item: Item) -> tuple[str, str, str, str, str]:
    """In the order of ``COLUMNS``."""
    start, end = item.start_s or 0.0, item.end_s or 0.0
    return str(item.emotion), item.item_id, f"{start:.3f}", f"{end:.3f}", str(item.split)


def _place(label: str, youtube_id: str, time_start: str, time_end: str, split: str) -> str:
    """The file of a row: Kinetics' tools make its name of whole seconds, rounded down."""
    first, last = int(float(time_start)), int(float(time_end))
    return f"videos/{split}/{label}/{youtube_id}_{first:06d}_{last:06d}.mp4"

"""Hugging Face's videofolder and imagefolder.

::

    HF/README.md                            which files are which split
       data/train/metadata.parquet          a row a file: label, soft label, votes, boxes, lineage
                  Anger/<item_id>.mp4       or .png
            validation/...
            test/...

``datasets.load_dataset(folder)`` gives the splits and, as ``label``, a ``ClassLabel`` in the order
of ``EMOTIONS``; splits without items are not there. A folder an emotion keeps folders below the
10,000 files that the Hub takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from caer_build.arrow import schema
from caer_build.dataset.layouts.layout import Seen, each_split, labelled
from caer_build.dataset.layouts.libraries import reading
from caer_build.dataset.layouts.opening import require_file, require_picture
from caer_build.dataset.layouts.telling import ABOUT, each_told
from caer_build.dataset.statistics import splits_of
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, CountedVote, Item, ItemKind
from caer_build.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

_DATA, _TABLE = "data", "metadata.parquet"
_ROWS = {"clip": 50, "still": 1000}
"""of a row group, which readers hold whole"""
_TASKS = {"clip": "video-classification", "still": "image-classification"}


@dataclass(frozen=True)
class HuggingFace:
    """A folder that ``datasets`` takes as it is."""

    kinds: tuple[ItemKind, ...]
    suffix: str
    name: str = "hf"
    archived: bool = False

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        return labelled(items, self.kinds[0])

    def places(self, items: Sequence[Item]) -> Iterator[str]:
        return (f"{_folder(item.split)}/{_name(item, self.suffix)}" for item in items)

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kind = self.kinds[0]
        columns = _columns(kind)
        for split, there in each_split(items):
            rows = (
                {**told, "file_name": _name(item, self.suffix), "label": _number(item)}
                for item, told in each_told(folder, there)
            )
            file = folder / _folder(split) / _TABLE
            with pq.ParquetWriter(file, columns, compression="zstd") as writer:
                while some := list(islice(rows, _ROWS[kind])):
                    writer.write_table(pa.Table.from_pylist(some, columns))
        (folder / "README.md").write_text(front_matter(kind, splits_of(items)), encoding="utf-8")

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """With ``datasets``, which decodes one still of each emotion and split; one clip of each
        is opened with OpenCV, because ``datasets`` needs torchcodec for that."""
        import datasets

        column = "image" if self.suffix == ".png" else "video"
        undecoded = (
            datasets.Image(decode=False) if column == "image" else datasets.Video(decode=False)
        )
        with TemporaryDirectory() as cache, _quiet(), reading("datasets", folder):
            splits = datasets.load_dataset(str(folder), cache_dir=cache)
            for split, rows in splits.items():
                names = rows.features["label"].names
                tried: set[int] = set()
                paths = rows.select_columns([column, "label"]).cast_column(column, undecoded)
                for number, row in enumerate(paths):
                    file = require_file(Path(row[column]["path"]))
                    if row["label"] not in tried:
                        tried.add(row["label"])
                        require_picture(file)
                        if column == "image":
                            rows[number][column].load()
                    yield Seen(_within(folder, file), str(split), names[row["label"]])


def front_matter(kind: ItemKind, splits: Sequence[str]) -> str:
    """What ``datasets`` and the Hub read of README.md, up to and with the line that ends it; a data
    card may follow."""
    lines = ["---", "task_categories:", f"- {_TASKS[kind]}", "configs:"]
    lines += ["- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: {_folder(split)}/**"]
    return "\n".join([*lines, "---", ""])


def _folder(split: object) -> str:
    return f"{_DATA}/{split}"


def _name(item: Item, suffix: str) -> str:
    """Of an item's file, seen from its split's folder."""
    return f"{item.emotion}/{item.item_id}{suffix}"


def _columns(kind: ItemKind) -> pa.Schema:
    """Of the tables, with what makes ``datasets`` take the number of an emotion as a label."""
    import pyarrow as pa
    from datasets import ClassLabel, Features

    box = pa.list_(pa.float32())
    face = pa.struct(
        {
            "face": pa.string(),
            "is_target": pa.bool_(),
            "box": box,
            "interpolated": pa.bool_(),
            "person_id": pa.string(),
        }
    )
    votes = pa.struct([field for field in schema(CountedVote) if field.name != "clip_id"])
    # The label says the emotion.
    plain = [f for f in schema(Item) if f.name in ABOUT and f.name != "emotion"]
    boxes = {"target_box": box, "faces": pa.list_(face)}
    if kind == "clip":
        boxes = {"target_boxes": pa.list_(box), "faces": pa.list_(pa.list_(face))}
    columns = pa.schema(
        [
            ("file_name", pa.string()),
            ("label", pa.int64()),
            ("soft_label", pa.list_(pa.float64())),
            *plain,
            *boxes.items(),
            ("votes", pa.list_(votes)),
        ]
    )
    features = Features.from_arrow_schema(columns)
    features["label"] = ClassLabel(names=list(EMOTIONS))
    return features.arrow_schema


def _number(item: Item) -> int:
    return EMOTIONS.index(str(item.emotion))


def _within(folder: Path, file: Path) -> str:
    if not file.is_relative_to(folder):
        raise DatasetError(f"datasets resolved a file of {folder} as {file}.", "Export again.")
    return file.relative_to(folder).as_posix()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of ``datasets``: there is one already."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()

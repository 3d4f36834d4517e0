"""What ``caer export`` wrote, in whatever format: its tables say everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.dataset import metadata
from caer_build.dataset.reading.dataset import Dataset, no_faces
from caer_build.dataset.reading.notes import Notes
from caer_build.dataset.reading.votes import VoteCounts, counted
from caer_build.dataset.statistics import pairs_of
from caer_build.errors import DatasetError, SchemaError
from caer_build.records import EMOTIONS, VOTE_FLAGS, CountedVote, Item, ItemFace

if TYPE_CHECKING:
    import pyarrow as pa

SHAPE = "metadata/items.parquet: what `caer export` wrote, in any format"
FACTS = "dataset.json"


def read(root: Path, notes: Notes, boxes: Path | None = None) -> Dataset | None:  # noqa: ARG001
    """The data set in a folder; None: it is none of ours. It brings its own boxes.

    Raises:
        DatasetError: if its tables are damaged or of another version.
    """
    if not metadata.table_file(root, Item).is_file():
        return None
    with _whole(root):
        items = metadata.packed_rows(root, Item)
        facts = json.loads((root / FACTS).read_text("utf-8")) if _finished(root) else {}
    if not facts:
        notes.say(f"There is no {FACTS}: the export was not finished, or this is a part of it.")
    return Dataset(root, "ours", items, (), _faces_of(root), lambda: _votes(root, items),
                   facts)  # fmt: skip


def _finished(root: Path) -> bool:
    return (root / FACTS).is_file()


def _faces_of(root: Path) -> Callable[[], Iterator[pa.Table]]:
    def faces() -> Iterator[pa.Table]:
        with _whole(root):
            yield from metadata.face_tables(root)

    return faces if metadata.table_file(root, ItemFace).is_file() else no_faces


def _votes(root: Path, items: Sequence[Item]) -> VoteCounts:
    with _whole(root):
        votes = metadata.read_rows(root, CountedVote)
    split_of = {str(clip): str(split) for clip, split in pairs_of(items, "clip_id", "split")}
    said = [(v.clip_id, str(v.emotion or v.flag)) for v in votes if v.purpose == "vote"]
    return counted(said, (*EMOTIONS, *VOTE_FLAGS), VOTE_FLAGS, split_of)


@contextmanager
def _whole(root: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, OSError, ValueError, SchemaError) as error:
        raise DatasetError(
            f"The tables of {root} cannot be read: {error}",
            "Compare its files with SHA256SUMS (sha256sum -c), or export it again.",
        ) from error

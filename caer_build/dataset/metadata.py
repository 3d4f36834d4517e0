"""``metadata/`` of a data set: the tables that every format carries, whatever else it has.

::

    metadata/items.parquet      a row a clip or still: file, split, label, soft label, lineage
             faces.parquet      every face in every frame
             votes.parquet      the answers behind the labels, of annotators without names
             cuts.parquet       where each clip lies in its episode
             episodes.parquet   the episodes, with the digests of their files
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from caer_build.arrow import from_table, read_table, rows_of, schema, to_table
from caer_build.dataset.catalogue import Catalogue
from caer_build.errors import DatasetError
from caer_build.records import CountedVote, Cut, Episode, Item, ItemFace

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R")
FOLDER = "metadata"
_ROW_GROUP = 10_000
_NAMES: dict[type, str] = {
    Item: "items", ItemFace: "faces", CountedVote: "votes", Cut: "cuts", Episode: "episodes",
}  # fmt: skip


def table_file(dataset: Path, record_type: type) -> Path:
    """Where a data set keeps a table."""
    return dataset / FOLDER / f"{_NAMES[record_type]}.parquet"


def write_tables(dataset: Path, catalogue: Catalogue, items: Sequence[Item]) -> None:
    """The tables of a data set that holds these items of a catalogue."""
    (dataset / FOLDER).mkdir(exist_ok=True)
    write_rows(dataset, Item, items)
    clips = {str(item.clip_id) for item in items}
    used = {str(item.episode_id) for item in items}
    for record_type, rows in ((CountedVote, catalogue.votes), (Cut, catalogue.cuts)):
        _write(dataset, record_type, rows_of(rows, "clip_id", clips))
    write_rows(dataset, Episode, (e for e in catalogue.episodes if e.episode_id in used))
    _write_faces(table_file(dataset, ItemFace), catalogue, items)


def write_rows(dataset: Path, record_type: type, rows: Iterable[Any]) -> None:
    """Replace a table of a data set; as columns, the rows are in memory a row group at a time."""
    import pyarrow.parquet as pq

    left, columns = iter(rows), schema(record_type)
    with pq.ParquetWriter(table_file(dataset, record_type), columns, compression="zstd") as writer:
        while some := list(islice(left, _ROW_GROUP)):
            writer.write_table(to_table(record_type, some))


def _write(dataset: Path, record_type: type, table: pa.Table) -> None:
    """Replace a table of a data set; what the rows say of where they were made stays there."""
    import pyarrow.parquet as pq

    plain = table.replace_schema_metadata(None)
    place = table_file(dataset, record_type)
    pq.write_table(plain, place, row_group_size=_ROW_GROUP, compression="zstd")


def read_rows(dataset: Path, record_type: type[R]) -> list[R]:
    """All rows of a table of a data set.

    Raises:
        DatasetError: if it is not there.
    """
    return from_table(record_type, whole_table(dataset, record_type))


def whole_table(dataset: Path, record_type: type) -> pa.Table:
    """A table of a data set.

    Raises:
        DatasetError: if it is not there.
    """
    return read_table(_there(dataset, record_type))


def faces_of(dataset: Path, item_ids: Collection[str]) -> dict[str, list[ItemFace]]:
    """The faces of some items by item_id, by frame; of items without faces an empty list.

    One row group after the other is looked through, and those that say that they hold none of the
    items are not read: a filter of pyarrow's would read them all, and have many in memory.
    """
    import pyarrow.parquet as pq

    found: dict[str, list[ItemFace]] = {item_id: [] for item_id in item_ids}
    wanted = sorted(found)
    with pq.ParquetFile(_there(dataset, ItemFace)) as file:
        for number in range(file.num_row_groups):
            said = file.metadata.row_group(number).column(0).statistics
            if (
                said is not None
                and said.has_min_max
                and not _any_within(wanted, said.min, said.max)
            ):
                continue
            rows = rows_of(file.read_row_group(number), "item_id", wanted)
            for face in from_table(ItemFace, rows):
                found[face.item_id].append(face)
    return found


def _any_within(ascending: Sequence[str], least: str, most: str) -> bool:
    next_up = bisect_left(ascending, least)
    return next_up < len(ascending) and ascending[next_up] <= most


def face_tables(dataset: Path) -> Iterator[pa.Table]:
    """The faces of a data set, one row group after the other."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(_there(dataset, ItemFace)) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)


def _there(dataset: Path, record_type: type) -> Path:
    path = table_file(dataset, record_type)
    if not path.is_file():
        raise DatasetError(
            f"Expected a data set of ours with {path.relative_to(dataset)}, "
            f"found none in {dataset}.",
            "Make one with `caer export`.",
        )
    return path


def _write_faces(place: Path, catalogue: Catalogue, items: Sequence[Item]) -> None:
    import pyarrow.parquet as pq

    clips = {item.item_id for item in items if item.kind == "clip"}
    # A media-free data set says of each still which frame it is: the clip's faces are its faces.
    stills = [item for item in items if item.kind == "still" and item.clip_id not in clips]
    with pq.ParquetWriter(place, schema(ItemFace), compression="zstd") as writer:
        for faces in catalogue.faces():
            if clips:
                writer.write_table(faces)
            if stills:
                writer.write_table(_in_stills(faces, stills))


def _in_stills(faces: pa.Table, stills: Sequence[Item]) -> pa.Table:
    """The faces in the frames that are stills, as faces of the stills."""
    import pyarrow as pa

    wanted = pa.table(
        {
            "item_id": [still.clip_id for still in stills],
            "frame": pa.array([still.clip_frame for still in stills], pa.int64()),
            "still": [still.item_id for still in stills],
        }
    )
    found = faces.join(wanted, ["item_id", "frame"], join_type="inner")
    found = found.sort_by([("still", "ascending"), ("face", "ascending")])
    columns = {name: found[name].combine_chunks() for name in schema(ItemFace).names}
    columns["item_id"] = found["still"].combine_chunks()
    columns["frame"] = pa.array([0] * len(found), pa.int64())
    return pa.table(columns, schema(ItemFace))

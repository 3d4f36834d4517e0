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
from itertools import compress, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from caer_build.arrow import from_table, read_table, rows_of, schema, to_table
from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.statistics import values_of
from caer_build.errors import DatasetError
from caer_build.records import CountedVote, Cut, Episode, Item, ItemFace
from caer_build.rows import Rows, columns_of, values_in

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R")
FOLDER = "metadata"
_ROW_GROUP = 5_000
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
    clips, used = (set(values_of(items, name)) for name in ("clip_id", "episode_id"))
    for record_type, rows in ((CountedVote, catalogue.votes), (Cut, catalogue.cuts)):
        write_rows(dataset, record_type, (row for row in rows if row.clip_id in clips))
    write_rows(dataset, Episode, (e for e in catalogue.episodes if e.episode_id in used))
    _write_faces(table_file(dataset, ItemFace), catalogue, items)


def write_rows(dataset: Path, record_type: type, rows: Iterable[Any]) -> None:
    """Replace a table of a data set; as columns, the rows are in memory a row group at a time."""
    import pyarrow.parquet as pq

    left, columns = iter(rows), schema(record_type)
    with pq.ParquetWriter(table_file(dataset, record_type), columns, compression="zstd") as writer:
        while some := list(islice(left, _ROW_GROUP)):
            writer.write_table(to_table(record_type, some))


def read_rows(dataset: Path, record_type: type[R]) -> list[R]:
    """All rows of a table of a data set.

    Raises:
        DatasetError: if it is not there.
    """
    return from_table(record_type, read_table(_there(dataset, record_type)))


def packed_rows(dataset: Path, record_type: type[R]) -> Rows[R]:
    """All rows of a table of a data set, packed away: for tens of thousands.

    Raises:
        DatasetError: if it is not there.
        SchemaError: if it has other columns.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(_there(dataset, record_type)) as file:
        pieces = (file.read_row_group(number) for number in range(file.num_row_groups))
        return Rows.packed(record_type, pieces)


def rows_of_each(
    dataset: Path, record_type: type[R], column: str, wanted: Collection[str]
) -> dict[str, list[R]]:
    """The rows of a table of a data set that have one of some values in a column, by that value, in
    their order; of values that no row has an empty list.

    One row group after the other is looked through, and those that say that they hold none of them
    are not read: a filter of pyarrow's would read them all, and have many in memory.
    """
    import pyarrow.parquet as pq

    found: dict[str, list[R]] = {value: [] for value in wanted}
    ascending = sorted(found)
    place = schema(record_type).get_field_index(column)
    with pq.ParquetFile(_there(dataset, record_type)) as file:
        for number in range(file.num_row_groups):
            said = file.metadata.row_group(number).column(place).statistics
            if (
                said is not None
                and said.has_min_max
                and not _any_within(ascending, said.min, said.max)
            ):
                continue
            rows = rows_of(file.read_row_group(number), column, ascending)
            for row in from_table(record_type, rows):
                found[getattr(row, column)].append(row)
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

    clips = list(compress(values_in(items, "item_id"), _are_clips(items)))
    # A media-free data set says of each still which frame it is: the clip's faces are its faces.
    stills = _stills_without(clips, items)
    with pq.ParquetWriter(place, schema(ItemFace), compression="zstd") as writer:
        for faces in catalogue.faces():
            if clips:
                writer.write_table(faces)
            if len(stills):
                writer.write_table(_in_stills(faces, stills))


def _are_clips(items: Sequence[Item]) -> Iterator[bool]:
    return (kind == "clip" for kind in values_in(items, "kind"))


def _stills_without(clips: Sequence[str], items: Sequence[Item]) -> pa.Table:
    """The stills of other clips: their clips, frames and own ids."""
    import pyarrow as pa
    import pyarrow.compute as pc

    there = columns_of(Item, items, "clip_id", "clip_frame", "item_id")
    there = there.rename_columns(["item_id", "frame", "still"])
    if clips:
        there = there.filter(pc.invert(pc.is_in(there["item_id"], pa.array(clips))))
    return there


def _in_stills(faces: pa.Table, stills: pa.Table) -> pa.Table:
    """The faces in the frames that are stills, as faces of the stills.

    Args:
        stills: their clips, frames and own ids.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    here = stills.filter(pc.is_in(stills["item_id"], faces["item_id"].unique()))
    found = faces.join(here, ["item_id", "frame"], join_type="inner")
    found = found.sort_by([("still", "ascending"), ("face", "ascending")])
    columns = {name: found[name].combine_chunks() for name in schema(ItemFace).names}
    columns["item_id"] = found["still"].combine_chunks()
    columns["frame"] = pa.array([0] * len(found), pa.int64())
    return pa.table(columns, schema(ItemFace))

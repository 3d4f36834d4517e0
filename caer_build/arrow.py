"""Records to Arrow tables and back; the schema comes from the dataclass."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from caer_build.errors import SchemaError

if typing.TYPE_CHECKING:
    import pyarrow as pa

Record = Any
"""An instance of one of the dataclasses above."""
R = TypeVar("R")


def schema(record_type: Any) -> pa.Schema:
    """The Arrow schema of a record type: one field a column, nullable where None is allowed."""
    return _schema(record_type)


@functools.cache
def _schema(record_type: Any) -> pa.Schema:
    import pyarrow as pa

    plain: dict[object, pa.DataType] = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
    }
    hints = typing.get_type_hints(record_type)
    fields = []
    for field in dataclasses.fields(record_type):
        hint, nullable = hints[field.name], False
        if get_origin(hint) in (types.UnionType, typing.Union):
            inner = [a for a in get_args(hint) if a is not type(None)]
            hint, nullable = (inner[0] if len(inner) == 1 else Literal["text"]), True
        if get_origin(hint) is Literal:
            hint = str
        # Lists are landmarks and embeddings: half the bytes, and all their precision, in float32.
        arrow = pa.list_(pa.float32()) if get_origin(hint) is list else plain[hint]
        fields.append(pa.field(field.name, arrow, nullable=nullable))
    return pa.schema(fields)


def to_table(record_type: type, rows: Iterable[Record]) -> pa.Table:
    """The rows as an Arrow table of the type's schema, in the order given."""
    import pyarrow as pa

    names = [f.name for f in dataclasses.fields(record_type)]
    rows = list(rows)
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    return pa.table(columns, schema=schema(record_type))


def read_table(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file, or some of its columns.

    What pyarrow has under this name can filter, too, and for that loads pandas where that is
    installed: half of the time that a short command takes.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        return opened.read(columns)


def rows_of(table: pa.Table, column: str, wanted: Collection[str]) -> pa.Table:
    """The rows that have one of some values in a column of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table[column], pa.array(sorted(wanted), pa.string())))


def from_table(record_type: type[R], table: pa.Table) -> list[R]:
    """The rows of an Arrow table as records.

    Raises:
        SchemaError: if the columns are not those of the type.
    """
    expected = schema(record_type)
    if table.schema.names != expected.names:
        raise SchemaError(
            f"A table of {record_type.__name__} has the columns {expected.names}, "
            f"found {table.schema.names}."
        )
    columns = [values_of_column(table.column(i)) for i in range(len(expected))]
    return [record_type(*values) for values in zip(*columns, strict=True)]


def values_of_column(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column; texts that are the same are one object."""
    import pyarrow as pa

    values: list[Any] = column.to_pylist()
    if column.type != pa.string():
        return values
    # Ids, shows and emotions come again row after row: most of what records take in memory.
    known: dict[str | None, str | None] = {}
    return [known.setdefault(value, value) for value in values]

"""Records by the tens of thousands: kept as columns, and made when somebody asks for them.

A record takes a kilobyte as an object; as a row of compressed columns, some tens of bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from typing import TYPE_CHECKING, TypeVar, overload

from caer_build.arrow import from_table, schema, to_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

R = TypeVar("R")
_AT_ONCE = 2_000
"""records that are objects at a time, and rows of a piece"""
_KEPT = 8
"""pieces that stay unpacked"""


class Rows(Sequence[R]):
    """Records of one type, packed away as Parquet in memory.

    Whoever goes through them makes each record anew; who wants a column or two of all of them
    makes none.

    Args:
        tables: of the type's schema, some thousand rows each.

    Raises:
        SchemaError: if the columns are not those of the type.
    """

    def __init__(self, record_type: type[R], tables: Iterable[pa.Table]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._type = record_type
        sink, columns = pa.BufferOutputStream(), schema(record_type)
        with pq.ParquetWriter(sink, columns, compression="zstd") as writer:
            for table in tables:
                from_table(record_type, table[:0])
                writer.write_table(table.cast(columns), _AT_ONCE)
        self._file = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
        pieces = range(self._file.num_row_groups)
        sizes = (self._file.metadata.row_group(number).num_rows for number in pieces)
        self._ends = list(accumulate(sizes))
        # What the tables took is kept by the allocator otherwise, and the next step adds to it.
        pa.default_memory_pool().release_unused()
        # Who asks for one record often asks for its neighbour next.
        self._piece = lru_cache(_KEPT)(self._file.read_row_group)

    @classmethod
    def of(cls, record_type: type[R], records: Iterable[R]) -> Rows[R]:
        """Some records, packed away as they come."""
        left = iter(records)
        pieces = iter(lambda: list(islice(left, _AT_ONCE)), [])
        return cls(record_type, (to_table(record_type, piece) for piece in pieces))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[R]:
        for number in range(self._file.num_row_groups):
            yield from from_table(self._type, self._file.read_row_group(number))

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> list[R]: ...

    def __getitem__(self, index: int | slice) -> R | list[R]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        number = bisect_right(self._ends, place)
        start = self._ends[number - 1] if number else 0
        return from_table(self._type, self._piece(number).slice(place - start, 1))[0]

    def table(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all records."""
        return self._file.read(list(names)).select(list(names))

    def having(self, name: str, value: str) -> Rows[R]:
        """The records that say a value in a column of texts."""
        import pyarrow.compute as pc

        pieces = (self._file.read_row_group(n) for n in range(self._file.num_row_groups))
        return Rows(self._type, (piece.filter(pc.equal(piece[name], value)) for piece in pieces))

    def reordered(self, order: npt.NDArray[np.int64]) -> Rows[R]:
        """The same records in another order; all columns are in memory meanwhile."""
        return Rows(self._type, [self._file.read().take(order)])


def columns_of(record_type: type[R], rows: Iterable[R], *names: str) -> pa.Table:
    """Some columns of records, whether they are packed away or not."""
    import pyarrow as pa

    if isinstance(rows, Rows):
        return rows.table(names)
    types, rows = schema(record_type), list(rows)
    return pa.table(
        {name: pa.array([getattr(row, name) for row in rows], types.field(name).type)
         for name in names}
    )  # fmt: skip

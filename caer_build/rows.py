"""Records by the tens of thousands: kept as columns, and made when somebody asks for them.

A record takes a kilobyte as an object; as a row of compressed columns, some tens of bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from caer_build.arrow import from_table, schema, to_table, values_of_column

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

R = TypeVar("R")
_AT_ONCE = 2_000
"""records that are objects at a time, and rows of a piece"""
_KEPT = 8
"""pieces that stay unpacked"""


class Rows(Sequence[R]):
    """Records of one type, as Parquet: in memory, or in a file.

    Whoever goes through them makes each record anew; who wants a column or two of all of them
    makes none.
    """

    def __init__(self, record_type: type[R], file: pq.ParquetFile) -> None:
        self._type, self._file = record_type, file
        self._pieces = range(file.num_row_groups)
        sizes = (file.metadata.row_group(number).num_rows for number in self._pieces)
        self._ends = list(accumulate(sizes))
        # Who asks for one record often asks for its neighbour next.
        self._kept = lru_cache(_KEPT)(self._piece)

    @classmethod
    def packed(cls, record_type: type[R], tables: Iterable[pa.Table]) -> Rows[R]:
        """Tables of the type's schema, some thousand rows each, packed away as they come.

        Raises:
            SchemaError: if their columns are not those of the type.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink, columns = pa.BufferOutputStream(), schema(record_type)
        with pq.ParquetWriter(sink, columns, compression="zstd") as writer:
            for table in tables:
                from_table(record_type, table[:0])
                writer.write_table(table.cast(columns), _AT_ONCE)
        rows = cls(record_type, pq.ParquetFile(pa.BufferReader(sink.getvalue())))
        # What the tables took is kept by the allocator otherwise, and the next step adds to it.
        pa.default_memory_pool().release_unused()
        return rows

    @classmethod
    def of(cls, record_type: type[R], records: Iterable[R]) -> Rows[R]:
        """Some records, packed away as they come."""
        left = iter(records)
        pieces = iter(lambda: list(islice(left, _AT_ONCE)), [])
        return cls.packed(record_type, (to_table(record_type, piece) for piece in pieces))

    @classmethod
    def stored(cls, record_type: type[R], file: Path) -> Rows[R]:
        """The records of a Parquet file, which stays open."""
        import pyarrow.parquet as pq

        return cls(record_type, pq.ParquetFile(file))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[R]:
        for number in self._pieces:
            yield from from_table(self._type, self._piece(number))

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
        return from_table(self._type, self._kept(number).slice(place - start, 1))[0]

    def table(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all records."""
        return self._file.read(list(names), use_threads=False).select(list(names))

    def values(self, name: str) -> Iterator[Any]:
        """A column of all records, few in memory at a time."""
        for number in self._pieces:
            yield from values_of_column(self._piece(number, [name])[name])

    def having(self, name: str, value: str) -> Rows[R]:
        """The records that say a value in a column of texts."""
        import pyarrow.compute as pc

        pieces = map(self._piece, self._pieces)
        own = (piece.filter(pc.equal(piece[name], value)) for piece in pieces)
        return Rows.packed(self._type, own)

    def reordered(self, order: npt.NDArray[np.int64]) -> Rows[R]:
        """The same records in another order; all columns are in memory meanwhile."""
        return Rows.packed(self._type, [self._file.read(use_threads=False).take(order)])

    def _piece(self, number: int, names: Sequence[str] | None = None) -> pa.Table:
        return self._file.read_row_group(number, names, use_threads=False)


def columns_of(record_type: type[R], rows: Iterable[R], *names: str) -> pa.Table:
    """Some columns of records, whether they are packed away or not."""
    import pyarrow as pa

    if isinstance(rows, Rows):
        return rows.table(names)
    rows, types = list(rows), pa.schema([schema(record_type).field(name) for name in names])
    return pa.table({name: [getattr(row, name) for row in rows] for name in names}, types)


def values_in(rows: Iterable[Any], name: str) -> Iterator[Any]:
    """What records say in a column, one after the other."""
    return rows.values(name) if isinstance(rows, Rows) else (getattr(row, name) for row in rows)


class Places:
    """Where each of many texts stands in a list of them, in sixteen bytes a text.

    By their hashes of 64 bits: of a hundred thousand texts two are taken for one in one list of
    three thousand million.

    Args:
        texts: all different.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        hashes = np.fromiter(map(hash, texts), np.int64)
        self._order = np.argsort(hashes)
        self._ascending = hashes[self._order]

    def of(self, texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """(n,) of each of some texts, which may come again and again; -1 of others."""
        found = [self._of(chunk.dictionary_encode()) for chunk in texts.chunks]
        return np.concatenate([*found, np.empty(0, np.int64)])

    def _of(self, coded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
        if not len(self._order):
            return np.full(len(coded), -1)
        hashes = np.fromiter(map(hash, coded.dictionary.to_pylist()), np.int64)
        near = np.searchsorted(self._ascending, hashes).clip(max=len(self._order) - 1)
        known = self._ascending[near] == hashes
        found = np.where(known, self._order[near], -1)
        places: npt.NDArray[np.int64] = found[coded.indices.to_numpy(zero_copy_only=False)]
        return places

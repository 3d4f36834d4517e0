"""Records as columns are the records, however they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.arrow import to_table
from caer_build.errors import SchemaError
from caer_build.records import EMOTIONS, SPLITS, Item, Still
from caer_build.rows import Places, Rows, columns_of, values_in

N = 4_321
"""more than two pieces"""


def item(k: int) -> Item:
    return Item(f"i{k:05d}", "still", None if k % 3 else f"f{k}.png", SPLITS[k % 3],
                EMOTIONS[k % 7], n_frames=k, p_sad=k / N, clip_id=f"c{k // 5}")  # fmt: skip


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [item(k) for k in range(N)]


@pytest.fixture(scope="module")
def rows(items: list[Item]) -> Rows[Item]:
    return Rows.of(Item, iter(items))


def test_they_are_the_records(rows: Rows[Item], items: list[Item]) -> None:
    assert len(rows) == N
    assert list(rows) == items
    assert list(rows) == items, "one can go through them again"
    assert rows[1999:2001] == items[1999:2001]
    assert rows[::-1000] == items[::-1000]
    with pytest.raises(IndexError):
        rows[N]


@settings(max_examples=50)
@given(place=st.integers(-N, N - 1))
def test_each_is_where_it_was(rows: Rows[Item], items: list[Item], place: int) -> None:
    assert rows[place] == items[place]


def test_columns_without_records(rows: Rows[Item], items: list[Item]) -> None:
    names = ["n_frames", "item_id", "file"]
    assert columns_of(Item, rows, *names).column_names == names
    assert columns_of(Item, rows, *names).equals(columns_of(Item, items, *names))
    assert list(values_in(rows, "file")) == list(values_in(items, "file"))
    assert [i.file for i in items] == list(values_in(rows, "file"))


def test_some_of_them_and_all_in_another_order(rows: Rows[Item], items: list[Item]) -> None:
    assert list(rows.having("split", "test")) == [i for i in items if i.split == "test"]
    assert len(rows.having("split", "nowhere")) == 0
    order = np.random.default_rng(0).permutation(N)
    assert list(rows.reordered(order)) == [items[k] for k in order]


def test_none_at_all() -> None:
    none: Rows[Item] = Rows.of(Item, ())
    assert not none
    assert (list(none), len(none.table(["file"])), len(none.having("split", "test"))) == ([], 0, 0)


def test_in_a_file(tmp_path: Path, items: list[Item]) -> None:
    # Row groups as somebody else made them.
    pq.write_table(to_table(Item, items), tmp_path / "items.parquet", row_group_size=700)
    stored = Rows.stored(Item, tmp_path / "items.parquet")
    assert list(stored) == items
    assert stored[701] == items[701]


def test_other_columns_are_no_records() -> None:
    with pytest.raises(SchemaError, match="A table of Item has the columns"):
        Rows.packed(Item, [to_table(Still, [])])


def test_a_record_can_be_replaced_by_the_way(rows: Rows[Item], items: list[Item]) -> None:
    moved = Rows.of(Item, (replace(i, file=f"{k}.png") for k, i in enumerate(rows)))
    assert moved[4000] == replace(items[4000], file="4000.png")


@given(texts=st.lists(st.text(), unique=True), asked=st.lists(st.text()))
def test_places_are_those_of_a_list(texts: list[str], asked: list[str]) -> None:
    places = Places(texts)
    several = pa.chunked_array([asked, texts, asked, []], pa.string())
    expected = [texts.index(t) if t in texts else -1 for t in (*asked, *texts, *asked)]
    assert places.of(several).tolist() == expected

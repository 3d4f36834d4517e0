"""The tables of a data set: the faces of some items, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from caer_build.dataset import metadata
from caer_build.records import ItemFace
from tests.exporting import clip_id, still_id, toy_catalogue


def test_faces_of_items_in_several_row_groups(tmp_path: Path) -> None:
    catalogue = toy_catalogue(tmp_path)
    metadata.write_tables(tmp_path, catalogue, [i for i in catalogue.items if i.kind == "clip"])
    # An episode each, by which a look-up knows what it need not read.
    with pq.ParquetFile(metadata.table_file(tmp_path, ItemFace)) as file:
        assert file.num_row_groups == 2
    asked = [clip_id(11), clip_id(2), "toy.s01e01-zzz", "a"]
    found = metadata.rows_of_each(tmp_path, ItemFace, "item_id", asked)
    assert set(found) == set(asked)
    assert found["a"] == found["toy.s01e01-zzz"] == []
    # Clip 11 has one face in each of its six frames, clip 2 has two.
    assert [f.frame for f in found[clip_id(11)]] == [0, 1, 2, 3, 4, 5]
    assert [f.frame for f in found[clip_id(2)]] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert found[clip_id(2)][4] == ItemFace(clip_id(2), 2, "t00", True, 13, 5, 33, 29, True)
    assert metadata.rows_of_each(tmp_path, ItemFace, "item_id", []) == {}


def test_faces_of_stills(tmp_path: Path) -> None:
    catalogue = toy_catalogue(tmp_path)
    metadata.write_tables(tmp_path, catalogue, [i for i in catalogue.items if i.kind == "still"])
    found = metadata.rows_of_each(tmp_path, ItemFace, "item_id", [still_id(0, 4), still_id(1)])
    assert found[still_id(0, 4)] == [
        ItemFace(still_id(0, 4), 0, "t00", True, 12, 5, 32, 29, True),
        ItemFace(still_id(0, 4), 0, "t01", False, 60, 8, 72, 20, False, "extra"),
    ]
    assert [face.face for face in found[still_id(1)]] == ["t00"]

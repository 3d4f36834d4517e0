"""A data set is made ready for a network: a validation split is held out, faces are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caer_build.arrow import to_table
from caer_build.caernet import architecture, networks, regime
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.holding_out import with_validation
from caer_build.caernet.preparing import model_for, prepared
from caer_build.caernet.store_plan import planned
from caer_build.caernet.storing import Needs, keep_store
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.errors import CheckpointError, DatasetError, RecipeError
from caer_build.records import Item, ItemFace
from tests.toy_stills import released_stills


def still(number: int, emotion: str = "Happy", **more: Any) -> Item:
    return Item(f"i{number:02d}", "still", f"{number}.png", "train", emotion, **more)


def held(items: tuple[Item, ...]) -> list[str]:
    return [item.item_id for item in items if item.split == "validation"]


def test_the_last_files_of_each_emotion_are_held_out() -> None:
    items = [still(k, "Happy" if k < 10 else "Sad") for k in range(15)]
    assert held(with_validation(items, 0.2)) == ["i08", "i09", "i14"]
    assert held(with_validation(items, 0.1)) == ["i09", "i14"]
    assert held(with_validation(items[:1], 0.5)) == [], "something has to be trained on"


def test_whole_groups_are_held_out_where_they_are_known() -> None:
    items = [still(k, group_id=f"g{k // 3}", clip_id=f"c{k}") for k in range(30)]
    found = with_validation(items, 0.1)
    groups = {int(name[1:]) // 3 for name in held(found)}
    assert len(held(found)) == 3
    assert len(groups) == 1, "a group is not cut"
    renamed = [replace(i, item_id=f"x{k}") for k, i in enumerate(items)]
    assert {int(n[1:]) // 3 for n in held(with_validation(renamed, 0.1))} == groups
    one = [still(k, group_id="g") for k in range(5)]
    assert held(with_validation(one, 0.5)) == []


def test_who_has_a_validation_split_keeps_it() -> None:
    items = (still(0), replace(still(1), split="validation"), replace(still(2), split="test"))
    assert with_validation(items, 0.5) == items
    test_only = (replace(still(0), split="test"),)
    assert with_validation(test_only, 0.5) == test_only


def faces_of(*names: str) -> Any:
    rows = [ItemFace(name, 0, "a", True, 1, 2, 30, 40, False) for name in names]
    return lambda: iter([to_table(ItemFace, rows)])


def test_what_is_left_out_is_said() -> None:
    items = (still(0), replace(still(1), split="validation"), replace(still(2), emotion=None),
             Item("c", "clip", "c.mp4", "train", "Sad"))  # fmt: skip
    dataset = Dataset(Path("set"), "ours", items, faces=faces_of("i00"))
    ready = prepared(dataset, Architecture(2), StoreSettings())
    assert [i.item_id for i in ready.dataset.items] == ["i00", "i01"]
    assert ready.left_out == (
        "1 items that are no stills are left out.",
        "1 stills without a label or a split are left out.",
    )
    assert ready.held_out == 0
    assert ready.in_split("train") == ["i00"]
    clips = prepared(dataset, Architecture(3), StoreSettings())
    assert [i.item_id for i in clips.dataset.items] == ["c"]
    assert model_for(dataset) == "caer-net"
    with pytest.raises(DatasetError, match="Expected stills with a label and a split"):
        prepared(replace(dataset, items=items[2:3]), Architecture(2), StoreSettings())


def test_who_looks_at_no_face_needs_no_boxes() -> None:
    bare = Dataset(Path("set"), "caer-s", (still(0),))
    with pytest.raises(DatasetError, match="no face boxes"):
        prepared(bare, Architecture(2, streams="context"), StoreSettings())
    with pytest.raises(DatasetError, match="no face boxes"):
        prepared(bare, Architecture(2), StoreSettings(hide="none"))
    prepared(bare, Architecture(2, streams="context"), StoreSettings(hide="none"))


def test_presets_set_everything_at_once() -> None:
    """Decisions 8 and 14."""
    paper = networks.preset("caer-net-s", "paper")
    assert paper.architecture == Architecture(2, logit_activation=True, attention_pooling="mean")
    assert paper.regime == regime.preset("paper")
    assert paper.augmentation == Augmentation(crop=224)
    assert paper.store == StoreSettings("all", "black", 224, 342, 256)
    clips = networks.preset("caer-net", "paper")
    assert clips.architecture == architecture.preset("paper", 3)
    assert clips.store == StoreSettings("all", "black")
    assert clips.augmentation.crop == 112
    for model, n_dims in (("caer-net", 3), ("caer-net-s", 2)):
        ours = networks.preset(model, "ours")
        assert ours == networks.Preset(
            Architecture(n_dims), regime.Regime(), Augmentation(), StoreSettings()
        )
        assert ours.architecture.model == model
        said = ours.architecture.described()
        assert networks.settings_of(model, said) == ours.architecture
        with pytest.raises(CheckpointError, match="found a difference in dropout"):
            networks.settings_of(model, {k: v for k, v in said.items() if k != "dropout"})
    for model, name in (("caer-net", "theirs"), ("vgg99", "ours")):
        with pytest.raises(RecipeError, match="No "):
            networks.preset(model, name)


def test_a_store_is_known_by_what_it_is_made_of(tmp_path: Path) -> None:
    """Other settings, boxes, labels and files give another key; another folder does not."""
    root = released_stills(tmp_path / "CAER-S", n_train=2, n_test=1)
    small = StoreSettings(face_px=32, context_width=43, context_height=32)
    dataset = read_dataset(root)
    plan = planned(dataset, small)
    assert planned(dataset, small).key == plan.key
    assert planned(dataset, replace(small, hide="none")).data_key == plan.data_key
    keys = {plan.key, planned(dataset, replace(small, hide="none")).key}
    (root / "train.txt").write_text((root / "train.txt").read_text().replace("20,10", "21,10", 1))
    moved = planned(read_dataset(root), small)
    assert moved.data_key != plan.data_key
    first = replace(dataset.items[0], emotion="Sad")
    keys |= {moved.key, planned(replace(dataset, items=(first, *dataset.items[1:])), small).key}
    (root / "train" / "Anger" / "0001.png").touch()
    keys.add(planned(dataset, small).key)
    assert len(keys) == 5
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        planned(replace(dataset, root=tmp_path / "gone"), small)


def test_stores_in_one_folder_are_shared_and_kept_apart(tmp_path: Path) -> None:
    root = released_stills(tmp_path / "CAER-S", n_train=1, n_test=1)
    small = StoreSettings(face_px=32, context_width=43, context_height=32)
    told: list[tuple[int, int]] = []

    def keep(settings: StoreSettings) -> Path:
        told.clear()
        store = keep_store(read_dataset(root), tmp_path / "stores", settings,
                           lambda *done: told.append(done))  # fmt: skip
        return store.folder

    first = keep(small)
    assert told[0] == (0, 14)
    other = keep(replace(small, hide="none"))
    assert keep(small) == first
    assert told == [(14, 14)], "it was there"
    assert {first, other} == set((tmp_path / "stores").glob("frames-*"))


def test_needs_are_said_in_a_sentence() -> None:
    said = Needs(435_633, 36_000_000_000, 50_500_000_000).sentence
    assert said.startswith(
        "435633 frames take about 36.0 GB of disk (50.5 GB are free); training reads them all"
    )

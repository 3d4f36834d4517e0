"""Tables are the paper's rows, run cell by cell; what cannot be run says so."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from benchmarks.controlled.filling import export
from benchmarks.controlled.setting import setting
from caer_build.arrow import to_table
from caer_build.caernet import networks, table_attention
from caer_build.caernet.baselines import torchvision_model
from caer_build.caernet.compute import Compute
from caer_build.caernet.published import ROWS, TABLES, PaperRow, rows_of
from caer_build.caernet.resplitting import joined, with_all_splits
from caer_build.caernet.table_attention import KEPT, Looks
from caer_build.caernet.table_figures import draw
from caer_build.caernet.table_files import markdown, write_table
from caer_build.caernet.tables import CellResult, How, Tables, confusion
from caer_build.cli.main import app
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, Item, ItemFace
from tests.exporting import toy_catalogue

SMALL = How(seeds=2, epochs=1, is_small=True)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scenes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 42 drawn scenes with real faces, some with a second face."""
    folder = tmp_path_factory.mktemp("scenes") / "set"
    export(folder, setting("main", 64), {"train": 21, "validation": 7, "test": 14})
    return folder


def row_of(name: str, table: int = 3) -> PaperRow:
    return next(row for row in rows_of(table) if row.name == name)


def test_the_rows_are_the_papers(data: Path) -> None:
    papers = sorted((data.parent / "paper").glob("*.txt"))
    if not papers:
        pytest.skip("the paper's text is not there")
    text = papers[0].read_text()
    for row in ROWS:
        assert row.published is None or f"{row.published:.2f}" in text, row.name
    assert TABLES == (3, 4, 5, 6)
    printed = [len([row for row in rows_of(t) if row.published is not None]) for t in TABLES]
    assert printed == [9, 7, 3, 8]
    # One number of a table is one network.
    whole = {row.published for row in ROWS if row.name in ("CAER-Net", "CAER-Net F+C+cA+fA")}
    assert whole == {77.04}


def test_rows_are_the_networks_they_say() -> None:
    ticks = {row.name: (row.streams, row.context_attention, row.fusion_attention)
             for row in rows_of(3)}  # fmt: skip
    assert ticks["CAER-Net F"][0] == "face"
    assert ticks["CAER-Net C+cA"][:2] == ("context", True)
    assert ticks["CAER-Net F+C"] == ("both", False, False)
    assert ticks["CAER-Net F+C+cA"] == ("both", True, False)
    assert ticks["CAER-Net F+C+fA"] == ("both", False, True)
    assert ticks["CAER-Net F+C+cA+fA"] == ticks["CAER-Net, faces not hidden"]
    kinds = {row.name: row.kind for row in ROWS}
    assert kinds["CAER-Net-S F"] == kinds["Fine-tuned VGGNet"] == "still"
    assert kinds["CAER-Net F"] == kinds["Fine-tuned C3D"] == "clip"


def test_figures_of_a_row_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 3, 3, 4])
    counts = confusion(labels, np.array([0, 0, 0, 3, 3, 3, 0]))
    assert counts[0].tolist() == [3, 0, 0, 1, 0, 0, 0]
    result = CellResult(row_of("CAER-Net F"), np.stack([counts, counts]))
    assert result.accuracies == pytest.approx([5 / 7, 5 / 7])
    # Of three emotions that are there: 3/4, 1 and 0.
    assert result.mean_recalls == pytest.approx([1.75 / 3] * 2)
    assert result.macro_f1s == pytest.approx([(6 / 8 + 4 / 5 + 0) / 3] * 2)
    assert result.n_items == 7


def test_a_table_says_what_was_run_and_what_was_not(tmp_path: Path) -> None:
    right = np.diag([10] * 7)
    worse = right.copy()
    worse[0] = [0, 10, 0, 0, 0, 0, 0]
    results = [
        CellResult(row_of("CAER-Net-S F"), np.stack([right, worse])),
        CellResult(row_of("CAER-Net-S C+cA"), worse[None]),
        CellResult(row_of("CAER-Net F"), None, "needs clips, and there are none"),
    ]
    files = write_table(tmp_path, 3, results, {"data set": "toy", "splits": ""})
    assert [file.name for file in files] == ["table3.md", "table3.csv", "table3.json"]
    text = files[0].read_text()
    assert text == markdown(3, results, {"data set": "toy", "splits": ""})
    # 100 and 60/70: the mean 92.86, the deviation 14.29 / sqrt(2).
    assert "| CAER-Net-S F | 92.86 ± 10.10 | 70.09 | +22.77 |" in text
    assert "| CAER-Net-S C+cA | 85.71 | 65.65 |" in text
    assert "| CAER-Net F |  | 74.13 |  |  |  |  |  | not run: needs clips" in text
    with files[1].open() as file:
        lines = list(csv.DictReader(file))
    assert lines[0]["ours_sd"] == "10.10"
    assert lines[1]["ours_sd"] == "", "one run has no deviation"
    assert lines[2]["ours_mean"] == ""
    said = json.loads(files[2].read_text())
    assert said["rows"][0]["accuracy"] == pytest.approx([1, 6 / 7])
    assert said["rows"][2]["not_run"].startswith("needs clips")


def toy(root: Path, n: int, splits: str, prefix: str = "i") -> Dataset:
    """Stills of 64 px, each of one grey; splits: t, v and e in turn."""
    root.mkdir()
    names = {"t": "train", "v": "validation", "e": "test"}
    items, faces = [], []
    for k in range(n):
        cv2.imwrite(str(root / f"{k}.png"), np.full((64, 64, 3), k % 251, np.uint8))
        item_id = f"{prefix}{k}"
        split = names[splits[k % len(splits)]]
        items.append(Item(item_id, "still", f"{k}.png", split, EMOTIONS[k % 7]))  # type: ignore[arg-type]
        faces.append(ItemFace(item_id, 0, "a", True, 8, 8, 40, 40, False))
    return Dataset(root, "ours", tuple(items), faces=lambda: iter([to_table(ItemFace, faces)]))


def of_split(dataset: Dataset, split: str) -> set[str]:
    return {item.item_id for item in dataset.items if item.split == split}


def test_splits_that_are_missing_are_taken_of_train(tmp_path: Path) -> None:
    whole = toy(tmp_path / "a", 30, "tve")
    assert with_all_splits(whole) == (whole, "")
    before = toy(tmp_path / "b", 300, "tte")
    released, said = with_all_splits(before)
    assert "tenth of train" in said
    assert of_split(released, "test") == of_split(before, "test"), "test stays what it is"
    assert 20 <= len(of_split(released, "validation")) <= 28
    assert of_split(released, "validation") <= of_split(before, "train")
    # Nobody has AFEW's test labels: its validation split is what is tested on.
    source = toy(tmp_path / "d", 300, "ttv")
    blind = replace(source, items=(*source.items, Item("x", "still", "x.png", "test", None)))
    afew, said = with_all_splits(blind)
    assert said.startswith("tested on validation")
    assert of_split(afew, "test") == of_split(source, "validation")
    assert of_split(afew, "validation") <= of_split(source, "train")
    grouped = replace(
        source, items=tuple(replace(i, group_id=f"g{k // 10}") for k, i in enumerate(source.items))
    )
    found, _ = with_all_splits(grouped)
    split_of = {i.item_id: i.split for i in found.items}
    for group in range(30):
        mine = {split_of[f"i{k}"] for k in range(10 * group, 10 * group + 10)}
        assert mine <= {"train", "test"} or mine <= {"validation", "test"}, "groups stay together"
    with pytest.raises(DatasetError, match="found train"):
        with_all_splits(toy(tmp_path / "e", 3, "t"))


def test_two_data_sets_become_one(tmp_path: Path) -> None:
    """The same names in both; each picture shows which one it is of."""
    own, other = toy(tmp_path / "own", 6, "tve"), toy(tmp_path / "other", 9, "tve")
    both = joined(own, other, trained_on_both=True)
    assert of_split(both, "train") == {"own/i0", "own/i3", "other/i0", "other/i3", "other/i6"}
    assert of_split(both, "validation") == {"own/i1", "own/i4"}
    assert of_split(both, "test") == {"own/i2", "own/i5"}
    alone = joined(own, other, trained_on_both=False)
    assert of_split(alone, "train") == {"other/i0", "other/i3", "other/i6"}
    assert of_split(alone, "validation") == {"other/i1", "other/i4", "other/i7"}
    assert of_split(alone, "test") == {"own/i2", "own/i5"}
    files = {item.item_id: both.root / str(item.file) for item in both.items}
    assert cv2.imread(str(files["other/i6"]))[0, 0, 0] == 6
    boxed = {i for table in both.faces() for i in table["item_id"].to_pylist()}
    assert {item.item_id for item in both.items} <= boxed


def test_a_row_is_run_once_a_seed(scenes: Path, tmp_path: Path) -> None:
    said: list[str] = []
    row = row_of("CAER-Net-S F")
    cells = Tables(read_dataset(scenes), None, tmp_path, SMALL, said.append)
    result = cells.cell(row)
    assert result.n_items == 14
    assert len(result.accuracies) == 2
    assert len(said) == 2
    again = Tables(read_dataset(scenes), None, tmp_path, SMALL, said.append).cell(row)
    assert len(said) == 2, "nothing was run again"
    assert (again.confusions == result.confusions).all()  # type: ignore[union-attr]
    more = Tables(read_dataset(scenes), None, tmp_path, replace(SMALL, seeds=3), said.append)
    assert len(more.cell(row).accuracies) == 3
    assert len(said) == 3, "one seed more"
    assert cells.name_of(row) != Tables(
        read_dataset(scenes), None, tmp_path, replace(SMALL, epochs=2), said.append
    ).name_of(row), "another effort is another run"


def test_rows_that_cannot_be_run_say_why(scenes: Path, tmp_path: Path) -> None:
    cells = Tables(read_dataset(scenes), None, tmp_path, SMALL, lambda _: None)
    reasons = {row.name: cells.reason_not_to(row) for row in ROWS}
    assert reasons["CAER-Net F"] == "needs clips, and there are none"
    assert reasons["Hu et al. w/F"].startswith("published by others")
    assert reasons["Sports-1M-C3D"] == "needs clips, and there are none"
    assert reasons["Fine-tuned ResNet"] == ""
    assert reasons["CAER-Net, CAER+AFEW"] == "needs the other data set (--other)"
    assert reasons["CAER-Net-S F+C+cA+fA"] == reasons["CAER-Net-S"] == ""
    bare = replace(read_dataset(scenes), faces=lambda: iter(()))
    blind = Tables(bare, None, tmp_path, SMALL, lambda _: None)
    assert blind.reason_not_to(row_of("CAER-Net-S F")) == "the data set has no face boxes"
    assert blind.reason_not_to(row_of("Fine-tuned VGGNet", 4)) == "", "it looks at no face"
    of_faces = Tables(replace(bare, layout="fer+"), None, tmp_path, SMALL, lambda _: None)
    assert of_faces.reason_not_to(row_of("CAER-Net-S F")) == "", "every picture is a face"


def test_presets_set_everything_that_they_name(scenes: Path, tmp_path: Path) -> None:
    row = row_of("CAER-Net-S F+C+cA+fA")
    literal = Tables(read_dataset(scenes), None, tmp_path, How("paper"), lambda _: None)
    plan, settings = literal.plan(row, 3), literal.store_settings(row)
    assert plan.architecture.attention_pooling == "mean"  # type: ignore[attr-defined,unused-ignore]
    assert (plan.regime.optimizer, plan.regime.epochs, plan.regime.seed) == ("sgd", 16, 3)
    assert plan.augmentation.crop == settings.face_px == 224
    assert (settings.hide, settings.fill) == ("all", "black")
    shown = literal.store_settings(row_of("CAER-Net-S, faces not hidden"))
    assert shown == replace(settings, hide="none")
    assert literal.store_settings(row_of("CAER-Net F+C")).face_px == 96
    files = How(weights={"vgg16": "vgg16.pth"})
    ours = Tables(read_dataset(scenes), None, tmp_path, files, lambda _: None)
    frozen, tuned = (row_of(name, 4) for name in ("ImageNet-VGGNet", "Fine-tuned VGGNet"))
    for row, is_frozen in ((frozen, True), (tuned, False)):
        said = ours.architecture(row).described()
        assert (said["model"], said["frozen"], said["weights"]) == ("vgg16", is_frozen, "vgg16.pth")
        assert ours.plan(row, 0).regime.lr == 1e-4
    assert ours.store_settings(tuned).hide == "none", "baselines see the faces"


def test_how_much_is_looked_at_faces_is_a_number_of_the_table(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_dataset(scenes)
    # Twelve groups among the fourteen that are tested on: three are of one.
    tested = sorted(of_split(read, "test"))
    groups = {item_id: f"g{min(k, 11)}" for k, item_id in enumerate(tested)}
    items = tuple(replace(i, group_id=groups.get(i.item_id, "g")) for i in read.items)
    cells = Tables(replace(read, items=items), None, tmp_path, SMALL, lambda _: None)
    names = ("CAER-Net-S F", "CAER-Net-S F+C+cA+fA", "CAER-Net-S, faces not hidden")
    results, differences = Looks(cells).measured(3, [cells.cell(row_of(name)) for name in names])
    assert results[0].looking is None, "it has no context stream"
    kept = {}
    for result in results[1:]:
        files = [cells.run_folder(result.row, seed) / KEPT for seed in range(2)]
        one, other = (pd.read_parquet(file).set_index("item_id") for file in files)
        assert len(one) == len(other) == 14
        kept[result.row.name] = (one.on_face + other.on_face) / 2
        looking = result.looking
        assert looking is not None
        assert (looking.by, looking.n_seeds, looking.on_face.n) == ("attention", 2, 14)
        assert looking.on_face.value == pytest.approx(kept[result.row.name].mean())
        assert looking.on_face.low < looking.on_face.value < looking.on_face.high
        assert looking.even.value == pytest.approx(one.even.mean())
        assert (looking.on_face.level, looking.on_face.n_clusters) == ("group_id", 12)
    (difference,) = differences
    assert (difference.pair.one, difference.pair.other) == names[1:]
    paired = kept[names[1]] - kept[names[2]]
    assert difference.on_face.value == pytest.approx(paired.mean())

    files = write_table(tmp_path, 3, results, {}, differences)
    with files[1].open() as file:
        lines = list(csv.DictReader(file))
    assert [bool(line["on_face"]) for line in lines] == [False, True, True]
    assert float(lines[1]["on_face"]) == pytest.approx(100 * kept[names[1]].mean(), abs=0.01)
    assert float(lines[1]["on_face_low"]) < float(lines[1]["on_face_high"])
    said = json.loads(files[2].read_text())
    assert said["rows"][0]["looking"] is None
    assert said["rows"][1]["looking"]["on_face"]["n_clusters"] == 12
    (paired_said,) = said["differences_on_face"]
    assert paired_said["pair"]["figure"] == 8
    assert f"{names[1]} less {names[2]}" in files[0].read_text()

    def again(*_: object, **__: object) -> None:
        raise AssertionError("what was measured is kept")

    monkeypatch.setattr(table_attention, "answers", again)
    plain = [replace(result, looking=None) for result in results]
    assert Looks(cells).measured(3, plain) == (results, differences)


def test_who_looks_everywhere_alike_has_on_the_face_what_the_face_covers(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = Tables(read_dataset(scenes), None, tmp_path, replace(SMALL, seeds=1), lambda _: None)
    row = row_of("CAER-Net-S F+C+cA+fA")
    network: Any = networks.build(cells.architecture(row))
    for weights in network.attention[-1].parameters():
        torch.nn.init.zeros_(weights)
    monkeypatch.setattr(Tables, "network", lambda *_: network)
    looked = Looks(cells).of_first(row)
    assert looked.on_face == pytest.approx(looked.even, abs=1e-6)
    assert 0 < looked.even.min() < looked.even.max() < 1


def test_without_a_folder_it_says_where_it_wrote(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of table 5 nothing can be run on stills, and that is written, too."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["tables", str(scenes), "--table", "5"])
    assert done.exit_code == 0, done.output
    place = tmp_path / "set-tables"
    assert done.stdout.splitlines()[-3:] == [
        str(place / name) for name in ("table5.md", "table5.csv", "table5.json")
    ]
    again = CliRunner().invoke(app, ["tables", str(scenes), "--table", "5", "--json"])
    said = json.loads(again.stdout)
    assert said["folder"] == str(place)


@pytest.mark.slow
def test_a_table_from_the_command_line(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ["tables", str(scenes), "-o", str(out), "--table", "3", "--seeds", "1",
              "--epochs", "1", "--reduced", "--set", "compute.precision=fp32"]  # fmt: skip
    done = CliRunner().invoke(app, wanted)
    assert done.exit_code == 0, done.output
    assert "| CAER-Net-S F+C+cA+fA |" in done.output
    assert "not run: needs clips" in done.output
    for name in ("table3.md", "table3.csv", "table3.json", "figure4-caer-net-s.png",
                 "figure7-caer-net-s.png", "figure8-caer-net-s.png"):  # fmt: skip
        assert (out / name).stat().st_size > 100
    stamps = {file: file.stat().st_mtime_ns for file in out.glob("runs/*/*/last.safetensors")}
    assert len(stamps) == 4
    again = CliRunner().invoke(app, [*wanted, "--json"])
    rows = {row["method"]: row for row in json.loads(again.stdout)["rows"]}
    assert rows["CAER-Net-S F+C+cA+fA"]["items"] == 14
    assert rows["CAER-Net-S, faces not hidden"]["looking"]["on_face"]["low"] is not None
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in stamps.items())
    how = How(compute=Compute(precision="fp32"))
    cells = Tables(read_dataset(scenes), None, out, how, lambda _: None)
    assert cells.plan(row_of("CAER-Net-S F"), 0).compute.precision == "fp32"


def clips_of(root: Path) -> Dataset:
    """Twelve short clips with boxes: eight to train on, two to validate on, two to test on."""
    catalogue = toy_catalogue(root)
    items = tuple(
        replace(item, file=f"{item.item_id}.mp4") for item in catalogue.items if item.kind == "clip"
    )
    return Dataset(root, "afew", items, faces=catalogue.faces)


@pytest.mark.slow
def test_table_6_is_tested_on_one_and_trained_on_the_other(tmp_path: Path) -> None:
    for name in ("afew", "caer"):
        (tmp_path / name).mkdir()
    own, other = clips_of(tmp_path / "afew"), clips_of(tmp_path / "caer")
    once = How(seeds=1, epochs=1, is_small=True)
    cells = Tables(own, other, tmp_path / "out", once, lambda _: None)
    results = {result.row.name: result for result in cells.run(6)}
    sizes = {name: result.n_items for name, result in results.items() if result.n_items}
    assert sizes == {
        "CAER-Net w/F, AFEW": 2, "CAER-Net, CAER": 2, "CAER-Net, AFEW": 2, "CAER-Net, CAER+AFEW": 2
    }  # fmt: skip
    splits = {
        name: cells.store(results[name].row).items.split.value_counts().to_dict() for name in sizes
    }
    assert splits["CAER-Net, AFEW"] == {"train": 8, "validation": 2, "test": 2}
    assert splits["CAER-Net, CAER"] == {"train": 8, "validation": 2, "test": 2}
    assert splits["CAER-Net, CAER+AFEW"] == {"train": 16, "validation": 2, "test": 2}
    c3d = cells.cell(row_of("Fine-tuned C3D", 5))
    assert c3d.confusions is None
    assert c3d.reason.startswith("The Sports-1M weights of C3D cannot be fetched.")
    (tmp_path / "figures").mkdir()
    whole = CellResult(row_of("CAER-Net F+C+cA+fA"), results["CAER-Net, AFEW"].confusions)
    assert cells.name_of(whole.row) == cells.name_of(results["CAER-Net, AFEW"].row)
    drawn = draw(Looks(cells), 3, [whole], tmp_path / "figures")
    assert [file.name for file in drawn] == ["figure4-caer-net.png", "figure8-caer-net.png"]


@pytest.mark.slow
def test_figure_10_shows_where_vgg_and_caer_net_s_look(
    operators: None, scenes: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "vgg16.pth"
    torch.save(torchvision_model("vgg16").features.state_dict(prefix="features."), weights)
    how = How(seeds=1, epochs=1, is_small=True, weights={"vgg16": str(weights)})
    cells = Tables(read_dataset(scenes), None, tmp_path, how, lambda _: None)
    rows = [row_of(name, 4) for name in ("Fine-tuned VGGNet", "CAER-Net-S")]
    looks = Looks(cells)
    results, (difference,) = looks.measured(4, [cells.cell(row) for row in rows])
    assert [r.looking.by for r in results if r.looking] == ["Grad-CAM", "attention"]
    assert difference.pair.figure == 10
    drawn = draw(looks, 4, results, tmp_path)
    assert [file.name for file in drawn] == ["figure9.png", "figure10.png"]
    height, width = cv2.imread(str(drawn[1])).shape[:2]
    assert min(width, height) > 1000, "four rows of pictures"

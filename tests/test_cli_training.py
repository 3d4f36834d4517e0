"""``caer train`` and ``caer evaluate`` on small data sets of several layouts, end to end."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from caer_build.caernet import metrics, networks
from caer_build.caernet.compute import Compute
from caer_build.caernet.settings import _FIXED
from caer_build.caernet.windows import Windows
from caer_build.cli.main import app
from caer_build.dataset.exporting import export
from caer_build.dataset.layouts.choice import layout_of
from caer_build.dataset.reading import read_dataset
from caer_build.errors import CaerError, DatasetError, RecipeError
from caer_build.records import EMOTIONS
from tests.conftest import REPOSITORY
from tests.exporting import toy_catalogue
from tests.test_docs_paper import written
from tests.toy_stills import SMALL, released_stills

Caer = Callable[..., str]


pytestmark = pytest.mark.usefixtures("one_thread")


def caer(*arguments: object) -> str:
    """What a command prints; its errors are raised."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, CaerError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def told_of(*arguments: object) -> str:
    """What a command says on stderr."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False).stderr


def settings(*more: str) -> list[str]:
    return [word for text in (*SMALL, *more) for word in ("--set", text)]


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released_stills(tmp_path_factory.mktemp("released") / "CAER-S")


@pytest.fixture(scope="module")
def run(stills: Path) -> Path:
    """Trained for eight epochs."""
    folder = stills.parent / "run"
    said = json.loads(caer("train", stills, "-o", folder, "--epochs", 8, *settings(), "--json"))
    assert said["epochs"] == 8
    assert said["data"]["items"] == {"train": 35, "validation": 7, "test": 14}
    assert said["data"]["held_out"] == 0.1, "the released set has no validation split"
    return folder


def test_a_run_says_what_it_is(run: Path) -> None:
    said = json.loads((run / "run.json").read_text())
    assert said["plan"]["model"] == "caer-net-s", "there are stills"
    assert said["plan"]["regime"]["epochs"] == 8
    assert said["preset"] == "ours"
    assert said["store"]["face_px"] == 32
    assert len(said["data"]["key"]) == 64
    assert set(said["made_with"]) == {"caer_build", "revision", "python", "packages"}
    assert said["made_with"]["packages"]["torch"]
    with (run / "log.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["number"]) for row in rows] == list(range(1, 9))
    assert [float(row["loss"]) for row in rows] == [e["loss"] for e in said["epochs"]]
    scores = [(e["validation_accuracy"], -e["validation_loss"]) for e in said["epochs"]]
    assert said["best"] == 1 + scores.index(max(scores))
    (store,) = run.parent.glob("frames-*")
    assert (store / "store.json").is_file()


def test_an_evaluation_has_every_item_and_its_figures_are_those_of_the_predictions(
    stills: Path, run: Path
) -> None:
    said = json.loads(caer("evaluate", run, stills, "--json"))
    assert said["folder"] == str(run / "test")
    assert said["n"] == 14
    table = pd.read_parquet(run / "test" / "predictions.parquet")
    expected = [i for i in read_dataset(stills).items if i.split == "test"]
    assert sorted(table.item_id) == sorted(i.item_id for i in expected)
    truth = {i.item_id: i.emotion for i in expected}
    assert [truth[i] for i in table.item_id] == table.emotion.tolist()
    right = float((table.emotion == table.predicted).mean())
    assert right > 0.5, "it has learnt what there is to learn"
    written = json.loads((run / "test" / "metrics.json").read_text())
    assert written["metrics"]["accuracy"] == written["intervals"]["accuracy"]["value"] == right
    probabilities = table[[f"p_{e.lower()}" for e in EMOTIONS]].to_numpy()
    assert np.allclose(probabilities.sum(1), 1)
    labels = table.emotion.map(EMOTIONS.index).to_numpy()
    again = metrics.measured(probabilities, labels, EMOTIONS)
    assert written["metrics"]["macro_f1"] == pytest.approx(again.macro_f1)
    assert np.allclose(table.face_weight + table.context_weight, 1)
    assert (table.n_windows == 1).all()
    assert (table.padded_share == 0).all()
    assert (table.face_seen_share == 1).all()
    assert (table.face_interpolated_share == 0).all()
    assert table.file.tolist() == [i.file for i in sorted(expected, key=lambda i: i.item_id)]
    assert written["always_share"] == pytest.approx(1 / 7)
    with pytest.raises(CaerError, match="There is no split 'tst'"):
        caer("evaluate", run, stills, "--split", "tst")
    text = caer("evaluate", run, stills, "--split", "validation")
    assert "7 items of validation" in text
    assert (run / "validation" / "metrics.json").is_file()


def test_an_evaluation_is_computed_as_one_says(stills: Path, run: Path, tmp_path: Path) -> None:
    """What the check of a device advises, ``--set compute.precision=fp32``, can be typed."""
    said = {}
    for precision in ("fp32", "bf16"):
        out = tmp_path / precision
        caer("evaluate", run, stills, "-o", out, "--set", f"compute.precision={precision}")
        facts = json.loads((out / "metrics.json").read_text())
        assert facts["compute"]["bf16"] == (precision == "bf16")
        said[precision] = pd.read_parquet(out / "predictions.parquet").p_anger.to_numpy()
    assert (said["fp32"] != said["bf16"]).any()
    assert said["bf16"] == pytest.approx(said["fp32"], abs=0.02)
    with pytest.raises(RecipeError, match="no such section; there are compute"):
        caer("evaluate", run, stills, "--set", "regime.lr=1")


def test_the_same_command_goes_on_and_another_is_refused(stills: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    stores = ("--store", stills.parent)
    caer("train", stills, "-o", folder, "--epochs", 1, *settings(), *stores)
    first = json.loads((folder / "run.json").read_text())
    text = caer("train", stills, "-o", folder, "--epochs", 2, *settings(), *stores)
    assert "2 epochs" in text
    both = json.loads((folder / "run.json").read_text())["epochs"]
    assert both[0] == first["epochs"][0], "the first was not trained again"
    assert not list(tmp_path.glob("frames-*")), "frames are where --store says"
    with pytest.raises(CaerError, match=r"regime\.lr is 0\.001 there and 0\.1 here"):
        caer("train", stills, "-o", folder, *settings("regime.lr=0.1"), "--store", tmp_path / "new")
    assert not (tmp_path / "new").exists(), "before any frame is decoded"
    other = released_stills(tmp_path / "other", n_train=3)
    with pytest.raises(CaerError, match="on other data"):
        caer("train", other, "-o", folder, "--epochs", 2, *settings())


def tensors_of(run: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(run / f"{name}.safetensors")


def test_two_and_two_epochs_are_four_to_the_bit(stills: Path, tmp_path: Path) -> None:
    """With a schedule that depends on where the end is, and augmentation and dropout on."""
    how = [*settings("compute.deterministic=true"), "--store", stills.parent, "--epochs", 4]
    caer("train", stills, "-o", tmp_path / "whole", *how)
    text = caer("train", stills, "-o", tmp_path / "halves", *how, "--stop-after", 2)
    assert text.startswith("2 of 4 epochs")
    said = json.loads(caer("train", stills, "-o", tmp_path / "halves", *how, "--json"))
    assert (said["epochs"], said["planned"]) == (4, 4)
    logs = []
    for run in ("whole", "halves"):
        with (tmp_path / run / "log.csv").open(newline="") as lines:
            logs.append([{**row, "seconds": ""} for row in csv.DictReader(lines)])
    assert logs[0] == logs[1]
    for name in ("last", "best"):
        one, other = (tensors_of(tmp_path / run, name) for run in ("whole", "halves"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_that_is_made_longer_says_that_it_is_another(stills: Path, tmp_path: Path) -> None:
    """Under a cosine the first of two epochs is not the first of three; under steps it is."""
    where = ["--store", stills.parent]
    last = {}
    for schedule in ("cosine", "steps"):
        how = [*settings(f"regime.schedule={schedule}"), *where]
        caer("train", stills, "-o", tmp_path / f"{schedule}-3", *how, "--epochs", 3)
        longer = tmp_path / f"{schedule}-1-3"
        caer("train", stills, "-o", longer, *how, "--epochs", 1)
        told = told_of("train", stills, "-o", longer, *how, "--epochs", 3)
        assert ("It is not the run of 3 epochs" in told) == (schedule == "cosine")
        planned = json.loads((longer / "run.json").read_text())["planned"]
        assert planned == [{"from_epoch": 1, "epochs": 1}, {"from_epoch": 2, "epochs": 3}]
        assert "not the run" not in told_of("train", stills, "-o", longer, *how, "--epochs", 2)
        one, other = (tensors_of(place, "last") for place in (tmp_path / f"{schedule}-3", longer))
        last[schedule] = all(torch.equal(one[key], other[key]) for key in one)
    assert last == {"cosine": False, "steps": True}


def test_everything_that_is_wrong_is_said_at_once(stills: Path, tmp_path: Path) -> None:
    wrong = ("architecture.droput=0.3", "colour.flip=1", "regime.lr=fast", "augmentation.flip=2",
             "store.hide=some", "architecture.n_dims=3", "regime.lr")  # fmt: skip
    with pytest.raises(RecipeError) as said:
        caer("train", stills, "-o", tmp_path / "run",
             *[word for text in wrong for word in ("--set", text)])  # fmt: skip
    for what in (
        "architecture.droput: no such setting; there are streams, context_widths,",
        "colour.flip: no such section; there are architecture, regime, augmentation, store, windo",
        "regime.lr: Input should be a valid number, unable to parse string as a number, found 'f",
        "augmentation: Expected flip in [0, 1]",
        "store.hide: Input should be 'none', 'target' or 'all', found 'some'",
        "architecture.n_dims: cannot be set: --model decides it",
        "--set expects stage.key=value, found 'regime.lr'",
    ):
        assert what in said.value.message
    assert not (tmp_path / "run").exists()
    for options in (("--model", "caer-net-x"), ("--preset", "theirs"), ("--device", "abacus")):
        with pytest.raises(CaerError, match=r"caer-net-x|theirs|abacus"):
            caer("train", stills, "-o", tmp_path / "run", *options)


def test_without_boxes_it_says_what_to_do(stills: Path, tmp_path: Path) -> None:
    root = released_stills(tmp_path / "bare", n_train=3, n_test=1)
    lists = tmp_path / "lists"
    lists.mkdir()
    for name in ("train.txt", "test.txt"):
        (root / name).rename(lists / name)
    with pytest.raises(DatasetError, match=r"no face boxes.*--boxes"):
        caer("train", root, "-o", tmp_path / "run", "--epochs", 1, *settings())
    caer("train", root, "-o", tmp_path / "run", "--epochs", 1, *settings(), "--boxes", lists)
    without = settings("architecture.streams=context", "store.hide=none")
    caer("train", root, "-o", tmp_path / "context", "--epochs", 1, *without)
    caer("evaluate", tmp_path / "context", root)
    table = pd.read_parquet(tmp_path / "context" / "test" / "predictions.parquet")
    assert table.face_weight.isna().all(), "one stream has no weight"
    assert (table.face_seen_share == 0).all()
    with pytest.raises(DatasetError, match="reads clips"):
        caer("train", root, "-o", tmp_path / "x", "--model", "caer-net")


def test_clips_of_an_export_of_ours(tmp_path: Path) -> None:
    """Clips of 6 frames at 25 a second are three tenths of a second: each is looped."""
    (tmp_path / "films").mkdir()
    export(toy_catalogue(tmp_path / "films"), tmp_path / "CAER", layout_of("caer"),
           lambda *_: None, allow_leaks=True)  # fmt: skip
    small = settings("regime.batch_size=4")
    caer("train", tmp_path / "CAER", "-o", tmp_path / "run", "--epochs", 1, *small)
    said = json.loads((tmp_path / "run" / "run.json").read_text())
    assert said["plan"]["model"] == "caer-net"
    assert said["data"]["items"] == {"train": 8, "validation": 2, "test": 2}
    assert said["data"]["held_out"] == 0
    found = json.loads(caer("evaluate", tmp_path / "run", tmp_path / "CAER", "--json"))
    assert (found["n"], found["padded_items"]) == (2, 2)
    table = pd.read_parquet(tmp_path / "run" / "test" / "predictions.parquet")
    assert table.padded_share.tolist() == [13 / 16] * 2
    assert table.episode_id.tolist() == ["toy_s01e01"] * 2
    assert table.person_id.tolist() == ["p10", "p11"]
    assert found["intervals"]["accuracy"]["level"] == "clip_id"
    assert set(found["metrics"]["absent"]) == set(EMOTIONS) - {EMOTIONS[3], EMOTIONS[4]}


def test_the_other_readings_of_the_paper_train_too(tmp_path: Path) -> None:
    """Of clips of a quarter of a second at 25 a second, at all their frames."""
    (tmp_path / "films").mkdir()
    export(toy_catalogue(tmp_path / "films"), tmp_path / "CAER", layout_of("caer"),
           lambda *_: None, allow_leaks=True)  # fmt: skip
    other = settings(
        "regime.batch_size=4", "architecture.context_widths=[4,4,4,4,8]",
        "architecture.unpooled=1", "architecture.attention_softmax=clip",
        "architecture.time_pooling=max", "architecture.fusion_activation=tanh",
        "architecture.fusion_dropout=0.2", "windows.length=8", "windows.stride=2",
        "windows.training=aligned", "windows.short=hold", "windows.tail=dropped",
        "windows.mean_of=logits", "store.rate=25", "store.square=false",
        "store.interpolated=blank",
    )  # fmt: skip
    caer("train", tmp_path / "CAER", "-o", tmp_path / "run", "--epochs", 1, *other)
    said = json.loads((tmp_path / "run" / "run.json").read_text())["plan"]
    assert said["architecture"]["context_widths"] == [4, 4, 4, 4, 8]
    assert said["windows"]["length"] == 8
    caer("evaluate", tmp_path / "run", tmp_path / "CAER")
    table = pd.read_parquet(tmp_path / "run" / "test" / "predictions.parquet")
    assert table.padded_share.tolist() == [2 / 8] * 2, "six of eight frames"
    probabilities = table[[f"p_{e.lower()}" for e in EMOTIONS]].to_numpy()
    assert np.allclose(probabilities.sum(1), 1)
    caer("export-onnx", tmp_path / "run", "-o", tmp_path / "net.onnx")


def test_settings_that_do_not_go_together_are_refused(stills: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match="a square of 40 px does not fit into contexts of 43 x 32"
    ):
        caer("train", stills, "-o", tmp_path / "run", *settings("augmentation.crop=40"))
    caer("train", stills, "-o", tmp_path / "run", "--epochs", 1, "--store", stills.parent,
         *settings("augmentation.crop=40", "architecture.streams=face"))  # fmt: skip
    for model, length in (("caer-net", 12), ("c3d", 8)):
        clips = networks.preset(model, "ours")
        with pytest.raises(RecipeError, match=f"windows.length: .*found {length}"):
            networks.check(replace(clips, windows=Windows(length=length)))
        networks.check(clips)


def test_faces_of_ferplus_are_the_whole_pictures(tmp_path: Path) -> None:
    """Each mosaic holds 14 faces of 48 px, a grey level an emotion; two votes for it."""
    root = tmp_path / "ferplus"
    root.mkdir()
    categories = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    for split in ("train", "valid", "test"):
        tiles = [np.full((48, 48, 3), 30 * (k % 7) + 20, np.uint8) for k in range(14)]
        cv2.imwrite(str(root / f"ferplus_{split}_00.png"), np.concatenate(tiles, 1))
        rows = ["neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
        for k in range(14):
            votes = dict.fromkeys(rows[0].split(","), 0) | {categories[k % 7]: 2}
            rows.append(",".join(str(votes[c]) for c in rows[0].split(",")))
        (root / f"ferplus_{split}.csv").write_text("\n".join(rows) + "\n")
    caer("train", root, "-o", tmp_path / "run", "--epochs", 1,
         *settings("architecture.streams=face"))  # fmt: skip
    found = json.loads(caer("evaluate", tmp_path / "run", root, "--json"))
    assert (found["n"], found["items_without_face"]) == (14, 0)


def test_another_data_set_has_a_folder_of_its_own(run: Path, tmp_path: Path) -> None:
    other = released_stills(tmp_path / "other", n_train=1, n_test=1)
    said = json.loads(caer("evaluate", run, other, "--json", "--store", tmp_path))
    assert said["folder"] == str(run / "other-test")
    with pytest.raises(CaerError, match="no item in validation"):
        caer("evaluate", run, other, "--split", "validation", "--store", tmp_path)


def test_the_guide_has_every_setting_with_its_defaults() -> None:
    guide = (REPOSITORY / "docs" / "training.md").read_text("utf-8")
    clips, stills_ = (
        [networks.preset(model, name) for name in networks.PRESETS]
        for model in ("caer-net", "caer-net-s")
    )
    rows = []
    for section in ("architecture", "regime", "augmentation", "windows", "store", "compute"):
        for field in fields(Compute() if section == "compute" else getattr(clips[0], section)):
            if (section, field.name) in _FIXED:
                continue
            said = []
            for both in zip(clips, stills_, strict=True):
                told = [Compute() if section == "compute" else getattr(p, section) for p in both]
                clip, still = (written(getattr(p, field.name)) for p in told)
                said.append(clip if still == clip else f"{clip}; S: {still}")
            rows.append(f"| `{section}.{field.name}` | {' | '.join(said)} |")
    assert len(rows) == 52
    assert [row for row in rows if row not in guide] == []

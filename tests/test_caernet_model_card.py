"""The card of a run says what the run says, and nothing that nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from caer_build.caernet import checkpoint
from caer_build.caernet.model_card import write_card
from caer_build.caernet.runs import TrainedRun
from caer_build.store import write_json
from tests.trained import fresh_run

INTERVAL = {"value": 0.5, "low": 0.25, "high": 0.75, "n_clusters": 12, "level": "show", "why": ""}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = fresh_run(tmp_path / "run", "caer-net-s")
    epochs = [{"number": k, "validation_accuracy": k / 4, "loss": 1.0} for k in (1, 2)]
    data = {"name": "CAER-S", "layout": "caer-s", "items": {"train": 70, "test": 14},
            "held_out": 0.1, "key": "abc123"}  # fmt: skip
    said = {**checkpoint.read_run(folder), "best": 2, "epochs": epochs, "data": data,
            "made_with": {"caer_build": "1.0", "packages": {"torch": "2.13"}}}  # fmt: skip
    checkpoint.write_run(folder, said)
    return folder


def card(run: Path) -> str:
    return write_card(TrainedRun.open(run)).read_text()


def evaluated(run: Path, split: str, **more: Any) -> None:
    metrics = {"data": {"name": "CAER-S"}, "split": split, "n": 14, "epoch": 2,
               "intervals": {"macro_f1": INTERVAL}, "always_share": 0.3469, **more}  # fmt: skip
    (run / split).mkdir()
    write_json(run / split / "metrics.json", metrics)


def test_a_run_that_was_not_evaluated(run: Path) -> None:
    text = card(run)
    assert "# CAER-Net-S (single pictures)" in text
    assert "items: 70 train, 14 test" in text
    assert "`abc123`" in text
    assert "10% of train was held out" in text
    assert "Best of 2 epochs by validation: 2, with 50.0% of validation right" in text
    assert "Not evaluated yet" in text
    assert "store: hide = target, fill = mean, face_px = 32" in text
    assert "made with: caer_build 1.0, torch 2.13" in text


def test_figures_stand_with_intervals_and_clusters(run: Path) -> None:
    evaluated(run, "test")
    alone = {**INTERVAL, "low": None, "high": None, "n_clusters": 1, "why": "one show only"}
    evaluated(run, "validation", intervals={"accuracy": alone})
    evaluated(run, "train", epoch=1)
    text = card(run)
    assert "| CAER-S | test | 14 | macro f1 | 0.500 | 0.250 to 0.750 | 12 (show) |" in text
    assert "| CAER-S | validation | 14 | accuracy | 0.500 | one show only | 1 (show) |" in text
    assert "train | 14" not in text, "of an epoch that is the best no more"
    assert "CAER-S test: 0.347" in text


def test_nothing_is_invented(run: Path) -> None:
    """No licence, no data that the run does not name."""
    said = json.loads((run / "run.json").read_text())
    del said["data"]
    checkpoint.write_run(run, said)
    text = card(run)
    assert "does not say what it was trained on" in text
    head = text.split("---")[1]
    assert "license" not in head
    assert "None is stated here" in text

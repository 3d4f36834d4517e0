"""Two processes over gloo do what one does: the same weights, the same figures, no item twice."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import distributed

from caer_build.caernet.distributed import ALONE, SyncedNorm, synchronised
from tests.toy_stills import SMALL, released_stills

SINGLE = "compute.precision=fp32"
"""in bf16 rounding is larger than what is looked for"""
# Dropout draws its own numbers in each process; AdamW's first steps make the rounding of a gradient
# that is nearly nothing as large as any step.
SETTINGS = [*SMALL, "architecture.dropout=0", "architecture.streams=face", "regime.batch_size=34",
            "regime.optimizer=sgd", "regime.lr=0.01", SINGLE]  # fmt: skip


def caer(*arguments: object, processes: int = 1) -> Any:
    """The JSON that a command prints, run by so many processes."""
    begin = [sys.executable, "-m", "caer_build.cli"]
    if processes > 1:
        begin = [sys.executable, "-m", "torch.distributed.run", "--standalone",
                 "--nproc-per-node", str(processes), "-m", "caer_build.cli"]  # fmt: skip
    done = subprocess.run(
        [*begin, *map(str, arguments), "--json"], capture_output=True, text=True, check=False,
        timeout=600, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    """A batch of 34 and one of one item: shares of 17 and 17, and of one and none."""
    stills = released_stills(tmp_path / "CAER-S", n_train=6, n_test=1)
    words = [word for text in SETTINGS for word in ("--set", text)]
    said, tables = {}, {}
    for n in (1, 2):
        run = tmp_path / f"run{n}"
        said[n] = caer("train", stills, "-o", run, "--epochs", 2, *words, processes=n)
        caer("evaluate", run, stills, "--set", SINGLE, processes=n)
        tables[n] = pd.read_parquet(run / "test" / "predictions.parquet")
    one, two = (load_file(tmp_path / f"run{n}" / "last.safetensors") for n in (1, 2))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        # Rounding puts a number now and then on the other side of a ReLU.
        off = float((two[name] - tensor).double().norm() / tensor.double().norm().clamp(min=1e-9))
        assert off < 0.02, name
    assert any("running_mean" in name for name in one)
    assert said[2]["validation_loss"] == pytest.approx(said[1]["validation_loss"], rel=1e-3)
    logs = [json.loads((tmp_path / f"run{n}" / "run.json").read_text()) for n in (1, 2)]
    for mine, other in zip(*(log["epochs"] for log in logs), strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert mine["accuracy"] == pytest.approx(other["accuracy"])
    assert Counter(tables[2].item_id) == Counter(tables[1].item_id)
    assert len(tables[2]) == 7
    assert tables[2].n_windows.tolist() == [1] * 7
    probabilities = [name for name in tables[1] if name.startswith("p_")]
    pd.testing.assert_frame_equal(
        tables[1][probabilities], tables[2][probabilities], rtol=1e-2, atol=1e-3
    )


def test_a_process_that_is_alone_waits_for_nobody() -> None:
    norm = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    assert synchronised(norm, ALONE) is norm
    assert type(norm[0]) is torch.nn.BatchNorm2d
    ALONE.wait()
    assert ALONE.summed(torch.ones(2)).tolist() == [1, 1]
    assert ALONE.leads


def test_a_synchronised_norm_has_the_weights_and_statistics_of_the_one_it_replaces() -> None:
    norm = torch.nn.BatchNorm3d(4)
    norm.running_mean += 2
    mine = SyncedNorm.like(norm).eval()
    assert mine.weight is norm.weight
    batch = torch.randn(2, 4, 3, 5, 5)
    torch.testing.assert_close(mine(batch), norm.eval()(batch))
    assert mine.state_dict().keys() == norm.state_dict().keys()


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of one process."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_synchronised_norm_is_torchs(group: None, dtype: torch.dtype) -> None:
    """Result, gradients and running statistics; a mean far from 0 costs no digits."""
    norm = torch.nn.BatchNorm2d(3)
    mine = SyncedNorm.like(copy.deepcopy(norm))
    if dtype == torch.float64:
        norm, mine = norm.double(), mine.double()
    batch = (torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0)) + 50).to(dtype)
    weigh = torch.randn(batch.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    found = []
    for one in (norm, mine):
        given = batch.clone().requires_grad_()
        said = one(given)
        assert said.dtype == dtype
        (said * weigh).sum().backward()
        found.append([said.detach(), given.grad, one.weight.grad, one.bias.grad,
                      one.running_mean, one.running_var])  # fmt: skip
        assert int(one.num_batches_tracked) == 1
    for expected, got in zip(*found, strict=True):
        close = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {
            "rtol": 0.02, "atol": 0.02}  # fmt: skip
        torch.testing.assert_close(got, expected, **close)

"""What makes training faster leaves what it computes alone; a device that computes wrongly is
refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from caer_build.caernet import compute as compute_module
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation, _picked, draw, prepared
from caer_build.caernet.batches import Batch, Batches
from caer_build.caernet.compute import Compute, compiled, is_bf16, lies_on_device, placed, set_up
from caer_build.caernet.distributed import device_of
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.model import CAERNet
from caer_build.caernet.selfcheck import check_convolutions
from caer_build.caernet.sources import DeviceSource
from caer_build.caernet.storing import make_store
from caer_build.dataset.reading import read_dataset
from caer_build.errors import DeviceError, RecipeError
from tests.toy_stills import released_stills

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    root = released_stills(tmp_path_factory.mktemp("set") / "CAER-S", n_train=6, n_test=1)
    size = StoreSettings(face_px=32, context_width=43, context_height=32)
    return make_store(read_dataset(root), root / "store", size, lambda *_: None)


def right(batch: Tensor, weight: Tensor) -> Tensor:
    return functional.conv3d(batch, weight, padding=1)


def without_a_tap(batch: Tensor, weight: Tensor) -> Tensor:
    kept = torch.ones_like(weight)
    kept[:, :, 0, 0, 0] = 0
    return right(batch, weight * kept)


def shifted(batch: Tensor, weight: Tensor) -> Tensor:
    return right(batch, weight).roll(1, 2)


class _WrongBackwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, said: Tensor) -> Tensor:  # noqa: ARG004
        return said.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        return grads[0] * 1.1


def wrong_backwards(batch: Tensor, weight: Tensor) -> Tensor:
    said: Tensor = _WrongBackwards.apply(right(batch, weight))
    return said


def wrong_in_one_layout(batch: Tensor, weight: Tensor) -> Tensor:
    said = right(batch, weight)
    return said if batch.is_contiguous() else said * 1.1


def no_number(batch: Tensor, weight: Tensor) -> Tensor:
    return right(batch, weight) * float("nan")


def test_right_convolutions_in_bf16_pass() -> None:
    check_convolutions(CPU)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (without_a_tap, "result"),
        (shifted, "result"),
        (no_number, "result"),
        (wrong_backwards, "gradient of the input"),
        (wrong_in_one_layout, "result"),
    ],
)
def test_wrong_convolutions_are_refused(wrong: Callable[..., Tensor], what: str) -> None:
    with pytest.raises(DeviceError, match=f"conv3d in bf16 on cpu.*its {what} is"):
        check_convolutions(CPU, wrong)


def test_options_that_are_none_are_refused() -> None:
    for wrong in ({"precision": "fp8"}, {"compile": "yes"}, {"resident": "maybe"}, {"threads": -1}):
        with pytest.raises(RecipeError, match="Expected"):
            Compute(**wrong)
    with pytest.raises(DeviceError, match="Expected auto, cpu or cuda"):
        device_of("tpu")
    if not torch.cuda.is_available():
        assert device_of("auto") == "cpu"
        with pytest.raises(DeviceError, match="no cuda that torch"):
            device_of("cuda")
    assert [is_bf16(CPU, p) for p in ("auto", "fp32", "bf16")] == [False, False, True]
    assert is_bf16(torch.device("cuda"), "auto")


def test_deterministic_is_a_switch_of_the_process() -> None:
    try:
        set_up(CPU, Compute(deterministic=True), Architecture(2))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        set_up(CPU, Compute(), Architecture(2))
    assert not torch.are_deterministic_algorithms_enabled()


def test_threads_are_as_many_as_asked() -> None:
    set_up(CPU, Compute(threads=2), Architecture(2))
    assert torch.get_num_threads() == 2
    set_up(CPU, Compute(threads=1), Architecture(2))
    set_up(CPU, Compute(), Architecture(2))
    assert torch.get_num_threads() == 1


def test_a_store_lies_on_a_gpu_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 GB are free: 6 of them may be the data's."""
    monkeypatch.setattr(compute_module.torch.cuda, "mem_get_info", lambda _: (10**10, 10**11))
    gpu = torch.device("cuda")
    assert lies_on_device(6 * 10**9, gpu, Compute())
    assert not lies_on_device(6 * 10**9 + 1, gpu, Compute())
    assert lies_on_device(10**12, gpu, Compute(resident="yes"))
    assert not lies_on_device(1, gpu, Compute(resident="no"))
    assert not lies_on_device(1, CPU, Compute())


def same(one: Batch, other: Batch) -> bool:
    names = ("faces", "contexts", "labels", "soft", "items", "whole")
    return all(torch.equal(getattr(one, n), getattr(other, n)) for n in names)


@pytest.mark.parametrize("clips", [False, True])
def test_batches_are_the_same_wherever_the_frames_lie(store: FrameStore, clips: bool) -> None:
    mapped = Batches(store, "train", 8, clips=clips)
    parts = mapped.items.part.to_numpy(np.int64)
    held = Batches(store, "train", 8, clips=clips, source=DeviceSource(store, parts, CPU))
    for one, other in zip(mapped.epoch(1, 0), held.epoch(1, 0), strict=True):
        assert same(one, other)
    for one, other in zip(mapped.all_windows(), held.all_windows(), strict=True):
        assert same(one, other)


def test_crops_are_the_same_however_they_are_taken() -> None:
    clips = torch.randint(0, 256, (5, 3, 40, 50, 3), dtype=torch.uint8)
    draws = draw(5, Augmentation(crop=32), torch.Generator().manual_seed(1))
    tops, lefts = (draws.top * 9).long(), (draws.left * 19).long()
    one_by_one = torch.stack([
        clip[:, top : top + 32, left : left + 32]
        for clip, top, left in zip(clips, tops.tolist(), lefts.tolist(), strict=True)
    ])  # fmt: skip
    assert torch.equal(_picked(clips, tops, lefts, 32), one_by_one)
    assert len(set(tops.tolist())) > 1


def test_shares_of_draws_are_those_of_the_whole_batch() -> None:
    draws = draw(5, Augmentation(crop=32), torch.Generator().manual_seed(1))
    pictures = torch.randint(0, 256, (5, 40, 50, 3), dtype=torch.uint8)
    whole = prepared(pictures, draws, 32)
    for rank in range(3):
        mine = prepared(pictures[rank::3], draws.share(rank, 3), 32)
        torch.testing.assert_close(mine, whole[rank::3])
    nobody = prepared(pictures[:0], draws.share(5, 6), 32)
    assert nobody.shape == (0, 3, 32, 32)


@pytest.mark.parametrize("n_dims", [2, 3])
def test_the_layout_of_weights_changes_no_result(n_dims: int) -> None:
    torch.manual_seed(0)
    plain = CAERNet(Architecture(n_dims)).eval()
    laid = CAERNet(Architecture(n_dims)).eval()
    laid.load_state_dict(plain.state_dict())
    laid = placed(laid, CPU, Compute(), n_dims)  # type: ignore[assignment]
    weight = laid.face[4].weight  # type: ignore[index]
    layout = torch.channels_last_3d if n_dims == 3 else torch.channels_last
    assert weight.is_contiguous(memory_format=layout)
    shape = (2, 3, 16, 32, 32) if n_dims == 3 else (2, 3, 32, 32)
    batch = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(laid(batch, batch).logits, plain(batch, batch).logits)
    assert placed(plain, CPU, Compute(channels_last=False), n_dims).face[4].weight.is_contiguous()  # type: ignore[union-attr, index]


def test_pooling_before_the_relu_is_the_same_to_the_bit() -> None:
    """Forward and backward, where all that is pooled is below zero, too."""
    batch = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    results = []
    for layers in ((nn.ReLU(), nn.MaxPool2d(2)), (nn.MaxPool2d(2), nn.ReLU())):
        given = batch.clone().requires_grad_()
        said = nn.Sequential(*layers)(given)
        said.square().sum().backward()
        results.append((said.detach(), given.grad))
    assert (results[0][0] == 0).any()
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_off_is_the_network_itself() -> None:
    network = CAERNet(Architecture(2))
    assert compiled(network, Compute()) is network


@pytest.mark.slow
def test_a_compiled_network_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = CAERNet(Architecture(2, streams="face")).eval()
    faster = compiled(network, Compute(compile="default"))
    batch = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(faster(batch, None).logits, network(batch, None).logits)
    assert faster.architecture == network.architecture

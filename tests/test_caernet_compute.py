"""What makes training faster leaves what it computes alone; a device that computes wrongly is
refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from caer_build.caernet import compute as compute_module
from caer_build.caernet import networks
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation, _picked, draw, prepared
from caer_build.caernet.batches import Batch, Batches
from caer_build.caernet.compute import (
    Compute,
    autocast,
    checked,
    compiled,
    described,
    is_bf16,
    lies_on_device,
    placed,
    set_up,
)
from caer_build.caernet.distributed import device_of
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.model import CAERNet
from caer_build.caernet.selfcheck import (
    Convolution,
    Convolve,
    Given,
    convolutions_of,
    wrong_convolutions,
)
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


GIVEN = Given(2, 96, 112)
PAIRS = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 256), (256, 128), (128, 1)]
"""channels in and out of CAER-Net's convolutions"""
Padding = tuple[int, ...]


def right(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    return functional.conv3d(batch.float(), weight.float(), padding=padding).to(batch.dtype)


def without_a_tap(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    kept = torch.ones_like(weight)
    kept[:, :, 0, 0, 0] = 0
    return right(batch, weight * kept, padding)


def shifted(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    return right(batch, weight, padding).roll(1, 2)


class _WrongBackwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, said: Tensor) -> Tensor:  # noqa: ARG004
        return said.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        return grads[0] * 1.1


def wrong_for_the_input(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    return right(_WrongBackwards.apply(batch), weight, padding)


def wrong_for_the_weights(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    return right(batch, _WrongBackwards.apply(weight), padding)


def wrong_as_it_lies(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    """In the layout in which pictures come from the frame store."""
    said = right(batch, weight, padding)
    return said * 1.1 if batch.is_contiguous(memory_format=torch.channels_last_3d) else said


def wrong_in_one_sample(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    said = right(batch, weight, padding)
    return torch.cat([said[:1], said[1:].flip(4)])


def no_number(batch: Tensor, weight: Tensor, padding: Padding) -> Tensor:
    return right(batch, weight, padding) * float("nan")


def test_every_convolution_of_the_network_is_looked_at_in_its_size() -> None:
    found = convolutions_of(Architecture(), Given(32, 96, 112))
    assert {(c.weight[1], c.weight[0]) for c in found.values()} == set(PAIRS)
    assert len(found) == 12
    assert found["context.4"] == Convolution(
        (32, 32, 16, 56, 56), (64, 32, 3, 3, 3), (1, 1, 1), passes_back=True
    )
    assert found["face.16"].batch == (32, 256, 2, 6, 6)
    assert [name for name, c in found.items() if not c.passes_back] == ["face.0", "context.0"]
    assert len(convolutions_of(Architecture(streams="face"), GIVEN)) == 5
    c3d = convolutions_of(networks.preset("c3d", "ours").architecture, GIVEN)
    assert [c.weight[0] for c in c3d.values()] == [64, 128, 256, 256, 512, 512, 512, 512]


def test_right_convolutions_in_bf16_pass() -> None:
    asked = convolutions_of(Architecture(), GIVEN)
    assert wrong_convolutions(asked, CPU, learns=True, convolve=right) == {}


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (without_a_tap, "result"),
        (shifted, "result"),
        (no_number, "result"),
        (wrong_as_it_lies, "result"),
        (wrong_in_one_sample, "result"),
        (wrong_for_the_input, "gradient of the input"),
        (wrong_for_the_weights, "gradient of the weights"),
    ],
)
def test_wrong_convolutions_are_found(wrong: Convolve, what: str) -> None:
    asked = {"a": Convolution((2, 8, 4, 6, 6), (16, 8, 3, 3, 3), (1, 1, 1), passes_back=True)}
    fault = wrong_convolutions(asked, CPU, learns=True, convolve=wrong)["a"]
    assert re.match(r"conv3d in bf16 on cpu .*\(2, 8, 4, 6, 6\).*its .* is .* off", fault)
    assert f"its {what} is" in fault
    forward = wrong_convolutions(asked, CPU, learns=False, convolve=wrong)
    assert bool(forward) == (what == "result"), "whoever is only asked is not looked at backward"


def test_a_gpu_that_computes_wrongly_is_refused_and_a_cpu_computes_that_in_single_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        compute_module, "wrong_convolutions", lambda *_, **__: {"face.4": "conv3d is wrong."}
    )
    network, bf16 = CAERNet(Architecture(streams="face")), Compute(precision="bf16")
    with pytest.raises(DeviceError, match="conv3d is wrong") as caught:
        checked(network, torch.device("cuda"), bf16, GIVEN, learns=True)
    assert "--set compute.precision=fp32" in str(caught.value.remedy)
    gpu = torch.device("cuda")
    assert checked(network, gpu, Compute(precision="fp32"), GIVEN, learns=True) is network
    assert checked(CAERNet(Architecture(2)), gpu, bf16, GIVEN, learns=True) is not None
    before = list(network.state_dict())
    checked(network, CPU, bf16, GIVEN, learns=True)
    assert list(network.state_dict()) == before
    kinds: dict[str, torch.dtype] = {}
    for name in ("face.0", "face.4", "face.8"):
        network.get_submodule(name).register_forward_hook(
            lambda _, __, said, name=name: kinds.__setitem__(name, said.dtype)
        )
    with autocast(CPU, "bf16"):
        network(torch.randn(1, 3, 16, 32, 32), None)
    assert kinds == {"face.0": torch.bfloat16, "face.4": torch.float32, "face.8": torch.bfloat16}


def test_gradients_in_bf16_are_those_of_single_precision() -> None:
    """Of every convolution, up to ReLUs and pools that rounding makes choose otherwise. In torch
    2.13 on a CPU with AVX-512 BF16 those of the last ones are wrong, half of it or more, unless
    they are found and kept in single precision."""
    found = []
    torch.manual_seed(1)
    faces, contexts = torch.randn(2, 3, 16, 32, 32), torch.randn(2, 3, 16, 48, 48)
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        network: nn.Module = CAERNet(Architecture(dropout=0.0)).eval()
        how = Compute(precision=precision)  # type: ignore[arg-type]
        network = checked(placed(network, CPU, how, 3), CPU, how, Given(2, 32, 48), learns=True)
        with autocast(CPU, how.precision):
            logits = network(faces, contexts).logits
        functional.cross_entropy(logits.float(), torch.tensor([0, 3])).backward()
        found.append({n: w.grad for n, w in network.named_parameters() if w.grad.dim() == 5})
    assert len(found[0]) == 12
    for name, exact in found[0].items():
        assert float((found[1][name] - exact).norm() / exact.norm()) < 0.3, name


def test_bf16_is_automatic_where_the_machine_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for can, expected in (
        ({"avx512_f": True}, False),
        ({"avx512_f": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"architecture": "aarch64"}, False),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda can=can: can)
        assert is_bf16(CPU, "auto") == expected
        assert described(Compute(), "cpu", 1)["bf16"] == expected
    assert [is_bf16(CPU, p) for p in ("fp32", "bf16")] == [False, True]
    assert [is_bf16(gpu, p) for p in ("auto", "fp32", "bf16")] == [True, False, True]


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


def test_deterministic_is_a_switch_of_the_process() -> None:
    try:
        set_up(CPU, Compute(deterministic=True))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        set_up(CPU, Compute())
    assert not torch.are_deterministic_algorithms_enabled()


def test_threads_are_as_many_as_asked() -> None:
    set_up(CPU, Compute(threads=2))
    assert torch.get_num_threads() == 2
    set_up(CPU, Compute(threads=1))
    set_up(CPU, Compute())
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


def test_pools_in_bf16_are_those_of_single_precision_to_the_bit() -> None:
    torch.manual_seed(0)
    usual = CAERNet(Architecture(streams="face")).eval()
    other = CAERNet(Architecture(streams="face")).eval()
    other.load_state_dict(usual.state_dict())
    ours = placed(other, CPU, Compute(channels_last=False), 3)
    batch, dtypes, said = torch.randn(2, 3, 16, 32, 32), [], []
    pools = [m for m in ours.modules() if isinstance(m, nn.MaxPool3d)]
    assert len(pools) == 4
    pools[0].register_forward_hook(lambda _, __, pooled: dtypes.append(pooled.dtype))
    for network in (usual, ours):
        with autocast(CPU, "bf16"):
            logits = network(batch, None).logits
        functional.cross_entropy(logits.float(), torch.tensor([0, 3])).backward()
        said.append((logits.detach(), network.get_submodule("face.0").weight.grad))
    assert dtypes == [torch.bfloat16]
    assert all(torch.equal(one, two) for one, two in zip(*said, strict=True))


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

"""No step of training waits for the device: it is given all its work ahead.

Without a GPU a "meta" device stands for one: it computes shapes and has no numbers, so that whoever
reads one fails; and every copy to it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from caer_build.caernet import networks
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.batches import Batches
from caer_build.caernet.compute import Compute
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.regime import Regime
from caer_build.caernet.sources import DeviceSource, MappedSource, Source
from caer_build.caernet.storing import make_store
from caer_build.caernet.train import Plan, one_epoch
from caer_build.dataset.reading import read_dataset
from tests.toy_stills import released_stills

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS = 4
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


class Over(Exception):
    pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """35 pictures to train on: three batches of nine and one of eight."""
    root = released_stills(tmp_path_factory.mktemp("set") / "CAER-S", n_train=5, n_test=1)
    size = StoreSettings(face_px=32, context_width=43, context_height=32)
    return make_store(read_dataset(root), root / "store", size, lambda *_: None)


def sources(store: FrameStore, device: torch.device) -> Iterator[Source]:
    yield MappedSource(store, feeds_gpu=device.type == "cuda")
    yield DeviceSource(store, store.items.part.unique().astype(np.int64), device)


class Copies(TorchDispatchMode):
    """Notes what is copied from the CPU to a device, and whether somebody waits for it."""

    def __init__(self, device: str, waited: list[str]) -> None:
        super().__init__()
        self._device, self._waited, self.n = device, waited, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        given = args[1] if func._schema.name == "aten::copy_" else args[0] if args else None
        if (
            func._schema.name in ("aten::_to_copy", "aten::copy_")
            and made.device.type == self._device
            and given.device.type == "cpu"
        ):
            self.n += 1
            if not kwargs.get("non_blocking", args[2] if len(args) > 2 else False):
                self._waited.append(f"{func} of {tuple(given.shape)} {given.dtype}")
        return made


class Made(TorchFunctionMode):
    """Notes what is made of Python's numbers on a device: it is copied there, and waited for."""

    def __init__(self, device: str, waited: list[str]) -> None:
        super().__init__()
        self._device, self._waited = device, waited

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        is_making = func in (torch.tensor, torch.as_tensor, Tensor.new_tensor)
        if is_making and made.device.type == self._device:
            self._waited.append(f"{func.__name__} {args}")
        return made


def steps(
    store: FrameStore, source: Source, device: str, compute: Compute, regime: Regime, *, tell: Any
) -> None:
    training = Batches(store, "train", regime.batch_size, clips=False, source=source)
    assert len(training) == STEPS
    plan = Plan(Architecture(2), regime, Augmentation(crop=24), device, compute)
    with torch.device(device):
        network = networks.build(plan.architecture)
    optimizer = regime.optimizer_of(network.parameters(), fused=compute.fused)
    one_epoch(network, optimizer, training, plan, 1, tell_step=tell)


@pytest.mark.parametrize("labels", ["hard", "soft"])
@pytest.mark.parametrize("kind", [0, 1], ids=["mapped", "on the device"])
def test_no_step_reads_from_the_device_or_waits_for_a_copy(
    store: FrameStore, labels: str, kind: int
) -> None:
    meta = torch.device("meta")
    copies: list[int] = []
    waited: list[str] = []

    def tell(epoch: int, done: int, n: int) -> None:
        if done == 1:
            # Constants are brought there once.
            waited.clear()
        copies.append(seen.n)
        if done == n:
            raise Over

    regime = Regime(batch_size=9, labels=labels, class_weights="inverse")  # type: ignore[arg-type]
    with Made("meta", waited), Copies("meta", waited) as seen, pytest.raises(Over):
        steps(store, list(sources(store, meta))[kind], "meta",
              Compute(precision="fp32", fused=False), regime, tell=tell)  # fmt: skip
    assert waited == []
    assert len(copies) == STEPS
    assert copies[-1] > copies[0], "copies were looked at"


@GPU
@pytest.mark.parametrize("kind", [0, 1], ids=["mapped", "on the device"])
@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_three_steps_on_a_gpu_wait_for_nothing(store: FrameStore, labels: str, kind: int) -> None:
    """torch itself refuses to wait for the GPU from the end of the first step to that of the
    last."""
    regime = Regime(batch_size=9, labels=labels, class_weights="inverse")  # type: ignore[arg-type]
    modes: list[int] = []

    def tell(epoch: int, done: int, n: int) -> None:
        modes.append(torch.cuda.get_sync_debug_mode())
        torch.cuda.set_sync_debug_mode("error" if done < n else "default")

    source = list(sources(store, torch.device("cuda")))[kind]
    try:
        steps(store, source, "cuda", Compute(), regime, tell=tell)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert modes == [0, 2, 2, 2]

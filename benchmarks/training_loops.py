"""Loops that are timed: ours, as `caer train` runs it, and the one that is usually written."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.training_data import FACE
from caer_build.caernet import networks
from caer_build.caernet.augment import Augmentation, draw, prepared
from caer_build.caernet.batches import Batches
from caer_build.caernet.compute import (
    Compute,
    Precision,
    autocast,
    checked,
    compiled,
    placed,
    set_up,
)
from caer_build.caernet.footage import frames_of
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.model import Inference
from caer_build.caernet.networks import Preset
from caer_build.caernet.objective import Objective
from caer_build.caernet.predicting import infer
from caer_build.caernet.selfcheck import Given
from caer_build.caernet.sources import Source
from caer_build.caernet.streams import streams_of
from caer_build.caernet.train import Plan, one_epoch, source_of
from caer_build.caernet.windows import Windows
from caer_build.records import EMOTIONS, Item

_WINDOWS = Windows()


def synchronise(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long it takes, with all that it started on the device."""
    synchronise(device)
    began = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - began


class _Enough(Exception):
    """An epoch is broken off."""


class Ours:
    """What `caer train` does, of one network and batch size.

    Args:
        source: of the frames, where it is there already.
    """

    def __init__(
        self, store: FrameStore, chosen: Preset, batch: int, device: torch.device, *,
        compute: Compute, source: Source | None = None,
    ) -> None:  # fmt: skip
        architecture = chosen.architecture
        self.device, self.crop = device, chosen.augmentation.crop
        self.plan = Plan(architecture, replace(chosen.regime, batch_size=batch),
                         chosen.augmentation, str(device), compute, chosen.windows)  # fmt: skip
        set_up(device, compute)
        self.training = Batches(
            store, "train", batch, clips=architecture.n_dims == 3,
            source=source or source_of(store, device, compute), windows=chosen.windows,
        )  # fmt: skip
        network = placed(networks.build(architecture), device, compute, architecture.n_dims)
        given = self.plan.given(chosen.store.face_px)
        network = checked(network, device, compute, given, learns=True)
        self.optimizer = self.plan.regime.optimizer_of(network.parameters(), fused=compute.fused)
        self.network = compiled(network, compute)
        self.n_items = len(self.training.items)

    def epoch(self, number: int) -> float:
        """Seconds of an epoch, data path included."""
        return seconds(
            lambda: one_epoch(self.network, self.optimizer, self.training, self.plan, number),
            self.device,
        )

    def beginning(self, n_steps: int) -> Callable[[], None]:
        """An epoch, broken off after so many steps."""

        def stop(_: int, done: int, __: int) -> None:
            if done == n_steps:
                raise _Enough

        def begin() -> None:
            with suppress(_Enough):
                one_epoch(self.network, self.optimizer, self.training, self.plan, 9, tell_step=stop)

        return begin

    def reading(self, number: int) -> float:
        """Seconds in which an epoch's batches come to the device, and nothing else is done."""

        def read() -> None:
            for batch in self.training.epoch(number, 0):
                batch.to(self.device)

        return seconds(read, self.device)

    def steps(self, n: int) -> Callable[[], None]:
        """So many steps on a batch that is there already."""
        batch = next(iter(self.training.epoch(1, 0))).to(self.device)
        objective = Objective(self.training, self.plan.regime, len(EMOTIONS), self.device)
        draws = draw(len(batch.whole), self.plan.augmentation, torch.Generator())
        precision = self.plan.compute.precision
        self.network.train()

        def steps() -> None:
            for _ in range(n):
                self.optimizer.zero_grad(set_to_none=True)
                said = infer(
                    self.network, batch, self.device, self.crop, draws, precision=precision
                )
                torch.autograd.backward(objective(said.logits, batch))
                self.optimizer.step()

        return steps

    def forward(self) -> Inference:
        """Of a batch, as it is asked when training is over."""
        batch = next(iter(self.training.epoch(1, 0)))
        with torch.no_grad():
            return infer(self.network.eval(), batch, self.device, self.crop,
                         precision=self.plan.compute.precision)  # fmt: skip


class StoredWindows(Dataset[tuple[Tensor, Tensor, int]]):
    """A window a sample out of a store, as a Dataset is usually written."""

    def __init__(self, store: FrameStore, *, clips: bool) -> None:
        self._store, self._clips = store, clips
        self._rows = store.items[["part", "first", "n_sampled"]].to_numpy(np.int64)
        self._labels = [EMOTIONS.index(e) for e in store.items.emotion]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        part, first, n = self._rows[index]
        window = (
            _WINDOWS.drawn(int(n), float(np.random.random())) if self._clips else np.zeros(1, int)
        )
        faces, contexts = (
            torch.from_numpy(read(part, first + window))
            for read in (self._store.faces, self._store.contexts)
        )
        label = self._labels[index]
        return (faces, contexts, label) if self._clips else (faces[0], contexts[0], label)


class Decoded(Dataset[tuple[Tensor, Tensor, int]]):
    """A window a sample out of an MP4 file, which is decoded each time."""

    def __init__(self, root: Path, items: list[Item], settings: StoreSettings, n: int) -> None:
        self._root, self._items, self._settings, self._n = root, items, settings, n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        item = self._items[index % len(self._items)]
        shown = [frame.picture for frame in frames_of(self._root, item)]
        window = _WINDOWS.drawn(len(shown), float(np.random.random()))
        streams = [streams_of(shown[k], FACE, (), self._settings) for k in window]
        faces, contexts = (torch.from_numpy(np.stack(s)) for s in zip(*streams, strict=True))
        return faces, contexts, index % len(EMOTIONS)


def loader(data: Dataset[Any], batch: int, workers: int) -> DataLoader[Any]:
    """As it is usually made."""
    return DataLoader(data, batch, shuffle=True, num_workers=workers, pin_memory=workers > 2,
                      persistent_workers=workers > 0)  # fmt: skip


class Plain:
    """An eager loop: autocast, AdamW, layers in the order in which papers name them."""

    def __init__(
        self, chosen: Preset, batches: DataLoader[Any], device: torch.device, precision: Precision
    ) -> None:
        self.device, self.batches, self.crop = device, batches, chosen.augmentation.crop
        self.precision: Precision = precision
        self.how: Augmentation = chosen.augmentation
        network = in_plain_order(networks.build(chosen.architecture)).to(device)
        given = Given(batches.batch_size or 1, chosen.store.face_px, self.crop)
        self.network = checked(network, device, Compute(precision=precision), given, learns=True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), 1e-3, fused=False)

    def epoch(self) -> float:
        """Seconds of an epoch, data path included."""
        return seconds(self._epoch, self.device)

    def steps(self, n: int) -> Callable[[], None]:
        """So many steps on a batch that is there already."""
        batch = [part.to(self.device) for part in next(iter(self.batches))]
        self.network.train()

        def steps() -> None:
            for _ in range(n):
                self._step(*batch)

        return steps

    def _epoch(self) -> None:
        self.network.train()
        for batch in self.batches:
            self._step(*batch)

    def _step(self, faces: Tensor, contexts: Tensor, labels: Tensor) -> float:
        draws = draw(len(labels), self.how, torch.Generator()).to(self.device)
        face = prepared(faces.to(self.device), draws)
        context = prepared(contexts.to(self.device), draws, self.crop)
        with autocast(self.device, self.precision):
            logits = self.network(face.contiguous(), context.contiguous()).logits
        loss = functional.cross_entropy(logits.float(), labels.to(self.device))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def in_plain_order(network: nn.Module) -> nn.Module:
    """The network with each ReLU before its pooling: it computes the same."""
    pools = (nn.MaxPool2d, nn.MaxPool3d)
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            layers = list(module)
            for k in range(len(layers) - 1):
                if isinstance(layers[k], pools) and isinstance(layers[k + 1], nn.ReLU):
                    module[k], module[k + 1] = layers[k + 1], layers[k]
    return network

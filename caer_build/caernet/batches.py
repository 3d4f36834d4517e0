"""Batches out of a frame store, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from caer_build.caernet.framestore import FrameStore
from caer_build.caernet.windows import LENGTH, all_windows, random_window
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS

if TYPE_CHECKING:
    import pandas as pd

_AHEAD = 2


@dataclass(frozen=True)
class Batch:
    """Samples as they are stored; clips (B, T, H, W, 3), stills (B, H, W, 3), uint8 RGB.

    Attributes:
        labels: (B,) places among the emotions.
        soft: (B, 7) soft labels, rows sum to 1; of an item without one its label.
        items: (B,) places in :attr:`Batches.items`.
    """

    faces: Tensor
    contexts: Tensor
    labels: Tensor
    soft: Tensor
    items: Tensor


@dataclass(frozen=True)
class _Sample:
    item: int
    frames: npt.NDArray[np.int64]


class Batches:
    """The samples of a split.

    Args:
        clips: windows of clips; otherwise single frames.
        rank, n_ranks: which share of every batch this process gives, of how many.

    Attributes:
        items: of the split, a row each, as the store has them.

    Raises:
        DatasetError: if the split is empty.
    """

    def __init__(
        self, store: FrameStore, split: str, batch_size: int, *, clips: bool, rank: int = 0,
        n_ranks: int = 1,
    ) -> None:  # fmt: skip
        self._store, self._size, self._clips = store, batch_size, clips
        self._rank, self._n_ranks = rank, n_ranks
        all_items = store.items
        self.items: pd.DataFrame = all_items[all_items.split == split].reset_index(drop=True)
        if not len(self.items):
            raise DatasetError(f"The data set has no item in {split}.", "Split it again.")
        self._places = self.items[["part", "first", "n_sampled"]].to_numpy(np.int64)
        numbers = {emotion: k for k, emotion in enumerate(EMOTIONS)}
        self.labels = torch.tensor([numbers[e] for e in self.items.emotion])
        self._soft = _soft_labels(self.items, self.labels)

    def __len__(self) -> int:
        """Batches an epoch of training."""
        return math.ceil(len(self.items) / self._size)

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        """Every item once, one random window of each, in a random order."""
        rng = np.random.default_rng([seed, number])
        order, draws = rng.permutation(len(self.items)), rng.random(len(self.items))
        samples = [_Sample(int(i), self._window(int(i), draws[i])) for i in order]
        yield from self._read(samples)

    def all_windows(self) -> Iterator[Batch]:
        """Every window of every item, in order; a still is one."""
        samples = []
        for item, (_, _, n_sampled) in enumerate(self._places):
            windows = all_windows(n_sampled) if self._clips else np.zeros((1, 1), np.int64)
            samples += [_Sample(item, window) for window in windows]
        yield from self._read(samples)

    def _window(self, item: int, draw: float) -> npt.NDArray[np.int64]:
        if not self._clips:
            return np.array([int(draw * self._places[item][2])], np.int64)
        return random_window(int(self._places[item][2]), draw)

    def _read(self, samples: Sequence[_Sample]) -> Iterator[Batch]:
        """The batches, a few of them read ahead."""
        mine = [
            samples[k : k + self._size][self._rank :: self._n_ranks]
            for k in range(0, len(samples), self._size)
        ]
        with ThreadPoolExecutor(1) as ahead:
            waiting = [ahead.submit(self._batch, some) for some in mine[:_AHEAD]]
            for number in range(len(mine)):
                ready = waiting.pop(0).result()
                if number + _AHEAD < len(mine):
                    waiting.append(ahead.submit(self._batch, mine[number + _AHEAD]))
                if len(ready.items):
                    yield ready

    def _batch(self, samples: Sequence[_Sample]) -> Batch:
        length = LENGTH if self._clips else 1
        settings = self._store.settings
        faces = np.empty((len(samples), length, settings.face_px, settings.face_px, 3), np.uint8)
        height, width = settings.context_height, settings.context_width
        contexts = np.empty((len(samples), length, height, width, 3), np.uint8)
        for k, sample in enumerate(samples):
            part, first, _ = self._places[sample.item]
            faces[k] = self._store.faces(part, first + sample.frames)
            contexts[k] = self._store.contexts(part, first + sample.frames)
        chosen = torch.tensor([s.item for s in samples], dtype=torch.long)
        if not self._clips:
            faces, contexts = faces[:, 0], contexts[:, 0]
        return Batch(
            torch.from_numpy(faces), torch.from_numpy(contexts), self.labels[chosen],
            self._soft[chosen], chosen,
        )  # fmt: skip


def _soft_labels(items: pd.DataFrame, labels: Tensor) -> Tensor:
    columns = [f"p_{emotion.lower()}" for emotion in EMOTIONS]
    given = torch.tensor(items[columns].to_numpy(np.float64))
    hard = torch.nn.functional.one_hot(labels, len(EMOTIONS)).double()
    known = given.isfinite().all(1, keepdim=True)
    return torch.where(known, given.nan_to_num(), hard).float()

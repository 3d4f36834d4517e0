"""Batches out of a frame store, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from caer_build.caernet.distributed import ALONE, Ranks
from caer_build.caernet.framestore import FrameStore
from caer_build.caernet.sources import MappedSource, Source
from caer_build.caernet.windows import Windows
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS

if TYPE_CHECKING:
    import pandas as pd

_AHEAD = 2
_WINDOWS = Windows()
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Samples as they are stored; clips (B, T, H, W, 3), stills (B, H, W, 3), uint8 RGB.

    Attributes:
        labels: (B,) places among the emotions.
        soft: (B, 7) soft labels, rows sum to 1; of an item without one its label.
        items: (B,) places in :attr:`Batches.items`.
        whole: the items of the whole batch, of which this process may have a share.
    """

    faces: Tensor
    contexts: Tensor
    labels: Tensor
    soft: Tensor
    items: Tensor
    whole: Tensor

    def to(self, device: torch.device) -> Batch:
        """On a device, all but ``whole``; from pinned memory nobody waits for it."""
        names = ("faces", "contexts", "labels", "soft", "items")
        moved = {n: getattr(self, n).to(device, non_blocking=True) for n in names}
        return replace(self, **moved)


class Batches:
    """The samples of a split.

    Args:
        clips: windows of clips; otherwise single frames.
        rank, n_ranks: which share of every batch this process gives, of how many.
        source: of the frames; by default the store's files.
        windows: how clips become samples.

    Attributes:
        items: of the split, a row each, as the store has them.
        labels: (items,) places among the emotions.
        soft: (items, 7).

    Raises:
        DatasetError: if the split is empty.
    """

    def __init__(
        self, store: FrameStore, split: str, batch_size: int, *, clips: bool, rank: int = 0,
        n_ranks: int = 1, source: Source | None = None, windows: Windows = _WINDOWS,
    ) -> None:  # fmt: skip
        self._size, self._clips = batch_size, clips
        self.windows = windows
        self.ranks = Ranks(rank, n_ranks) if n_ranks > 1 else ALONE
        self._source = source or MappedSource(store)
        all_items = store.items
        self.items: pd.DataFrame = all_items[all_items.split == split].reset_index(drop=True)
        if not len(self.items):
            raise DatasetError(f"The data set has no item in {split}.", "Split it again.")
        self._parts, self._firsts, self._counts = (
            self.items[name].to_numpy(np.int64) for name in ("part", "first", "n_sampled")
        )
        numbers = {emotion: k for k, emotion in enumerate(EMOTIONS)}
        self.labels = torch.tensor([numbers[e] for e in self.items.emotion])
        self.soft = _soft_labels(self.items, self.labels)

    def __len__(self) -> int:
        """Batches an epoch of training."""
        return math.ceil(len(self.items) / self._size)

    @property
    def window(self) -> int:
        """Frames of a sample."""
        return self.windows.length if self._clips else 1

    @property
    def padded(self) -> npt.NDArray[np.float64]:
        """Of each item the share of a window's frames that are there because it is short."""
        lacking: npt.NDArray[np.float64] = np.maximum(0, self.window - self._counts) / self.window
        return lacking

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        """Every item once, one random window of each, in a random order."""
        rng = np.random.default_rng([seed, number])
        order, draws = rng.permutation(len(self.items)), rng.random(len(self.items))
        windows = self.windows.drawn_of(self._counts[order], draws, self.window)
        yield from self._read(order, windows)

    def all_windows(self) -> Iterator[Batch]:
        """Every window of every item, in order; a still is one."""
        yield from self._read(*self.windows.every_of(self._counts, self.window))

    def _read(self, items: Indices, windows: Indices) -> Iterator[Batch]:
        """The batches, a few of them read ahead."""
        begins = range(0, len(items), self._size)
        with ThreadPoolExecutor(1) as ahead:
            waiting = [ahead.submit(self._batch, items, windows, k) for k in begins[:_AHEAD]]
            for number in range(len(begins)):
                ready = waiting.pop(0).result()
                if number + _AHEAD < len(begins):
                    begin = begins[number + _AHEAD]
                    waiting.append(ahead.submit(self._batch, items, windows, begin))
                yield ready

    def _batch(self, items: Indices, windows: Indices, begin: int) -> Batch:
        whole = items[begin : begin + self._size]
        share = slice(self.ranks.rank, None, self.ranks.n)
        mine = whole[share]
        frames = windows[begin : begin + self._size][share] + self._firsts[mine][:, None]
        faces, contexts = self._source.frames(self._parts[mine], frames)
        if not self._clips:
            faces, contexts = faces[:, 0], contexts[:, 0]
        chosen = torch.from_numpy(mine)
        labels, soft, places = (
            each.pin_memory() if self._source.feeds_gpu else each
            for each in (self.labels[chosen], self.soft[chosen], chosen)
        )
        return Batch(faces, contexts, labels, soft, places, torch.from_numpy(whole))


def _soft_labels(items: pd.DataFrame, labels: Tensor) -> Tensor:
    columns = [f"p_{emotion.lower()}" for emotion in EMOTIONS]
    given = torch.tensor(items[columns].to_numpy(np.float64))
    hard = torch.nn.functional.one_hot(labels, len(EMOTIONS)).double()
    known = given.isfinite().all(1, keepdim=True)
    return torch.where(known, given.nan_to_num(), hard).float()

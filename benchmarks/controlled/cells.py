"""What is trained, what is compared with what, and with how much effort: the same for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from benchmarks.controlled.setting import SETTINGS, Setting, setting
from caer_build.caernet.architecture import Architecture, Streams
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.compute import Compute
from caer_build.caernet.framestore import Hide, StoreSettings
from caer_build.caernet.regime import Regime
from caer_build.caernet.train import Plan


@dataclass(frozen=True)
class Cell:
    """A network that is trained in a world.

    Attributes:
        world: the setting that its samples are drawn by.
        attention, fusion: of the context, of the streams; where there is one.
        hide: which faces the context is without.
    """

    name: str
    world: str = "main"
    streams: Streams = "both"
    attention: bool = True
    fusion: bool = True
    hide: Hide = "target"

    @property
    def is_of_clips(self) -> bool:
        return SETTINGS[self.world].n_frames > 1

    @property
    def architecture(self) -> Architecture:
        n_dims = 3 if self.is_of_clips else 2
        return Architecture(
            n_dims, self.streams, context_attention=self.attention, fusion_attention=self.fusion
        )


CELLS = (
    Cell("face", streams="face"),
    Cell("context", streams="context"),
    Cell("both"),
    Cell("both, no attention", attention=False),
    Cell("both, no fusion weights", fusion=False),
    Cell("context, no attention", streams="context", attention=False),
    Cell("both, nothing hidden", hide="none"),
    Cell("both, all faces hidden", hide="all"),
    Cell("face, not placed", "unplaced", streams="face"),
    Cell("cue says nothing: context", "uninformative", streams="context"),
    Cell("cue says nothing: both", "uninformative"),
    Cell("mask only: context", "mask-only", streams="context"),
    Cell("cue everywhere: context", "whole-frame", streams="context"),
    Cell("cue everywhere: context, no attention", "whole-frame", streams="context",
         attention=False),
    Cell("motion: face", "motion", streams="face"),
    Cell("motion: context", "motion", streams="context"),
    Cell("motion: both", "motion"),
    Cell("motion frozen: context", "frozen", streams="context"),
)  # fmt: skip
"""cells of the same samples stand together, so that these can be deleted soon"""
CONTRASTS = (
    ("both", "face"),
    ("both", "context"),
    ("both", "both, no attention"),
    ("context", "context, no attention"),
    ("both", "both, no fusion weights"),
    ("both", "both, nothing hidden"),
    ("both", "both, all faces hidden"),
    ("cue says nothing: both", "face"),
    ("cue everywhere: context", "cue everywhere: context, no attention"),
    ("motion: both", "motion: face"),
    ("motion: both", "motion: context"),
    ("motion: context", "motion frozen: context"),
)
"""one minus the other, on the same test samples"""


@dataclass(frozen=True)
class Effort:
    """How much is spent on every cell.

    Attributes:
        px: side of the pictures; face_px, context_px: of the streams as stored; crop: of the
            context that a network sees.
        counts: samples of each split; and clip_counts, of clips.
        rates: learning rates; the first seed is trained with each, and the one that is best by
            validation holds for the other seeds. One rate is no search.
        cue_sides: of the cues, see :class:`Setting`.
        only: names of the cells that are run; none: all.
    """

    name: Literal["full", "reduced", "tiny"]
    px: int
    face_px: int
    context_px: int
    crop: int
    counts: Mapping[str, int] = field(hash=False)
    epochs: int
    batch_size: int
    rates: tuple[float, ...]
    n_seeds: int
    clip_counts: Mapping[str, int] = field(hash=False)
    cue_sides: tuple[float, float] = (0.14, 0.32)
    only: tuple[str, ...] = ()

    def world(self, name: str) -> Setting:
        """What the samples of a world are drawn by."""
        return replace(setting(name, self.px), cue_sides=self.cue_sides)

    def counts_of(self, cell: Cell) -> Mapping[str, int]:
        """Samples of each split."""
        return self.clip_counts if cell.is_of_clips else self.counts

    def store_settings(self, cell: Cell) -> StoreSettings:
        """What a cell's streams are stored as."""
        side = self.context_px
        return StoreSettings(
            hide=cell.hide, face_px=self.face_px, context_width=side, context_height=side
        )

    def plan(self, cell: Cell, rate: float, seed: int, device: str) -> Plan:
        """How a network of a cell is trained."""
        regime = Regime(epochs=self.epochs, batch_size=self.batch_size, lr=rate, seed=seed)
        augmentation = Augmentation(crop=self.crop)
        return Plan(cell.architecture, regime, augmentation, device, compute_on(device))


def compute_on(device: str) -> Compute:
    """How fast a cell is computed: on a CPU with one thread, as several run beside each other."""
    return Compute(threads=1) if torch.device(device).type == "cpu" else Compute()


FULL = Effort(
    "full", 256, 96, 128, 112, {"train": 40_000, "validation": 4_000, "test": 10_000},
    epochs=20, batch_size=128, rates=(3e-4, 1e-3, 3e-3), n_seeds=5,
    clip_counts={"train": 8_000, "validation": 1_000, "test": 4_000},
)  # fmt: skip
REDUCED = Effort(
    "reduced", 128, 48, 72, 64, {"train": 90_000, "validation": 2_000, "test": 10_000},
    epochs=2, batch_size=32, rates=(3e-4,), n_seeds=1,
    clip_counts={"train": 500, "validation": 100, "test": 500}, cue_sides=(0.3, 0.5),
    only=("face", "context", "both", "both, no attention", "both, no fusion weights",
          "context, no attention", "both, nothing hidden", "cue says nothing: both",
          "mask only: context", "cue everywhere: context",
          "cue everywhere: context, no attention"),
)  # fmt: skip
"""Some 5,200 seconds of a core that has bf16, by counting: one of them trains 865 samples of the
face, 509 of the context, 329 of both, and draws 1,000. What is chosen here is of pilots that were
judged by the training and validation splits. At 6e-4 and 1e-3 faces and cues are learnt no faster
than at 3e-4, at 1.5e-3 cues of neither size are. Four epochs of 30,000 samples were too few for
both streams (0.528 on validation, and 0.600 on what they were trained on, where the context alone
came to 0.539): so every cell has half as many steps again, and most of them on new samples."""
TINY = Effort(
    "tiny", 64, 32, 36, 32, {"train": 48, "validation": 21, "test": 42},
    epochs=1, batch_size=16, rates=(1e-3, 2e-3), n_seeds=2,
    clip_counts={"train": 16, "validation": 7, "test": 14},
)  # fmt: skip
"""to see that everything runs"""

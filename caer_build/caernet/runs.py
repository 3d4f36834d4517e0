"""A finished run, opened to be used: its settings and the network of its best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caer_build.caernet import checkpoint, networks
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.regime import Regime
from caer_build.caernet.train import Plan
from caer_build.caernet.windows import Windows
from caer_build.errors import CheckpointError

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class TrainedRun:
    """A run.

    Attributes:
        folder: of the run.
        plan: what was trained, and how.
        best: number of the epoch whose weights are taken: the best by validation.
        said: all of ``run.json``.
    """

    folder: Path
    plan: Plan
    best: int
    said: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> TrainedRun:
        """Open a run.

        Raises:
            CheckpointError: if the folder is none, or another version wrote it.
        """
        said = checkpoint.read_run(folder)
        try:
            plan = said["plan"]
            made = Plan(
                networks.settings_of(plan["model"], plan["architecture"]),
                Regime(**plan["regime"]),
                Augmentation(**plan["augmentation"]),
                windows=Windows(**plan["windows"]),
            )
            return cls(folder, made, said["best"], said)
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{folder / checkpoint.RUN} is not as this version writes it: {error}.",
                "Use the version of caer-build that trained it.",
            ) from error

    @property
    def store(self) -> StoreSettings:
        """How its frame store was made.

        Raises:
            CheckpointError: if it does not say so.
        """
        if "store" not in self.said:
            raise CheckpointError(f"{self.folder} does not say how its frames were stored.")
        return StoreSettings(**self.said["store"])

    @property
    def data(self) -> dict[str, Any]:
        """What it was trained on; empty where it does not say."""
        said: dict[str, Any] = self.said.get("data", {})
        return said

    def network(self, device: torch.device) -> nn.Module:
        """The network of the best epoch, on a device, in evaluation mode.

        Raises:
            CheckpointError: if its weights cannot be read.
        """
        network = networks.build(self.plan.architecture)
        checkpoint.load_weights(self.folder / checkpoint.BEST, network)
        return network.to(device).eval()

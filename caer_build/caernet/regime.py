"""How a network is trained: every number in one place, with presets.

The paper gives a learning rate, its drops and a batch size (section 5.1). What it does not say is
filled in and marked so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn

from caer_build.errors import RecipeError

_CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "schedule": ("steps", "cosine"),
    "labels": ("hard", "soft"),
    "class_weights": ("none", "inverse", "root"),
}


@dataclass(frozen=True)
class Regime:
    """A way to train.

    Attributes:
        epochs: at most.
        batch_size: samples a step.
        lr: learning rate at its highest.
        schedule: "steps": times 0.1 every ``drop_every`` epochs; "cosine": up over the first
            ``warm_up`` share of all steps, then down to 0.
        labels: "soft": the share of the votes, or the rule's posterior, where an item has one.
        class_weights: of the loss: "inverse" to a class's number of items, its "root", or none.
        patience: epochs without a better validation score after which it ends; 0: never.
        seed: of weights, order, windows and augmentation.

    Raises:
        RecipeError: if it cannot be followed.
    """

    epochs: int = 30
    batch_size: int = 32
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.05
    schedule: Literal["steps", "cosine"] = "cosine"
    drop_every: int = 4
    warm_up: float = 0.05
    labels: Literal["hard", "soft"] = "hard"
    class_weights: Literal["none", "inverse", "root"] = "none"
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"Expected {name} to be one of {', '.join(known)}, "
                    f"found {getattr(self, name)!r}."
                )
        if min(self.epochs, self.batch_size, self.drop_every) < 1 or self.lr <= 0:
            raise RecipeError(
                "Expected at least one epoch, a batch of one and a learning rate above 0, found "
                f"{self.epochs}, {self.batch_size} and {self.lr}."
            )

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)

    @property
    def is_of_its_length(self) -> bool:
        """Whether the learning rate of a step depends on how many epochs are planned: then a run
        that is made longer is not the run that was planned as long from the beginning."""
        return self.schedule == "cosine"

    def lr_at(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of a step, counted from 0 through all epochs."""
        if self.schedule == "steps":
            return self.lr * 0.1 ** (step // steps_per_epoch // self.drop_every)
        n_steps = self.epochs * steps_per_epoch
        n_warm = max(1, round(self.warm_up * n_steps))
        if step < n_warm:
            return self.lr * (step + 1) / n_warm
        share = (step - n_warm) / max(1, n_steps - n_warm)
        return self.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))

    def optimizer_of(
        self, weights: Iterable[nn.Parameter], *, fused: bool = True
    ) -> torch.optim.Optimizer:
        """The optimizer of the weights that learn; its learning rate is set at every step.

        Args:
            fused: in one kernel.
        """
        learning, decay = [w for w in weights if w.requires_grad], self.weight_decay
        if self.optimizer == "sgd":
            return torch.optim.SGD(
                learning, self.lr, self.momentum, weight_decay=decay, fused=fused
            )
        return torch.optim.AdamW(learning, self.lr, weight_decay=decay, fused=fused)


def preset(name: str) -> Regime:
    """``paper``: SGD, 5e-3, a tenth every 4 epochs, batches of 32; momentum 0.9, 16 epochs and no
    weight decay are our fill-ins. ``ours``: AdamW and a cosine with warm-up.

    Raises:
        RecipeError: if there is no such preset.
    """
    if name == "ours":
        return Regime()
    if name == "paper":
        return Regime(epochs=16, optimizer="sgd", lr=5e-3, weight_decay=0.0, schedule="steps")
    raise RecipeError(f"No preset {name!r}.", "There are ours and paper.")

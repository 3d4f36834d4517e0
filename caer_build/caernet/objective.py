"""What training makes small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from caer_build.caernet.batches import Batch, Batches
    from caer_build.caernet.regime import Regime


class Objective:
    """Cross entropy with labels or label distributions, and weights of classes.

    It is the mean over a whole batch: of several processes each has the share of its own items,
    and the shares add up to it.
    """

    def __init__(
        self, training: Batches, regime: Regime, n_classes: int, device: torch.device
    ) -> None:
        self._labels, self._soft = training.labels, regime.labels == "soft"
        self._weights = class_weights(training.labels, regime, n_classes)
        self._weights_there = self._weights.to(device)

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The share of a batch's loss that its items here have; a scalar.

        Args:
            logits: (B, classes) of the batch's items.
            batch: on the device of the logits.
        """
        wanted = batch.soft if self._soft else batch.labels
        total = functional.cross_entropy(
            logits.float(), wanted, weight=self._weights_there, reduction="sum"
        )
        # As torch has it: the mean of label distributions is over items, that of labels over
        # their weights.
        if self._soft:
            return total / len(batch.whole)
        return total / float(self._weights[self._labels[batch.whole]].sum())


def class_weights(labels: Tensor, regime: Regime, n_classes: int) -> Tensor:
    """One a class, (classes,); of mean 1 over the items.

    Args:
        labels: (items,) of training.
    """
    counts = torch.bincount(labels, minlength=n_classes).clamp(min=1).double()
    power = {"none": 0.0, "root": 0.5, "inverse": 1.0}[regime.class_weights]
    weights = counts**-power
    return (weights / weights[labels].mean()).float()

"""What a network says of every item of a split: the mean over its windows (section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from caer_build.caernet.augment import prepared
from caer_build.caernet.batches import Batch, Batches
from caer_build.caernet.compute import Precision, autocast
from caer_build.caernet.model import Inference
from caer_build.errors import CheckpointError, IntegrityError

if TYPE_CHECKING:
    from caer_build.caernet.augment import Draws


@dataclass(frozen=True)
class Answers:
    """What a network says of items.

    Attributes:
        probabilities: (items, classes) float64 on the CPU: the mean of the softmax over an item's
            windows.
        fusion: (items, 2): the mean weights of face and context; None: the network has none.
        n_windows: (items,).
    """

    probabilities: Tensor
    fusion: Tensor | None
    n_windows: Tensor


def infer(
    network: nn.Module,
    batch: Batch,
    device: torch.device,
    crop: int,
    draws: Draws | None = None,
    *,
    precision: Precision = "auto",
) -> Inference:
    """A network's inference of a stored batch.

    Args:
        crop: px of the square that is taken of the context.
        draws: of training; None: nothing is changed, and the crop is in the middle.
    """
    architecture: Any = network.architecture
    drawn = None if draws is None else draws.to(device)
    faces = contexts = None
    if architecture.has_face:
        faces = prepared(batch.faces.to(device, non_blocking=True), drawn)
    if architecture.has_context:
        contexts = prepared(batch.contexts.to(device, non_blocking=True), drawn, crop)
    with autocast(device, precision):
        said: Inference = network(faces, contexts)
    return said


def predict(
    network: nn.Module,
    batches: Batches,
    device: torch.device,
    crop: int,
    precision: Precision = "auto",
) -> Tensor:
    """The probabilities of every item, (items, classes), see :class:`Answers`.

    Raises:
        CheckpointError: if the network says something that is no number.
    """
    return answers(network, batches, device, crop, precision).probabilities


@torch.no_grad()
def answers(
    network: nn.Module,
    batches: Batches,
    device: torch.device,
    crop: int,
    precision: Precision = "auto",
) -> Answers:
    """Everything that a network says of every item; of several processes each does its share.

    Raises:
        CheckpointError: if the network says something that is no number.
        IntegrityError: if an item was left out.
    """
    network.eval()
    n_items = len(batches.items)
    sums: Tensor | None = None
    for batch in batches.all_windows():
        said = infer(network, batch, device, crop, precision=precision)
        one = torch.ones(len(batch.items), 1, dtype=torch.float64, device=device)
        columns = [one, torch.softmax(said.logits.double(), 1)]
        if said.fusion is not None:
            columns.append(said.fusion.double())
        each = torch.cat(columns, 1)
        if sums is None:
            sums = torch.zeros(n_items, each.shape[1], dtype=torch.float64, device=device)
        sums.index_add_(0, batch.items.to(device), each)
    if sums is None:
        raise IntegrityError("There was no window to look at.", "Make the frame store again.")
    whole = batches.ranks.summed(sums).cpu()
    architecture: Any = network.architecture
    n_windows, n_classes = whole[:, 0], architecture.n_classes
    if not (n_windows > 0).all():
        raise IntegrityError(
            f"Expected an answer for each of {n_items} items, found "
            f"{int((n_windows > 0).sum())}.", "Make the frame store again."
        )  # fmt: skip
    means = whole[:, 1:] / n_windows[:, None]
    if not means.isfinite().all():
        raise CheckpointError(
            f"The network says {int((~means.isfinite().all(1)).sum())} times what is no number.",
            "Train it again with a lower learning rate.",
        )
    fusion = means[:, n_classes:] if means.shape[1] > n_classes else None
    return Answers(means[:, :n_classes], fusion, n_windows.long())

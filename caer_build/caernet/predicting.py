"""What a network says of every item of a split: the mean over its windows (section 5.1)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from caer_build.caernet.augment import prepared
from caer_build.caernet.batches import Batch, Batches
from caer_build.caernet.model import CAERNet, Inference
from caer_build.errors import CheckpointError

if TYPE_CHECKING:
    from caer_build.caernet.augment import Draws


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bf16 on a GPU; on the CPU single precision, as many have no bf16 units."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


def infer(
    network: CAERNet, batch: Batch, device: torch.device, crop: int, draws: Draws | None = None
) -> Inference:
    """A network's inference of a stored batch.

    Args:
        crop: px of the square that is taken of the context.
        draws: of training; None: nothing is changed, and the crop is in the middle.
    """
    faces = contexts = None
    if network.architecture.has_face:
        faces = prepared(batch.faces.to(device, non_blocking=True), draws)
    if network.architecture.has_context:
        contexts = prepared(batch.contexts.to(device, non_blocking=True), draws, crop)
    with autocast(device):
        said: Inference = network(faces, contexts)
    return said


@torch.no_grad()
def predict(network: CAERNet, batches: Batches, device: torch.device, crop: int) -> Tensor:
    """The probabilities of every item, (items, classes), float64 on the CPU: the mean of the
    softmax over its windows.

    Raises:
        CheckpointError: if the network says something that is no number.
    """
    network.eval()
    n_classes = network.architecture.n_classes
    sums = torch.zeros(len(batches.items), n_classes, dtype=torch.float64)
    counts = torch.zeros(len(batches.items), 1, dtype=torch.float64)
    for batch in batches.all_windows():
        logits = infer(network, batch, device, crop).logits
        sums.index_add_(0, batch.items, torch.softmax(logits.double(), 1).cpu())
        counts.index_add_(0, batch.items, torch.ones(len(batch.items), 1, dtype=torch.float64))
    means = sums / counts
    if not means.isfinite().all():
        raise CheckpointError(
            f"The network says {int((~means.isfinite().all(1)).sum())} times what is no number.",
            "Train it again with a lower learning rate.",
        )
    return means

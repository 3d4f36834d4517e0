"""What a network says of every item of a split: the mean over its windows (section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from caer_build.caernet.augment import prepared
from caer_build.caernet.baselines import Baseline
from caer_build.caernet.batches import Batch, Batches
from caer_build.caernet.compute import Precision, autocast
from caer_build.caernet.grad_cam import as_shares, grad_cam
from caer_build.caernet.model import Inference
from caer_build.errors import CheckpointError, IntegrityError

if TYPE_CHECKING:
    from caer_build.caernet.augment import Draws


@dataclass(frozen=True)
class Answers:
    """What a network says of items.

    Attributes:
        probabilities: (items, classes) float64 on the CPU: the mean of the softmax over an item's
            windows, or the softmax of the mean, as the run's windows say.
        fusion: (items, 2): the mean weights of face and context; None: the network has none.
        attention: (items, h, w): where it looked, each map sums to 1, the mean over windows and
            time; of a baseline by Grad-CAM of what it says. None: nobody asked, or a CAER-Net
            without attention.
        n_windows: (items,).
    """

    probabilities: Tensor
    fusion: Tensor | None
    attention: Tensor | None
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
        batch: is brought to the device where it does not lie there.
        crop: px of the square that is taken of the context.
        draws: of training; None: nothing is changed, and the crop is in the middle.
        precision: other than "fp32" of a network that was
            :func:`~caer_build.caernet.compute.checked`.
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
    *,
    with_attention: bool = False,
) -> Answers:
    """Everything that a network says of every item; of several processes each does its share.

    Raises:
        CheckpointError: if the network says something that is no number.
        IntegrityError: if an item was left out.
    """
    network.eval()
    averaged = batches.windows.mean_of
    sums: dict[str, Tensor] = {}
    for read in batches.all_windows():
        batch = read.to(device)
        said = infer(network, batch, device, crop, precision=precision)
        found = {
            "windows": torch.ones(len(batch.items), dtype=torch.float64, device=device),
            "said": of_logits(said.logits) if averaged == "probabilities" else said.logits,
            "fusion": said.fusion,
            "attention": _looked(network, batch, said, crop) if with_attention else None,
        }
        for name, values in found.items():
            if values is None:
                continue
            if name not in sums:
                sums[name] = _nothing(len(batches.items), values)
            sums[name].index_add_(0, batch.items, values.double())
    if not sums:
        raise IntegrityError("There was no window to look at.", "Make the frame store again.")
    sums = {name: batches.ranks.summed(values).cpu() for name, values in sums.items()}
    n_windows = sums.pop("windows")
    if not (n_windows > 0).all():
        raise IntegrityError(
            f"Expected an answer for each of {len(n_windows)} items, found "
            f"{int((n_windows > 0).sum())}.", "Make the frame store again."
        )  # fmt: skip
    means = {k: v / n_windows.view(-1, *[1] * (v.dim() - 1)) for k, v in sums.items()}
    probabilities = means["said"] if averaged == "probabilities" else of_logits(means["said"])
    if not probabilities.isfinite().all():
        raise CheckpointError(
            f"The network says {int((~probabilities.isfinite().all(1)).sum())} times what is no "
            "number.", "Train it again with a lower learning rate.",
        )  # fmt: skip
    return Answers(probabilities, means.get("fusion"), means.get("attention"), n_windows.long())


def of_logits(logits: Tensor) -> Tensor:
    """The probabilities, in double precision."""
    return torch.softmax(logits.double(), 1)


def _nothing(n_items: int, values: Tensor) -> Tensor:
    """Zeros to add the values of a batch's windows to, a row an item."""
    return torch.zeros(n_items, *values.shape[1:], dtype=torch.float64, device=values.device)


def _looked(network: nn.Module, batch: Batch, said: Inference, crop: int) -> Tensor | None:
    maps = said.attention
    if isinstance(network, Baseline):
        context = prepared(batch.contexts, None, crop)
        maps = grad_cam(network, context, said.logits.argmax(1))
    return None if maps is None else as_shares(maps.double())

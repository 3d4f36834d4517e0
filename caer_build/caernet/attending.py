"""Where a network looks, and which stream it trusts: for figures, and as numbers.

::

    attention (n, H', W') over the crop      a position stands for its square of the crop
    boxes     (n, 4) px of the crop          mass on a box: what lies in it, squares cut at its edge
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from caer_build.caernet.augment import prepared
from caer_build.caernet.baselines import Baseline
from caer_build.caernet.grad_cam import as_shares, grad_cam
from caer_build.caernet.predicting import infer

if TYPE_CHECKING:
    from caer_build.caernet.batches import Batches
    from caer_build.caernet.framestore import StoreSettings


@dataclass(frozen=True)
class Insights:
    """What a network says of each item of a split, and on what grounds; means over its windows.

    Attributes:
        probabilities: (n, classes) float64.
        attention: (n, H', W'), each map sums to 1; mean over time, too. Of a baseline Grad-CAM
            of what it says. None of a CAER-Net without context attention.
        fusion: (n, 2), the weights of face and context. None without fusion attention.
    """

    probabilities: Tensor
    attention: Tensor | None
    fusion: Tensor | None


@torch.no_grad()
def insights(network: nn.Module, batches: Batches, device: torch.device, crop: int) -> Insights:
    """What a network says of every item of a split, and on what grounds."""
    network.eval()
    n = len(batches.items)
    counts = torch.zeros(n, dtype=torch.float64)
    sums: dict[str, Tensor] = {}
    for batch in batches.all_windows():
        said = infer(network, batch, device, crop)
        counts.index_add_(0, batch.items, torch.ones(len(batch.items), dtype=torch.float64))
        found = {"probabilities": torch.softmax(said.logits.double(), 1), "fusion": said.fusion}
        maps = said.attention
        if isinstance(network, Baseline):
            context = prepared(batch.contexts.to(device), None, crop)
            maps = grad_cam(network, context, said.logits.argmax(1))
        found["attention"] = None if maps is None else as_shares(maps.double())
        for name, values in found.items():
            if values is not None:
                whole = sums.setdefault(
                    name, torch.zeros(n, *values.shape[1:], dtype=torch.float64)
                )
                whole.index_add_(0, batch.items, values.double().cpu())
    means = {k: v / counts.view(-1, *[1] * (v.dim() - 1)) for k, v in sums.items()}
    return Insights(means["probabilities"], means.get("attention"), means.get("fusion"))


def in_crop(boxes: Tensor, frame_wh: Tensor, settings: StoreSettings, crop: int) -> Tensor:
    """Boxes of frames as boxes of the crop in the middle of their contexts, (n, 4) px.

    Args:
        boxes: (n, 4) xyxy px of the frame.
        frame_wh: (n, 2) px.
        crop: px of the square that a network sees of the context.
    """
    stored = torch.tensor([settings.context_width, settings.context_height], dtype=torch.float64)
    scale = (stored / frame_wh.double()).repeat(1, 2)
    corner = torch.div(stored - crop, 2, rounding_mode="floor").repeat(2)
    return (boxes.double() * scale - corner).clamp(0, crop)


def mass_on(attention: Tensor, boxes: Tensor, crop: int) -> Tensor:
    """How much of each map lies in its box, (n,), [0, 1].

    Args:
        attention: (n, H', W'), each sums to 1.
        boxes: (n, 4) xyxy px of the crop.
    """
    rows = _covered(attention.shape[1], boxes[:, 1], boxes[:, 3], crop)
    columns = _covered(attention.shape[2], boxes[:, 0], boxes[:, 2], crop)
    return torch.einsum("nhw,nh,nw->n", attention.double(), rows, columns)


def area_of(boxes: Tensor, crop: int) -> Tensor:
    """What share of the crop a box is, (n,): the mass on it of a map that is even everywhere."""
    sides = (boxes[:, 2:] - boxes[:, :2]).double()
    return sides.prod(1) / crop**2


def _covered(n_cells: int, begin: Tensor, end: Tensor, crop: int) -> Tensor:
    """What share of each of the cells of a side lies between two lines, (n, cells)."""
    edges = torch.linspace(0, crop, n_cells + 1, dtype=torch.float64)
    first = torch.maximum(edges[:-1], begin.double()[:, None])
    last = torch.minimum(edges[1:], end.double()[:, None])
    return (last - first).clamp(min=0) / (crop / n_cells)

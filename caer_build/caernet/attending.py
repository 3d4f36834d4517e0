"""How much of its attention a network gives to a face.

::

    attention (n, H', W') over the crop      a position stands for its square of the crop
    boxes     (n, 4) px of the crop          mass on a box: what lies in it, squares cut at its edge
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

    from caer_build.caernet.bootstrap import Interval
    from caer_build.caernet.framestore import FrameStore, StoreSettings


@dataclass(frozen=True)
class Looking:
    """How much a network looks at the target's face, over the items that have one.

    Attributes:
        by: how it is known: "attention" or "Grad-CAM".
        n_seeds: runs over which the share of each item is averaged.
        on_face: mean share of the attention that lies on the face's box.
        even: mean share of the picture that the box is: what even attention would leave there.
    """

    by: str
    n_seeds: int
    on_face: Interval
    even: Interval

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


def target_boxes(store: FrameStore, items: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """The target's mean box over the stored frames of each item, and how large its frames are.

    Args:
        items: rows of :attr:`FrameStore.items`.

    Returns:
        boxes: (n, 4) xyxy px, float64; NaN of an item in which the target has no box.
        sizes: (n, 2) width and height, px.
    """
    boxes = np.full((len(items), 4), np.nan)
    places = (items[name].tolist() for name in ("part", "first", "n_sampled"))
    for k, (part, first, n) in enumerate(zip(*places, strict=True)):
        mine = store.boxes(part, np.arange(first, first + n))
        there = mine[~np.isnan(mine[:, 0])]
        if len(there):
            boxes[k] = there.mean(0, dtype=np.float64)
    sizes = items[["frame_width", "frame_height"]].to_numpy(np.float64, copy=True)
    return torch.from_numpy(boxes), torch.from_numpy(sizes)


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

"""Where the target's face is in an item: for what is said about attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caer_build.caernet.face_boxes import packed
from caer_build.caernet.footage import frames_of
from caer_build.dataset.reading import Dataset
from caer_build.records import Item


def target_boxes(dataset: Dataset, item_ids: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The target's mean box in each item, and how large its frames are.

    Returns:
        boxes: (n, 4) xyxy px, float64; NaN of an item without a target's box.
        sizes: (n, 2) width and height, px.
    """
    items = {item.item_id: item for item in dataset.items}
    faces = packed(dataset.faces())
    boxes = np.full((len(item_ids), 4), np.nan)
    sizes = np.zeros((len(item_ids), 2))
    for k, item_id in enumerate(item_ids):
        sizes[k] = _size(dataset, items[item_id])
        mine = faces.get(item_id)
        if mine is not None and mine.is_target.any():
            boxes[k] = mine.xyxy[mine.is_target].mean(0)
    return torch.from_numpy(boxes), torch.from_numpy(sizes)


def _size(dataset: Dataset, item: Item) -> tuple[int, int]:
    """What the data set says; where it does not, its first frame is looked at."""
    if item.width is not None and item.height is not None:
        return item.width, item.height
    first = next(iter(frames_of(dataset.root, item)))
    height, width = first.picture.shape[:2]
    return width, height

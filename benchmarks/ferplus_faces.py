"""The faces of FER+ (Barsoum et al. 2016) with their votes, and who counts as what.

FER2013's 48x48 px grey faces, ten votes each, in FER+'s own three splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.data import test_data
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.dataset.reading.ferplus import CATEGORIES, FLAGS, SIDE
from caer_build.errors import DatasetError

CLASSES = tuple(name for name in CATEGORIES if name not in FLAGS)
"""the seven emotions in their order, then contempt"""
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Faces:
    """The faces of a split.

    Attributes:
        pictures: (n, 48, 48) uint8, grey.
        votes: (n, 10) counts, columns as ``CATEGORIES``.
    """

    pictures: npt.NDArray[np.uint8]
    votes: npt.NDArray[np.int64]


@lru_cache(maxsize=1)
def _dataset() -> Dataset:
    return read_dataset(test_data() / "faces")


@lru_cache(maxsize=3)
def faces_of(split: str) -> Faces:
    """All faces of a split, in the order of its table.

    Raises:
        DatasetError: if a mosaic cannot be read.
    """
    dataset = _dataset()
    items = [item for item in dataset.items if item.split == split]
    pictures = np.empty((len(items), SIDE, SIDE), np.uint8)
    mosaics: dict[str, npt.NDArray[np.uint8]] = {}
    for k, item in enumerate(items):
        file = str(item.file)
        if file not in mosaics:
            # One mosaic at a time: they come in the order of the items.
            mosaics = {file: _mosaic(file)}
        x, y = item.crop_x or 0, item.crop_y or 0
        pictures[k] = mosaics[file][y : y + SIDE, x : x + SIDE]
    return Faces(pictures, dataset.votes().part(split).table)


def _mosaic(name: str) -> npt.NDArray[np.uint8]:
    file = test_data() / "faces" / name
    read = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if read is None:
        raise DatasetError(f"{file} cannot be read as a picture.", "Fetch it again.")
    return np.asarray(read, np.uint8)


def majority(votes: npt.NDArray[np.int64]) -> Labels:
    """The label of each face under the majority protocol, (n,), a place in ``CLASSES``; -1: none.

    Single votes are taken for slips and struck; a category then needs more than half of the votes
    that are left. Faces that are "unknown" or "not a face" by that rule have no label.
    """
    kept = np.where(votes <= 1, 0, votes)
    best = kept.argmax(1)
    agreed = 2 * kept.max(1) > kept.sum(1)
    return np.where(agreed & (best < len(CLASSES)), best, -1)


def most_voted(votes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What naming each class is worth, (n, 8): 1 for the class with the most votes, of several
    such classes an equal share, 0 for all others. Votes for no class do not count; a face that
    nobody gave a class is worth nothing, whatever is said of it."""
    named = votes[:, : len(CLASSES)]
    best = (named == named.max(1, keepdims=True)) & (named > 0)
    return best / np.maximum(1, best.sum(1, keepdims=True))

"""The frames of an item that a network may see, out of its file; of a clip ten a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from caer_build.caernet.pictures import Pixels
from caer_build.caernet.windows import RATE, n_ticks_before
from caer_build.errors import DatasetError
from caer_build.records import Item

_TYPICAL_RATE = 25.0


@dataclass(frozen=True)
class Shown:
    """A frame that is sampled.

    Attributes:
        frame: 0-based within the item, as boxes count.
        n_ticks: at how many ticks it is shown; more than 1 of a slow clip.
        picture: (h, w, 3) BGR.
    """

    frame: int
    n_ticks: int
    picture: Pixels


def frames_of(root: Path, item: Item, rate: float = RATE) -> Iterator[Shown]:
    """The sampled frames of a clip; of a still the picture itself.

    Args:
        rate: ticks a second.

    Raises:
        DatasetError: if the file cannot be read.
    """
    if item.file is None:
        raise DatasetError(
            f"{item.item_id} has no file: the data set is media-free.",
            "Make it whole with `caer rebuild`.",
        )
    file = root / item.file
    if item.kind == "still":
        yield Shown(0, 1, _cropped(_picture(file), item))
        return
    yield from _video(file, item.length_s, rate)


def _video(file: Path, length_s: float | None, rate: float) -> Iterator[Shown]:
    """A frame is known to be shown at a tick when the next one's time is known."""
    held, before, frame, at_s = None, 0, -1, 0.0
    for frame, (next_s, picture) in enumerate(_decoded(file)):
        if held is not None:
            n_ticks = n_ticks_before(next_s, rate) - before
            if n_ticks:
                yield Shown(frame - 1, n_ticks, held)
            before += n_ticks
        held, step_s, at_s = picture, next_s - at_s, next_s
    if held is None:
        raise DatasetError(f"{file} has no frame that can be read.", "Export or fetch it again.")
    shown_s = step_s if frame else 1 / _TYPICAL_RATE
    end_s = length_s if length_s is not None and length_s > at_s else at_s + shown_s
    n_ticks = n_ticks_before(end_s, rate) - before
    # The very first frame of the shortest clip is seen, too.
    if n_ticks or not before:
        yield Shown(frame, max(1, n_ticks), held)


def _decoded(file: Path) -> Iterator[tuple[float, Pixels]]:
    """Every frame with its seconds after the first."""
    reader = cv2.VideoCapture(str(file))
    if not reader.isOpened():
        raise DatasetError(f"{file} cannot be read as a video.", "Export or fetch it again.")
    first_s = last_s = None
    try:
        while reader.grab():
            at_s = reader.get(cv2.CAP_PROP_POS_MSEC) / 1000
            first_s = at_s if first_s is None else first_s
            # Files without times, and times that stand still, go on at the clip's rate.
            if last_s is not None and at_s <= last_s:
                at_s = last_s + 1 / (reader.get(cv2.CAP_PROP_FPS) or _TYPICAL_RATE)
            last_s = at_s
            yield at_s - first_s, np.asarray(reader.retrieve()[1], dtype=np.uint8)
    finally:
        reader.release()


@lru_cache(maxsize=2)
def _picture(file: Path) -> Pixels:
    """A mosaic holds many items: the last one is kept."""
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise DatasetError(f"{file} cannot be read as a picture.", "Export or fetch it again.")
    return np.asarray(picture, dtype=np.uint8)


def _cropped(picture: Pixels, item: Item) -> Pixels:
    if item.crop_x is None or item.crop_y is None:
        return picture
    width, height = item.crop_width or 0, item.crop_height or 0
    return picture[item.crop_y : item.crop_y + height, item.crop_x : item.crop_x + width]

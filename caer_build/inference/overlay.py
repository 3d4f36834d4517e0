"""Faces and what is said of them, drawn upon pictures for people to look at.

::

    .--------.                    a chip: the likeliest emotion and how likely
    | Happy 83 % |
    +------------+
    |            |                the face, in that emotion's colour
    |            |
    +------------+
    [====|==|=|==]                the probabilities of all seven, side by side

    Anger  Disgust  Fear ...      below the picture: which colour is which
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.caernet.pictures import Pixels
from caer_build.inference.sampling import Box
from caer_build.records import EMOTIONS

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

COLOURS_RGB: dict[str, tuple[int, int, int]] = {
    "Anger": (214, 60, 52),
    "Disgust": (124, 150, 44),
    "Fear": (138, 92, 201),
    "Happy": (240, 176, 32),
    "Neutral": (150, 160, 172),
    "Sad": (52, 124, 196),
    "Surprise": (230, 110, 160),
}
_INK, _PAPER = (22, 24, 28), (245, 246, 248)
_SMALLEST_BAR = 72
"""px: of a narrower face the bar is wider than the face"""


@dataclass(frozen=True)
class Mark:
    """A face to draw.

    Attributes:
        box: px of the picture.
        probabilities: of the emotions in their order, sum 1.
    """

    box: Box
    probabilities: npt.NDArray[np.float64]


def annotated(picture: Pixels, marks: Iterable[Mark]) -> Pixels:
    """A picture with marks and the legend below it, both sides even.

    Args:
        picture: (h, w, 3) BGR; it is not changed.
    """
    height, width = (side - side % 2 for side in picture.shape[:2])
    drawn = picture[:height, :width].copy()
    # The nearest faces last: they are not covered by others' bars.
    for mark in sorted(marks, key=lambda m: m.box[3] - m.box[1]):
        _draw(drawn, mark)
    return np.concatenate([drawn, _legend(width, max(24, height // 36 * 2))])


def _draw(picture: Pixels, mark: Mark) -> None:
    height, width = picture.shape[:2]
    unit = max(1, round(min(height, width) / 240))
    left, top, right, bottom = (round(v) for v in mark.box)
    best = int(np.argmax(mark.probabilities))
    colour = COLOURS_RGB[EMOTIONS[best]]
    line = max(2, round(1.4 * unit))
    # A dark line around the coloured one is seen on any background.
    for thickness, ink in ((line + 2, _INK), (line, colour)):
        cv2.rectangle(picture, (left, top), (right, bottom), ink[::-1], thickness, cv2.LINE_AA)
    bar = _bar(mark.probabilities, max(right - left + line, _SMALLEST_BAR), max(8, 5 * unit))
    below = min(bottom + line, height - bar.shape[0])
    _paste(picture, bar, left - line // 2, below)
    text = f"{EMOTIONS[best]} {mark.probabilities[best]:.0%}"
    chip = _chip(text, colour, max(16, 11 * unit))
    above = top - chip.shape[0] - line // 2
    # Of a face at the upper edge it stands below the bar.
    _paste(picture, chip, left - line // 2, above if above >= 0 else below + bar.shape[0])


def _bar(probabilities: npt.NDArray[np.float64], width: int, height: int) -> Pixels:
    """The probabilities side by side, in the order of the emotions; (height, width, 3) BGR."""
    bar = np.full((height, width, 3), _INK[::-1], np.uint8)
    edges = 1 + np.round(np.cumsum([0, *probabilities]) * (width - 2)).astype(int)
    for emotion, begin, end in zip(EMOTIONS, edges[:-1], edges[1:], strict=True):
        bar[1:-1, begin:end] = COLOURS_RGB[emotion][::-1]
    return bar


def _paste(picture: Pixels, patch: Pixels, left: int, top: int) -> None:
    """Put a patch into a picture, moved inside it from the sides."""
    height, width = picture.shape[:2]
    left = max(0, min(left, width - patch.shape[1]))
    top = max(0, min(top, height - patch.shape[0]))
    place = picture[top : top + patch.shape[0], left : left + patch.shape[1]]
    place[:] = patch[: place.shape[0], : place.shape[1]]


@lru_cache(maxsize=8)
def _font(px: int) -> FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font


@lru_cache(maxsize=1024)
def _chip(text: str, colour: tuple[int, int, int], height: int) -> Pixels:
    """White or black text on a colour, BGR."""
    from PIL import Image, ImageDraw

    font = _font(round(height * 0.72))
    chip = Image.new("RGB", (round(font.getlength(text)) + height // 2, height), colour)
    light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 150
    ink = (255, 255, 255) if light else _INK
    ImageDraw.Draw(chip).text((height // 4, height / 2), text, ink, font, anchor="lm")
    return np.array(chip, np.uint8)[:, :, ::-1]


@lru_cache(maxsize=8)
def _legend(width: int, height: int) -> Pixels:
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(strip)
    cell = width / len(EMOTIONS)
    side = round(min(height * 0.5, cell * 0.2))
    longest = max(_font(20).getlength(emotion) for emotion in EMOTIONS) / 20
    font = _font(max(6, int(min(height * 0.55, (cell - 2 * side) / longest))))
    for number, emotion in enumerate(EMOTIONS):
        left, top = number * cell + side * 0.5, (height - side) / 2
        draw.rectangle((left, top, left + side, top + side), COLOURS_RGB[emotion])
        draw.text((left + side * 1.4, height / 2), emotion, _INK, font, anchor="lm")
    return np.array(strip, np.uint8)[:, :, ::-1]

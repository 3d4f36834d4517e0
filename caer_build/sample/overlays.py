"""What is drawn over a picture: titles, a camera's viewfinder, the labels of a video call."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from caer_build.sample.script import HEIGHT, WIDTH, Overlay

Pixels = npt.NDArray[np.uint8]

_FADE_IN_FRAMES = 18
_BLINK_FRAMES = 20


def draw_overlay(canvas: Pixels, overlay: Overlay, at: int) -> None:
    """Draw on the frame (HEIGHT, WIDTH, 3) RGB, ``at`` frames into its shot."""
    import cv2

    if not overlay:
        return
    level = min(1.0, (at + 1) / _FADE_IN_FRAMES) if overlay in ("titles", "end") else 1.0
    ink, shadow = _ink(overlay)
    top, left, bottom, right = _bounds(overlay)
    part = canvas[top:bottom, left:right]
    for sheet, apply in ((shadow, cv2.subtract), (ink, cv2.add)):
        faded = cv2.convertScaleAbs(sheet[top:bottom, left:right], alpha=level)
        part[:] = apply(part, faded)
    if overlay == "viewfinder" and at // _BLINK_FRAMES % 2 == 0:
        cv2.circle(canvas, (84, 77), 8, (225, 40, 40), -1, cv2.LINE_AA)


@cache
def _ink(overlay: Overlay) -> tuple[Pixels, Pixels]:
    """What the overlay adds to a frame, and the soft shadow that makes it readable."""
    import cv2

    sheet = np.zeros((HEIGHT, WIDTH), np.uint8)
    if overlay == "titles":
        _spaced(sheet, "ORBIT", (70, 400), (2.6, 5, 26))
        cv2.line(sheet, (72, 428), (430, 428), 190, 2, cv2.LINE_AA)
        _spaced(sheet, "A SAMPLE EPISODE", (72, 466), (0.7, 1, 6))
    elif overlay == "end":
        _spaced(sheet, "ORBIT", (392, 280), (1.6, 3, 20))
        _spaced(sheet, "SOURCES: SEE SAMPLE.SOURCES.TXT", (308, 326), (0.5, 1, 3))
    elif overlay == "viewfinder":
        for x, y, dx, dy in (
            (50, 40, 1, 1),
            (910, 40, -1, 1),
            (50, 500, 1, -1),
            (910, 500, -1, -1),
        ):
            cv2.line(sheet, (x, y), (x + 60 * dx, y), 220, 2)
            cv2.line(sheet, (x, y), (x, y + 45 * dy), 220, 2)
        _spaced(sheet, "REC", (102, 85), (0.7, 2, 3))
    elif overlay == "call":
        _spaced(sheet, "LIVE CALL", (32, 44), (0.6, 1, 3))
    soft = cv2.GaussianBlur(cv2.dilate(sheet, np.ones((9, 9), np.uint8)), (0, 0), 7)
    shadow = cv2.convertScaleAbs(soft, alpha=0.55)
    return np.repeat(sheet[:, :, None], 3, axis=2), np.repeat(shadow[:, :, None], 3, axis=2)


@cache
def _bounds(overlay: Overlay) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what is drawn: the rest of the frame need not be touched."""
    _, sheet = _ink(overlay)
    rows, columns = np.flatnonzero(sheet.any((1, 2))), np.flatnonzero(sheet.any((0, 2)))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _spaced(sheet: Pixels, text: str, at: tuple[int, int], font: tuple[float, int, int]) -> None:
    """Write letter by letter, the baseline beginning at ``at``; font = size, weight, gap in px."""
    import cv2

    (x, y), (size, weight, gap) = at, font
    for letter in text:
        cv2.putText(sheet, letter, (x, y), cv2.FONT_HERSHEY_DUPLEX, size, 235, weight, cv2.LINE_AA)
        (width, _), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_DUPLEX, size, weight)
        x += width + gap

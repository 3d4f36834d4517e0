"""Draws the frames of the edit list: camera moves, grading, grain, transitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt

from caer_build.sample.overlays import draw_overlay
from caer_build.sample.pictures import Pictures
from caer_build.sample.script import HEIGHT, WIDTH, Grade, Layer, View
from caer_build.sample.timeline import Placed

Pixels = npt.NDArray[np.uint8]
"""(height, width, 3) RGB"""

_BLOCK_PX = 60
"""side of the blocks of a broken video call; no face detector finds a face in them"""
_DEFOCUS_SHRINK = 4
_DRIFT = 0.004
"""a hand-held camera strays by this share of the view's width"""
_GRADES: dict[Grade, tuple[tuple[float, float, float], float]] = {
    # gain of red, green and blue, and gamma
    "plain": ((1.0, 1.0, 1.0), 1.0),
    "warm": ((1.06, 1.0, 0.84), 1.0),
    "cold": ((0.86, 0.98, 1.1), 1.05),
    "night": ((0.62, 0.72, 0.95), 1.15),
}


def frames_of(placed: Sequence[Placed], pictures: Pictures) -> Iterator[Pixels]:
    """Every frame of the episode in order, (HEIGHT, WIDTH, 3) RGB."""
    before: Placed | None = None
    for now in placed:
        for number in range(now.first, now.clear):
            yield _mixed(before, now, number, pictures)
        for number in range(now.clear, now.stop):
            yield _drawn(now, number, pictures)
        before = now


def _mixed(before: Placed | None, now: Placed, number: int, pictures: Pictures) -> Pixels:
    """A frame of the transition into ``now``; into the first shot it comes out of black."""
    import cv2

    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    old = black if before is None else _drawn(before, number, pictures)
    new = _drawn(now, number, pictures)
    k, n = number - now.first, now.clear - now.first
    if now.shot.transition == "dissolve":
        share = (k + 1) / (n + 1)
        return cast(Pixels, cv2.addWeighted(new, share, old, 1 - share, 0))
    # Through black: the old picture is gone in the middle, where the new one begins to come.
    shown, level = (old, 1 - (k + 1) / (n / 2)) if k < n / 2 else (new, (k + 1) / (n / 2) - 1)
    return cast(Pixels, cv2.convertScaleAbs(shown, alpha=level))


def _drawn(placed: Placed, number: int, pictures: Pictures) -> Pixels:
    """What the shot alone looks like in frame ``number`` of the episode."""
    import cv2

    shot, at = placed.shot, number - placed.first
    # Beyond 1 while the next shot's transition runs: a move that began does not stop.
    progress = at / (placed.stop - placed.first)
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for layer in shot.layers:
        x, y, width, height = layer.box
        canvas[y : y + height, x : x + width] = _layer(layer, at, progress, pictures)
    canvas = cast(Pixels, cv2.multiply(canvas, _vignette(), scale=1 / 255))
    if shot.grain:
        canvas = _grained(canvas, at)
    draw_overlay(canvas, shot.overlay, at)
    return canvas


def _layer(layer: Layer, at: int, progress: float, pictures: Pictures) -> Pixels:
    import cv2

    source = pictures.frame(layer.file, source_frame(layer.frames, layer.pace, at))
    _, _, width, height = layer.box
    # A defocused picture holds no detail: drawn small, its blur costs a tenth.
    smaller = _DEFOCUS_SHRINK if layer.blur_px else 1
    size = (width // smaller, height // smaller)
    matrix = _onto_box(_view(layer, at, progress), *size, layer.mirrored)
    matrix[:, :2] /= pictures.scale(layer.file)
    shown = cv2.warpAffine(
        source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    seen, every = layer.glimpses
    if every and at % every >= seen:
        blocks = (math.ceil(width / _BLOCK_PX), math.ceil(height / _BLOCK_PX))
        small = cv2.resize(shown, blocks, interpolation=cv2.INTER_AREA)
        shown = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    if layer.blur_px:
        soft = cv2.GaussianBlur(shown, (0, 0), layer.blur_px / smaller)
        shown = cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)
    if layer.grade != "plain":
        shown = cv2.LUT(shown, _curves(layer.grade))
    return cast(Pixels, shown)


def source_frame(frames: tuple[int, int], pace: float, at: int) -> int:
    """The source frame shown ``at`` frames into a shot: to the span's end, back, and so on."""
    first, last = frames
    if last - first == 1:
        return first
    turn = 2 * (last - first - 1)
    step = int(at * pace) % turn
    return first + min(step, turn - step)


def _view(layer: Layer, at: int, progress: float) -> View:
    start, end = layer.start, layer.end

    def between(a: float, b: float) -> float:
        return a + (b - a) * progress

    width = between(start.width, end.width)
    # Two slow swings of unlike periods never look like a loop.
    sway, nod = math.sin(at / 17.0) + math.sin(at / 7.3) / 3, math.sin(at / 13.0 + 1)
    return View(
        between(start.x, end.x) + _DRIFT * width * sway,
        between(start.y, end.y) + _DRIFT * width * nod,
        width,
    )


def _onto_box(view: View, width: int, height: int, mirrored: bool) -> npt.NDArray[np.float64]:
    """The affine map (2, 3) from source px to the px of a box."""
    scale = width / view.width
    across = -scale if mirrored else scale
    return np.array(
        [
            [across, 0.0, width / 2 - across * view.x],
            [0.0, scale, height / 2 - scale * view.y],
        ]
    )


@cache
def _curves(grade: Grade) -> Pixels:
    """(1, 256, 3): what becomes of each level of red, green and blue."""
    gains, gamma = _GRADES[grade]
    levels = (np.arange(256) / 255) ** gamma
    curves = levels[:, None] * np.array(gains)[None, :] * 255
    return np.asarray(np.rint(np.clip(curves, 0, 255)), dtype=np.uint8)[None]


@cache
def _vignette() -> Pixels:
    """(HEIGHT, WIDTH, 3): 255 in the middle, a little less in the corners."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    level = 255 * (1 - 0.16 * np.clip(x**2 + y**2 - 0.5, 0, None))
    return np.repeat(np.rint(level).astype(np.uint8)[:, :, None], 3, axis=2)


_GRAIN_SHIFTS = 64


@cache
def _grain() -> tuple[Pixels, Pixels]:
    """What film grain adds, and what it takes away, on a sheet larger than a frame."""
    size = (HEIGHT + _GRAIN_SHIFTS, WIDTH + _GRAIN_SHIFTS, 1)
    noise = np.rint(np.random.default_rng(20).normal(0, 1.0, size)).repeat(3, axis=2)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)


def _grained(canvas: Pixels, at: int) -> Pixels:
    import cv2

    # Counted from the shot's own start, so that a shot shown twice is the same to the pixel.
    top, left = at * 37 % _GRAIN_SHIFTS, at * 53 % _GRAIN_SHIFTS
    more, less = (g[top : top + HEIGHT, left : left + WIDTH] for g in _grain())
    return cast(Pixels, cv2.subtract(cv2.add(canvas, more), less))

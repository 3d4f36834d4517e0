"""From a sample's truth to its pictures: a drawn room, marks in it, real faces."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.controlled.cues import (
    EMBLEMS,
    MOVING,
    SHAPES,
    Picture,
    everywhere,
    moved,
    paint,
)
from benchmarks.controlled.face_pool import FacePool
from benchmarks.controlled.sampling import Pose, Sample, Square
from benchmarks.controlled.setting import Setting

PixelBox = tuple[int, int, int, int]
"""x1, y1, x2, y2 px; x2 and y2 exclusive"""
_GREY = 128


def pixel_box(place: Square, px: int) -> PixelBox:
    """A square of a picture of that side, in whole px."""
    left, top, side = (round(value * px) for value in place)
    return left, top, left + side, top + side


def face_boxes(sample: Sample, setting: Setting) -> tuple[PixelBox, list[PixelBox]]:
    """The target's box in the picture, and those of others."""
    if setting.scenery == "none":
        return (0, 0, setting.px, setting.px), []
    others = []
    if sample.bystander is not None and setting.scenery == "drawn":
        others = [pixel_box(sample.bystander[2], setting.px)]
    return pixel_box(sample.place, setting.px), others


def pictures_of(sample: Sample, setting: Setting, faces: FacePool) -> Iterator[Picture]:
    """The pictures of a sample, one of a still; (px, px, 3) BGR."""
    picture = np.full((setting.px, setting.px, 3), _GREY, np.uint8)
    if setting.scenery == "drawn":
        picture = background(sample.background, setting)
        _paint_marks(picture, sample, setting)
    target, others = face_boxes(sample, setting)
    if others and sample.bystander is not None:
        label, which, _ = sample.bystander
        _paste(picture, faces.picture(sample.split, label, which), others[0])
    face = faces.picture(sample.split, sample.label, sample.face)
    _paste(picture, blurred(posed(face, sample.pose), setting.blurs[sample.blur]), target)
    moving = sample.cue if setting.cue in ("moving", "frozen") else None
    for number in range(setting.n_frames):
        shown = picture.copy()
        if moving is not None:
            time = number / setting.n_frames if setting.cue == "moving" else 0.0
            paint(shown, MOVING, moved(moving, time))
        yield shown


def posed(face: Picture, pose: Pose) -> Picture:
    """A face turned, enlarged, shifted, mirrored, of another contrast; its edges are drawn out."""
    side = face.shape[0]
    middle = (side - 1) / 2
    how = cv2.getRotationMatrix2D((middle, middle), pose.turn, pose.zoom)
    how[:, 2] += np.array(pose.shift) * side
    turned = cv2.warpAffine(face, how, (side, side), borderMode=cv2.BORDER_REPLICATE)
    greys = (turned.astype(np.float32) - _GREY) * pose.contrast + _GREY
    found = np.clip(np.round(greys), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(found[:, ::-1]) if pose.mirrored else found


def blurred(face: Picture, sigma: float) -> Picture:
    """A face out of focus; 0: as it is."""
    if sigma == 0:
        return face
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8)


def background(number: int, setting: Setting) -> Picture:
    """An empty room: a wall, a floor, furniture in dull colours, uneven light; (px, px, 3)."""
    rng = np.random.default_rng([setting.seed, 7, number])
    px = setting.px
    room = np.empty((px, px, 3), np.uint8)
    horizon = int(rng.uniform(0.5, 0.85) * px)
    room[:horizon], room[horizon:] = _dull(rng), _dull(rng)
    for _ in range(int(rng.integers(3, 7))):
        x, y = (rng.uniform(-0.1, 0.9, 2) * px).astype(int).tolist()
        width, height = (rng.uniform(0.1, 0.5, 2) * px).astype(int).tolist()
        corner = (x + width, y + height)
        cv2.rectangle(room, (x, y), corner, _dull(rng), cv2.FILLED)
        cv2.rectangle(room, (x, y), corner, _dull(rng), max(1, px // 100))
    light = rng.uniform(0.75, 1.2, (4, 4, 1)).astype(np.float32)
    light = cv2.resize(light, (px, px), interpolation=cv2.INTER_CUBIC)[:, :, None]
    grain = rng.normal(0, 4, (px, px, 1)).astype(np.float32)
    return np.asarray(np.clip(room * light + grain, 0, 255), np.uint8)


def _dull(rng: np.random.Generator) -> tuple[int, int, int]:
    hue, saturation, value = rng.random(3).tolist()
    colour = colorsys.hsv_to_rgb(hue, 0.05 + 0.25 * saturation, 0.35 + 0.35 * value)
    red, green, blue = (round(255 * channel) for channel in colour)
    return blue, green, red


def _paint_marks(picture: Picture, sample: Sample, setting: Setting) -> None:
    cue = sample.cue
    if setting.cue == "everywhere":
        if cue is not None:
            for place in everywhere(cue.place):
                paint(picture, EMBLEMS[cue.kind], replace(cue, place=place))
        return
    for mark in sample.distractors:
        paint(picture, SHAPES[mark.kind], mark)
    if cue is not None and setting.cue == "among":
        paint(picture, EMBLEMS[cue.kind], cue)


def _paste(picture: Picture, face: npt.NDArray[np.uint8], box: PixelBox) -> None:
    x1, y1, x2, y2 = box
    shrinks = x2 - x1 < face.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    picture[y1:y2, x1:x2] = cv2.resize(face, (x2 - x1, y2 - y1), interpolation=how)[:, :, None]

"""A strip of small pictures along an episode, its joints on the shots' boundaries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caer_build.arrays import Images, read_features
from caer_build.records import Shot
from caer_build.report.pictures import jpeg_of

SCREEN_PX = 840
"""px of the strip for each screen that the timeline is wide"""
_MAX_PX = 20_000


@dataclass(frozen=True)
class Slot:
    """A picture's place in the strip, px [x1, x2), and the frame it shows."""

    x1: int
    x2: int
    frame: int


def slots(shots: Sequence[Shot], width_px: int, picture_px: int) -> list[Slot]:
    """Divide a strip among the shots in proportion to time, about a picture's width each.

    Shots of less than a pixel have no slot; every other one has at least one.
    """
    if not shots:
        return []
    origin, end = shots[0].start_pts_s, shots[-1].end_pts_s
    found = []
    for shot in shots:
        left, right = (
            round((t - origin) / (end - origin) * width_px)
            for t in (shot.start_pts_s, shot.end_pts_s)
        )
        count = min(max(1, round((right - left) / picture_px)), right - left)
        for i in range(count):
            x1, x2 = (left + round((right - left) * (i + k) / count) for k in (0, 1))
            share = (i + 0.5) / count
            frame = shot.start_frame + int(share * (shot.end_frame - shot.start_frame))
            found.append(Slot(x1, x2, frame))
    return found


def small_pictures(features: Path, wanted: Collection[int]) -> dict[int, Images]:
    """The stored pictures (h, w, 3) RGB of some frames."""
    frames = np.array(sorted(set(wanted)), dtype=np.int64)
    found: dict[int, Images] = {}
    first = 0
    for chunk in read_features(features):
        inside = frames[(frames >= first) & (frames < first + len(chunk))]
        found.update({int(f): chunk[f - first].copy() for f in inside})
        first += len(chunk)
        if len(found) == len(frames):
            break
    return found


def paint(places: Sequence[Slot], pictures: Mapping[int, Images], width_px: int) -> Images:
    """The strip (h, width_px, 3) RGB; a picture wider than its slot is cut, never squeezed."""
    height, own_width = next(iter(pictures.values())).shape[:2]
    strip = np.zeros((height, width_px, 3), np.uint8)
    for slot in places:
        picture = pictures.get(slot.frame)
        if picture is None:
            continue
        wide = slot.x2 - slot.x1
        columns = (
            (own_width - wide) // 2 + np.arange(wide)
            if wide <= own_width
            else np.arange(wide) * own_width // wide
        )
        strip[:, slot.x1 : slot.x2] = picture[:, columns]
    return strip


def filmstrip(features: Path, shots: Sequence[Shot], stretch: float) -> bytes | None:
    """The strip of an episode as JPEG; none if there is nothing to show.

    Args:
        stretch: how many screens wide the timeline is drawn.
    """
    width_px = min(round(SCREEN_PX * stretch), _MAX_PX)
    places = slots(shots, width_px, 48)
    pictures = small_pictures(features, {s.frame for s in places})
    if not pictures:
        return None
    return jpeg_of(np.ascontiguousarray(paint(places, pictures, width_px)[:, :, ::-1]), 72)

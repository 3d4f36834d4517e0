"""Shots with known face boxes: photographs of faces moved along known paths.

Six shots of 8 s, 640x360, 25 fps, on a blurred random ground. A photograph of the shared
``identities`` is 150x150 px and filled by its face, from 0.14 to 0.86 of its width and from 0.08 to
0.98 of its height (by eye): that is the true box. A face that is hidden has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.tracking_scores import FrameBoxes

Picture = npt.NDArray[np.uint8]
Path2 = Callable[[float], tuple[float, float, float] | None]
"""Seconds -> centre x, y and side of the photograph, px; None: not to be seen."""

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 25, 8
_FACE = np.array([0.14, 0.08, 0.86, 0.98]) - 0.5
_SEEN_SHARE = 0.5
"""A face less than half of which is in the picture and uncovered is not to be found."""


@dataclass(frozen=True)
class Scene:
    """What happens in a shot: a path for each photograph, the last one in front."""

    name: str
    paths: tuple[Path2, ...]


def _sway(x: float, y: float, side: float, phase: float = 0.0) -> Path2:
    return lambda t: (
        x + 12 * np.sin(2.1 * t + phase),
        y + 6 * np.sin(1.3 * t + phase),
        side * (1 + 0.05 * np.sin(0.9 * t + phase)),
    )


def _walk(x: float, y: float, side: float, speed: float) -> Path2:
    return lambda t: (x + speed * t, y + 5 * np.sin(6 * t), side)


def _when(path: Path2, seen: Callable[[float], bool]) -> Path2:
    return lambda t: path(t) if seen(t) else None


SCENES = (
    Scene("talk", (_sway(200, 170, 150), _sway(450, 180, 140, 1.0))),
    Scene("cross", (_walk(60, 150, 110, 65), _walk(580, 175, 120, -65))),
    Scene("pass behind", (_walk(40, 160, 100, 70), _sway(330, 180, 170))),
    Scene("turn away", (_when(_sway(320, 180, 150), lambda t: not 3 < t < 4.2),)),
    Scene(
        "come and go",
        (
            _sway(150, 150, 100),
            _when(_sway(480, 190, 120, 2.0), lambda t: t > 3.3),
            _walk(-60, 260, 90, 150),
        ),
    ),
    Scene("approach", (lambda t: (320 + 40 * np.sin(t), 180, 70 + 22 * t),)),
)


def photographs(data: Path) -> list[Picture]:
    """One photograph of each person, (150, 150, 3) BGR, in a fixed order."""
    import cv2

    people = sorted((data / "identities" / "johns").iterdir())
    read = (cv2.imread(str(sorted(person.iterdir())[0])) for person in people)
    return [np.asarray(photo, np.uint8) for photo in read if photo is not None]


def ground(seed: int) -> Picture:
    """(h, w, 3) BGR, without anything in it."""
    import cv2

    coarse = np.random.default_rng(seed).integers(40, 190, (9, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def frames(number: int, photos: list[Picture]) -> Iterator[tuple[Picture, FrameBoxes]]:
    """The frames of scene ``number`` (h, w, 3) BGR with the true boxes of its people."""
    behind = ground(number)
    for frame in range(SECONDS * FPS):
        picture = behind.copy()
        owner = np.full((HEIGHT, WIDTH), -1)
        whole: dict[int, tuple[npt.NDArray[np.float64], int]] = {}
        for who, path in enumerate(SCENES[number].paths):
            place = path(frame / FPS)
            if place is None:
                continue
            x, y, side = place
            area = _paste(picture, owner, photos[(number + who) % len(photos)], place, who)
            whole[who] = (np.array([x, y, x, y]) + side * _FACE, area)
        yield (
            picture,
            {
                f"person {who}": np.clip(box, 0, (WIDTH, HEIGHT, WIDTH, HEIGHT))
                for who, (box, area) in whole.items()
                if (owner == who).sum() >= _SEEN_SHARE * area
            },
        )


def _paste(
    picture: Picture,
    owner: npt.NDArray[np.int64],
    photo: Picture,
    place: tuple[float, float, float],
    who: int,
) -> int:
    """Puts an oval of the photograph into the picture; the oval's area in px, seen or not."""
    import cv2

    x, y, side = place
    scale = side / photo.shape[0]
    matrix = np.array([[scale, 0, x - side / 2], [0, scale, y - side / 2]])
    oval = np.zeros(photo.shape[:2], np.uint8)
    cv2.ellipse(oval, (75, 78), (68, 72), 0, 0, 360, 255, -1)
    size = (WIDTH, HEIGHT)
    mask = cv2.warpAffine(oval, matrix, size) > 127
    moved = cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    picture[mask] = moved[mask]
    owner[mask] = who
    return round((oval > 127).sum() * scale**2)

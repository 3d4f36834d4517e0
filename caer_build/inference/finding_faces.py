"""The faces of one clip or still of a data set that says nothing of them.

::

    sampled frames   0 . 1 . 2 . 3 . 4 . 5 ...     ten a second, as the networks see them
    looked at        x       x       x             five a second, as the build does
    tracks           |-------------------|         joined and interpolated, as the build does

Whose emotion it is: that of the track with the largest sum, over the sampled frames, of the face's
share of the picture times its nearness to the middle (1 in the middle, 0 in a corner): who is
large, in the middle and there for long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from caer_build.caernet.footage import Shown, frames_of
from caer_build.caernet.windows import RATE
from caer_build.frames import Timeline
from caer_build.models.protocols import FaceDetector, Faces
from caer_build.records import FaceDetection, Item, ItemFace, Shot, TrackBox
from caer_build.stages.tracks import TrackSettings, build_tracks

LOOKS_A_SECOND = 5
SURELY = TrackSettings.model_validate({})
WEAKLY = SURELY.model_copy(update={"strong_score": SURELY.weak_score, "min_detections": 1})
"""Every item shows somebody whose emotion was labelled: where nobody is seen surely, a weak
detection is likelier the person than nothing is."""


def faces_of_item(
    root: Path, item: Item, detector: FaceDetector, rate: float = RATE
) -> list[ItemFace]:
    """The faces in the sampled frames of an item; none where none was found.

    Args:
        rate: sampled frames a second.

    Raises:
        DatasetError: if its file cannot be read.
    """
    return faces_in(item.item_id, frames_of(root, item, rate), detector, rate)


def faces_in(
    item_id: str, sampled: Iterable[Shown], detector: FaceDetector, rate: float = RATE
) -> list[ItemFace]:
    """The faces in sampled frames that follow each other, within one shot."""
    look_ticks = max(1, round(rate / LOOKS_A_SECOND))
    frames: list[int] = []
    ticks: list[int] = []
    detections: list[FaceDetection] = []
    n_ticks, next_look, size_wh = 0, 0, (1, 1)
    for shown in sampled:
        if n_ticks >= next_look:
            next_look = n_ticks + look_ticks
            detections += detections_of(item_id, len(frames), detector.detect(shown.picture))
        size_wh = shown.picture.shape[1], shown.picture.shape[0]
        frames.append(shown.frame)
        ticks.append(n_ticks)
        n_ticks += shown.n_ticks
    timeline = Timeline(np.array(ticks) / rate, n_ticks / rate)
    tracks = _tracks(item_id, detections, timeline)
    if not tracks:
        return []
    target = target_of({name: _xyxy(boxes) for name, boxes in tracks.items()}, size_wh)
    return [
        ItemFace(
            item_id, frames[box.frame], name, name == target, box.x1, box.y1, box.x2, box.y2,
            box.interpolated,
        )
        for name, boxes in tracks.items()
        for box in boxes
    ]  # fmt: skip


def detections_of(item_id: str, frame: int, faces: Faces) -> list[FaceDetection]:
    """What a detector found in a frame, as rows; their sharpness is not measured."""
    return [
        FaceDetection(item_id, frame, index, x1, y1, x2, y2, score, [], 0.0, None)
        for index, ((x1, y1, x2, y2), score) in enumerate(
            zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True)
        )
    ]


def target_of(tracks: dict[str, npt.NDArray[np.float64]], size_wh: tuple[int, int]) -> str:
    """The track whose emotion it is, see above; of equals the first.

    Args:
        tracks: (n, 4) boxes each, px.
        size_wh: of the picture, px.
    """
    return max(tracks, key=lambda name: _prominence(tracks[name], size_wh))


def _prominence(boxes: npt.NDArray[np.float64], size_wh: tuple[int, int]) -> float:
    width, height = size_wh
    share = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (width * height)
    aside_x = (boxes[:, 0] + boxes[:, 2] - width) / 2
    aside_y = (boxes[:, 1] + boxes[:, 3] - height) / 2
    corner = np.hypot(width, height) / 2
    return float((share * (1 - np.hypot(aside_x, aside_y) / corner)).sum())


def _tracks(
    item_id: str, detections: Sequence[FaceDetection], timeline: Timeline
) -> dict[str, list[TrackBox]]:
    """The boxes of each face through the item, which is taken for one shot, as clips are."""
    n = len(timeline)
    whole = Shot(item_id, item_id, 0, n, 0.0, timeline.start_of(n), "start", 0, 1.0)
    for settings in (SURELY, WEAKLY):
        _, boxes, _ = build_tracks([whole], detections, timeline, settings)
        if boxes:
            break
    found: dict[str, list[TrackBox]] = defaultdict(list)
    for box in boxes:
        found[box.track_id.removeprefix(f"{item_id}-")].append(box)
    return dict(found)


def _xyxy(boxes: Iterable[TrackBox]) -> npt.NDArray[np.float64]:
    return np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes], np.float64)

"""Tracking by detection, forwards and backwards through one shot, as pyannote.video does it.

https://github.com/pyannote/pyannote-video (MIT), the tool the paper's authors used: a detection
starts a tracker that runs forwards until it is no longer sure, and one that runs backwards; pieces
that meet are one track. Theirs keeps all pictures of a shot; here those of the last seconds do::

    detections            x         x              x
    forwards              |-------->|--------->    |------->
    backwards      <------|                   <----|            meets the first: one track
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from caer_build import boxes as box_arithmetic
from caer_build.frames import Span
from caer_build.models.correlation_tracker import Box
from caer_build.models.protocols import Images


class Tracker(Protocol):
    """Something that follows one object."""

    def update(self, picture: Images) -> tuple[Box, float]: ...


MOST_PICTURES = 256
"""Kept at most, however long a tracker may run back and whatever the frame rate."""
Begin = Callable[[Images, Box], Tracker]


@dataclass(frozen=True)
class FollowRules:
    """When pieces end and when they are one.

    Attributes:
        min_confidence: a tracker less sure than this has lost its face (pyannote.video: 10).
        min_overlap: IoU from which two boxes of one frame are one face (pyannote.video: half of
            each box, which for boxes of one size is an IoU of a third).
        longest_blind: frames a tracker may run without a detection.
        longest_back: frames a tracker may run backwards; so many pictures are kept.
    """

    min_confidence: float = 10.0
    min_overlap: float = 0.3
    longest_blind: int = 50
    longest_back: int = 50


@dataclass(frozen=True)
class Followed:
    """One face: the detections it is made of, (frame, index), and a box in each of its frames."""

    found: list[tuple[int, int]]
    start_frame: int
    boxes: npt.NDArray[np.float64]


@dataclass(eq=False)
class _Piece:
    tracker: Tracker
    last_seen: int
    found: list[tuple[int, int]]
    boxes: dict[int, Box] = field(default_factory=dict)


def follow(
    pictures: Iterable[tuple[int, Images]],
    found: Mapping[int, npt.NDArray[np.floating]],
    begin: Begin,
    rules: FollowRules,
) -> list[Followed]:
    """The faces of one shot.

    Args:
        pictures: every frame of the shot in order, (ordinal, (h, w, 3) RGB), all of one size.
        found: boxes (n, 4) in px of these pictures of the frames in which there are detections.
        begin: starts a tracker, such as
            :class:`~caer_build.models.correlation_tracker.CorrelationTracker`.

    Returns:
        By first frame, then from left to right; a detection is in exactly one of them.
    """
    alive: list[_Piece] = []
    lost: list[_Piece] = []
    kept: deque[tuple[int, Images]] = deque(maxlen=rules.longest_back)
    for frame, picture in pictures:
        going = []
        for piece in alive:
            box, confidence = piece.tracker.update(picture)
            blind = frame - piece.last_seen > rules.longest_blind
            if confidence < rules.min_confidence or blind or _gone(box, picture):
                lost.append(piece)
            else:
                piece.boxes[frame] = box
                going.append(piece)
        alive = list(going)
        boxes = [_box(row) for row in found.get(frame, ())]
        owner = _owners([piece.boxes[frame] for piece in going], boxes, rules.min_overlap)
        for index, tracked in owner.items():
            piece, box = going[tracked], boxes[index]
            piece.tracker, piece.last_seen = begin(picture, box), frame
            piece.boxes[frame] = box
            piece.found.append((frame, index))
        for index in sorted(set(range(len(boxes))) - set(owner)):
            box = boxes[index]
            piece = _Piece(begin(picture, box), frame, [(frame, index)], {frame: box})
            _run_back(piece, begin(picture, box), kept, alive=alive, lost=lost, rules=rules)
            alive.append(piece)
        kept.append((frame, picture))
    faces = [_finished(piece) for piece in lost + alive]
    return sorted(faces, key=lambda face: (face.start_frame, *face.boxes[0]))


def follow_rows(
    pictures: Callable[[Span], Iterable[tuple[int, Images]]],
    shot: Span,
    frames: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.floating],
    *,
    begin: Begin,
    rules: FollowRules,
) -> list[tuple[npt.NDArray[np.int64], Followed]]:
    """:func:`follow` for detections in columns, over no more of the shot than they can reach.

    Args:
        pictures: gives the frames of a span; asked once.
        frames: (n,) ascending, all in the shot, n >= 1.
        boxes: (n, 4) px of the pictures.

    Returns:
        The faces, and for each the rows that it is made of, ascending.
    """
    rows_of = {int(frame): np.flatnonzero(frames == frame) for frame in np.unique(frames)}
    span = Span(
        max(shot.start, int(frames[0]) - rules.longest_back),
        min(shot.end, int(frames[-1]) + rules.longest_blind + 1),
    )
    seeds = {frame: boxes[rows] for frame, rows in rows_of.items()}
    return [
        (np.array([rows_of[frame][index] for frame, index in face.found], np.int64), face)
        for face in follow(pictures(span), seeds, begin, rules)
    ]


def _run_back(
    piece: _Piece,
    tracker: Tracker,
    kept: Iterable[tuple[int, Images]],
    *,
    alive: list[_Piece],
    lost: list[_Piece],
    rules: FollowRules,
) -> None:
    """Extends a new piece into the past; what is met there becomes part of it.

    That is a piece that was lost, or one that is still followed, but has drifted away since its
    last detection: the new piece leads back to just that.
    """

    def meets(other: _Piece, frame: int, box: Box) -> bool:
        there = other.boxes.get(frame)
        return there is not None and _overlap(there, box) >= rules.min_overlap

    for frame, picture in reversed(list(kept)):
        box, confidence = tracker.update(picture)
        if confidence < rules.min_confidence or _gone(box, picture):
            return
        met = [p for p in alive if frame <= p.last_seen and meets(p, frame, box)]
        if any(frame < p.last_seen for p in met):
            return
        met += [p for p in lost if frame >= p.last_seen and meets(p, frame, box)]
        if met:
            earlier = {f: b for f, b in met[0].boxes.items() if f <= frame}
            piece.boxes = earlier | piece.boxes
            piece.found = met[0].found + piece.found
            (alive if met[0] in alive else lost).remove(met[0])
            return
        piece.boxes[frame] = box


def _owners(tracked: list[Box], found: list[Box], min_overlap: float) -> dict[int, int]:
    """For found boxes the tracked one each belongs to, by the assignment of most overlap."""
    if not tracked or not found:
        return {}
    from scipy.optimize import linear_sum_assignment

    overlap = box_arithmetic.iou(np.array(found), np.array(tracked))
    pairs = zip(*linear_sum_assignment(-overlap), strict=True)
    return {int(f): int(t) for f, t in pairs if overlap[f, t] >= min_overlap}


def _gone(box: Box, picture: Images) -> bool:
    """Whether a box has shrunk to nothing, or its middle has left the picture."""
    x1, y1, x2, y2 = box
    height, width = picture.shape[:2]
    inside = 0 < x1 + x2 < 2 * width and 0 < y1 + y2 < 2 * height
    return not (inside and x2 - x1 >= 1 and y2 - y1 >= 1)


def _overlap(a: Box, b: Box) -> float:
    return float(box_arithmetic.iou(np.array([a]), np.array([b]))[0, 0])


def _box(row: npt.NDArray[np.floating]) -> Box:
    x1, y1, x2, y2 = (float(v) for v in row)
    return x1, y1, x2, y2


def _finished(piece: _Piece) -> Followed:
    frames = sorted(piece.boxes)
    return Followed(piece.found, frames[0], np.array([piece.boxes[f] for f in frames]))

"""Following a textured square along a known path with dlib's tracker, with few detections."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from caer_build.models.correlation_tracker import Box, CorrelationTracker
from caer_build.models.following import FollowRules, follow

pytest.importorskip("dlib")
RNG = np.random.default_rng(4)
PATCH = cv2.resize(RNG.integers(0, 255, (8, 8, 3), dtype=np.uint8), (60, 60))
GROUND = cv2.resize(RNG.integers(90, 130, (9, 16, 3), dtype=np.uint8), (480, 270))


def place(frame: int) -> Box:
    x, y = 60 + 4 * frame, 100 + round(10 * np.sin(frame / 6))
    return x, y, x + 60, y + 60


def pictures(n: int, hidden: range = range(0)) -> Iterator[tuple[int, np.ndarray]]:
    for frame in range(n):
        picture = GROUND.copy()
        if frame not in hidden:
            x, y = (int(v) for v in place(frame)[:2])
            picture[y : y + 60, x : x + 60] = PATCH
        yield frame, picture


def found(*frames: int) -> dict[int, np.ndarray]:
    return {frame: np.array([place(frame)]) for frame in frames}


def test_two_detections_are_enough_for_all_frames_forwards_and_backwards() -> None:
    faces = follow(pictures(60), found(15, 40), CorrelationTracker, FollowRules())
    (face,) = faces
    assert face.found == [(15, 0), (40, 0)]
    assert (face.start_frame, len(face.boxes)) == (0, 60)
    assert np.abs(face.boxes - [place(frame) for frame in range(60)]).max() < 6


def test_what_vanishes_is_lost_and_not_followed_through_nothing() -> None:
    faces = follow(pictures(60, range(30, 60)), found(5), CorrelationTracker, FollowRules())
    (face,) = faces
    assert face.start_frame == 0
    assert 29 <= len(face.boxes) <= 36


def test_running_back_meets_what_was_lost() -> None:
    # The forward tracker may run blind for 10 frames only; backwards it meets its own end.
    rules = FollowRules(longest_blind=10)
    (face,) = follow(pictures(60), found(10, 40), CorrelationTracker, rules)
    assert face.found == [(10, 0), (40, 0)]
    assert np.abs(face.boxes[:51] - [place(frame) for frame in range(51)]).max() < 6


def test_pieces_too_far_apart_stay_two() -> None:
    rules = FollowRules(longest_blind=5, longest_back=5)
    first, second = follow(pictures(60), found(10, 40), CorrelationTracker, rules)
    assert (first.start_frame, len(first.boxes)) == (5, 11)
    assert (second.start_frame, len(second.boxes)) == (35, 11)


def test_no_detections_no_faces() -> None:
    assert follow(pictures(5), {}, CorrelationTracker, FollowRules()) == []

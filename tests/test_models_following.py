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


class Clinging:
    """A tracker that loses nothing, but stays where it is if it begins before frame 20.

    It reads the frame's number from the picture's first value.
    """

    def __init__(self, picture: np.ndarray, box: Box) -> None:
        self._stays = int(picture[0, 0, 0]) < 20
        self._box = box

    def update(self, picture: np.ndarray) -> tuple[Box, float]:
        return (self._box if self._stays else place(int(picture[0, 0, 0]))), 20.0


def test_a_face_whose_tracker_stayed_behind_is_joined_from_its_next_detection() -> None:
    numbered = ((frame, np.full((270, 480, 3), frame, np.uint8)) for frame in range(60))
    (face,) = follow(numbered, found(10, 40), Clinging, FollowRules())
    assert face.found == [(10, 0), (40, 0)]
    # Back from frame 10 the first tracker stays too; from there on all is as it really was.
    assert np.abs(face.boxes[10:] - [place(frame) for frame in range(10, 60)]).max() < 1e-9


def test_a_box_whose_middle_leaves_the_picture_has_lost_its_face() -> None:
    numbered = ((frame, np.full((270, 200, 3), frame, np.uint8)) for frame in range(20, 60))
    (face,) = follow(numbered, found(20), Clinging, FollowRules())
    # The middle, x = 90 + 4 frames, reaches the border at 200 px in frame 28.
    assert (face.start_frame, len(face.boxes)) == (20, 8)

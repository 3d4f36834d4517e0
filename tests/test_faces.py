"""Arithmetic on faces, against heads turned by known angles and boxes written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build import faces

# Eyes, nose and mouth corners of a head in mm, x to the picture's right, y down, z to the camera.
HEAD = np.array(
    [[-31.5, 0, 0], [31.5, 0, 0], [0, 34, 25], [-25, 63, 2], [25, 63, 2]], dtype=np.float64
)


def seen(yaw: float, roll: float = 0.0, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The head's points under parallel projection, turned by yaw, then tilted by roll, degrees."""
    y, r = math.radians(yaw), math.radians(roll)
    x = HEAD[:, 0] * math.cos(y) + HEAD[:, 2] * math.sin(y)
    points = np.stack([x, HEAD[:, 1]], axis=1)
    turn = np.array([[math.cos(r), -math.sin(r)], [math.sin(r), math.cos(r)]])
    return points @ turn.T * scale + shift


@pytest.mark.parametrize("yaw", [-60, -30, 0, 15, 45, 75])
def test_yaw_of_a_head_turned_by_a_known_angle(yaw: float) -> None:
    assert faces.yaw_deg(seen(yaw)[None])[0] == pytest.approx(yaw, abs=3)


@given(
    yaw=st.floats(-70, 70),
    roll=st.floats(-40, 40),
    scale=st.floats(0.2, 5),
    shift=st.floats(-500, 500),
)
def test_yaw_does_not_depend_on_tilt_size_and_place(
    yaw: float, roll: float, scale: float, shift: float
) -> None:
    plain = faces.yaw_deg(seen(yaw)[None])[0]
    moved = faces.yaw_deg(seen(yaw, roll, scale, shift)[None])[0]
    assert moved == pytest.approx(plain, abs=0.1)


def test_a_mirrored_face_is_turned_the_other_way() -> None:
    face = seen(25, roll=5)
    mirrored = face[[1, 0, 2, 4, 3]] * (-1, 1)
    assert faces.yaw_deg(mirrored[None])[0] == pytest.approx(-faces.yaw_deg(face[None])[0])


def test_without_landmarks_there_is_no_yaw() -> None:
    both = np.stack([seen(10), np.full((5, 2), np.nan)])
    yaw = faces.yaw_deg(both)
    assert yaw[0] == pytest.approx(10, abs=3)
    assert math.isnan(yaw[1])
    assert faces.yaw_deg(np.zeros((0, 5, 2))).shape == (0,)


def test_a_blurred_face_is_less_sharp_whatever_its_size() -> None:
    import cv2

    rng = np.random.default_rng(3)
    sharp = cv2.resize(rng.integers(0, 255, (32, 32), dtype=np.uint8), (160, 200))
    blurred = cv2.GaussianBlur(sharp, (0, 0), 8)
    small = cv2.resize(cv2.resize(sharp, (12, 15), interpolation=cv2.INTER_AREA), (80, 100))
    assert faces.sharpness(sharp) > 4 * faces.sharpness(blurred)
    assert faces.sharpness(sharp) > 4 * faces.sharpness(small)
    assert faces.sharpness(np.full((90, 70), 128, np.uint8)) == 0


def test_a_loose_crop_is_the_square_around_the_longer_side() -> None:
    crop = faces.loose_crop_box((100, 100, 150, 160), 640, 360, margin=0.5, max_side=192)
    # centre (125, 130), side 60 * 1.5 = 90: 45 to each side
    assert (crop.x1, crop.y1, crop.x2, crop.y2) == (80, 85, 170, 175)
    assert (crop.width, crop.height) == (90, 90)
    assert crop.to_crop(np.array([125.0, 130.0])).tolist() == [45.0, 45.0]


def test_a_large_face_is_stored_smaller_and_points_follow() -> None:
    crop = faces.loose_crop_box((400, 200, 640, 500), 1280, 720, margin=0.6, max_side=192)
    # centre (520, 350), side 480: 240 to each side
    assert (crop.x1, crop.y1, crop.x2, crop.y2) == (280, 110, 760, 590)
    assert (crop.width, crop.height) == (192, 192)
    assert crop.to_crop(np.array([[520.0, 350.0]])).tolist() == [[96.0, 96.0]]
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[340:360, 510:530] = 255
    stored = crop.cut(picture)
    assert stored.shape == (192, 192, 3)
    assert stored[96, 96, 0] == 255
    assert stored[60, 60, 0] == 0


def test_at_the_border_the_crop_is_cut() -> None:
    crop = faces.loose_crop_box((0, 0, 50, 60), 640, 360, margin=0.5)
    assert (crop.x1, crop.y1, crop.x2, crop.y2) == (0, 0, 70, 75)
    assert (crop.width, crop.height) == (70, 75)


@given(
    x=st.floats(-50, 690),
    y=st.floats(-50, 400),
    w=st.floats(4, 900),
    h=st.floats(4, 900),
    margin=st.floats(0, 2),
)
def test_a_crop_always_lies_inside_the_frame_and_is_small(
    x: float, y: float, w: float, h: float, margin: float
) -> None:
    crop = faces.loose_crop_box((x, y, x + w, y + h), 640, 360, margin)
    assert 0 <= crop.x1 < crop.x2 <= 640
    assert 0 <= crop.y1 < crop.y2 <= 360
    assert 1 <= crop.width <= min(faces.CROP_SIDE, crop.x2 - crop.x1)
    assert 1 <= crop.height <= min(faces.CROP_SIDE, crop.y2 - crop.y1)

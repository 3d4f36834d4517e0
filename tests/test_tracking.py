"""Joining and smoothing, on boxes written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build import tracking


def square(x: float, y: float = 0.0, size: float = 10.0) -> tuple[float, ...]:
    return (x, y, x + size, y + size)


def joined(rows: list[tuple[float, tuple[float, ...], bool]], gap_s: float = 1.0) -> list[list]:
    times = np.array([t for t, _, _ in rows])
    boxes = np.array([b for _, b, _ in rows])
    strong = np.array([s for _, _, s in rows])
    tracks = tracking.join(times, boxes, strong, gap_s)
    return sorted(track.tolist() for track in tracks)


def test_the_nearest_continues_a_track() -> None:
    rows = [
        (0.0, square(0), True),
        (0.0, square(12), True),
        (0.2, square(1), True),
        (0.2, square(13), True),
    ]
    assert joined(rows) == [[0, 2], [1, 3]]


def test_the_assignment_is_the_best_of_all_not_the_best_of_the_first() -> None:
    # Both tracks are nearest to the box at 6, but only the first can also take the one at -6.
    rows = [
        (0.0, square(0), True),
        (0.0, square(9), True),
        (0.2, square(6), True),
        (0.2, square(-6), True),
    ]
    assert joined(rows) == [[0, 3], [1, 2]]


def test_strong_detections_choose_first() -> None:
    rows = [(0.0, square(0), True), (0.2, square(1), False), (0.2, square(3), True)]
    assert joined(rows) == [[0, 2], [1]]


def test_speed_decides_where_places_are_equally_near() -> None:
    rows = [(0.0, square(0), True), (0.2, square(8), True), (0.4, square(16), True)]
    # One goes on at the old pace, one would have to turn back.
    rows += [(0.6, square(10), True), (0.6, square(24), True)]
    assert [0, 1, 2, 4] in joined(rows)


def test_a_face_of_another_size_is_another_face() -> None:
    rows = [(0.0, square(0, size=10), True), (0.2, square(0, size=30), True)]
    assert joined(rows) == [[0], [1]]


@pytest.mark.parametrize(("after_s", "tracks"), [(0.9, 1), (1.1, 2)])
def test_a_track_is_closed_after_the_longest_gap(after_s: float, tracks: int) -> None:
    assert len(joined([(0.0, square(0), True), (after_s, square(0), True)])) == tracks


@given(
    slope=st.floats(-300, 300),
    start=st.floats(-100, 100),
    steps=st.lists(st.floats(0.02, 1.5), min_size=1, max_size=30),
    width=st.floats(0.01, 1),
)
def test_an_even_motion_is_not_changed_by_smoothing(
    slope: float, start: float, steps: list[float], width: float
) -> None:
    times = np.cumsum([0.0, *steps])
    x = start + slope * times
    boxes = np.stack([x, x * 0, x + 50, x * 0 + 60], axis=1)
    np.testing.assert_allclose(tracking.smooth(times, boxes, width, 0.1), boxes, atol=1e-4)


def test_an_outlier_is_drawn_back_by_the_most_that_is_allowed() -> None:
    times = np.arange(7) * 0.2
    boxes = np.tile([0.0, 0.0, 100.0, 100.0], (7, 1))
    boxes[3] += (60, 0, 60, 0)
    smoothed = tracking.smooth(times, boxes, 0.25, 0.1)
    assert smoothed[3].tolist() == pytest.approx([50, 0, 150, 100])
    assert np.abs(smoothed - boxes).max() <= 10 + 1e-9


def test_no_width_and_short_tracks_are_left_as_they_are() -> None:
    boxes = np.random.default_rng(0).uniform(0, 10, (5, 4))
    times = np.arange(5.0)
    assert np.array_equal(tracking.smooth(times, boxes, 0.0, 0.1), boxes)
    assert np.array_equal(tracking.smooth(times[:2], boxes[:2], 0.3, 0.1), boxes[:2])


def test_covered_is_the_share_of_the_smaller_box() -> None:
    a = np.array([square(0, size=10), square(0, size=10), square(0, size=10)])
    b = np.array([square(2, 2, size=4), square(5, size=10), square(20, size=10)])
    assert tracking.covered(a, b).tolist() == [1.0, 0.5, 0.0]


def test_smoothing_does_not_leave_the_picture() -> None:
    """A face that comes to rest at the picture's lower edge, 540: a line would shoot over it."""
    times = np.arange(8) * 0.2
    bottoms = np.array([480, 500, 520, 540, 540, 540, 540, 540.0])
    boxes = np.stack([np.full(8, 10.0), bottoms - 200, np.full(8, 160.0), bottoms], axis=1)
    smoothed = tracking.smooth(times, boxes, 0.25, 0.1)
    assert smoothed[:, 3].max() == 540
    assert np.abs(smoothed - boxes).max() > 1

"""IDF1 and HOTA on toy tracks, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.tracking_scores import FrameBoxes, Shot, hota, idf1


def at(**places: float) -> FrameBoxes:
    """10 px squares, 100 px apart: two either are the same or do not touch."""
    return {name: np.array([100 * x, 0, 100 * x + 10, 10]) for name, x in places.items()}


def test_perfect_tracks_score_one_whatever_they_are_called() -> None:
    shot = Shot([at(a=0, b=1)] * 4, [at(x=1, y=0)] * 4)
    assert idf1([shot, shot]) == 1
    assert hota([shot, shot]) == pytest.approx(1)


def test_nothing_found_scores_nothing() -> None:
    shot = Shot([at(a=0)] * 4, [{}] * 4)
    assert (idf1([shot]), hota([shot])) == (0, 0)


def test_one_person_broken_into_two_tracks() -> None:
    shot = Shot([at(a=0)] * 4, [at(x=0)] * 2 + [at(y=0)] * 2)
    # The better half is named right: 2 of 4 true and 4 found boxes agree.
    assert idf1([shot]) == pytest.approx(2 * 2 / 8)
    # Every box is found; each match shares 2 of the 4 frames of the pair: 2 / (4 + 2 - 2).
    assert hota([shot]) == pytest.approx(math.sqrt(1 * 0.5))


def test_a_swap_costs_more_than_a_break() -> None:
    truth = [at(a=0, b=1)] * 4
    swapped = Shot(truth, [at(x=0, y=1)] * 2 + [at(x=1, y=0)] * 2)
    assert idf1([swapped]) == pytest.approx(0.5)
    # Each of the four pairs shares 2 frames: 2 / (4 + 4 - 2).
    assert hota([swapped]) == pytest.approx(math.sqrt(1 / 3))


def test_a_false_track_and_missed_frames() -> None:
    shot = Shot([at(a=0)] * 4, [at(x=0, z=5)] * 2 + [at(z=5)] * 2)
    assert idf1([shot]) == pytest.approx(2 * 2 / (4 + 6))
    # 2 hits of 4 true and 6 found; the pair shares 2 of 4 frames.
    assert hota([shot]) == pytest.approx(math.sqrt(2 / 8 * 2 / 4))


def test_loose_boxes_count_for_the_overlaps_they_reach() -> None:
    half = {"x": np.array([0.0, 0.0, 10.0, 5.0])}
    shot = Shot([at(a=0)] * 3, [half] * 3)
    assert idf1([shot]) == 1
    assert hota([shot]) == pytest.approx(10 / 19)  # an overlap of 0.5 reaches 0.05 … 0.50

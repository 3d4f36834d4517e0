"""Frames and boxes: arithmetic by hand, invariants by property."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build import boxes
from caer_build.errors import SchemaError
from caer_build.frames import Span, Timeline, runs, tiles


def test_iou_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]], float)
    b = np.array([[5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 10], [3, 3, 3, 3]], float)
    assert boxes.iou(a, b)[0].tolist() == pytest.approx([50 / 150, 0, 1, 0])


def test_interpolation_holds_beyond_the_ends() -> None:
    known = np.array([[0, 0, 10, 10], [10, 0, 20, 10]], float)
    found = boxes.interpolate(np.array([-1, 0, 1, 2, 3]), np.array([0, 2]), known)
    assert found[:, 0].tolist() == [0, 0, 5, 10, 10]


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 3), (-1, 2)])
def test_a_span_is_never_empty(start: int, end: int) -> None:
    with pytest.raises(SchemaError, match="0 <= start < end"):
        Span(start, end)


def test_times_of_a_variable_rate() -> None:
    timeline = Timeline(np.array([0.0, 0.04, 0.12]), 0.2)
    assert timeline.start_of(3) == 0.2
    assert timeline.duration_of(Span(1, 3)) == pytest.approx(0.16)
    assert [timeline.frame_at(t) for t in (-1, 0.0, 0.05, 0.12, 9)] == [0, 0, 1, 2, 2]
    with pytest.raises(SchemaError, match="increasing"):
        Timeline(np.array([0.0, 0.0]), 1.0)


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_exactly_the_true_places(mask: list[bool]) -> None:
    found = list(runs(np.array(mask, dtype=bool)))
    assert [f for span in found for f in range(span.start, span.end)] == [
        i for i, m in enumerate(mask) if m
    ]
    assert all(a.end < b.start for a, b in itertools.pairwise(found))


def test_tiles() -> None:
    assert tiles([Span(0, 3), Span(3, 5)], 5)
    assert not tiles([Span(0, 3), Span(4, 5)], 5)
    assert not tiles([Span(0, 3)], 5)

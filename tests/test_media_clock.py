"""Times strictly increase, and good ones pass through."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.media.clock import Clock

ONE = Fraction(1)


def times_of(clock: Clock, ticks: Sequence[int | None]) -> list[float]:
    """The times of frames, and that each comes with its own frame."""
    given = list(clock.run((tick, number) for number, tick in enumerate(ticks)))
    assert [number for _, number in given] == list(range(len(ticks)))
    return [time_s for time_s, _ in given]


@pytest.mark.parametrize(
    ("ticks", "times", "n_repaired"),
    [
        ([0, 1, 2, 5], [0, 1, 2, 5], 0),
        ([-3, -1, 0], [-3, -1, 0], 0),
        ([0, 1, 1, 2, 3], [0, 1, 1.5, 2, 3], 1),
        ([0, 0, 1, 1, 2, 2], [0, 0.5, 1, 1.5, 2, 3], 3),
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 4, 5], 1),
        ([7, 7, 7, 7], [7, 8, 9, 10], 3),
        ([None, None, None], [10, 11, 12], 3),
        ([0, None, 2, 3], [0, 1, 2, 3], 1),
        ([0, 1, 100_000, 100_001], [0, 1, 2, 3], 1),
        ([0, 1, 500, 501], [0, 1, 500, 501], 0),
        ([10, 11, 5, 12, 13], [10, 11, 11.5, 12, 13], 1),
        ([10, 11, 5, 12, 6, 13, 14], [10, 11, 11.5, 12, 12.5, 13, 14], 2),
        ([10, 11, 40, 12, 13], [10, 11, 11.5, 12, 13], 1),
        ([10, 11, 100_000, 12, 13], [10, 11, 11.5, 12, 13], 1),
        ([10, 11, 5], [10, 11, 12], 1),
        ([10, 11, 5, 6, 7, 8], [10, 11, 12, 13, 14, 15], 1),
    ],
    ids=[
        "good", "negative", "stray", "doubled", "jumps back", "stands still", "missing",
        "one missing", "leaps ahead", "long pause", "far back once", "far back twice",
        "ahead once", "far ahead once", "back at the end", "jumps far back",
    ],
)  # fmt: skip
def test_by_hand(ticks: list[int | None], times: list[float], n_repaired: int) -> None:
    clock = Clock(ONE, ONE, start_s=10.0)
    assert times_of(clock, ticks) == times
    assert clock.n_repaired == n_repaired


@given(
    st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=60),
    st.sampled_from(
        [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 1000), Fraction(1, 90000)]
    ),
)
def test_whatever_comes_times_strictly_increase(ticks: list[int | None], base: Fraction) -> None:
    clock = Clock(base, Fraction(25))
    times = times_of(clock, ticks)
    assert all(a < b for a, b in pairwise(times))


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60), st.integers(-5000, 5000))
def test_increasing_times_are_left_alone(steps: list[int], start: int) -> None:
    ticks = [start]
    for step in steps:
        ticks.append(ticks[-1] + step)
    clock = Clock(Fraction(1, 1000), Fraction(25))
    assert times_of(clock, ticks) == [tick / 1000 for tick in ticks]
    assert clock.n_repaired == 0


def test_ticks_are_the_inverse_of_seconds() -> None:
    clock = Clock(Fraction(1001, 24000), Fraction(25))
    assert [clock.ticks(clock.seconds(tick)) for tick in (-7, 0, 123_456)] == [-7, 0, 123_456]

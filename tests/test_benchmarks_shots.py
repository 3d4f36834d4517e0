"""The editor's plans and the counting of boundaries, on which the shots benchmark stands."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.boundary_scores import Counts, Truth, count
from benchmarks.editor import HARD, TELEVISION, plan_episode, render, truth_of
from benchmarks.footage import Span, all_spans, episode_spans

SPANS = [Span(Path("a.mp4"), 0, 50), Span(Path("b.mp4"), 10, 90), Span(Path("c.png"), 0, 1)]


@settings(max_examples=30)
@given(st.integers(1, 1500), st.sampled_from([TELEVISION, HARD]), st.integers(0, 99))
def test_a_plan_has_the_length_asked_for_and_its_truth_fits(
    n: int, style: object, seed: int
) -> None:
    assert style in (TELEVISION, HARD)
    plan = plan_episode(SPANS, n, TELEVISION if style is TELEVISION else HARD, seed)
    truth = truth_of(plan)
    assert truth.n_frames == n
    events = sorted([(c, c) for c in truth.cuts] + [(a, b + 1) for a, b, _ in truth.gradual])
    assert all(0 < a <= b < n for a, b in events)
    assert all(b < c for (_, b), (c, _) in pairwise(events))
    assert len(plan.takes) == 1 + len(events)


def test_a_seed_gives_one_episode(data: Path) -> None:
    spans = [s for s in all_spans(data) if len(s) == 1]
    if len(spans) < 2:
        pytest.skip("needs the photographs of the test data")
    first, again, other = (
        np.stack(list(render(plan_episode(spans, 90, HARD, seed), 96, 54))) for seed in (3, 3, 4)
    )
    assert first.shape == (90, 54, 96, 3)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_spans_lie_within_the_shots_of_the_truth(data: Path) -> None:
    spans = episode_spans(data / "episodes" / "lobby.s01e01.truth.json")
    assert (
        Span(data / "episodes" / "lobby.s01e01.mp4", 102, 211) in spans
    )  # its dissolve ends at 99
    assert not any(s.start < 76 < s.stop for s in spans)  # a cut that the truth does not list


def test_counting_by_hand() -> None:
    truth = Truth(200, (50, 100), ((140, 150),))
    #   49, 52: one of them finds the cut at 50, the other is false; 103 is too far from 100;
    #   137 and 154 are the outermost that find the transition, and count once
    assert count(truth, [49, 52, 103, 137, 154]) == Counts(1, 2, 1, 1, 2)
    assert count(truth, [136, 155]) == Counts(0, 2, 0, 1, 2)
    assert count(truth, []) == Counts(0, 2, 0, 1, 0)
    assert count(truth, [50, 100, 145]).f1 == 1
    assert Counts(1, 2, 1, 1, 2).f1 == pytest.approx(2 * 2 / (2 + 2 + 3))

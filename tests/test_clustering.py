"""Constrained clustering: by hand on toy data, and what holds for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.clustering import cluster
from caer_build.errors import SchemaError

Items = tuple[list[str], np.ndarray, np.ndarray, np.ndarray, list[tuple[str, str]]]


def at_degrees(*angles: float) -> np.ndarray:
    """Unit vectors of the plane; two that are a degrees apart have distance 1 - cos(a)."""
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def grouped(
    vectors: np.ndarray,
    threshold: float,
    apart: tuple[tuple[str, str], ...] = (),
    unsure: str = "",
) -> list[str]:
    """Groups of the items a, b, c, … as words."""
    keys = [chr(ord("a") + i) for i in range(len(vectors))]
    sure = np.array([key not in unsure for key in keys])
    groups = cluster(keys, vectors, np.ones(len(keys)), sure, apart=apart, threshold=threshold)
    return ["".join(group) for group in groups]


def test_near_items_are_grouped() -> None:
    assert grouped(at_degrees(0, 80, 5, 85), 0.1) == ["ac", "bd"]


def test_the_threshold_is_the_mean_distance_and_inclusive() -> None:
    # 60 degrees apart: distance 1 - 0.5.
    assert grouped(at_degrees(0, 60), 0.5) == ["ab"]
    assert grouped(at_degrees(0, 60), 0.49) == ["a", "b"]
    # a and b merge first (30 degrees: 0.134); c is then at the mean of
    # 1 - cos(30) = 0.134 and 1 - cos(60) = 0.5, that is 0.317.
    assert grouped(at_degrees(0, 30, 60), 0.318) == ["abc"]
    assert grouped(at_degrees(0, 30, 60), 0.316) == ["ab", "c"]


def test_weights_count_in_the_mean() -> None:
    # With b three times as heavy, c is at (0.5 + 3 * 0.134) / 4 = 0.2255 of ab.
    vectors, sure = at_degrees(0, 30, 60), np.ones(3, dtype=bool)
    for threshold, expected in ((0.23, [["a", "b", "c"]]), (0.22, [["a", "b"], ["c"]])):
        assert (
            cluster(["a", "b", "c"], vectors, [1, 3, 1], sure, apart=[], threshold=threshold)
            == expected
        )


def test_what_must_stay_apart_does_and_so_do_its_mates() -> None:
    assert grouped(at_degrees(0, 1, 2), 0.5, apart=(("a", "c"),)) == ["ab", "c"]
    # a-b and c-d merge first; a and d apart keep the two pairs apart.
    assert grouped(at_degrees(0, 1, 10, 11), 2.0, apart=(("a", "d"),)) == ["ab", "cd"]


def test_an_unsure_item_joins_but_does_not_bridge() -> None:
    angles = at_degrees(0, 40, 20)
    assert grouped(angles, 0.2) == ["abc"]
    # a and b are 1 - cos(40) = 0.234 apart: nothing between them brings them together.
    assert grouped(angles, 0.2, unsure="c") == ["ac", "b"]
    # Unsure items do not pull the mean with them: d is at 0.134 of c, but at 0.5 of a.
    assert grouped(at_degrees(0, 90, 30, 60), 0.2, unsure="cd") == ["ac", "bd"]
    assert grouped(at_degrees(0, 120, 30, 60), 0.2, unsure="cd") == ["ac", "b", "d"]


def test_unsure_items_with_no_home_are_grouped_among_themselves() -> None:
    assert grouped(at_degrees(0, 90, 92), 0.1, unsure="bc") == ["a", "bc"]
    assert grouped(at_degrees(0, 2), 0.1, unsure="ab") == ["ab"]


def test_unsure_items_stay_apart_too() -> None:
    apart = (("b", "c"),)
    assert grouped(at_degrees(0, 1, 2), 0.5, apart=apart, unsure="bc") == ["ab", "c"]
    assert grouped(at_degrees(0, 1, 2), 0.5, apart=apart, unsure="abc") == ["ab", "c"]


def test_a_zero_vector_is_near_to_nothing() -> None:
    assert grouped(np.zeros((3, 4)), 0.9) == ["a", "b", "c"]


def test_nothing_gives_nothing() -> None:
    assert (
        cluster([], np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=bool), apart=[], threshold=0.5)
        == []
    )


@pytest.mark.parametrize(
    ("keys", "apart"),
    [(["a", "a"], []), (["a"], []), (["a", "b"], [("a", "c")]), (["a", "b"], [("b", "b")])],
)
def test_what_makes_no_sense_is_refused(keys: list[str], apart: list[tuple[str, str]]) -> None:
    with pytest.raises(SchemaError):
        cluster(
            keys, at_degrees(0, 10), np.ones(2), np.ones(2, dtype=bool), apart=apart, threshold=0.5
        )


@st.composite
def items(draw: st.DrawFn) -> Items:
    n = draw(st.integers(1, 14))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 6))
    vectors = centres[rng.integers(0, 3, n)] + rng.normal(size=(n, 6)) * draw(
        st.sampled_from([0.0, 0.2, 1.0])
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = [f"k{i:02d}" for i in range(n)]
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=2 * n))
    apart = [(keys[a], keys[b]) for a, b in pairs if a != b]
    return keys, vectors, rng.integers(1, 5, n).astype(float), rng.random(n) < 0.7, apart


@settings(max_examples=150, deadline=None)
@given(items(), st.floats(0, 1.5), st.randoms(use_true_random=False))
def test_groups_hold_everyone_once_keep_apart_and_ignore_the_order(
    given_items: Items, threshold: float, random: object
) -> None:
    keys, vectors, weights, sure, apart = given_items
    groups = cluster(keys, vectors, weights, sure, apart=apart, threshold=threshold)
    assert sorted(key for group in groups for key in group) == keys
    where = {key: number for number, group in enumerate(groups) for key in group}
    assert all(where[a] != where[b] for a, b in apart)
    order = list(range(len(keys)))
    random.shuffle(order)  # type: ignore[attr-defined]
    random.shuffle(apart)  # type: ignore[attr-defined]
    again = cluster(
        [keys[i] for i in order],
        vectors[order],
        weights[order],
        sure[order],
        apart=apart,
        threshold=threshold,
    )
    assert again == groups


@settings(max_examples=60, deadline=None)
@given(items(), st.floats(0.05, 1.2))
def test_without_constraints_it_is_plain_average_linkage(
    given_items: Items, threshold: float
) -> None:
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    keys, vectors, _, _, _ = given_items
    if len(keys) < 2:
        return
    n = len(keys)
    upper = np.triu_indices(n, 1)
    distances = np.maximum(1 - vectors @ vectors.T, 0)[upper]
    if len(np.unique(distances.round(5))) < len(distances):
        return  # ties may be broken either way
    labels = hierarchy.fcluster(hierarchy.average(distances), threshold, criterion="distance")
    expected = sorted(
        [keys[i] for i in range(n) if labels[i] == label] for label in np.unique(labels)
    )
    assert (
        cluster(keys, vectors, np.ones(n), np.ones(n, dtype=bool), apart=[], threshold=threshold)
        == expected
    )

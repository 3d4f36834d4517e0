"""Figures of predictions: by hand on toy data, and as scikit-learn has them."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from caer_build.caernet import bootstrap
from caer_build.caernet.bootstrap import FIGURES, Clusters, clusters_of, difference, interval
from caer_build.caernet.metrics import measured
from caer_build.errors import DatasetError

NAMES = ("a", "b", "c")


def sure(predicted: list[int], confidence: float = 0.8) -> np.ndarray:
    rest = (1 - confidence) / 2
    table = np.full((len(predicted), 3), rest)
    table[np.arange(len(predicted)), predicted] = confidence
    return table


def test_figures_by_hand() -> None:
    """Four of a (three found), two of b (one found, one taken for a), none of c."""
    labels = np.array([0, 0, 0, 0, 1, 1])
    found = measured(sure([0, 0, 0, 1, 1, 0]), labels, NAMES)
    assert found.n == 6
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.uar == pytest.approx((3 / 4 + 1 / 2) / 2)
    # a: 3 of 4 found, 3 of 4 called so are; b: 1 of 2, 1 of 2.
    assert found.macro_f1 == pytest.approx((0.75 + 0.5) / 2)
    assert found.confusion == ((3, 1, 0), (1, 1, 0), (0, 0, 0))
    assert found.absent == ("c",), "said, and in no mean"
    assert asdict(found.categories["c"]) == {"n": 0, "recall": None, "precision": None, "f1": None}
    assert found.ece == pytest.approx(0.8 - 4 / 6)
    (only,) = [one for one in found.calibration if one.n]
    assert (round(only.low * 15), round(only.high * 15), only.n) == (11, 12, 6)
    assert only.accuracy == pytest.approx(4 / 6)


def test_what_was_never_found_is_zero_and_not_left_out() -> None:
    found = measured(sure([0, 0, 2]), np.array([0, 1, 1]), NAMES)
    assert found.categories["b"].f1 == 0
    assert found.categories["b"].precision is None
    assert found.macro_f1 == pytest.approx((2 * 1 / (1 + 2) + 0) / 2)


def test_calibration_by_hand() -> None:
    """Two at 0.5 of which both are right, two at 0.9 of which one is."""
    table = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.9, 0.1, 0], [0.9, 0.1, 0]])
    found = measured(table, np.array([0, 0, 0, 1]), NAMES)
    assert found.ece == pytest.approx(2 / 4 * 0.5 + 2 / 4 * 0.4)


@given(
    st.integers(2, 7).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1,
                     max_size=60),
        )
    )
)  # fmt: skip
def test_figures_are_those_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = drawn
    labels, predicted = np.array(pairs).T
    found = measured(np.eye(n)[predicted], labels, [str(k) for k in range(n)])
    there = sorted(set(labels))
    assert found.accuracy == pytest.approx(sk.accuracy_score(labels, predicted))
    f1 = sk.f1_score(labels, predicted, labels=there, average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(f1)
    recall = sk.recall_score(labels, predicted, labels=there, average="macro", zero_division=0)
    assert found.uar == pytest.approx(recall)
    matrix = sk.confusion_matrix(labels, predicted, labels=range(n))
    assert np.array(found.confusion).tolist() == matrix.tolist()
    assert set(found.absent) == {str(k) for k in range(n)} - {str(k) for k in there}


def test_arrays_that_do_not_fit_are_refused() -> None:
    for table, labels in ((sure([0]), [0, 1]), (np.zeros((0, 3)), [])):
        with pytest.raises(DatasetError, match="Expected 3 probabilities"):
            measured(table, np.array(labels, np.int64), NAMES)


def each_alone(n: int) -> Clusters:
    return Clusters("item_id", np.arange(n), n)


def noisy(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Probabilities whose most probable is right for about a share."""
    rng = np.random.default_rng(seed)
    other = (labels + rng.integers(1, 3, len(labels))) % 3
    return sure(np.where(rng.random(len(labels)) < share, labels, other).tolist())


def test_an_interval_of_accuracy_is_that_of_the_binomial() -> None:
    """400 items, 70 % right: 1.96 standard errors are 4.5 points."""
    labels = np.random.default_rng(0).integers(0, 3, 400)
    table = noisy(labels, 0.7, 1)
    found = interval("accuracy", table, labels, each_alone(400))
    share = float((table.argmax(1) == labels).mean())
    half = 1.96 * (share * (1 - share) / 400) ** 0.5
    assert found.value == pytest.approx(share)
    assert found.low == pytest.approx(share - half, abs=0.006)
    assert found.high == pytest.approx(share + half, abs=0.006)
    assert (found.n, found.n_clusters, found.level) == (400, 400, "item_id")
    assert interval("accuracy", table, labels, each_alone(400)) == found, "the seed decides"
    assert interval("accuracy", table, labels, each_alone(400), seed=1) != found


def test_items_that_are_alike_tell_less() -> None:
    """40 clusters of ten equal items are worth 40 items."""
    labels = np.random.default_rng(0).integers(0, 3, 40)
    table = noisy(labels, 0.6, 1)
    many, copies = np.repeat(labels, 10), np.repeat(table, 10, 0)
    alone = interval("uar", table, labels, each_alone(40))
    clustered = interval("uar", copies, many, Clusters("show", np.repeat(np.arange(40), 10), 40))
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high))
    careless = interval("uar", copies, many, each_alone(400))
    assert careless.high - careless.low < 0.5 * (alone.high - alone.low)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_lies_in_its_interval_and_one_cluster_has_none(name: str) -> None:
    labels = np.random.default_rng(0).integers(0, 3, 120)
    table = noisy(labels, 0.6, 1)
    found = interval(name, table, labels, each_alone(120))
    assert found.low < found.value < found.high or name == "ece"
    assert found.value == pytest.approx(getattr(measured(table, labels, NAMES), name))
    one = interval(name, table, labels, Clusters("episode_id", np.zeros(120, np.int64), 1))
    assert (one.low, one.high, one.n_clusters) == (None, None, 1)
    assert one.value == pytest.approx(found.value)
    assert one.why == "all items are of 1 episode, fewer than 10"
    few = interval(name, table, labels, Clusters("clip_id", np.arange(120) % 9, 9))
    assert (few.low, few.why) == (None, "all items are of 9 clips, fewer than 10")


def test_the_same_system_differs_by_nothing_and_a_better_one_by_more() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 300)
    good, bad = noisy(labels, 0.8, 1), noisy(labels, 0.6, 2)
    same = difference("accuracy", good, good, labels, each_alone(300))
    assert (same.value, same.low, same.high) == (0, 0, 0)
    better = difference("accuracy", good, bad, labels, each_alone(300))
    assert 0 < better.low < better.value < better.high
    worse = difference("accuracy", bad, good, labels, each_alone(300))
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))
    with pytest.raises(DatasetError, match="Expected 300 items of every system"):
        difference("accuracy", good, bad[1:], labels, each_alone(300))


def test_a_mean_s_interval_is_that_of_the_clusters_means() -> None:
    """Two hundred clusters of three equal items: as wide as of two hundred independent items."""
    one_each = np.random.default_rng(0).normal(5, 2, 200)
    alone = bootstrap.mean(one_each, each_alone(200))
    thrice = bootstrap.mean(np.repeat(one_each, 3), Clusters("show", np.repeat(range(200), 3), 200))
    assert alone.value == pytest.approx(one_each.mean())
    assert (thrice.value, thrice.low, thrice.high) == pytest.approx(
        (alone.value, alone.low, alone.high)
    )
    half = 1.96 * one_each.std(ddof=1) / 200**0.5
    assert (alone.high - alone.low) / 2 == pytest.approx(half, rel=0.1)
    assert (thrice.n, thrice.n_clusters) == (600, 200)
    lonely = bootstrap.mean(one_each, Clusters("show", np.zeros(200, np.int64), 1))
    assert (lonely.low, lonely.why) == (None, "all items are of 1 show, fewer than 10")
    with pytest.raises(DatasetError, match="Expected 200 items in clusters, found 3"):
        bootstrap.mean(one_each, each_alone(3))


def test_resamples_in_pieces_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_CHUNK", 700)
    rows = np.concatenate(list(bootstrap._weights(90, 0)))
    assert rows.shape == (bootstrap.N_RESAMPLES, 90)
    assert (rows.sum(1) == 90).all()
    assert rows.mean() == pytest.approx(1)
    assert rows.var() == pytest.approx(1 - 1 / 90, rel=0.05)


def test_clusters_are_the_coarsest_of_which_there_are_enough() -> None:
    items = pd.DataFrame({
        "item_id": [f"i{k}" for k in range(60)],
        "show": ["a", "b"] * 30,
        "episode_id": [f"e{k % 12}" for k in range(60)],
        "person_id": [f"p{k % 20}" for k in range(60)],
    })  # fmt: skip
    found = clusters_of(items)
    assert (found.level, found.n) == ("episode_id", 12)
    assert (found.of[:12] == found.of[12:24]).all()
    assert len(set(found.of[:12])) == 12
    half = items.assign(episode_id=[None, *items.episode_id[1:]])
    assert clusters_of(half).level == "person_id", "who does not know of all does not know"
    assert clusters_of(items[["item_id"]]).level == "item_id"
    stills = items.assign(clip_id=[f"c{k % 7}" for k in range(60)])[["clip_id", "item_id"]]
    assert (clusters_of(stills).level, clusters_of(stills).n) == ("clip_id", 7)
    few = items[["show", "item_id"]].head(4)
    assert (clusters_of(few).level, clusters_of(few).n) == ("item_id", 4)


def test_weights_of_metrics_are_the_metrics_of_weighted_items() -> None:
    """Drawing an item three times is having it three times."""
    labels = np.array([0, 1, 2, 1])
    table = sure([0, 1, 1, 0])
    times = np.array([3, 0, 1, 2])
    for name, figure in FIGURES.items():
        weighted = figure.value(times @ figure.of_items(table, labels))
        again = measured(np.repeat(table, times, 0), np.repeat(labels, times), NAMES)
        assert float(weighted) == pytest.approx(getattr(again, name)), name

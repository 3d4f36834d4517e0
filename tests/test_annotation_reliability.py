"""Alpha and the kappas, held against published examples and the well-kept libraries."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from random import Random

import krippendorff
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from caer_build.annotation.agreement import confusion
from caer_build.annotation.estimates import Estimate, estimate
from caer_build.annotation.ratings import Ratings, ratings
from caer_build.annotation.reliability import cohen_kappas, fleiss_kappa, krippendorff_alpha
from caer_build.errors import SchemaError

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): A, B, C and the binary one.
FOUR_OBSERVERS = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
BINARY = ["0100000010", "1110010000"]
LETTERS = ["aabbdcccedda", "babbbccceddd"]
# Fleiss (1971) as Wikipedia works it: ten subjects, fourteen raters, five categories.
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip

Rows = list[tuple[str, str, str]]


def observed(table: Sequence[str]) -> Rows:
    """One string an observer, one letter a unit, a dot where the answer is missing."""
    return [
        (f"u{unit:02d}", f"o{who}", said)
        for who, line in enumerate(table)
        for unit, said in enumerate(line)
        if said != "."
    ]


def answers(max_people: int = 4, names: str = "abc") -> st.SearchStrategy[Rows]:
    """Random small tables with missing answers."""
    line = st.text(alphabet=names + ".", min_size=8, max_size=8)
    return st.lists(line, min_size=2, max_size=max_people).map(observed)


@pytest.mark.parametrize(
    ("table", "alpha"), [(FOUR_OBSERVERS, 0.743), (BINARY, 0.095), (LETTERS, 0.692)]
)
def test_alpha_of_the_published_examples(table: list[str], alpha: float) -> None:
    found = krippendorff_alpha(ratings(observed(table)))
    assert found.value == pytest.approx(alpha, abs=0.0005)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_alpha_of_real_answers(data: Path) -> None:
    with (data / "votes" / "face_sentiment_answers.csv").open(newline="") as file:
        rows = [(r["question"], r["worker"], r["answer"]) for r in csv.DictReader(file)]
    found = krippendorff_alpha(ratings(rows))
    assert found.value is not None
    assert round(found.value, 4) == 0.4949
    assert (found.n_clips, found.reason) == (584, None)


@given(answers())
@example(observed([".aaaaaaa", "baaaaaaa"]))
def test_alpha_is_the_librarys(rows: Rows) -> None:
    rated = ratings(rows)
    found = krippendorff_alpha(rated, resamples=10)
    table = np.full((len(rated.annotators), len(rated.clips)), np.nan)
    table[rated.annotator, rated.clip] = rated.category
    try:
        expected = krippendorff.alpha(table, level_of_measurement="nominal")
    except ValueError:
        expected = math.nan
    if found.value is None:
        # Where all that can be compared is the same, the library divides by 0, and says nan.
        assert math.isnan(expected)
        return
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "two people"),
        (observed(["abc"]), "two people"),
        (observed(["ab..", "..ab"]), "two people"),
        (observed(["aaa", "aaa"]), "answers are the same"),
    ],
)
def test_what_is_undefined_says_why(rows: Rows, said: str) -> None:
    for figure in (krippendorff_alpha, fleiss_kappa):
        found = figure(ratings(rows))
        assert (found.value, found.low, found.high) == (None, None, None)
        assert said in str(found.reason)


def test_one_clip_has_no_interval() -> None:
    found = krippendorff_alpha(ratings(observed(["a", "b"])))
    assert (found.value, found.low) == (0.0, None)
    assert "One clip" in str(found.reason)


def test_too_few_clips_for_an_interval() -> None:
    found = krippendorff_alpha(ratings(observed(["ab", "ab"])))
    assert (found.value, found.low) == (1.0, None)
    assert "resamples" in str(found.reason)


@settings(deadline=None)
@given(answers(), st.permutations(range(4)), st.randoms(use_true_random=False))
def test_order_and_names_change_nothing(rows: Rows, places: list[int], random: Random) -> None:
    shuffled = [(clip, f"o{places[int(who[1:])]}", said) for clip, who, said in rows]
    random.shuffle(shuffled)
    answer = {"a": "z", "b": "m", "c": "d"}
    renamed = [(clip, who, answer[said]) for clip, who, said in rows]
    for figure in (krippendorff_alpha, fleiss_kappa):
        before = figure(ratings(rows), resamples=50)
        assert figure(ratings(shuffled), resamples=50) == before
        after = figure(ratings(renamed), resamples=50)
        assert after.n_clips == before.n_clips
        assert after.value == pytest.approx(before.value, abs=1e-12)


@settings(deadline=None)
@given(answers(names="abc"))
def test_full_agreement_is_one(rows: Rows) -> None:
    agreed = ratings([(clip, who, "abc"[int(clip[1:]) % 3]) for clip, who, _ in rows])
    for figure in (krippendorff_alpha, fleiss_kappa):
        assert figure(agreed, resamples=10).value in (1.0, None)
    assert {pair.kappa.value for pair in cohen_kappas(agreed, resamples=10)} <= {1.0, None}


def test_fleiss_of_the_published_example() -> None:
    rows = [
        (f"s{subject}", f"r{rater:02d}", str(category))
        for subject, counts in enumerate(FLEISS)
        for rater, category in enumerate(np.repeat(np.arange(5), counts))
    ]
    found = fleiss_kappa(ratings(rows))
    assert found.value == pytest.approx(0.210, abs=0.0005)
    assert found.n_clips == 10


def test_fleiss_takes_the_clips_with_the_usual_number_of_answers() -> None:
    whole = observed(["abcab", "abbab", "aacbb"])
    extra = [("x1", "o0", "a"), ("x1", "o1", "b"), ("x2", "o0", "c")]
    with_more, without = fleiss_kappa(ratings(whole + extra)), fleiss_kappa(ratings(whole))
    assert (with_more.value, with_more.n_clips) == (without.value, 5)


@settings(deadline=None)
@given(answers())
def test_cohens_kappa_is_scikit_learns(rows: Rows) -> None:
    rated = ratings(rows)
    by_person: dict[str, dict[str, str]] = {who: {} for who in rated.annotators}
    for clip, who, said in rows:
        by_person[who][clip] = said
    pairs = cohen_kappas(rated, resamples=10)
    assert [(p.first, p.second) for p in pairs] == list(combinations(rated.annotators, 2))
    for pair in pairs:
        one, two = by_person[pair.first], by_person[pair.second]
        both = sorted(one.keys() & two.keys())
        assert pair.kappa.n_clips == len(both)
        said = [one[c] for c in both], [two[c] for c in both]
        if not both:
            assert "no clip in common" in str(pair.kappa.reason)
        elif len({*said[0], *said[1]}) == 1:
            assert "throughout" in str(pair.kappa.reason)
        else:
            assert pair.kappa.value == pytest.approx(cohen_kappa_score(*said), abs=1e-12)


def test_resampling_by_pattern_is_resampling_clips() -> None:
    """The interval has the width that drawing clips one by one gives."""
    random = np.random.default_rng(3)
    truth = random.integers(0, 7, 400)
    wrong = random.random((3, 400)) < 0.3
    said = np.where(wrong, random.integers(0, 7, (3, 400)), truth)
    rows = [(f"{c:03d}", str(who), str(said[who, c])) for who in range(3) for c in range(400)]
    found = krippendorff_alpha(ratings(rows), resamples=4000, seed=1)
    drawn = []
    for _ in range(1500):
        chosen = said[:, random.integers(0, 400, 400)]
        drawn.append(krippendorff.alpha(chosen, level_of_measurement="nominal"))
    assert found.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.006)
    assert found.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.006)
    again = krippendorff_alpha(ratings(rows), resamples=4000, seed=1)
    assert again == found


def test_confusion_by_hand() -> None:
    rated = ratings(observed(["aab", "aba", "b.b"]))
    both = confusion(rated)
    # u0: a a b; u1: a b; u2: b a b.
    assert both.categories == ("a", "b")
    assert both.counts.tolist() == [[2, 5], [5, 2]]
    assert confusion(rated, "o0").counts.tolist() == [[1, 2], [1, 1]]
    assert confusion(rated, "nobody").counts.sum() == 0
    assert confusion(ratings([])).counts.shape == (0, 0)


def test_ratings_refuse_two_answers_of_one_person() -> None:
    with pytest.raises(SchemaError, match="one answer of o0 for u00"):
        ratings([("u00", "o0", "a"), ("u01", "o0", "a"), ("u00", "o0", "b")])
    with pytest.raises(SchemaError, match=r"found \['c'\]"):
        ratings([("u00", "o0", "c")], ["a", "b"])


def test_an_estimate_is_whole_or_says_why() -> None:
    for values in [(1.0, None, None, 3, None), (None, 0.1, 0.2, 3, None), (1.0, 0.5, None, 3, "x")]:
        with pytest.raises(SchemaError):
            Estimate(*values)  # type: ignore[arg-type]


def test_many_patterns_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns, counts = np.eye(5), np.full(5, 3, np.int64)

    def figure(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[:, 0] / sums.sum(axis=1))

    whole = estimate(patterns, counts, figure, "")
    monkeypatch.setattr("caer_build.annotation.estimates._CELLS", 20)
    assert estimate(patterns, counts, figure, "") == whole


def test_counts() -> None:
    rated: Ratings = ratings(observed(["ab.", "abc"]))
    assert rated.counts().tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 1]]

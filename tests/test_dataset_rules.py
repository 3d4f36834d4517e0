"""Rules that make one label of several answers: against truth, each other, and crowd-kit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.labels import accuracy, expected_accuracy, face_sentiment
from benchmarks.simulated_votes import simulate
from caer_build.dataset import confidence_weighted, crowds
from caer_build.dataset.ballots import Ballot
from caer_build.dataset.labels import make_labels
from caer_build.dataset.rules import RULES, shares
from caer_build.errors import RecipeError
from caer_build.records import EMOTIONS, Label
from tests.test_annotation_consensus import SAYINGS


def ballot(clip_id: str, *said: str, steps: Sequence[int] = (4, 4, 4), needed: int = 3) -> Ballot:
    """A ballot of a0, a1, … with these answers, confidence in fourths."""
    answers = [
        _Given(
            f"a{k}", what if what in EMOTIONS else None, None if what in EMOTIONS else what, step
        )
        for k, (what, step) in enumerate(zip(said, steps, strict=False))
    ]
    return Ballot(clip_id, tuple(answers), None, needed)


class _Given:
    """An answer of somebody: an emotion with a confidence in fourths, or a flag."""

    def __init__(self, who: str, emotion: str | None, flag: str | None, step: int) -> None:
        self.annotator_id, self.emotion, self.flag = who, emotion, flag
        self.confidence_step = None if emotion is None else step
        self.confidence_steps = 5


def label_of(rule: str, *said: str, **how: Any) -> Label:
    return make_labels([ballot("c", *said, **how)], rule)[0]


@pytest.mark.parametrize("rule", RULES)
def test_flags_and_missing_answers_are_treated_alike_by_all(rule: str) -> None:
    said = {
        "broken": ("broken", "broken", "Sad"),
        "cannot_tell": ("cannot_tell", "Sad", "cannot_tell"),
        "incomplete": ("Sad", "Sad"),
        "label": ("Sad", "Sad", "Sad"),
    }
    ballots = [ballot(status, *answers) for status, answers in said.items()]
    found = make_labels([*ballots, ballot("mute", *["broken"] * 3)], rule)
    assert {label.clip_id: label.status for label in found if label.clip_id != "mute"} == {
        status: status for status in said
    }
    emotions = {label.clip_id: label.emotion for label in found}
    assert emotions == dict.fromkeys([*said, "mute"]) | {"label": "Sad"}
    assert next(label for label in found if label.clip_id == "mute").soft is None


@pytest.mark.parametrize("rule", ["paper", "agreeing", "majority", "confidence-weighted"])
def test_three_answers_that_differ_are_a_tie(rule: str) -> None:
    assert label_of(rule, "Sad", "Fear", "Anger").status == "tie"


def test_the_confidence_that_is_asked_is_that_of_all_or_of_those_who_agree() -> None:
    unsure = {"steps": (4, 2, 0)}
    assert label_of("paper", "Sad", "Sad", "Fear", **unsure).emotion == "Sad"
    assert label_of("paper", "Sad", "Sad", "Fear", steps=(3, 2, 0)).status == "low_confidence"
    assert label_of("agreeing", "Sad", "Sad", "Fear", steps=(3, 2, 0)).emotion == "Sad"
    assert label_of("agreeing", "Fear", "Sad", "Sad", steps=(4, 2, 1)).status == "low_confidence"
    assert label_of("paper", "Fear", "Sad", "Sad", steps=(4, 2, 1)).emotion == "Sad"
    assert label_of("majority", "Sad", "Sad", "Fear", steps=(0, 0, 0)).emotion == "Sad"


def test_soft_labels_of_the_counting_rules_are_shares() -> None:
    found = label_of("paper", "Sad", "Sad", "cannot_tell")
    assert (found.p_sad, found.p_fear) == (1.0, 0.0)
    found = label_of("majority", "Sad", "Sad", "Fear")
    assert found.soft == pytest.approx((0, 0, 1 / 3, 0, 0, 2 / 3, 0))


def test_an_adjudicator_decides_only_where_the_rule_does_not() -> None:
    tie = ballot("c", "Sad", "Fear", "Anger")
    decided = replace(tie, adjudication=_Given("z", "Fear", None, 4))
    assert make_labels([decided])[0].status == "tie"
    found = make_labels([decided], adjudicated=True)[0]
    assert (found.emotion, found.status) == ("Fear", "adjudicated")
    agreed = replace(ballot("c", "Sad", "Sad", "Sad"), adjudication=_Given("z", "Fear", None, 4))
    assert make_labels([agreed], adjudicated=True)[0].emotion == "Sad"
    unsure = replace(tie, adjudication=_Given("z", None, "cannot_tell", 0))
    assert make_labels([unsure], adjudicated=True)[0].status == "tie"


def test_an_unknown_rule_is_named_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"(?s)No rule 'mean'.*paper"):
        make_labels([], "mean")


def _shuffled(ballots: Sequence[Ballot], seed: int, renamed: bool) -> list[Ballot]:
    mixer = random.Random(seed)
    people = sorted({a.annotator_id for b in ballots for a in b.answers})
    others = mixer.sample(people, len(people)) if renamed else people
    called = dict(zip(people, others, strict=True))
    again = []
    for one in ballots:
        answers = [
            _Given(called[a.annotator_id], a.emotion, a.flag, a.confidence_step or 0)
            for a in one.answers
        ]
        again.append(replace(one, answers=tuple(mixer.sample(answers, len(answers)))))
    return mixer.sample(again, len(again))


_BALLOTS = st.lists(
    st.lists(
        st.tuples(st.sampled_from(SAYINGS), st.integers(0, 4)), min_size=0, max_size=4
    ),
    min_size=1, max_size=12,
)  # fmt: skip


_MODELS = ("dawid-skene", "mace", "glad")
"""crowd-kit's take half a second, whatever the number of answers"""


@pytest.mark.parametrize("rule", RULES)
def test_labels_depend_neither_on_order_nor_on_names(rule: str) -> None:
    @given(said=_BALLOTS, seed=st.integers(0, 9), renamed=st.booleans())
    @settings(max_examples=3 if rule in _MODELS else 40)
    def holds(said: list[list[tuple[str, int]]], seed: int, renamed: bool) -> None:
        _labels_are_the_same(rule, said, seed, renamed)

    holds()


@pytest.mark.parametrize("rule", _MODELS)
def test_a_new_name_changes_nobodys_label(rule: str) -> None:
    ballots, _ = simulate(3, informative=True, n_clips=100)
    before = make_labels(ballots, rule)
    for seed in range(2):
        assert make_labels(_shuffled(ballots, seed, renamed=True), rule) == before


def _labels_are_the_same(
    rule: str, said: list[list[tuple[str, int]]], seed: int, renamed: bool
) -> None:
    ballots = [
        ballot(f"c{k:02d}", *(what for what, _ in one), steps=[step for _, step in one], needed=2)
        for k, one in enumerate(said)
    ]
    before = make_labels(ballots, rule)
    after = make_labels(_shuffled(ballots, seed, renamed), rule)
    for one, other in zip(before, after, strict=True):
        assert (one.clip_id, one.status, one.n_agreeing) == (
            other.clip_id, other.status, other.n_agreeing,
        )  # fmt: skip
        assert one.emotion == other.emotion
        assert one.soft == (None if other.soft is None else pytest.approx(other.soft, abs=1e-4))


_PEERS = {"majority": "MajorityVote", "dawid-skene": "DawidSkene", "mace": "MACE", "glad": "GLAD"}


@pytest.fixture(scope="module")
def real(data: Path) -> tuple[list[Ballot], list[str], tuple[str, ...]]:
    """Of face_sentiment the ballots, their truth and the categories."""
    return face_sentiment()


def test_on_real_answers_with_truth(
    real: tuple[list[Ballot], list[str], tuple[str, ...]],
) -> None:
    ballots, truth, categories = real
    found = {
        name: accuracy(RULES[name](ballots, categories), truth)
        for name in ("majority", "dawid-skene", "confidence-weighted")
    }
    assert found["majority"] == pytest.approx(0.622, abs=0.0005)
    assert expected_accuracy(ballots, truth, categories) == pytest.approx(0.6367, abs=0.00005)
    # 27 people, 194 answers each, without any confidence: what is left is what everybody's say.
    assert found["confidence-weighted"] > found["dawid-skene"] > found["majority"]


@pytest.mark.parametrize("name", _PEERS)
def test_the_confidence_free_rules_are_crowd_kits_apart_from_ties(
    name: str, real: tuple[list[Ballot], list[str], tuple[str, ...]]
) -> None:
    """Item by item; ties are those that the order of rows would decide."""
    import pandas as pd
    from crowdkit import aggregation

    ballots, _, categories = real
    # All 584 pictures; two hundred where a model takes seconds for them.
    ballots = ballots[:200] if name in ("mace", "glad") else ballots
    rows = crowds.answer_rows(ballots, categories)
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    theirs = getattr(aggregation, _PEERS[name])().fit_predict(table)
    ours = {v.clip_id: v.consensus.emotion for v in RULES[name](ballots, categories)}
    assert len(ours) == len(ballots)
    assert {c: e for c, e in ours.items() if e is not None and e != theirs[c]} == {}
    tied = {b.clip_id for b in ballots if list(shares(b, categories) or ()).count(
        max(shares(b, categories) or ())) > 1}  # fmt: skip
    assert {c for c, e in ours.items() if e is None} == (tied if name == "majority" else set())


_SEEDS = {100: range(6), 300: range(3), 1000: range(1)}
"""by clips: small sets vary more"""


@pytest.mark.parametrize("n_people", [6, 30, 50])
@pytest.mark.parametrize("n_clips", _SEEDS)
@pytest.mark.parametrize("informative", [True, False], ids=["says something", "is noise"])
def test_confidence_is_used_where_it_says_something_and_does_no_harm_where_it_is_noise(
    informative: bool, n_clips: int, n_people: int
) -> None:
    """Also where each person gave few answers (100 clips of 50 people: six), of which a matrix for
    each is worse than counting heads."""
    ahead: dict[str, list[float]] = {"majority": [], "dawid-skene": []}
    for seed in _SEEDS[n_clips]:
        ballots, truth = simulate(seed, informative=informative, n_clips=n_clips, n_people=n_people)
        ours = accuracy(RULES["confidence-weighted"](ballots, EMOTIONS), truth)
        for name, gains in ahead.items():
            gains.append(ours - accuracy(RULES[name](ballots, EMOTIONS), truth))
    for name, gains in ahead.items():
        # Of the same answers, so that one clip in two hundred is more than chance comes to.
        assert np.mean(gains) > (0 if informative else -0.005), name


def test_what_confidence_is_worth_is_learned() -> None:
    ballots, _ = simulate(0, informative=True)
    worth = confidence_weighted.fit(ballots, EMOTIONS).worth.mean(axis=0)
    assert worth[0] < worth[1] < worth[2] < worth[3]


def test_what_is_learned_has_its_form() -> None:
    ballots, _ = simulate(0, informative=True, n_clips=200)
    fit = confidence_weighted.fit(ballots, EMOTIONS)
    assert fit.posteriors.shape == (200, 7)
    np.testing.assert_allclose(fit.posteriors.sum(axis=1), 1)
    np.testing.assert_allclose(fit.confusion.sum(axis=2), 1)
    assert fit.confusion.shape == (6, 7, 7)
    assert fit.confidences == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert ((fit.worth >= 0) & (fit.worth <= 1)).all()
    empty = confidence_weighted.fit([ballot("c"), ballot("d", "broken")], EMOTIONS)
    np.testing.assert_allclose(empty.posteriors, 1 / 7)

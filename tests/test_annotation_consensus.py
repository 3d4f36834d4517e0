"""The paper's rule, against a second one written by hand, and case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.annotation.consensus import Consensus, paper_rule
from caer_build.records import EMOTIONS

SAYINGS = (*EMOTIONS, "cannot_tell", "broken")


@dataclass(frozen=True)
class Said:
    """An answer as far as the rule looks at it; confidence in tenths."""

    what: str
    tenths: int = 10
    confidence_steps: int = 11

    @property
    def emotion(self) -> str | None:
        return self.what if self.what in EMOTIONS else None

    @property
    def flag(self) -> str | None:
        return None if self.what in EMOTIONS else self.what

    @property
    def confidence_step(self) -> int | None:
        return self.tenths if self.what in EMOTIONS else None


def by_hand(answers: Sequence[Said]) -> tuple[str | None, str]:
    """The rule for three answers, as one would do it with pencil and paper."""
    said = [a.what for a in answers]
    a, b, c = said
    pair = a if a in (b, c) else b if b == c else None
    if pair in EMOTIONS:
        tenths = [x.tenths for x in answers if x.what in EMOTIONS]
        enough = sum(tenths) >= 5 * len(tenths)
        return (pair, "label") if enough else (None, "low_confidence")
    if pair is not None:
        return None, pair
    if "broken" in said and "cannot_tell" in said:
        return None, "broken"
    return None, "tie"


@pytest.mark.parametrize(
    "tenths", [(5, 5, 5), (4, 5, 5), (5, 5, 6), (6, 7, 2), (0, 10, 4), (10, 0, 5), (0, 0, 10)]
)
def test_all_triples_against_the_rule_by_hand(tenths: tuple[int, int, int]) -> None:
    for triple in product(SAYINGS, repeat=3):
        answers = [Said(what, tenth) for what, tenth in zip(triple, tenths, strict=True)]
        found = paper_rule(answers)
        assert (found.emotion, found.status) == by_hand(answers), answers
        for order in permutations(answers):
            assert paper_rule(order) == found


def test_the_threshold_is_exact() -> None:
    assert 0.6 + 0.7 + 0.2 != 1.5  # what floats would make of it
    kept = paper_rule([Said("Sad", 6), Said("Sad", 7), Said("Fear", 2)])
    assert kept == Consensus("Sad", "label", 3, 2, Fraction(1, 2))
    below = paper_rule([Said("Sad", 6), Said("Sad", 7), Said("Fear", 1)])
    assert (below.emotion, below.status) == (None, "low_confidence")


def test_scales_of_different_length_count_alike() -> None:
    answers = [Said("Sad", 2, 5), Said("Sad", 5, 11), Said("Fear", 1, 3)]
    assert paper_rule(answers).mean_confidence == Fraction(1, 2)
    assert paper_rule(answers).status == "label"


def test_the_mean_is_over_answers_with_a_confidence() -> None:
    found = paper_rule([Said("Sad", 5), Said("Sad", 5), Said("cannot_tell")])
    assert found == Consensus("Sad", "label", 3, 2, Fraction(1, 2))


@pytest.mark.parametrize(
    ("said", "needed", "status"),
    [
        ([], 3, "incomplete"),
        (["Sad", "Sad"], 3, "incomplete"),
        (["Sad"], 1, "label"),
        (["broken"], 1, "broken"),
        (["Sad", "Fear"], 2, "tie"),
        (["Sad", "cannot_tell"], 2, "tie"),
        (["Sad", "Sad"], 2, "label"),
        (["Sad", "Sad", "Fear", "Fear"], 4, "tie"),
        (["Sad", "Sad", "Fear", "Happy"], 4, "tie"),
        (["Sad", "Sad", "Sad", "Happy"], 4, "label"),
        (["Sad", "Fear", "Happy", "Sad", "Sad"], 5, "label"),
        (["Sad", "Sad", "Happy", "Fear", "Anger"], 5, "tie"),
        (["broken", "cannot_tell", "cannot_tell", "Sad", "Sad"], 5, "cannot_tell"),
    ],
)
def test_other_numbers_need_more_than_half(said: list[str], needed: int, status: str) -> None:
    assert paper_rule([Said(what) for what in said], needed).status == status


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SAYINGS), st.integers(0, 10)), max_size=7))
def test_a_label_has_the_majority(said: list[tuple[str, int]]) -> None:
    answers = [Said(*one) for one in said]
    found = paper_rule(answers, needed=1)
    assert (found.emotion is not None) == (found.status == "label")
    if found.emotion is not None:
        n_agreeing = sum(a.what == found.emotion for a in answers)
        assert found.n_agreeing == n_agreeing
        assert 2 * n_agreeing > len(answers)

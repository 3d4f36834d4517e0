"""The table that lays all rules beside each other, against sums made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from caer_build.dataset.ballots import Ballot
from caer_build.dataset.comparison import Compared, compare
from caer_build.dataset.labels import make_labels
from caer_build.dataset.rules import RULES
from tests.test_dataset_rules import ballot

BALLOTS = (
    ballot("all", "Happy", "Happy", "Happy"),
    ballot("half", "Sad", "Sad", "Fear", steps=(4, 2, 0)),  # 6 of 12 in all, 6 of 8 who agree
    ballot("sure-two", "Sad", "Sad", "Fear", steps=(3, 2, 0)),  # 5 of 12, 5 of 8
    ballot("unsure-two", "Fear", "Sad", "Sad", steps=(4, 2, 1)),  # 7 of 12, 3 of 8
    ballot("three-ways", "Sad", "Fear", "Anger"),
    ballot("unclear", "cannot_tell", "cannot_tell", "Sad"),
)


def adjudicated(ballots: Sequence[Ballot], **said: str) -> list[Ballot]:
    """The ballots with what an adjudicator said of some of them."""
    answers = {
        name.replace("_", "-"): ballot(name, emotion).answers[0] for name, emotion in said.items()
    }
    return [replace(b, adjudication=answers.get(b.clip_id)) for b in ballots]


@pytest.fixture(scope="module")
def found() -> dict[str, Compared]:
    given = adjudicated(BALLOTS, sure_two="Fear", unsure_two="Sad", three_ways="Sad")
    return {row.rule: row for row in compare(given)}


def test_the_rules_that_count_by_hand(found: dict[str, Compared]) -> None:
    paper = Compared(
        "paper", n_clips=6, n_labelled=3, n_ties=1, n_low_confidence=1,
        n_both=3, n_same=3, n_adjudicated=1, n_confirmed=1,
    )  # fmt: skip
    assert found["paper"] == paper
    assert found["agreeing"] == replace(paper, rule="agreeing", n_both=2, n_same=2, n_confirmed=0)
    assert found["majority"] == replace(
        paper, rule="majority", n_labelled=4, n_low_confidence=0, n_adjudicated=2
    )


def test_every_rule_is_there_and_counts_its_own_labels(found: dict[str, Compared]) -> None:
    assert list(found) == list(RULES)
    for rule, row in found.items():
        emotions = [label.emotion for label in make_labels(BALLOTS, rule)]
        assert row.n_labelled == len(emotions) - emotions.count(None)
        assert row.n_same <= row.n_both <= min(row.n_labelled, found["paper"].n_labelled)
        assert row.n_confirmed <= row.n_adjudicated <= min(row.n_labelled, 3)

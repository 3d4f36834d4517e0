"""All rules beside each other, on the same answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caer_build.dataset.ballots import Ballot
from caer_build.dataset.labels import make_labels
from caer_build.dataset.rules import RULES
from caer_build.records import Label


@dataclass(frozen=True, slots=True)
class Compared:
    """What a rule makes of the answers of a project.

    Attributes:
        n_labelled: clips with a label.
        n_ties: of the others, those whose answers point nowhere.
        n_both: clips that the paper's rule labels, too.
        n_same: of those, the ones with the same emotion.
        n_adjudicated: labelled clips that an adjudicator gave an emotion.
        n_confirmed: of those, the ones with that emotion.
    """

    rule: str
    n_clips: int
    n_labelled: int
    n_ties: int
    n_low_confidence: int
    n_both: int
    n_same: int
    n_adjudicated: int
    n_confirmed: int


def compare(ballots: Sequence[Ballot]) -> list[Compared]:
    """Every rule on the same ballots, in the order of ``RULES``.

    Raises:
        ModelMissing: if crowd-kit is not installed.
    """
    made = {name: make_labels(ballots, name) for name in RULES}
    paper = {label.clip_id: label.emotion for label in made["paper"]}
    decided = {
        ballot.clip_id: ballot.adjudication.emotion
        for ballot in ballots
        if ballot.adjudication is not None and ballot.adjudication.emotion is not None
    }
    return [_compared(name, labels, paper, decided) for name, labels in made.items()]


def _compared(
    rule: str,
    labels: Sequence[Label],
    paper: Mapping[str, str | None],
    decided: Mapping[str, str | None],
) -> Compared:
    labelled = {label.clip_id: label.emotion for label in labels if label.emotion is not None}
    both = [clip_id for clip_id in labelled if paper[clip_id] is not None]
    judged = [clip_id for clip_id in labelled if clip_id in decided]
    statuses = [label.status for label in labels]
    return Compared(
        rule, len(labels), len(labelled), statuses.count("tie"), statuses.count("low_confidence"),
        len(both), sum(labelled[clip_id] == paper[clip_id] for clip_id in both),
        len(judged), sum(labelled[clip_id] == decided[clip_id] for clip_id in judged),
    )  # fmt: skip

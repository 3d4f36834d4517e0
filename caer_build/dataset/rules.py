"""The rules that make one label out of several answers, side by side.

=====================  ====================================================================
paper                  at least two of three agree, and the mean confidence of all is >= 0.5
agreeing               the same, the mean being over those who agree
majority               the emotion that most chose; confidence is not asked for
dawid-skene            annotators' confusion matrices (Dawid and Skene 1979), by crowd-kit
mace                   annotators who guess now and then (Hovy et al. 2013), by crowd-kit
glad                   annotators' skill and clips' difficulty (Whitehill et al. 2009), by crowd-kit
confidence-weighted    Dawid-Skene whose answers weigh what their confidence has proved to be
                       worth: :mod:`caer_build.dataset.confidence_weighted`
=====================  ====================================================================

"Cannot tell" and "broken" are treated alike by all: more than half of the answers reject the clip,
and so does an answer too few. The rules differ in what the others come to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from caer_build.annotation.consensus import Consensus, paper_rule
from caer_build.dataset import confidence_weighted, crowds
from caer_build.dataset.ballots import Ballot
from caer_build.records import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Categories: TypeAlias = Sequence[str]
_EQUAL = 1e-6
"""probabilities this near are a tie: rounding must not decide"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of a ballot.

    Attributes:
        soft: probability of each category, in their order; None where no answer names one.
    """

    clip_id: str
    consensus: Consensus
    soft: tuple[float, ...] | None


Rule: TypeAlias = Callable[[Sequence[Ballot], Categories], list[Verdict]]


def _counted(
    ballots: Sequence[Ballot], categories: Categories, *, agreeing_only: bool = False
) -> list[Verdict]:
    return [
        Verdict(
            ballot.clip_id,
            paper_rule(ballot.answers, ballot.needed, agreeing_only=agreeing_only),
            shares(ballot, categories),
        )
        for ballot in ballots
    ]


def paper(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """Section 4.1 of the paper; soft labels are shares of the votes."""
    return _counted(ballots, categories)


def agreeing(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """The paper's rule, with the mean confidence of those who agree."""
    return _counted(ballots, categories, agreeing_only=True)


def majority(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """The emotion that most chose, whatever the confidence; as many for two: a tie."""

    def counted(usable: Sequence[Ballot], names: Categories) -> Numbers:
        flat = (1 / len(names),) * len(names)
        return np.array([shares(ballot, names) or flat for ballot in usable])

    return _most_likely(ballots, categories, counted)


def dawid_skene(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """Dawid-Skene; soft labels are its posteriors."""
    return _most_likely(ballots, categories, crowds.dawid_skene)


def mace(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """MACE; soft labels are its posteriors."""
    return _most_likely(ballots, categories, crowds.mace)


def glad(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """GLAD; soft labels are its posteriors."""
    return _most_likely(ballots, categories, crowds.glad)


def weighted(ballots: Sequence[Ballot], categories: Categories = EMOTIONS) -> list[Verdict]:
    """Confidence-weighted Dawid-Skene; soft labels are its posteriors."""

    def posteriors(usable: Sequence[Ballot], names: Categories) -> Numbers:
        return confidence_weighted.fit(usable, names).posteriors

    return _most_likely(ballots, categories, posteriors)


RULES: Mapping[str, Rule] = {
    "paper": paper,
    "agreeing": agreeing,
    "majority": majority,
    "dawid-skene": dawid_skene,
    "mace": mace,
    "glad": glad,
    "confidence-weighted": weighted,
}


def shares(ballot: Ballot, categories: Categories) -> tuple[float, ...] | None:
    """What part of the answers that name a category names each."""
    said = Counter(a.emotion for a in ballot.answers if a.emotion is not None)
    if not said:
        return None
    return tuple(said[name] / said.total() for name in categories)


def _most_likely(
    ballots: Sequence[Ballot],
    categories: Categories,
    posteriors: Callable[[Sequence[Ballot], Categories], Numbers],
) -> list[Verdict]:
    """Labels of a model that is fitted to all answers at once.

    Clips that flags reject, or that lack answers, teach it about the annotators all the same.
    """
    found = posteriors(ballots, categories)
    return [_judged(ballot, categories, row) for ballot, row in zip(ballots, found, strict=True)]


def _judged(ballot: Ballot, categories: Categories, posterior: Numbers) -> Verdict:
    counted = paper_rule(ballot.answers, ballot.needed, threshold=None)
    if all(answer.emotion is None for answer in ballot.answers):
        return Verdict(ballot.clip_id, counted, None)
    soft = tuple(float(p) for p in posterior)
    if counted.status not in ("label", "tie"):
        return Verdict(ballot.clip_id, counted, soft)
    best = int(posterior.argmax())
    if sum(p > posterior[best] - _EQUAL for p in soft) > 1:
        return Verdict(ballot.clip_id, replace(counted, emotion=None, status="tie"), soft)
    emotion = categories[best]
    n_agreeing = sum(answer.emotion == emotion for answer in ballot.answers)
    consensus = replace(counted, emotion=emotion, status="label", n_agreeing=n_agreeing)
    return Verdict(ballot.clip_id, consensus, soft)

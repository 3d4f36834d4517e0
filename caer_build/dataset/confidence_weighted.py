"""Dawid-Skene that also asks how sure the annotators were: what an answer is worth depends on the
person *and* on the confidence it was given with, and both are learned from the answers alone.

Dawid and Skene (1979, https://doi.org/10.2307/2346806) give annotator a a confusion matrix
pi_a[k, y]: how often a says y of a clip that is k. Here an answer with confidence c is a mixture::

    P(y | k, a, c) = r[a, c] pi_a[k, y]  +  (1 - r[a, c]) b[y]
                     a looked and judged    a guessed: b is how often y is said at all

r[a, c] in [0, 1] is how much a's answers with that confidence have to do with the clip. It is not
assumed to grow with c, but estimated: where confidence is noise, all r come out alike, and what is
left is Dawid-Skene with its matrices a little flattened. r[a, c] is drawn towards what everybody's
answers of that confidence are worth, and that towards what answers are worth at all, by as many
pseudo-answers as :data:`SHRINKAGE` says, so a confidence that was used twice proves nothing.

Fitted by expectation maximisation (which answers were judged is one more hidden variable).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from caer_build.dataset.ballots import Answer, Ballot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SHRINKAGE = 20.0
"""pseudo-answers"""
SMOOTHING = 0.01
"""pseudo-answers in each cell of a confusion matrix"""
_FIRST_GUESS = 0.8
_ROUNDS = 1000
_STILL = 1e-6
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learned.

    Attributes:
        posteriors: (n_clips, n_categories); each row sums to one, and is flat where a clip has no
            answer that names a category.
        confusion: (n_annotators, n_categories said of, n_categories said).
        worth: (n_annotators, n_confidences), [0, 1].
        annotators: ids, in the order of the arrays.
        confidences: [0, 1], ascending; -1 stands for answers without one.
        converged: whether the last round changed next to nothing.
    """

    posteriors: Numbers
    confusion: Numbers
    worth: Numbers
    annotators: tuple[str, ...]
    confidences: tuple[float, ...]
    converged: bool


@dataclass(frozen=True, slots=True)
class _Answers:
    """All answers that name a category, as numbers."""

    clip: NDArray[np.int64]
    who: NDArray[np.int64]
    said: NDArray[np.int64]
    sure: NDArray[np.int64]


def fit(ballots: Sequence[Ballot], categories: Sequence[str]) -> Fit:
    """Learn the annotators, and from them what every clip shows.

    The result does not depend on the order of the ballots or of their answers.

    Args:
        categories: what can be said; answers that say something else are left out.
    """
    answers, annotators, confidences = _as_numbers(ballots, categories)
    n, k = len(ballots), len(categories)
    shape = (len(annotators), k, len(confidences))
    posteriors = _shares(answers, n, k)
    if not len(answers.clip):
        flat = np.zeros((0, k, k)), np.zeros((0, 0))
        return Fit(posteriors, *flat, annotators, confidences, converged=True)
    said_at_all = np.bincount(answers.said, minlength=k) / len(answers.said)
    worth = np.full((shape[0], shape[2]), _FIRST_GUESS)
    # Of each answer: how likely it is that its clip is k and that it was judged, not guessed.
    judged = _FIRST_GUESS * posteriors[answers.clip]
    prior = posteriors.mean(axis=0)
    converged = False
    for _ in range(_ROUNDS):
        confusion = _confusion(answers, judged, shape)
        weight = worth[answers.who, answers.sure][:, None]
        by_judging = weight * confusion[answers.who, :, answers.said]
        likelihood = by_judging + (1 - weight) * said_at_all[answers.said][:, None]
        likelihood = np.maximum(likelihood, _LEAST)
        after = _posteriors(answers, likelihood, prior, n)
        judged = after[answers.clip] * by_judging / likelihood
        worth = _worth(answers, judged.sum(axis=1), shape)
        prior = np.maximum(after.mean(axis=0), _LEAST)
        moved = np.abs(after - posteriors).max()
        posteriors = after
        if moved < _STILL:
            converged = True
            break
    return Fit(posteriors, confusion, worth, annotators, confidences, converged)


def _as_numbers(
    ballots: Sequence[Ballot], categories: Sequence[str]
) -> tuple[_Answers, tuple[str, ...], tuple[float, ...]]:
    number = {name: k for k, name in enumerate(categories)}
    rows = sorted(
        (ballot.clip_id, answer.annotator_id, at, number[answer.emotion], _sure(answer))
        for at, ballot in enumerate(ballots)
        for answer in ballot.answers
        if answer.emotion in number
    )
    annotators = tuple(sorted({row[1] for row in rows}))
    confidences = tuple(sorted({row[4] for row in rows}))
    who = {name: k for k, name in enumerate(annotators)}
    sure = {value: k for k, value in enumerate(confidences)}
    table = np.array(
        [(at, who[a], said, sure[c]) for _, a, at, said, c in rows], dtype=np.int64
    ).reshape(-1, 4)
    return _Answers(*table.T), annotators, tuple(float(c) for c in confidences)


def _sure(answer: Answer) -> Fraction:
    if answer.confidence_step is None:
        return Fraction(-1)
    return Fraction(answer.confidence_step, answer.confidence_steps - 1)


def _shares(answers: _Answers, n_clips: int, n_categories: int) -> Numbers:
    """What was said of each clip, as shares; flat where nothing was."""
    cells = answers.clip * n_categories + answers.said
    counts = np.bincount(cells, minlength=n_clips * n_categories).reshape(n_clips, n_categories)
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), 1 / n_categories)


def _confusion(answers: _Answers, judged: Numbers, shape: tuple[int, int, int]) -> Numbers:
    n_people, k, _ = shape
    cells = answers.who * k + answers.said
    by_category = [np.bincount(cells, judged[:, c], minlength=n_people * k) for c in range(k)]
    counts = SMOOTHING + np.stack(by_category).reshape(k, n_people, k).transpose(1, 0, 2)
    found: Numbers = counts / counts.sum(axis=2, keepdims=True)
    return found


def _posteriors(answers: _Answers, likelihood: Numbers, prior: Numbers, n_clips: int) -> Numbers:
    k = len(prior)
    logs = np.tile(np.log(prior), (n_clips, 1))
    for category in range(k):
        logs[:, category] += np.bincount(
            answers.clip, np.log(likelihood[:, category]), minlength=n_clips
        )
    logs -= logs.max(axis=1, keepdims=True)
    unscaled = np.exp(logs)
    found: Numbers = unscaled / unscaled.sum(axis=1, keepdims=True)
    answered = np.bincount(answers.clip, minlength=n_clips) > 0
    return np.where(answered[:, None], found, 1 / k)


def _worth(answers: _Answers, judged: Numbers, shape: tuple[int, int, int]) -> Numbers:
    """r[a, c], drawn towards that of c, and that towards that of all answers."""
    n_people, _, n_levels = shape
    cells = answers.who * n_levels + answers.sure
    size = n_people * n_levels
    n = np.bincount(cells, minlength=size).reshape(n_people, n_levels)
    total = np.bincount(cells, judged, minlength=size).reshape(n_people, n_levels)
    overall = judged.mean()
    by_level = (total.sum(axis=0) + SHRINKAGE * overall) / (n.sum(axis=0) + SHRINKAGE)
    found: Numbers = (total + SHRINKAGE * by_level) / (n + SHRINKAGE)
    return found

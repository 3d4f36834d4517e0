"""Dawid-Skene that also asks how sure the annotators were: what an answer is worth depends on the
person *and* on the confidence it was given with, and both are learned from the answers alone.

Dawid and Skene (1979, https://doi.org/10.2307/2346806) give annotator a a confusion matrix
pi_a[k, y]: how often a says y of a clip that is k. Here people answer in two ways, and how often in
which depends on the confidence c that they give::

    P(y | k, a, c) = r[a, c] pi_a[k, y]  +  (1 - r[a, c]) rho_a[k, y]
                     a recognised it        a was at a loss

rho_a is drawn towards b, how often y is said at all: who is at a loss mostly guesses, but may also
mix up two emotions. r[a, c] in [0, 1] is not assumed to grow with c, it is estimated: where
confidence is noise, r[a, .] comes out level, and what is left is Dawid-Skene. r[a, c] is drawn
towards what everybody's answers of that confidence are worth, and that towards what answers are
worth at all, so a confidence that was used twice proves nothing.

Fitted by expectation maximisation (in which way an answer was given is one more hidden variable).
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
"""pseudo-answers that draw r"""
GUESSING = 10.0
"""pseudo-answers that draw each row of rho"""
SMOOTHING = 0.01
"""pseudo-answers in each cell of pi"""
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
        confusion: pi, (n_annotators, n_categories said of, n_categories said).
        worth: r, (n_annotators, n_confidences), [0, 1].
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
    # Of each answer: how likely it is that its clip is k and that it was recognised, or not.
    known = _FIRST_GUESS * posteriors[answers.clip]
    guessed = (1 - _FIRST_GUESS) * posteriors[answers.clip]
    prior = np.maximum(posteriors.mean(axis=0), _LEAST)
    converged = False
    for _ in range(_ROUNDS):
        confusion = _confusion(answers, known, shape, np.full(k, SMOOTHING))
        at_a_loss = _confusion(answers, guessed, shape, GUESSING * said_at_all)
        weight = worth[answers.who, answers.sure][:, None]
        by_knowing = weight * confusion[answers.who, :, answers.said]
        by_guessing = (1 - weight) * at_a_loss[answers.who, :, answers.said]
        likelihood = np.maximum(by_knowing + by_guessing, _LEAST)
        after = _posteriors(answers, likelihood, prior, n)
        known = after[answers.clip] * by_knowing / likelihood
        guessed = after[answers.clip] * by_guessing / likelihood
        worth = _worth(answers, known.sum(axis=1), shape)
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


def _confusion(
    answers: _Answers, weights: Numbers, shape: tuple[int, int, int], pseudo: Numbers
) -> Numbers:
    """How often each annotator says what of what.

    Args:
        weights: of each answer by what its clip may be.
        pseudo: answers that everybody is taken to have given of each category besides.
    """
    n_people, k, _ = shape
    cells = answers.who * k + answers.said
    by_category = [np.bincount(cells, weights[:, c], minlength=n_people * k) for c in range(k)]
    counts = pseudo + np.stack(by_category).reshape(k, n_people, k).transpose(1, 0, 2)
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


def _worth(answers: _Answers, known: Numbers, shape: tuple[int, int, int]) -> Numbers:
    """r[a, c], drawn towards that of c, and that towards that of all answers."""
    n_people, _, n_levels = shape
    cells = answers.who * n_levels + answers.sure
    size = n_people * n_levels
    n = np.bincount(cells, minlength=size).reshape(n_people, n_levels)
    total = np.bincount(cells, known, minlength=size).reshape(n_people, n_levels)
    overall = known.mean()
    by_level = (total.sum(axis=0) + SHRINKAGE * overall) / (n.sum(axis=0) + SHRINKAGE)
    found: Numbers = (total + SHRINKAGE * by_level) / (n + SHRINKAGE)
    return found

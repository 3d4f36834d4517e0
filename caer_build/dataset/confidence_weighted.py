"""Dawid-Skene that also asks how sure the annotators were: what an answer is worth depends on the
person *and* on the confidence it was given with, and both are learned from the answers alone.

Dawid and Skene (1979, https://doi.org/10.2307/2346806) give annotator a a confusion matrix
pi_a[k, y]: how often a says y of a clip that is k. Here people answer in two ways, and how often in
which depends on the confidence c that they give::

    P(y | k, a, c) = r[a, c] pi_a[k, y]  +  (1 - r[a, c]) rho_a[k, y]
                     a recognised it        a was at a loss

r[a, c] in [0, 1] is not assumed to grow with c, it is estimated: where confidence is noise, r[a, .]
comes out level, and what is left is Dawid-Skene.

A few answers prove little of a person, and a matrix that was made of them alone does worse than
counting heads. So all that is learned is drawn towards what more answers say::

    pi_a[k, .]   --> pi[k, .], everybody's --> a coin: right or not, errors as often as said at all
    rho_a[k, .]  --> b, how often y is said at all: who is at a loss mostly guesses
    r[a, c]      --> what everybody's answers of confidence c are worth --> what all are --> 0.8

as if so many answers had been given besides: who gave ten is taken for everybody, who gave a
thousand for who they are.

Fitted by expectation maximisation (in which way an answer was given is one more hidden variable);
the numbers of pseudo-answers were chosen on simulated answers, others than those that it is tested
on.
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
"""pseudo-answers that draw each row of rho_a"""
PERSON = 10.0
"""pseudo-answers that draw each row of pi_a to everybody's"""
EVERYBODY = 50.0
"""pseudo-answers that draw each row of everybody's to a coin"""
CATEGORIES = 5.0
"""pseudo-clips that draw the shares of the categories to equal ones"""
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
    prior = _prior(posteriors)
    converged = False
    for _ in range(_ROUNDS):
        of_each = _counts(answers, known, shape)
        confusion = _drawn(of_each, PERSON * _everybody(of_each.sum(axis=0), said_at_all))
        at_a_loss = _drawn(_counts(answers, guessed, shape), GUESSING * said_at_all)
        weight = worth[answers.who, answers.sure][:, None]
        by_knowing = weight * confusion[answers.who, :, answers.said]
        by_guessing = (1 - weight) * at_a_loss[answers.who, :, answers.said]
        likelihood = np.maximum(by_knowing + by_guessing, _LEAST)
        after = _posteriors(answers, likelihood, prior, n)
        known = after[answers.clip] * by_knowing / likelihood
        guessed = after[answers.clip] * by_guessing / likelihood
        worth = _worth(answers, known.sum(axis=1), shape)
        prior = _prior(after)
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


def _prior(posteriors: Numbers) -> Numbers:
    n_clips, k = posteriors.shape
    found: Numbers = (posteriors.sum(axis=0) + CATEGORIES / k) / (n_clips + CATEGORIES)
    return found


def _counts(answers: _Answers, weights: Numbers, shape: tuple[int, int, int]) -> Numbers:
    """How often each annotator says what of what, (n_annotators, said of, said).

    Args:
        weights: of each answer by what its clip may be.
    """
    n_people, k, _ = shape
    cells = answers.who * k + answers.said
    found: Numbers = np.zeros((n_people, k, k))
    for c in range(k):
        found[:, c] = np.bincount(cells, weights[:, c], minlength=n_people * k).reshape(-1, k)
    return found


def _drawn(counts: Numbers, pseudo: Numbers) -> Numbers:
    """Counts as shares of each row, some answers having been given besides."""
    whole = counts + pseudo
    found: Numbers = whole / whole.sum(axis=-1, keepdims=True)
    return found


def _everybody(counts: Numbers, said_at_all: Numbers) -> Numbers:
    """The confusion matrix of all annotators together, drawn towards a coin.

    Args:
        counts: (said of, said), of all of them.
        said_at_all: how often each category is said.
    """
    k = len(counts)
    right = np.trace(counts) / max(counts.sum(), _LEAST)
    others = np.where(np.eye(k, dtype=bool), 0, np.maximum(said_at_all, _LEAST))
    coin = right * np.eye(k) + (1 - right) * others / others.sum(axis=1, keepdims=True)
    return _drawn(counts, EVERYBODY * coin)


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
    """r[a, c], drawn towards that of c, that towards that of all answers, and that towards what
    it is taken for at first: where everybody says the same, guessing explains it as well."""
    n_people, _, n_levels = shape
    cells = answers.who * n_levels + answers.sure
    size = n_people * n_levels
    n = np.bincount(cells, minlength=size).reshape(n_people, n_levels)
    total = np.bincount(cells, known, minlength=size).reshape(n_people, n_levels)
    overall = (known.sum() + SHRINKAGE * _FIRST_GUESS) / (len(known) + SHRINKAGE)
    by_level = (total.sum(axis=0) + SHRINKAGE * overall) / (n.sum(axis=0) + SHRINKAGE)
    found: Numbers = (total + SHRINKAGE * by_level) / (n + SHRINKAGE)
    return found

"""How far annotators agree beyond chance: Krippendorff's alpha, Fleiss' and Cohen's kappa.

All are for names without an order (nominal). The well-kept ``krippendorff`` and scikit-learn are
what the tests hold these against, but do not do the work: every bootstrap resample would make
them count all clips again, and neither says why a figure is undefined.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np

from caer_build.annotation.estimates import (
    RESAMPLES,
    Counts,
    Estimate,
    Numbers,
    distinct,
    estimate,
    undefined,
)
from caer_build.annotation.ratings import Ratings

_NOBODY_TO_COMPARE = "No clip has answers of two people yet."
_ONE_ANSWER = "All answers are the same, so agreement by chance cannot be told from agreement."


class Counted(Protocol):
    """Answers as counts, such as :class:`Ratings`: alpha and Fleiss' kappa ask for no more."""

    def counts(self) -> Counts:
        """(n_clips, n_categories): how many gave each answer."""
        ...


@dataclass(frozen=True, slots=True)
class PairKappa:
    """Cohen's kappa of two annotators over the clips that both answered."""

    first: str
    second: str
    kappa: Estimate


def krippendorff_alpha(rated: Counted, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Alpha: 1 for full agreement, 0 for what chance gives.

    Any number of annotators and of answers a clip; clips with one answer are left out.
    """
    patterns, counts = _answered_patterns(rated)
    n = patterns.sum(axis=1)
    # Of each clip the ordered pairs of unlike answers, over (answers - 1).
    unlike = (n**2 - (patterns**2).sum(axis=1)) / (n - 1)

    def alpha(sums: Numbers) -> Numbers:
        per_category, observed = sums[:, :-1], sums[:, -1]
        total = per_category.sum(axis=1)
        by_chance = total**2 - (per_category**2).sum(axis=1)
        return np.asarray(1 - (total - 1) * _over(observed, by_chance))

    reason = _ONE_ANSWER if len(counts) else _NOBODY_TO_COMPARE
    return estimate(
        np.column_stack([patterns, unlike]), counts, alpha, reason, resamples=resamples, seed=seed
    )


def fleiss_kappa(rated: Counted, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Fleiss' kappa, which is defined for one and the same number of answers a clip.

    It is taken over the clips with the number of answers that most clips have (at least two; of
    equally frequent numbers the larger); ``n_clips`` says how many those are. Alpha takes all.
    """
    patterns, counts = _answered_patterns(rated)
    if not len(counts):
        return undefined(_NOBODY_TO_COMPARE)
    n = patterns.sum(axis=1)
    by_n = np.bincount(n, weights=counts)
    raters = int(np.flatnonzero(by_n == by_n.max())[-1])
    patterns, counts = patterns[n == raters], counts[n == raters]
    like = ((patterns**2).sum(axis=1) - raters) / (raters * (raters - 1))

    def kappa(sums: Numbers) -> Numbers:
        total = sums[:, :-1].sum(axis=1)
        observed = sums[:, -1] / (total / raters)
        by_chance = (sums[:, :-1] ** 2).sum(axis=1) / total**2
        return _beyond_chance(observed, by_chance)

    return estimate(
        np.column_stack([patterns, like]), counts, kappa, _ONE_ANSWER,
        resamples=resamples, seed=seed,
    )  # fmt: skip


def cohen_kappas(rated: Ratings, *, resamples: int = RESAMPLES, seed: int = 0) -> list[PairKappa]:
    """Cohen's kappa of every two annotators, by name."""
    n_people, n_names = len(rated.annotators), len(rated.categories)
    people, said = rated.meetings()
    pair, cell = people[:, 0] * n_people + people[:, 1], said[:, 0] * n_names + said[:, 1]
    order = np.argsort(pair, kind="stable")
    pair, cell = pair[order], cell[order]
    found = []
    for first, second in combinations(range(n_people), 2):
        number = first * n_people + second
        mine = cell[np.searchsorted(pair, number) : np.searchsorted(pair, number, side="right")]
        kappa = _cohen(mine, n_names, resamples, seed)
        found.append(PairKappa(rated.annotators[first], rated.annotators[second], kappa))
    return found


def _cohen(meetings: Counts, n_names: int, resamples: int, seed: int) -> Estimate:
    """Of two annotators.

    Args:
        meetings: for each clip, ``n_names`` x the first one's answer + the second one's.
    """
    if not len(meetings):
        return undefined("These two have answered no clip in common.")
    kinds, counts = np.unique(meetings, return_counts=True)

    def kappa(sums: Numbers) -> Numbers:
        cells = np.zeros((len(sums), n_names * n_names))
        cells[:, kinds] = sums
        table = cells.reshape(-1, n_names, n_names)
        total = table.sum(axis=(1, 2))
        observed = np.trace(table, axis1=1, axis2=2) / total
        by_chance = (table.sum(axis=1) * table.sum(axis=2)).sum(axis=1) / total**2
        return _beyond_chance(observed, by_chance)

    return estimate(
        np.eye(len(kinds)), counts.astype(np.int64), kappa,
        "Both gave one and the same answer throughout.", resamples=resamples, seed=seed,
    )  # fmt: skip


def _answered_patterns(rated: Counted) -> tuple[Counts, Counts]:
    """The different rows of counts with at least two answers, and how many clips have each."""
    patterns, counts = distinct(rated.counts())
    enough = patterns.sum(axis=1) >= 2
    return patterns[enough], counts[enough]


def _beyond_chance(observed: Numbers, by_chance: Numbers) -> Numbers:
    return _over(observed - by_chance, 1 - by_chance)


def _over(part: Numbers, whole: Numbers) -> Numbers:
    """part / whole, nan where the whole is nothing."""
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio

"""A figure with its interval, or the reason why there is none.

The intervals are percentile bootstraps over clips: the clips are drawn again with replacement,
each with all its answers, because answers for one clip are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from caer_build.errors import SchemaError

RESAMPLES = 1000
LEVEL = 0.95
"""share of the bootstrap's figures between the ends of an interval"""
_MOST_UNDEFINED = 0.05
_CELLS = 4_000_000
"""numbers drawn at once; bounds the memory (32 MB)"""

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its 95 % interval, and what it rests on.

    Attributes:
        value: None: undefined.
        low, high: the ends of the interval; None: undefined.
        n_clips: clips that it is made of.
        reason: why value or interval is undefined; None exactly where all three are there.
    """

    value: float | None
    low: float | None
    high: float | None
    n_clips: int
    reason: str | None

    def __post_init__(self) -> None:
        whole = None not in (self.value, self.low, self.high)
        if whole != (self.reason is None) or (self.low is None) != (self.high is None):
            raise SchemaError(f"Expected three numbers or a reason, found {self}.")


def undefined(reason: str, n_clips: int = 0) -> Estimate:
    """What has no value."""
    return Estimate(None, None, None, n_clips, reason)


def estimate(
    patterns: Numbers,
    counts: Counts,
    figure: Callable[[Numbers], Numbers],
    reason: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A figure that depends on sums over clips, with its interval.

    Few clips look different (three answers of seven emotions make 84 patterns), so the clips are
    drawn by how often each pattern comes: the same distribution as drawing them one by one, at a
    cost that does not grow with their number.

    Args:
        patterns: (n_patterns, n_sums), what a clip of each pattern adds to the sums.
        counts: (n_patterns,), how many clips have each pattern.
        figure: from (n, n_sums) to (n,); nan where it is undefined.
        reason: why it would be undefined.
    """
    n_clips = int(counts.sum())
    value = float(figure(counts[None] @ patterns)[0]) if n_clips else np.nan
    if np.isnan(value):
        return undefined(reason, n_clips)
    if n_clips == 1:
        return Estimate(value, None, None, 1, "One clip is too few for an interval.")
    drawn = figure(_resampled(patterns, counts, resamples, seed))
    defined = drawn[~np.isnan(drawn)]
    n_undefined = resamples - len(defined)
    if n_undefined > _MOST_UNDEFINED * resamples:
        why = f"Too few clips for an interval: undefined in {n_undefined} of {resamples} resamples."
        return Estimate(value, None, None, n_clips, why)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), n_clips, None)


def distinct(rows: NDArray[Any]) -> tuple[Counts, Counts]:
    """The different rows of a (n_clips, n_columns) array, and how often each comes."""
    found, counts = np.unique(rows, axis=0, return_counts=True)
    return found.astype(np.int64), counts.astype(np.int64)


def share(
    agreeing: Counts, asked: Counts, reason: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Answers that agree over answers compared.

    Args:
        agreeing, asked: (n_clips,); clips without a comparison are left out.
    """
    patterns, counts = distinct(np.stack([agreeing, asked], axis=1)[asked > 0])
    return estimate(
        patterns.astype(np.float64), counts, lambda s: s[:, 0] / s[:, 1], reason,
        resamples=resamples, seed=seed,
    )  # fmt: skip


def _resampled(patterns: Numbers, counts: Counts, resamples: int, seed: int) -> Numbers:
    """(resamples, n_sums): the sums of clips that were drawn again."""
    random, n_clips = np.random.default_rng(seed), int(counts.sum())
    at_once = max(1, _CELLS // len(counts))
    parts = [
        random.multinomial(n_clips, counts / n_clips, size=min(at_once, resamples - done))
        @ patterns
        for done in range(0, resamples, at_once)
    ]
    return np.concatenate(parts)

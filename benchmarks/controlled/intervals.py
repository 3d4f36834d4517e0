"""Percentile intervals of a mean over test samples that share faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

N_RESAMPLES = 2000


def interval(
    values: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the mean of ``values``, (n,), by drawing whole clusters again.

    Args:
        clusters: (n,) whose each value is: all samples of a face come, or stay away, together.
    """
    _, places = np.unique(clusters, return_inverse=True)
    sums, counts = np.bincount(places, values), np.bincount(places)
    rng = np.random.default_rng(seed)
    n = len(sums)
    drawn = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)

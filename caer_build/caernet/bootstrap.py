"""How far a figure can be trusted: percentile intervals by resampling whole clusters.

Clips of a show, or stills of a clip, are alike: as if each were news of its own, they would give
intervals that are far too narrow. So whole clusters are drawn (with replacement), and a system's
figure is computed of the sums over what was drawn. Two systems are compared on the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from caer_build.caernet import metrics
from caer_build.caernet.metrics import Floats, Labels
from caer_build.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 2000
LEVELS = ("show", "episode_id", "group_id", "person_id", "clip_id", "item_id")
"""what may be a cluster, the coarsest first"""
ENOUGH = 10
"""clusters without which a finer level is taken; with fewer at the finest there is no interval"""
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Clusters:
    """Which items belong together.

    Attributes:
        level: one of :data:`LEVELS`.
        of: (n,) the number of each item's cluster, 0 to n - 1.
        n: how many there are.
    """

    level: str
    of: Labels
    n: int


@dataclass(frozen=True)
class Interval:
    """A figure with its interval.

    Attributes:
        value: of all items; None: undefined.
        low, high: percentiles of the resamples; None: there is no interval.
        n: items.
        n_clusters: that were resampled, of ``level``.
        why: there is none, in words; empty otherwise.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_clusters: int
    level: str
    why: str = ""

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Figure:
    """A figure that is a function of sums over items.

    Attributes:
        of_items: (probabilities, labels) -> what each item adds, (n, k).
        value: sums (..., k) -> the figure (...); nan where undefined.
    """

    of_items: Callable[[Floats, Labels], Floats]
    value: Callable[[Floats], Floats]


def _cells(probabilities: Floats, labels: Labels) -> Floats:
    n, n_categories = probabilities.shape
    cells = np.zeros((n, n_categories**2))
    cells[np.arange(n), labels * n_categories + probabilities.argmax(1)] = 1
    return cells


def _of_matrix(figure: Callable[[Floats], Floats]) -> Figure:
    def value(sums: Floats) -> Floats:
        side = round(sums.shape[-1] ** 0.5)
        return figure(sums.reshape(*sums.shape[:-1], side, side))

    return Figure(_cells, value)


def _in_bins(probabilities: Floats, labels: Labels) -> Floats:
    sums = metrics.calibration_sums(probabilities.max(1), probabilities.argmax(1) == labels)
    return sums.reshape(len(labels), -1)


FIGURES = {
    "accuracy": _of_matrix(metrics.accuracy),
    "macro_f1": _of_matrix(metrics.macro_f1),
    "uar": _of_matrix(metrics.uar),
    "ece": Figure(
        _in_bins, lambda sums: metrics.ece(sums.reshape(*sums.shape[:-1], metrics.N_BINS, 3))
    ),
}


def clusters_of(items: pd.DataFrame) -> Clusters:
    """The coarsest level that every item states and that has ten clusters; else the finest.

    Items of known clips are never taken apart further: two stills of a clip are one piece of news.

    Args:
        items: a row an item, with those of :data:`LEVELS` that are known.
    """
    stated = [level for level in LEVELS if level in items and items[level].notna().all()]
    if "clip_id" in stated and "item_id" in stated:
        stated.remove("item_id")
    enough = [level for level in stated if items[level].nunique() >= ENOUGH]
    level = (enough or stated[-1:] or ["item_id"])[0]
    names = items[level] if level in items else items.index.to_series()
    known, of = np.unique(names.astype(str).to_numpy(), return_inverse=True)
    return Clusters(level, of.astype(np.int64), len(known))


def interval(
    name: str, probabilities: Floats, labels: Labels, clusters: Clusters, *,
    level: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """A figure of :data:`FIGURES` with its interval.

    Args:
        probabilities: (n, categories).
        labels: (n,).
        level: share of the resamples that lie inside.

    Raises:
        DatasetError: if the arrays do not fit together.
    """
    return _between(name, [probabilities], labels, clusters, level=level, seed=seed)


def difference(
    name: str, one: Floats, other: Floats, labels: Labels, clusters: Clusters, *,
    level: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """How much more ``one`` has of a figure than ``other``, on the same items and resamples.

    Args:
        one, other: (n, categories): probabilities of two systems.

    Raises:
        DatasetError: if the arrays do not fit together.
    """
    return _between(name, [one, other], labels, clusters, level=level, seed=seed)


def mean(values: Floats, clusters: Clusters, *, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean of a number of each item, with its interval.

    Args:
        values: (n,).

    Raises:
        DatasetError: if the arrays do not fit together.
    """
    if len(clusters.of) != len(values):
        raise DatasetError(f"Expected {len(values)} items in clusters, found {len(clusters.of)}.")
    counted = np.stack([values, np.ones_like(values)], 1)
    return _resampled(_ratio, [_sums(counted, clusters)], len(values), clusters,
                      level=level, seed=seed)  # fmt: skip


def _ratio(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])


def _between(
    name: str, systems: list[Floats], labels: Labels, clusters: Clusters, *, level: float, seed: int
) -> Interval:
    if any(len(p) != len(labels) for p in systems) or len(clusters.of) != len(labels):
        raise DatasetError(
            f"Expected {len(labels)} items of every system and in the clusters, found "
            f"{', '.join(str(len(p)) for p in systems)} and {len(clusters.of)}."
        )
    figure = FIGURES[name]
    sums = [_sums(figure.of_items(p, labels), clusters) for p in systems]
    return _resampled(figure.value, sums, len(labels), clusters, level=level, seed=seed)


def _resampled(
    figure: Callable[[Floats], Floats], sums: list[Floats], n_items: int, clusters: Clusters,
    *, level: float, seed: int,
) -> Interval:  # fmt: skip
    """A figure of one system, or the difference of two.

    Args:
        figure: sums (..., k) -> (...).
        sums: (clusters, k) of each system.
    """
    whole = [float(figure(s.sum(0))) for s in sums]
    value = whole[0] if len(whole) == 1 else whole[0] - whole[1]
    facts = (n_items, clusters.n, clusters.level)
    if clusters.n < ENOUGH:
        what = clusters.level.removesuffix("_id")
        why = f"all items are of {clusters.n} {what}{'s' * (clusters.n > 1)}, fewer than {ENOUGH}"
        return Interval(_known(value), None, None, *facts, why=why)
    drawn = np.concatenate([_drawn(figure, sums, chunk) for chunk in _weights(clusters.n, seed)])
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return Interval(None, None, None, *facts, why="the figure is undefined")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), *facts)


def _drawn(figure: Callable[[Floats], Floats], sums: list[Floats], weights: Floats) -> Floats:
    values = [figure(weights @ s) for s in sums]
    return values[0] if len(values) == 1 else values[0] - values[1]


def _sums(of_items: Floats, clusters: Clusters) -> Floats:
    """What each cluster adds, (clusters, k)."""
    sums = np.zeros((clusters.n, of_items.shape[1]))
    np.add.at(sums, clusters.of, of_items)
    return sums


def _weights(n: int, seed: int) -> Iterator[Floats]:
    """How often each cluster was drawn, (resamples, clusters), in pieces that fit into memory."""
    rng = np.random.default_rng(seed)
    step = max(1, min(N_RESAMPLES, _CHUNK // n))
    for first in range(0, N_RESAMPLES, step):
        rows = min(step, N_RESAMPLES - first)
        drawn = rng.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(float)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None

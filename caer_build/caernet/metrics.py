"""How good predictions are: figures of a confusion matrix, and calibration.

Accuracy alone says little of data whose most frequent category is a third of it (decision 28): the
mean of the categories' recalls and the macro-F1 stand beside it. A category without items has no
recall: it is named, and is in no mean.

Everything is computed from sums over items, so that resampling items is weighting sums; arrays may
have leading dimensions, one figure each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.errors import DatasetError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
N_BINS = 15
"""of the calibration, equally wide (Guo et al., ICML 2017)"""


@dataclass(frozen=True)
class CategoryFigures:
    """Of one category; shares in [0, 1]. None: undefined, there being nothing to divide by.

    Attributes:
        n: items that are of it.
        recall: share of those that were found; the paper's accuracy of a category.
        precision: share of what was called so that is so.
        f1: their harmonic mean.
    """

    n: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence; low < confidence <= high."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Metrics:
    """Of some items; shares in [0, 1].

    Attributes:
        n: items.
        accuracy: share that is right.
        macro_f1: mean of the categories' F1.
        uar: unweighted average recall: mean of the categories' recalls.
        ece: expected calibration error: by how much confidence and accuracy differ, over bins.
        absent: categories without items, which are in no mean.
        categories: name -> figures.
        confusion: rows are the truth, columns what was predicted, both in the categories' order.
        calibration: the bins.
    """

    n: int
    accuracy: float
    macro_f1: float
    uar: float
    ece: float
    absent: tuple[str, ...]
    categories: dict[str, CategoryFigures]
    confusion: tuple[tuple[int, ...], ...]
    calibration: tuple[Bin, ...]

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


def measured(probabilities: Floats, labels: Labels, names: Sequence[str]) -> Metrics:
    """The figures of predictions.

    Args:
        probabilities: (n, categories), rows sum to 1; the most probable is what is predicted, of
            equals the first.
        labels: (n,) places among the categories.
        names: of the categories.

    Raises:
        DatasetError: if there is no item, or the arrays do not fit together.
    """
    if not len(labels) or probabilities.shape != (len(labels), len(names)):
        raise DatasetError(
            f"Expected {len(names)} probabilities for each of some items, found "
            f"{probabilities.shape} for {len(labels)}."
        )
    predicted = probabilities.argmax(1)
    matrix = confusion(labels, predicted, len(names))
    sums = np.asarray(calibration_sums(probabilities.max(1), predicted == labels).sum(0))
    recalls, precisions, f1s = recall(matrix), precision(matrix), f1(matrix)
    counts = matrix.sum(1)
    return Metrics(
        n=len(labels),
        accuracy=float(accuracy(matrix)),
        macro_f1=float(macro_f1(matrix)),
        uar=float(uar(matrix)),
        ece=float(ece(sums)),
        absent=tuple(name for name, n in zip(names, counts, strict=True) if not n),
        categories={
            name: CategoryFigures(
                int(counts[k]), _known(recalls[k]), _known(precisions[k]), _known(f1s[k])
            )
            for k, name in enumerate(names)
        },
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
        calibration=tuple(_bins(sums)),
    )


def confusion(labels: Labels, predicted: Labels, n_categories: int) -> Labels:
    """How often what was taken for what, (categories, categories); rows are the truth."""
    cells = np.bincount(labels * n_categories + predicted, minlength=n_categories**2)
    return cells.reshape(n_categories, n_categories).astype(np.int64)


def accuracy(matrix: npt.NDArray[Any]) -> Floats:
    """Share on the diagonal, (...), of matrices (..., C, C)."""
    return _ratio(_right(matrix).sum(-1), matrix.sum((-2, -1)))


def recall(matrix: npt.NDArray[Any]) -> Floats:
    """Of each category, (..., C); nan of one without items."""
    return _ratio(_right(matrix), matrix.sum(-1))


def precision(matrix: npt.NDArray[Any]) -> Floats:
    """Of each category, (..., C); nan of one that was never predicted."""
    return _ratio(_right(matrix), matrix.sum(-2))


def f1(matrix: npt.NDArray[Any]) -> Floats:
    """Of each category, (..., C): 0 of one that was never found; nan of one without items."""
    items = matrix.sum(-1)
    return np.where(items > 0, _ratio(2 * _right(matrix), items + matrix.sum(-2)), np.nan)


def uar(matrix: npt.NDArray[Any]) -> Floats:
    """Mean of the recalls of the categories that have items, (...)."""
    return _mean_of_known(recall(matrix))


def macro_f1(matrix: npt.NDArray[Any]) -> Floats:
    """Mean of the F1 of the categories that have items, (...)."""
    return _mean_of_known(f1(matrix))


def calibration_sums(confidence: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    """What each item adds to the bins, (n, bins, 3): 1, its confidence, whether it is right."""
    place = np.clip(np.ceil(confidence * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)
    sums = np.zeros((len(confidence), N_BINS, 3))
    sums[np.arange(len(confidence)), place] = np.stack(
        [np.ones(len(confidence)), confidence, right.astype(np.float64)], 1
    )
    return sums


def ece(sums: Floats) -> Floats:
    """The expected calibration error, (...), of the bins' sums (..., bins, 3)."""
    return _ratio(np.abs(sums[..., 1] - sums[..., 2]).sum(-1), sums[..., 0].sum(-1))


def _bins(sums: Floats) -> list[Bin]:
    means = _ratio(sums[:, 1:], sums[:, :1])
    return [
        Bin(k / N_BINS, (k + 1) / N_BINS, int(sums[k, 0]), _known(means[k, 0]), _known(means[k, 1]))
        for k in range(N_BINS)
    ]


def _right(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(below > 0, above / below, np.nan), np.float64)


def _mean_of_known(figures: Floats) -> Floats:
    known = np.isfinite(figures)
    return _ratio(np.where(known, figures, 0.0).sum(-1), known.sum(-1))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

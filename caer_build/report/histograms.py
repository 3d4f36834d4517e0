"""Histograms of the clips' scores whose bins begin or end exactly at the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caer_build.records import Clip
from caer_build.report.thresholds import Threshold
from caer_build.stages.screening import ScreeningSettings

_TARGET_BINS = 22
_MAX_BINS = 60
_TAIL = 98.0
_TAIL_MEDIANS = 3.0
"""What lies beyond this percentile, or this many medians, shares the last bin, so that a few
giants do not flatten all others."""


@dataclass(frozen=True)
class Bin:
    """Values in [low, high); the last one of a histogram with a tail has no upper end."""

    low: float
    high: float
    n_kept: int
    n_rejected: int

    @property
    def n(self) -> int:
        return self.n_kept + self.n_rejected


@dataclass(frozen=True)
class Histogram:
    """Bins of one width over all values."""

    threshold: Threshold
    limit: float
    bins: tuple[Bin, ...]
    has_tail: bool
    n_values: int
    median: float

    @property
    def tallest(self) -> int:
        return max(b.n for b in self.bins)

    @property
    def low(self) -> float:
        return self.bins[0].low

    @property
    def high(self) -> float:
        return self.bins[-1].high

    def place(self, value: float) -> float:
        """Where a value lies along the axis, per cent."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 3)


def bin_width(span: float, limit: float, whole: bool) -> float:
    """A round width of which the threshold is a multiple.

    Args:
        span: how far the values reach.
        whole: values are whole numbers, and so must the width be.
    """
    raw = max(span / _TARGET_BINS, 1.0 if whole else 1e-6)
    power = 10.0 ** math.floor(math.log10(raw))
    nice = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))
    if whole:
        nice = float(math.ceil(nice))
        if limit > 0:
            divisors = [d for d in range(1, int(limit) + 1) if limit % d == 0]
            return float(min(divisors, key=lambda d: (abs(d - nice), d)))
        return nice
    if limit <= 0:
        return nice
    return limit / max(1, round(limit / nice))


def histogram(
    clips: Sequence[Clip], threshold: Threshold, settings: ScreeningSettings
) -> Histogram | None:
    """The scores of the clips for one threshold; none if no clip has one."""
    scored = [(s, c.reject_reason is None) for c in clips if (s := threshold.score(c)) is not None]
    if not scored:
        return None
    values = np.array([s for s, _ in scored])
    kept = np.array([k for _, k in scored])
    limit = threshold.limit(settings)
    typical = _TAIL_MEDIANS * float(np.median(values)) or float("inf")
    reach = max(min(float(np.percentile(values, _TAIL)), typical), 1.25 * limit)
    width = bin_width(reach, limit, threshold.unit == "frames")
    n_bins = min(max(1, math.floor(reach / width + 1e-9) + 1), _MAX_BINS)
    if threshold.unit == "share":
        # Shares end at 1, which belongs to the last bin.
        n_bins = min(n_bins, math.ceil(1 / width - 1e-9))
    # The same tolerance as for the number of bins: 0.6 / 0.05 is a hair below 12.
    at = np.floor(values / width + 1e-9).astype(np.int64)
    index = np.minimum(at, n_bins - 1)
    bins = tuple(
        Bin(
            round(i * width, 9),
            round((i + 1) * width, 9),
            int(np.sum((index == i) & kept)),
            int(np.sum((index == i) & ~kept)),
        )
        for i in range(n_bins)
    )
    has_tail = bool(np.any(at >= n_bins)) and threshold.unit != "share"
    return Histogram(threshold, limit, bins, has_tail, len(values), float(np.median(values)))


def axis_marks(chart: Histogram, wanted: int = 7) -> list[float]:
    """Edges of bins to write below the chart, evenly spaced, at most about ``wanted``."""
    nice = (1, 2, 4, 5, 10, 20, 50)
    step = next(n for n in nice if len(chart.bins) <= n * wanted)
    marks = [b.low for b in chart.bins[::step]]
    # The last bin's own mark ("330+") stands at the right end.
    return [v for v in marks if chart.place(v) < 88] if chart.has_tail else marks

"""Histograms of plain values, for the report on a data set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from caer_build.report.histograms import bin_width

_MAX_BINS = 60
_TAIL = 0.98
_TAIL_MEDIANS = 4.0
_MARKS = 7


@dataclass(frozen=True)
class Bar:
    """Values in [low, high); the last one of a chart with a tail has no upper end."""

    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Distribution:
    """A histogram.

    Attributes:
        name: of what.
        unit: "%" if the values are shares, which are written as percent.
        bars: of one width.
        has_tail: what lies far out shares the last bar.
    """

    name: str
    unit: str
    bars: tuple[Bar, ...]
    has_tail: bool
    n_values: int
    median: float
    mean: float

    @property
    def tallest(self) -> int:
        return max(bar.n for bar in self.bars)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Where along the axis, per cent, and what stands there."""
        n = len(self.bars)
        step = next(k for k in (1, 2, 4, 5, 10, 20) if n <= k * _MARKS)
        places = range(0, n + (not self.has_tail), step)
        ends = [*(bar.low for bar in self.bars), self.bars[-1].high]
        marks = [(round(100 * k / n, 3), self.write(ends[k])) for k in places]
        return [*marks, (100.0, f"{self.write(self.bars[-1].low)}+")] if self.has_tail else marks

    def write(self, value: float) -> str:
        """A value as it is read: percent of a share, no needless digits."""
        shown = 100 * value if self.unit == "%" else value
        return f"{shown:,.0f}" if abs(shown) >= 100 else f"{shown:.3g}"


def distribution(
    name: str, unit: str, values: Sequence[float], *, whole: bool = False, top: float | None = None
) -> Distribution | None:
    """The histogram of some values >= 0; None if there are none.

    Args:
        whole: values are whole numbers.
        top: no value can be larger; the chart ends there at the latest.
    """
    if not values:
        return None
    ordered, middle = sorted(values), median(values)
    usual = ordered[int(_TAIL * (len(ordered) - 1))]
    reach = min(ordered[-1], max(usual, _TAIL_MEDIANS * middle))
    first = 0.0 if ordered[0] < reach / 2 else ordered[0]
    width = bin_width(max(reach - first, 1e-6), 0.0, whole)
    first = width * math.floor(first / width + 1e-9)
    n_bars = min(max(1, math.floor((reach - first) / width + 1e-9) + 1), _MAX_BINS)
    if top is not None:
        # The largest value that there can be belongs to the last bar.
        n_bars = min(n_bars, max(1, math.ceil((top - first) / width - 1e-9)))
    at = Counter(min(math.floor((v - first) / width + 1e-9), n_bars - 1) for v in ordered)
    beyond = first + n_bars * width
    return Distribution(
        name,
        unit,
        tuple(
            Bar(round(first + k * width, 9), round(first + (k + 1) * width, 9), at[k])
            for k in range(n_bars)
        ),
        has_tail=top is None and ordered[-1] >= beyond,
        n_values=len(ordered),
        median=middle,
        mean=sum(ordered) / len(ordered),
    )

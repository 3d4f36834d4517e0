"""How many clips each threshold would keep at other values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caer_build.records import Clip, Shot
from caer_build.report.thresholds import THRESHOLDS, Threshold
from caer_build.stages.screening import ScreeningSettings, first_reason

_FACTORS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class Trial:
    """What the screen would keep with one threshold at another value."""

    value: float
    text: str
    kept: int
    is_current: bool


@dataclass(frozen=True)
class Row:
    """One threshold at several values, from lenient to strict or the other way round."""

    threshold: Threshold
    trials: tuple[Trial, ...]


def values_around(threshold: Threshold, limit: float) -> list[float]:
    """Values worth trying for a threshold whose present value is ``limit``; ascending."""
    top = {"share": 1.0, "degrees": 180.0}.get(threshold.unit, float("inf"))
    digits = {"share": 3, "": 1}.get(threshold.unit, 0)
    values = {round(min(limit * f, top), digits) for f in _FACTORS} | {limit}
    lowest = 1.0 if threshold.unit == "frames" else 0.0
    values = {max(v, lowest) for v in values}
    if threshold.demand == "below":
        # At 0 everything is a group: nothing to learn from that.
        values.discard(0.0)
    return sorted(values)


def what_if(
    clips: Sequence[Clip], shots: Mapping[str, Shot], settings: ScreeningSettings
) -> list[Row]:
    """Screen all rows again for several values of each threshold; decisions by hand are ignored.

    Args:
        shots: by shot_id.
    """
    rows = []
    for threshold in THRESHOLDS:
        limit = threshold.limit(settings)
        values = values_around(threshold, limit)
        lenient = max(values) if threshold.demand != "at least" else min(values)
        # Whoever fails at the most lenient value fails at all others too.
        left = _kept(clips, shots, _with(settings, threshold, lenient))
        trials = []
        for value in values:
            kept = len(_kept(left, shots, _with(settings, threshold, value)))
            trials.append(Trial(value, threshold.write(value), kept, value == limit))
        rows.append(Row(threshold, tuple(trials)))
    return rows


def _with(settings: ScreeningSettings, threshold: Threshold, value: float) -> ScreeningSettings:
    return settings.model_copy(update={threshold.setting: value})


def _kept(
    clips: Sequence[Clip], shots: Mapping[str, Shot], settings: ScreeningSettings
) -> list[Clip]:
    return [c for c in clips if first_reason(c, shots[c.shot_id], settings) is None]

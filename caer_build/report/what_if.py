"""How many clips each threshold would keep at other values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caer_build.records import Clip, Shot
from caer_build.report.thresholds import THRESHOLDS, Threshold, failing
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
    """Screen all rows for several values of each threshold; decisions by hand are ignored.

    A row's fate hangs on a threshold only if the row passes everything else, so that each row is
    screened once, and then counted at each value.

    Args:
        shots: by shot_id.
    """
    lenient = _anything_goes(settings)
    hanging: dict[str, list[float | None]] = {t.setting: [] for t in THRESHOLDS}
    for clip in clips:
        if first_reason(clip, shots[clip.shot_id], lenient) is not None:
            continue
        failed = failing(clip, settings)
        for threshold in THRESHOLDS if not failed else failed if len(failed) == 1 else ():
            hanging[threshold.setting].append(threshold.score(clip))
    rows = []
    for threshold in THRESHOLDS:
        limit, scores = threshold.limit(settings), hanging[threshold.setting]
        trials = tuple(
            Trial(
                value,
                threshold.write(value),
                sum(threshold.passes(score, value) for score in scores),
                value == limit,
            )
            for value in values_around(threshold, limit)
        )
        rows.append(Row(threshold, trials))
    return rows


def _anything_goes(settings: ScreeningSettings) -> ScreeningSettings:
    """The screen with all its thresholds out of the way."""
    extremes = {"at least": 0, "below": float("inf"), "at most": float("inf")}
    return settings.model_copy(update={t.setting: extremes[t.demand] for t in THRESHOLDS})

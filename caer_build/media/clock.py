"""Presentation times that strictly increase, whatever a container says.

Most files pass through unchanged. A frame without a timestamp follows its predecessor by one
step (1 / frame rate). A frame that would not be later than its predecessor is moved: a single
stray one by half a step, so that the frames behind it keep their own times; a clock that stands
still or jumps back is carried on from the last frame, and so is one that leaps ahead by more
than :data:`MAX_GAP_S`::

    read      0   1   1   2   3          0   1   2   0   1   2
    given     0   1  1.5  2   3          0   1   2   3   4   5
"""

from __future__ import annotations

from fractions import Fraction

MAX_GAP_S = 600.0
"""No frame is shown longer; a longer gap is a break in the timestamps."""


class Clock:
    """Gives each frame, in presentation order, its time in seconds.

    Args:
        time_base: seconds per tick.
        frame_rate: frames per second, for steps that have to be made up.
        start_s: when the first frame is shown if it carries no timestamp.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction, start_s: float = 0.0) -> None:
        self._time_base = time_base
        self._step_s = float(1 / frame_rate)
        self._start_s = start_s
        self._last_s: float | None = None
        self._shift_s = 0.0
        self._moved_last = False
        self.n_repaired = 0

    def time_of(self, ticks: int | None) -> float:
        """Seconds at which the next frame is shown, given its timestamp (None: it has none)."""
        time_s = self._repair(ticks)
        self._last_s = time_s
        return time_s

    def _repair(self, ticks: int | None) -> float:
        claimed = None if ticks is None else self.seconds(ticks) + self._shift_s
        last = self._last_s
        if last is None:
            self.n_repaired += claimed is None
            return self._start_s if claimed is None else claimed
        if claimed is not None and last < claimed <= last + MAX_GAP_S:
            self._moved_last = False
            return claimed
        self.n_repaired += 1
        stray = claimed is not None and 0 <= last - claimed < self._step_s
        if stray and not self._moved_last:
            self._moved_last = True
            return last + self._step_s / 2
        self._moved_last = True
        if claimed is not None:
            self._shift_s += last + self._step_s - claimed
        return last + self._step_s

    def seconds(self, ticks: int) -> float:
        """A timestamp as seconds, unrepaired."""
        return ticks * self._time_base.numerator / self._time_base.denominator

    def ticks(self, time_s: float) -> int:
        """The timestamp nearest to a time in seconds."""
        return round(time_s * self._time_base.denominator / self._time_base.numerator)

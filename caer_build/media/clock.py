"""Presentation times that strictly increase, whatever a container says.

Most files pass through unchanged. A frame without a timestamp follows its predecessor by one
step (1 / frame rate). Where a timestamp does not follow the last one (it is not later, or leaps
ahead), the next few frames decide. If they go on as before it, it was a stray one: it is put half
a step behind its predecessor, and all others keep their own times. If they go on from it, the
clock itself has jumped or stands still, and is carried on from the last frame::

    read      0   1   1   2   3          0   1   2   0   1   2
    given     0   1  1.5  2   3          0   1   2   3   4   5
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")

MAX_GAP_S = 600.0
"""No frame is shown longer; a longer gap is a break in the timestamps."""
_LEAP_S = 1.0
"""A frame shown longer may be followed by a stray timestamp: the next ones are asked."""
_ASKED = 3
"""how many frames are looked ahead, and held in memory, where a timestamp does not follow"""


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
        self.n_repaired = 0

    def run(self, frames: Iterable[tuple[int | None, T]]) -> Iterator[tuple[float, T]]:
        """Every frame with the seconds at which it is shown.

        Args:
            frames: in presentation order, each with its timestamp (None: it has none).
        """
        source = iter(frames)
        ahead: deque[tuple[int | None, T]] = deque()
        while True:
            entry = ahead.popleft() if ahead else next(source, None)
            if entry is None:
                return
            if self._is_odd(entry[0]):
                while len(ahead) < _ASKED and (later := next(source, None)) is not None:
                    ahead.append(later)
            self._last_s = self._time_of(entry[0], [ticks for ticks, _ in ahead])
            yield self._last_s, entry[1]

    def _is_odd(self, ticks: int | None) -> bool:
        """Whether it takes the frames behind to say when this one is shown."""
        if ticks is None or self._last_s is None:
            return False
        return not 0 < self._claimed(ticks) - self._last_s <= max(_LEAP_S, self._step_s)

    def _time_of(self, ticks: int | None, following: list[int | None]) -> float:
        last = self._last_s
        if last is None:
            self.n_repaired += ticks is None
            return self._start_s if ticks is None else self._claimed(ticks)
        if ticks is None:
            self.n_repaired += 1
            return last + self._step_s
        claimed = self._claimed(ticks)
        if 0 < claimed - last <= max(_LEAP_S, self._step_s):
            return claimed
        behind = [self._claimed(later) for later in following[:_ASKED] if later is not None]
        # Frames that go on from the last one, as if this one's timestamp were not there.
        going_on = [s for s in behind if last < s <= last + MAX_GAP_S]
        if claimed > last:
            going_on = [s for s in going_on if s < claimed]
        if 2 * len(going_on) > len(behind):
            self.n_repaired += 1
            half = last + min(self._step_s, min(going_on) - last) / 2
            return half if half > last else last + self._step_s
        if last < claimed <= last + MAX_GAP_S:
            return claimed
        self.n_repaired += 1
        self._shift_s += last + self._step_s - claimed
        return last + self._step_s

    def _claimed(self, ticks: int) -> float:
        return self.seconds(ticks) + self._shift_s

    def seconds(self, ticks: int) -> float:
        """A timestamp as seconds, unrepaired."""
        return ticks * self._time_base.numerator / self._time_base.denominator

    def ticks(self, time_s: float) -> int:
        """The timestamp nearest to a time in seconds."""
        return round(time_s * self._time_base.denominator / self._time_base.numerator)

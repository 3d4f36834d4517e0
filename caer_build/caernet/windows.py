"""Which frames of a clip a network sees: ten a second, sixteen at a time (section 5.1).

Pure arithmetic. Frames are found by the times at which they are shown, never by a rate::

    ticks    0.0   0.1   0.2   0.3 ...       of the clip's own clock
    frames   0  1  2  3  4  5  6 ...         for each tick the one that is shown then
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from caer_build.errors import DatasetError

Indices = npt.NDArray[np.int64]
TICK_S = 0.1
LENGTH, STRIDE = 16, 8
"""frames of a window, and from one window of a test clip to the next"""
_SLACK_S = 1e-4
"""containers round times; a frame that begins this much late is the tick's"""


def sampled(times_s: Sequence[float], end_s: float) -> Indices:
    """The frames at ten a second, (n,), n >= 1; a slow clip shows one at several ticks.

    Args:
        times_s: when each frame is shown, ascending.
        end_s: when the last one stops being shown.

    Raises:
        DatasetError: if the times are not in order.
    """
    times = np.asarray(times_s, np.float64)
    if not len(times) or (np.diff(times) <= 0).any() or end_s <= times[-1]:
        raise DatasetError(
            f"Expected ascending times of frames and a later end, found {len(times)} times "
            f"and the end {end_s}."
        )
    times = times - times[0]
    before = [n_ticks_before(float(t)) for t in (*times, end_s - float(times_s[0]))]
    shown = np.repeat(np.arange(len(times), dtype=np.int64), np.diff(before))
    return shown if len(shown) else np.zeros(1, np.int64)


def n_ticks_before(at_s: float) -> int:
    """How many ticks of a clip come before ``at_s`` seconds after its first frame."""
    return max(0, math.ceil((at_s - _SLACK_S) / TICK_S))


def random_window(n_sampled: int, draw: float, length: int = LENGTH) -> Indices:
    """One window of a training clip, (length,), as positions among its sampled frames.

    Args:
        draw: in [0, 1), decides where it begins.
    """
    begin = int(draw * max(1, n_sampled - length + 1))
    return _looped(begin, n_sampled, length)


def all_windows(n_sampled: int, length: int = LENGTH, stride: int = STRIDE) -> Indices:
    """All windows of a test clip, (k, length); the last one ends with the clip."""
    last = max(0, n_sampled - length)
    begins = [*range(0, last, stride), last]
    return np.stack([_looped(begin, n_sampled, length) for begin in begins])


def _looped(begin: int, n_sampled: int, length: int) -> Indices:
    """A clip shorter than a window begins again: 0 1 2 0 1 2 0 ..."""
    return (begin + np.arange(length, dtype=np.int64)) % max(1, n_sampled)

"""Which frames of a clip a network sees: ten a second, sixteen at a time (section 5.1).

Pure arithmetic. Frames are found by the times at which they are shown, never by a rate::

    ticks    0.0   0.1   0.2   0.3 ...       of the clip's own clock, at ten a second
    frames   0  1  2  3  4  5  6 ...         for each tick the one that is shown then
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from caer_build.errors import DatasetError, RecipeError

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MeanOf = Literal["probabilities", "logits"]
RATE = 10.0
"""ticks a second"""
_SLACK_S = 1e-4
"""containers round times; a frame that begins this much late is the tick's"""
_CHOICES = {
    "training": ("anywhere", "aligned", "middle"),
    "short": ("loop", "hold"),
    "tail": ("aligned", "dropped"),
    "mean_of": ("probabilities", "logits"),
}


@dataclass(frozen=True)
class Windows:
    """How clips become samples; the text of section 5.1 can be read in several ways.

    Attributes:
        length: sampled frames of a window.
        stride: from one window of a test clip to the next.
        training: the one window a clip gives an epoch: drawn from "anywhere" in it, or from those
            that begin at a multiple of the length ("aligned": windows do not overlap, from one
            epoch to another either), or always the "middle".
        short: of a clip that is shorter than a window: it begins again ("loop"), or its last frame
            stays ("hold").
        tail: where the last window of a test clip does not end with it: one more does
            ("aligned"), or the frames behind it are not looked at ("dropped").
        mean_of: what is averaged over the windows of a test clip; of logits the softmax comes
            afterwards.

    Raises:
        RecipeError: if it cannot be.
    """

    length: int = 16
    stride: int = 8
    training: Literal["anywhere", "aligned", "middle"] = "anywhere"
    short: Literal["loop", "hold"] = "loop"
    tail: Literal["aligned", "dropped"] = "aligned"
    mean_of: MeanOf = "probabilities"

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"Expected {name} to be one of {', '.join(known)}, "
                    f"found {getattr(self, name)!r}."
                )
        if min(self.length, self.stride) < 1:
            raise RecipeError(
                f"Expected a length and a stride of 1 or more, found {self.length} and "
                f"{self.stride}."
            )

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)

    def drawn_of(self, n_sampled: Indices, draws: Floats, length: int | None = None) -> Indices:
        """One window of each training clip, (clips, length), as positions among its sampled frames.

        Args:
            n_sampled: (clips,), of each.
            draws: (clips,) in [0, 1), decide where they begin.
            length: of a window; 1 of a network of stills.
        """
        length = length or self.length
        last = np.maximum(0, n_sampled - length)
        begins: Indices = (draws * (last + 1)).astype(np.int64)
        if self.training == "aligned":
            begins = (draws * (last // length + 1)).astype(np.int64) * length
        elif self.training == "middle":
            begins = last // 2
        return self._of(begins, n_sampled, length)

    def every_of(self, n_sampled: Indices, length: int | None = None) -> tuple[Indices, Indices]:
        """All windows of test clips.

        Args:
            n_sampled: (clips,), of each.

        Returns:
            which clip each window is of, (k,), ascending; and (k, length) positions among the
            clip's sampled frames.
        """
        length = length or self.length
        last = np.maximum(0, n_sampled - length)
        counts = last // self.stride + 1
        if self.tail == "aligned":
            counts = counts + (last % self.stride > 0)
        clips = np.repeat(np.arange(len(counts)), counts)
        numbers = np.arange(len(clips)) - np.repeat(counts.cumsum() - counts, counts)
        begins = np.minimum(numbers * self.stride, last[clips])
        return clips, self._of(begins, n_sampled[clips], length)

    def drawn(self, n_sampled: int, draw: float, length: int | None = None) -> Indices:
        """One window of one training clip, (length,)."""
        window: Indices = self.drawn_of(np.array([n_sampled]), np.array([draw]), length)[0]
        return window

    def every(self, n_sampled: int, length: int | None = None) -> Indices:
        """All windows of one test clip, (k, length)."""
        return self.every_of(np.array([n_sampled]), length)[1]

    def _of(self, begins: Indices, n_sampled: Indices, length: int) -> Indices:
        """A clip shorter than a window begins again, 0 1 2 0 1 2 0 ..., or stands, 0 1 2 2 2 ..."""
        positions: Indices = begins[:, None] + np.arange(length, dtype=np.int64)
        if self.short == "hold":
            positions = np.minimum(positions, np.maximum(0, n_sampled - 1)[:, None])
        else:
            positions %= np.maximum(1, n_sampled)[:, None]
        return positions


def sampled(times_s: Sequence[float], end_s: float, rate: float = RATE) -> Indices:
    """The frames at so many ticks a second, (n,), n >= 1; a slow clip shows one at several ticks.

    Args:
        times_s: when each frame is shown, ascending.
        end_s: when the last one stops being shown.
        rate: ticks a second.

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
    before = [n_ticks_before(float(t), rate) for t in (*times, end_s - float(times_s[0]))]
    shown = np.repeat(np.arange(len(times), dtype=np.int64), np.diff(before))
    return shown if len(shown) else np.zeros(1, np.int64)


def n_ticks_before(at_s: float, rate: float = RATE) -> int:
    """How many ticks of a clip come before ``at_s`` seconds after its first frame."""
    return max(0, math.ceil((at_s - _SLACK_S) * rate))


def averaged(probabilities: Floats, mean_of: MeanOf) -> Floats:
    """What a clip's windows say together, (classes,), sum 1.

    Args:
        probabilities: (k, classes), k >= 1, of each window.
    """
    if mean_of == "probabilities":
        return np.asarray(probabilities.mean(0))
    # Logits are logarithms of probabilities but for a number of each window, which drops out.
    tiny = np.finfo(np.float64).tiny
    means = np.exp(np.log(probabilities.clip(min=tiny)).mean(0))
    return np.asarray(means / means.sum())

"""Frame ordinals and presentation times (PTS): pure arithmetic.

Spans are half-open ``[start, end)`` in frames counted in presentation order. Every frame
carries its ordinal and its PTS; neither is derived from the other, because in a file of
variable frame rate no formula leads from one to the other::

    frame      0      1      2      3
    pts_s      0.000  0.040  0.120  0.160      (a frame is shown until the next one's PTS)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from caer_build.errors import SchemaError

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Span:
    """Frames ``[start, end)``; never empty.

    Raises:
        SchemaError: if ``start < 0`` or ``end <= start``.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start < 0 or self.end <= self.start:
            raise SchemaError(
                f"A span of frames needs 0 <= start < end, found [{self.start}, {self.end})."
            )

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, frame: int) -> bool:
        return self.start <= frame < self.end

    def overlap(self, other: Span) -> int:
        """How many frames the two spans share."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True)
class Timeline:
    """When each frame of an episode is shown.

    Args:
        pts_s: seconds from the start of the container's clock, shape (n,), strictly increasing.
        end_s: when the last frame stops being shown, seconds.
    """

    pts_s: Seconds
    end_s: float

    def __post_init__(self) -> None:
        if len(self.pts_s) == 0 or bool(np.any(np.diff(self.pts_s) <= 0)):
            raise SchemaError("A timeline needs at least one frame and strictly increasing times.")
        if self.end_s <= float(self.pts_s[-1]):
            raise SchemaError("A timeline ends after its last frame begins.")

    def __len__(self) -> int:
        return len(self.pts_s)

    def start_of(self, frame: int) -> float:
        """Seconds at which ``frame`` appears; ``frame == len(self)`` gives the end."""
        return self.end_s if frame == len(self.pts_s) else float(self.pts_s[frame])

    def duration_of(self, span: Span) -> float:
        """Seconds for which the frames of ``span`` are shown."""
        return self.start_of(span.end) - self.start_of(span.start)

    def frame_at(self, time_s: float) -> int:
        """The frame shown at ``time_s`` (before the first frame: the first)."""
        return max(0, int(np.searchsorted(self.pts_s, time_s, side="right")) - 1)

    def frames_within(self, seconds: float) -> int:
        """How many frames ``seconds`` last at the median rate; at least one."""
        step = float(np.median(np.diff(self.pts_s))) if len(self) > 1 else self.end_s
        return max(1, round(seconds / step))


def tiles(spans: Iterable[Span], frame_count: int) -> bool:
    """Whether the spans, in order, cover ``[0, frame_count)`` without gap or overlap."""
    at = 0
    for span in spans:
        if span.start != at:
            return False
        at = span.end
    return at == frame_count


def runs(mask: npt.NDArray[np.bool_]) -> Iterator[Span]:
    """The maximal spans in which ``mask`` (n,) is true, in order."""
    padded = np.concatenate(([False], mask, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield Span(int(start), int(end))


def as_rate(rate: Fraction | float) -> Fraction:
    """A frame rate as a fraction; floats are snapped to the nearest with denominator <= 1001."""
    return rate if isinstance(rate, Fraction) else Fraction(rate).limit_denominator(1001)

"""Which frames of a clip become stills of CAER-S. Pure.

The released CAER-S has about 10,000 stills a class, two a clip for Neutral and nineteen for Fear,
and the paper does not say how they were chosen. Here a clip is cut into as many windows of equal
length as it gives stills, and each window gives its sharpest frame in which the face was really
seen::

    frames   0         30        60        90
             |----o----|--------o|-o-------|      k = 3; o: the sharpest seen frame of a window

A clip gives k stills, or as many as its share of a quota for its emotion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

CHOSEN_OF = "split_sha256"
"""what the table of stills says in its facts of the split that it was chosen of"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame of a clip in which the target has a box.

    Attributes:
        frame: 0-based within the clip.
        seen: the face was detected in this very frame, not interpolated.
        sharpness: of the face where it was detected; higher is sharper.
    """

    frame: int
    seen: bool
    sharpness: float


def choose(candidates: Sequence[Candidate], n_frames: int, k: int) -> list[int]:
    """The frames of a clip that become stills, ascending; one a window, fewer where windows show
    no face.

    Args:
        n_frames: of the clip.
        k: windows, >= 0; more than the clip has frames are as many.
    """
    k = min(k, n_frames)
    chosen = []
    for window in range(k):
        first, end = window * n_frames // k, (window + 1) * n_frames // k
        middle = (first + end - 1) / 2
        there = [c for c in candidates if first <= c.frame < end]
        if there:
            chosen.append(max(there, key=partial(_merit, middle=middle)).frame)
    return chosen


def _merit(candidate: Candidate, middle: float) -> tuple[bool, float, float, int]:
    """Seen before sharp, sharp before well placed; the earlier of equals."""
    sharpness = candidate.sharpness if candidate.seen else 0.0
    return candidate.seen, sharpness, -abs(candidate.frame - middle), -candidate.frame


def shares_of_quota(n_frames: Mapping[str, int], quota: int) -> dict[str, int]:
    """How many stills each clip of an emotion gives so that together they come to a quota.

    As even as the clips allow: none gives more than its frames, and what short ones cannot give
    the others do. Clips are served by id, so the remainder falls on the same ones every time.

    Args:
        n_frames: of each clip that may give stills, the frames it can give.
        quota: stills wanted, >= 0; where all frames together are fewer, all are given.
    """
    left = min(quota, sum(n_frames.values()))
    given = dict.fromkeys(sorted(n_frames), 0)
    # As water rises in vessels of different height: in each round as much as the lowest can take.
    while left:
        open_ = [clip_id for clip_id in given if given[clip_id] < n_frames[clip_id]]
        rise = min(left // len(open_), *(n_frames[c] - given[c] for c in open_))
        # Less than one for each: the first ones have it.
        more, served = (rise, open_) if rise else (1, open_[:left])
        for clip_id in served:
            given[clip_id] += more
        left -= more * len(served)
    return given

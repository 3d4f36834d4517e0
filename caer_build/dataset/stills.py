"""Which frames of a clip become stills of CAER-S. Pure.

The released CAER-S has about 10,000 stills a class, two a clip for Neutral and nineteen for Fear,
and the paper does not say how they were chosen. Here a clip is cut into as many windows of equal
length as it gives stills, and each window gives its sharpest frame in which the face was really
seen::

    frames   0         30        60        90
             |----o----|--------o|-o-------|      k = 3; o: the sharpest seen frame of a window

A clip gives k stills, or as many as its share of a quota for its emotion; but no two that look
alike: what stands still for three seconds is one picture, not nineteen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

CHOSEN_OF = "split_sha256"
"""what the table of stills says in its facts of the split that it was chosen of"""
MIN_DIFFERENCE = 3
"""bits of 64. Of shots of two to four seconds in which people talk, frames 0.2 s apart differ by 2
bits in the median, 1 s apart by 5; with 3, half of the shots give six different stills or more"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame of a clip in which the target has a box.

    Attributes:
        frame: 0-based within the clip.
        seen: the face was detected in this very frame, not interpolated.
        sharpness: of the face where it was detected; higher is sharper.
        look: perceptual hash of the whole picture, 64 bits.
    """

    frame: int
    seen: bool
    sharpness: float
    look: int = 0


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip that may give stills.

    Attributes:
        n_frames: of the clip.
        candidates: in any order.
    """

    clip_id: str
    n_frames: int
    candidates: tuple[Candidate, ...]


def different_frames(
    chain: Sequence[Footage], min_difference: int
) -> dict[str, tuple[Candidate, ...]]:
    """For each of some clips that share frames, frames that all differ from one another.

    As many as taking the best that still differs, clip by clip in turn, comes to: what a clip can
    give at most.

    Args:
        min_difference: bits of 64 in which two stills differ at least; 0: any two frames do.
    """
    clips = sorted(chain, key=_clip_id)
    waiting = {clip.clip_id: sorted(clip.candidates, key=_merit)[::-1] for clip in clips}
    found: dict[str, list[Candidate]] = {clip.clip_id: [] for clip in clips}
    looks: list[int] = []
    while any(waiting.values()):
        for clip_id, queue in waiting.items():
            while queue:
                best = queue.pop()
                if _differs(best.look, looks, min_difference):
                    found[clip_id].append(best)
                    looks.append(best.look)
                    break
    return {clip_id: tuple(several) for clip_id, several in found.items()}


def choose(
    chain: Sequence[Footage],
    wanted: Mapping[str, int],
    different: Mapping[str, Sequence[Candidate]],
    min_difference: int,
) -> dict[str, list[Candidate]]:
    """The frames of some clips that share frames that become stills, by frame.

    One a window, as many windows as a clip gives stills. Where a window has none that differs
    from those chosen before, the frames that are known to differ are taken, spread evenly.

    Args:
        wanted: stills of each clip, by clip_id; more than it has different frames are as many.
        different: as :func:`different_frames` gives it of the chain.
        min_difference: likewise.
    """
    chosen: dict[str, list[Candidate]] = {}
    for clip in sorted(chain, key=_clip_id):
        own = different[clip.clip_id]
        k = min(wanted.get(clip.clip_id, 0), len(own))
        # What the others are sure to need is theirs, and what they chose stands.
        others = {c: chosen.get(c, several) for c, several in different.items()}
        looks = [c.look for name, several in others.items() if name != clip.clip_id
                 for c in several]  # fmt: skip
        spread = _one_a_window(clip, k, looks, min_difference)
        chosen[clip.clip_id] = spread if len(spread) == k else _seen_first(own, k)
    return chosen


def _one_a_window(
    clip: Footage, k: int, taken: Sequence[int], min_difference: int
) -> list[Candidate]:
    """At most one a window: of those that differ from all taken before, the one most worthy."""
    looks, found = list(taken), []
    for window in range(k):
        first, end = window * clip.n_frames // k, (window + 1) * clip.n_frames // k
        middle = (first + end - 1) / 2
        there = [c for c in clip.candidates if first <= c.frame < end]
        for candidate in sorted(there, key=partial(_merit, middle=middle)):
            if _differs(candidate.look, looks, min_difference):
                looks.append(candidate.look)
                found.append(candidate)
                break
    return found


def _seen_first(different: Sequence[Candidate], k: int) -> list[Candidate]:
    """Those in which the face was seen, spread evenly; only where they are too few, others."""
    ordered = sorted(different, key=_frame)
    seen = [c for c in ordered if c.seen]
    if k <= len(seen):
        return _evenly(seen, k)
    unseen = [c for c in ordered if not c.seen]
    return sorted([*seen, *_evenly(unseen, k - len(seen))], key=_frame)


def _evenly(ordered: Sequence[Candidate], k: int) -> list[Candidate]:
    return [ordered[(2 * number + 1) * len(ordered) // (2 * k)] for number in range(k)]


def _differs(look: int, others: Sequence[int], min_difference: int) -> bool:
    return all((look ^ other).bit_count() >= min_difference for other in others)


def _merit(candidate: Candidate, middle: float = 0.0) -> tuple[bool, float, float, int]:
    """The best is the least: seen before sharp, sharp before well placed, the earlier of equals."""
    sharpness = candidate.sharpness if candidate.seen else 0.0
    return not candidate.seen, -sharpness, abs(candidate.frame - middle), candidate.frame


def _clip_id(clip: Footage) -> str:
    return clip.clip_id


def _frame(candidate: Candidate) -> int:
    return candidate.frame


def shares_of_quota(n_frames: Mapping[str, int], quota: int) -> dict[str, int]:
    """How many stills each clip of an emotion gives so that together they come to a quota.

    As even as the clips allow: none gives more than its frames, and what short ones cannot give
    the others do. Clips are served in an order that their ids alone decide and that follows no
    episode: the remainder falls on the same ones every time, and on all splits alike.

    Args:
        n_frames: of each clip that may give stills, the frames it can give.
        quota: stills wanted, >= 0; where all frames together are fewer, all are given.
    """
    left = min(quota, sum(n_frames.values()))
    given = dict.fromkeys(sorted(n_frames, key=_shuffled), 0)
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


def _shuffled(clip_id: str) -> bytes:
    return hashlib.sha256(clip_id.encode()).digest()

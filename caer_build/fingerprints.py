"""What frames look like in 64 bits, and which shots show footage seen before: pure arithmetic.

A fingerprint says of an 8 x 9 grid of grey means which of two neighbours is brighter: it survives
re-encoding, grading and small changes of size, not another framing. A shot repeats an earlier one
when its frames match that one's, in order, at one fixed distance in time. Two stills of one room
match as well, and so do all black pictures, so only *changes* of the picture count as evidence.

At a show's scale (200 episodes x 600 shots x 100 frames) nothing is compared with everything: a
few telling frames a shot are sorted by thirds of their bits, and only shots that share one of
them, at the same distance more than once, are compared frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_ROWS, _COLUMNS = 8, 9
_THIRD_BITS = 21
PLAIN = np.uint64(0)
"""The fingerprint of a picture without contrast; it is evidence of nothing."""


@dataclass(frozen=True)
class ShotPrint:
    """A shot's fingerprints, one a frame, without those of its transitions."""

    shot_id: str
    hashes: Hashes


@dataclass(frozen=True)
class RepeatRules:
    """When a shot counts as a repeat.

    Attributes:
        max_distance: bits two fingerprints of the same picture may differ by, of 64.
        new_distance: bits a frame must differ by from the last telling one to be telling.
        min_telling: telling frames that must match; still pictures have fewer.
        min_share: share of the shot's frames that must match, [0, 1].
    """

    max_distance: int = 4
    new_distance: int = 5
    min_telling: int = 3
    min_share: float = 0.8


def _averaging(pixels: int, cells: int) -> npt.NDArray[np.float32]:
    """(pixels, cells): means over equal, possibly fractional, stretches."""
    edges = np.linspace(0, pixels, cells + 1)
    at = np.arange(pixels)[:, None]
    covered = np.minimum(at + 1, edges[1:]) - np.maximum(at, edges[:-1])
    return np.asarray(np.maximum(covered, 0) * cells / pixels, dtype=np.float32)


def frame_hashes(features: npt.NDArray[np.uint8], plain_contrast: float = 4.0) -> Hashes:
    """Fingerprints (n,) of (n, h, w, 3) pictures.

    Args:
        plain_contrast: standard deviation of the grid, in grey levels, below which a picture has
            no structure; its fingerprint is :data:`PLAIN`.
    """
    grey = features.mean(axis=3, dtype=np.float32)
    rows, columns = _averaging(grey.shape[1], _ROWS), _averaging(grey.shape[2], _COLUMNS)
    # Plain einsum, not BLAS: a bit must not depend on how many threads add up a mean.
    grid = np.einsum("nrw,wc->nrc", np.einsum("nhw,hr->nrw", grey, rows), columns)
    bits = (grid[:, :, 1:] > grid[:, :, :-1]).reshape(len(grid), 64)
    hashes = np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
    hashes[grid.reshape(len(grid), -1).std(axis=1) < plain_contrast] = PLAIN
    return np.asarray(hashes)


def distances(a: Hashes, b: Hashes) -> npt.NDArray[np.int64]:
    """Differing bits, elementwise."""
    return np.asarray(np.bitwise_count(a ^ b), dtype=np.int64)


def telling_frames(hashes: Hashes, new_distance: int) -> npt.NDArray[np.int64]:
    """The frames at which the picture has become another since the last of them."""
    found: list[int] = []
    last: int | None = None
    for frame, value in enumerate(hashes.tolist()):
        if value == PLAIN or (last is not None and (value ^ last).bit_count() < new_distance):
            continue
        found.append(frame)
        last = value
    return np.array(found, dtype=np.int64)


def find_repeats(prints: Sequence[ShotPrint], rules: RepeatRules | None = None) -> dict[str, str]:
    """Which shots repeat an earlier one: shot_id -> the first shot that shows that footage.

    Args:
        prints: the shots of a show in the order of their showing.
    """
    rules = rules or RepeatRules()
    telling = [telling_frames(p.hashes, rules.new_distance) for p in prints]
    shots = np.repeat(np.arange(len(prints)), [len(t) for t in telling])
    if len(shots) == 0:
        return {}
    frames = np.concatenate(telling)
    keys = np.concatenate([p.hashes[t] for p, t in zip(prints, telling, strict=True)])
    repeats: dict[str, str] = {}
    first: dict[int, int] = {}
    for later, earlier, shift in _candidates(shots, frames, keys):
        source = first.get(earlier, earlier)
        if later in first or source != earlier:
            continue
        if _same(prints[later].hashes, telling[later], prints[earlier].hashes, shift, rules):
            first[later] = earlier
            repeats[prints[later].shot_id] = prints[earlier].shot_id
    return repeats


def _candidates(
    shots: npt.NDArray[np.int64], frames: npt.NDArray[np.int64], keys: Hashes, most: int = 8
) -> list[tuple[int, int, int]]:
    """(later shot, earlier shot, frames from the one's to the other's count), in that order.

    Of the frames that share a third of their bits each is paired with the ``most`` earliest: what
    is shown in every episode is shown first in one of the first.
    """
    pairs = []
    for third in range(3):
        part = (keys >> np.uint64(_THIRD_BITS * third)) & np.uint64((1 << _THIRD_BITS) - 1)
        order = np.argsort(part, kind="stable")
        values = part[order]
        heads = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
        group = np.repeat(heads, np.diff([*heads, len(values)]))
        for nth in range(most):
            other = group + nth
            later = np.flatnonzero(other < np.arange(len(values)))
            a, b = order[later], order[other[later]]
            new = shots[a] != shots[b]
            pairs.append(np.stack([shots[a], shots[b], frames[b] - frames[a]], axis=1)[new])
    found, votes = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    return [(int(a), int(b), int(s)) for a, b, s in found[votes >= 2]]


def _same(
    later: Hashes,
    telling: npt.NDArray[np.int64],
    earlier: Hashes,
    shift: int,
    rules: RepeatRules,
) -> bool:
    """Whether the later shot's frames are those of the earlier one ``shift`` frames on."""
    at = np.arange(len(later)) + shift
    inside = (at >= 0) & (at < len(earlier))
    match = np.zeros(len(later), np.bool_)
    match[inside] = distances(later[inside], earlier[at[inside]]) <= rules.max_distance
    match &= later != PLAIN
    structured = int((later != PLAIN).sum())
    seen = int(match[telling].sum())
    # A head that nods before a wall is back where it was every second frame: all must match.
    changes = seen >= max(rules.min_telling, rules.min_share * len(telling))
    return changes and int(match.sum()) >= rules.min_share * structured

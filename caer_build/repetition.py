"""Perceptual hashes of frames, to find footage that was seen before. Pure arithmetic.

A hash finds candidates, the small pictures themselves decide: two takes of one camera position
hash alike, but only the same footage is the same picture all the way through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
_ROWS, _COLUMNS = 8, 9
_FLAT = 6.0
_BANDS = 4
_QUERIES = 8
_COMMON = 64


def _averaging(n_from: int, n_to: int) -> npt.NDArray[np.float32]:
    """(n_to, n_from) weights of an area average."""
    edges = np.linspace(0, n_from, n_to + 1)
    at = np.arange(n_from)
    low, high = edges[:-1, None], edges[1:, None]
    weights = np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def frame_hashes(pictures: Images) -> Hashes:
    """Difference hashes (n,): one bit for each pair of neighbours in an 8 x 9 grid of greys.

    Args:
        pictures: (n, h, w, 3).

    Returns:
        0 for a frame too flat to tell anything (black, a fade's end).
    """
    grey = pictures.mean(axis=3, dtype=np.float32)
    rows = _averaging(grey.shape[1], _ROWS)
    columns = _averaging(grey.shape[2], _COLUMNS)
    small = np.einsum("rh,nhw,cw->nrc", rows, grey, columns, optimize=True)
    bits = (small[:, :, 1:] > small[:, :, :-1]).reshape(len(grey), -1)
    weights = np.left_shift(np.uint64(1), np.arange(64, dtype=np.uint64))
    hashes = (bits * weights).sum(axis=1, dtype=np.uint64)
    hashes[small.reshape(len(grey), -1).std(axis=1) < _FLAT] = 0
    return np.asarray(hashes, dtype=np.uint64)


@dataclass(frozen=True)
class Candidate:
    """An earlier shot that may show the same footage.

    Attributes:
        shot: index of the earlier shot.
        shift: frame f of the later shot may be frame f + shift of the earlier one, both counted
            from the start of their shot.
    """

    shot: int
    shift: int


def candidates(shots: Sequence[Hashes], max_bits: int) -> list[list[Candidate]]:
    """For each shot, the earlier shots that share hashes with it, best first.

    A few frames of each shot are looked up in tables of all frames by a quarter of their hash
    each, so that neither time nor memory grows with pairs of frames.

    Args:
        shots: the hashes of each shot's frames, in the order of showing; zeros do not count.
        max_bits: of 64; hashes that differ in more are different.
    """
    lengths = [len(h) for h in shots]
    everything = np.concatenate([*shots, np.empty(0, np.uint64)])
    shot_of = np.repeat(np.arange(len(shots)), lengths)
    frame_of = np.concatenate([*(np.arange(n) for n in lengths), np.empty(0, np.int64)])
    told = everything != 0
    # A still picture repeats its hash: one entry for each run is enough to be found.
    fresh = np.ones(len(everything), dtype=bool)
    fresh[1:] = (everything[1:] != everything[:-1]) | (shot_of[1:] != shot_of[:-1])
    kept = np.flatnonzero(told & fresh)
    votes: list[Counter[tuple[int, int]]] = [Counter() for _ in shots]
    queries = [q for n, h in enumerate(shots) for q in _queries(n, h)]
    for band in range(_BANDS):
        shift = np.uint64(64 // _BANDS * band)
        part = (everything[kept] >> shift) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        part = part[order]
        for number, frame in queries:
            asked = shots[number][frame]
            value = (asked >> shift) & np.uint64(0xFFFF)
            low, high = np.searchsorted(part, [value, value + np.uint64(1)])
            found = kept[order[low:high]]
            found = found[shot_of[found] < number][:_COMMON]
            for place in found:
                if int(everything[place] ^ asked).bit_count() <= max_bits:
                    votes[number][int(shot_of[place]), int(frame_of[place]) - frame] += 1
    ranked = [sorted(v.items(), key=lambda item: (-item[1], item[0])) for v in votes]
    return [[Candidate(*key) for key, _ in each] for each in ranked]


def _queries(number: int, hashes: Hashes) -> list[tuple[int, int]]:
    told = np.flatnonzero(hashes)
    if len(told) == 0:
        return []
    chosen = told[np.unique(np.linspace(0, len(told) - 1, _QUERIES).astype(int))]
    return [(number, int(frame)) for frame in chosen]


def same_pictures(
    a: Images, b: Images, mean_levels: float, block_levels: float
) -> npt.NDArray[np.bool_]:
    """Whether pictures are the same but for coding and a shift of brightness, (n,).

    Args:
        a: (n, h, w, 3), h and w multiples of 3 (27 x 48 features).
        b: the same shape.
        mean_levels: largest mean difference of 3x3 blocks, grey levels.
        block_levels: largest difference of any 3x3 block, grey levels.
    """
    n, h, w, channels = a.shape
    difference = a.astype(np.float32) - b
    blocks = difference.reshape(n, h // 3, 3, w // 3, 3, channels).mean(axis=(2, 4))
    blocks -= np.median(blocks, axis=(1, 2), keepdims=True)
    size = np.abs(blocks)
    return np.asarray(
        (size.mean(axis=(1, 2, 3)) <= mean_levels) & (size.max(axis=(1, 2, 3)) <= block_levels)
    )

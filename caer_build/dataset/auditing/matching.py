"""The same pictures among tens of thousands. Pure arithmetic.

A hash finds candidates, every pair of hashes compared in blocks: a thousand million pairs take
seconds, and memory holds a block. Small pictures decide: two takes of one camera position hash
alike, but only the same footage is the same picture all over.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from caer_build.repetition import Hashes, Images, same_pictures

MAX_BITS = 6
MEAN_LEVELS, BLOCK_LEVELS = 3.0, 16.0
"""As repeated footage is found by the build. In two real episodes of 42 shots every pair of frames
of different shots that agrees so shows the same person at the same place, sitting still; JPEG at
quality 30, blur and scaling to 224 x 224 leave a frame well within (mean 0.8, block 4 levels)"""
_BLOCK = 1 << 21
"""pairs compared at once"""
_MOST = 16
"""candidates looked at a picture: the nearest"""

Indexes = npt.NDArray[np.int64]


def near_pairs(a: Hashes, b: Hashes, max_bits: int = MAX_BITS) -> Iterator[tuple[int, Indexes]]:
    """For each hash of ``b`` that has any, the hashes of ``a`` that differ in few bits.

    Args:
        a, b: 64 bits each; zeros, which are flat pictures, do not count.

    Yields:
        Index into ``b``, indexes into ``a``: the nearest ones, nearest first.
    """
    told_a, told_b = np.flatnonzero(a), np.flatnonzero(b)
    known = a[told_a]
    rows = max(1, _BLOCK // max(len(known), 1))
    for start in range(0, len(told_b), rows):
        asked = told_b[start : start + rows]
        bits = np.bitwise_count(b[asked][:, None] ^ known[None, :])
        for row in np.flatnonzero((bits <= max_bits).any(axis=1)):
            near = np.flatnonzero(bits[row] <= max_bits)
            # Nearest first, the earlier of equals: a number that says both.
            rank = bits[row][near].astype(np.int64) * len(known) + near
            if len(rank) > _MOST:
                rank = np.partition(rank, _MOST)[:_MOST]
            yield int(asked[row]), told_a[np.sort(rank) % len(known)]


def same_picture_pairs(
    hashes: Hashes, small: Images, a: Indexes, b: Indexes
) -> Iterator[tuple[int, int]]:
    """For each picture of ``b`` that is also among ``a``, which one it is there.

    Args:
        hashes: (n,) of all pictures.
        small: (n, 27, 48, 3) of all pictures; may lie on the disk.
        a, b: indexes of pictures.

    Yields:
        Index of a picture of ``a``, index of the picture of ``b``.
    """
    for asked, near in near_pairs(hashes[a], hashes[b]):
        there = np.asarray(small[a[near]])
        here = np.broadcast_to(small[b[asked]], there.shape)
        same = same_pictures(np.asarray(here), there, MEAN_LEVELS, BLOCK_LEVELS)
        if same.any():
            yield int(a[near][int(np.argmax(same))]), int(b[asked])

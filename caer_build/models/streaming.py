"""A stream of frame features as blocks that overlap, so that no scorer needs a whole episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from caer_build.errors import SchemaError
from caer_build.models.protocols import FEATURE_HEIGHT, FEATURE_WIDTH, Images


@dataclass(frozen=True)
class Block:
    """Some frames of an episode with the frames around them::

        frames   | margin | core ........ | margin |
                          ^ start in the episode

    Beyond the episode's ends the margin repeats its first or last frame.

    Attributes:
        frames: (margin + core + margin, 27, 48, 3) RGB.
        start: the episode's ordinal of the first core frame.
        margin: frames on each side.
    """

    frames: Images
    start: int
    margin: int

    @property
    def core(self) -> slice:
        """Where the core lies in ``frames``."""
        return slice(self.margin, len(self.frames) - self.margin)


def blocks(chunks: Iterable[Images], core: int, margin: int) -> Iterator[Block]:
    """Blocks of ``core`` frames (the last may be shorter) in order, whatever the chunks' sizes.

    Memory: ``core + 2 * margin`` frames and one chunk. An empty stream gives no block.

    Raises:
        SchemaError: if a chunk is not (m, 27, 48, 3) uint8.
    """
    held = np.empty((0, FEATURE_HEIGHT, FEATURE_WIDTH, 3), np.uint8)
    start = 0
    begun = False
    for chunk in chunks:
        if chunk.shape[1:] != held.shape[1:] or chunk.dtype != np.uint8:
            raise SchemaError(
                f"Frame features: expected chunks of shape (m, {FEATURE_HEIGHT}, "
                f"{FEATURE_WIDTH}, 3) uint8, found {chunk.shape} {chunk.dtype}."
            )
        if len(chunk) == 0:
            continue
        if not begun:
            held, begun = np.repeat(chunk[:1], margin, axis=0), True
        held = np.concatenate([held, chunk])
        while len(held) >= core + 2 * margin:
            yield Block(held[: core + 2 * margin], start, margin)
            held = held[core:]
            start += core
    if begun:
        held = np.concatenate([held, np.repeat(held[-1:], margin, axis=0)])
        while len(held) > 2 * margin:
            yield Block(held[: core + 2 * margin], start, margin)
            held = held[core:]
            start += core

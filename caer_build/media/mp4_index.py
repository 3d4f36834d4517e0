"""What the index of an MP4 or MOV claims, read before libav makes memory of it.

::

    ftyp  moov                                   mdat   moof                  mdat
          '- trak - mdia - minf - stbl - stsz           '- traf - trun
                                         n samples               n samples

A sample is a picture or a packet of sound. A few bytes may list any number of them, all of one
size, say, and libav lays the list out as long as it claims to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

_BEGINNINGS = (b"ftyp", b"moov", b"mdat", b"moof", b"wide", b"free", b"skip", b"styp", b"pnot")
_CONTAINERS = (b"mdia", b"minf", b"stbl")
_DEEPEST = len(_CONTAINERS)


@dataclass
class Mp4Index:
    """What is found.

    Attributes:
        state: whether there is a ``moov``, and all of it.
        n_samples: those that all tracks and fragments claim to list, but for sound of which every
            sample is counted (PCM): libav makes no list of that.
    """

    state: Literal["none", "cut off", "whole"] = "none"
    n_samples: int = 0


def is_mp4(head: bytes) -> bool:
    """Whether a file that begins so is an MP4 or MOV."""
    return head[4:8] in _BEGINNINGS


def read_index(file: BinaryIO) -> Mp4Index:
    """Follow the boxes of an open file; where they make no sense, the rest counts as nothing."""
    size = file.seek(0, 2)
    found = Mp4Index()
    for box in _boxes(file, 0, size):
        if box.kind == b"moov":
            found.state = "whole" if box.end <= size else "cut off"
        if box.kind in (b"moov", b"moof"):
            found.n_samples += _samples(file, box, size)
    return found


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    """of its content"""
    end: int


@dataclass
class _Track:
    """What a ``trak`` or a ``traf`` says."""

    is_sound: bool = False
    is_counted_singly: bool = False
    listed: list[int] = field(default_factory=list)

    @property
    def n_samples(self) -> int:
        return 0 if self.is_sound and self.is_counted_singly else sum(self.listed)


def _boxes(file: BinaryIO, at: int, stop: int) -> Iterator[_Box]:
    """The boxes from ``at`` on that begin before ``stop``; the last may end behind it."""
    while at + 8 <= stop:
        file.seek(at)
        head = file.read(16)
        length, start = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), at + 16
        end = stop if length == 0 else at + length
        if end < start:
            return
        yield _Box(head[4:8], start, end)
        at = end


def _samples(file: BinaryIO, index: _Box, size: int) -> int:
    """What the tracks of a ``moov`` or a ``moof`` list."""
    n_samples = 0
    for box in _boxes(file, index.start, min(index.end, size)):
        if box.kind in (b"trak", b"traf"):
            track = _Track()
            _read_track(file, box, size, track, depth=0)
            n_samples += track.n_samples
    return n_samples


def _read_track(file: BinaryIO, parent: _Box, size: int, track: _Track, depth: int) -> None:
    for box in _boxes(file, parent.start, min(parent.end, size)):
        if box.kind in _CONTAINERS and depth < _DEEPEST:
            _read_track(file, box, size, track, depth + 1)
        # Numbers stand behind a byte of version and three of flags.
        elif box.kind == b"hdlr":
            # QuickTime has a second one, of the data, beside that of the medium.
            file.seek(box.start + 8)
            track.is_sound |= file.read(4) == b"soun"
        elif box.kind == b"stts":
            # number of runs; of the first: samples, ticks each
            track.is_counted_singly = (_number(file, box, 4), _number(file, box, 12)) == (1, 1)
        elif box.kind in (b"stsz", b"stz2"):
            track.listed.append(_number(file, box, 8))
        elif box.kind == b"trun":
            track.listed.append(_number(file, box, 4))


def _number(file: BinaryIO, box: _Box, offset: int) -> int:
    file.seek(box.start + offset)
    return int.from_bytes(file.read(4), "big")

"""The big arrays on disk: when frames are shown, their features, the crops of faces.

Written as a stream by the scan, read as a stream or at random by the stages after it, so that no
one ever holds an episode in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from caer_build.errors import IntegrityError
from caer_build.frames import Timeline

Images = npt.NDArray[np.uint8]
Ticks = npt.NDArray[np.int64]
_CHUNK_FRAMES = 512
_HEADER = struct.Struct("<4H")
_LENGTH = struct.Struct("<I")


def save_timeline(path: Path, ticks: Ticks, timeline: Timeline, sampled: Ticks) -> None:
    """Write when frames are shown, and at which of them the detector looked.

    Args:
        ticks: presentation times in ticks of the container, (n,).
        timeline: the same in seconds.
        sampled: ordinals of the frames the detector saw, ascending, (k,).
    """
    end_s = np.float64(timeline.end_s)
    with path.open("wb") as stream:
        np.savez(stream, ticks=ticks, pts_s=timeline.pts_s, end_s=end_s, sampled=sampled)


def load_timeline(path: Path) -> Timeline:
    """When each frame is shown, in seconds."""
    with np.load(path) as saved:
        return Timeline(saved["pts_s"], float(saved["end_s"]))


def load_ticks(path: Path) -> Ticks:
    """When each frame is shown, in ticks of the container, (n,)."""
    with np.load(path) as saved:
        return np.asarray(saved["ticks"], dtype=np.int64)


def load_sampled(path: Path) -> Ticks:
    """Ordinals of the frames that the detector saw, ascending, (k,)."""
    with np.load(path) as saved:
        return np.asarray(saved["sampled"], dtype=np.int64)


class FeatureWriter:
    """Writes small pictures of all frames, losslessly compressed.

    A chunk is 512 frames, each stored as its difference to the one before (mod 256), because
    neighbours within a shot hardly differ, and compressed with zstd.
    """

    def __init__(self, path: Path) -> None:
        import zstandard

        self._stream: BinaryIO = path.open("wb")
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._pending: list[Images] = []

    def __enter__(self) -> FeatureWriter:
        return self

    def add(self, picture: Images) -> None:
        """Append the next frame's picture, (h, w, 3), the same size for all."""
        self._pending.append(picture)
        if len(self._pending) == _CHUNK_FRAMES:
            self._write_chunk()

    def _write_chunk(self) -> None:
        if not self._pending:
            return
        chunk = np.stack(self._pending)
        self._pending.clear()
        chunk[1:] -= chunk[:-1].copy()
        packed = self._compress(chunk.tobytes())
        self._stream.write(_HEADER.pack(*chunk.shape) + _LENGTH.pack(len(packed)) + packed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            self._write_chunk()
        self._stream.close()


def read_features(path: Path) -> Iterator[Images]:
    """The pictures that a :class:`FeatureWriter` wrote, in chunks (m, h, w, 3).

    Raises:
        IntegrityError: if the file breaks off.
    """
    features = Features(path)
    for number in range(features.n_chunks):
        yield features.chunk(number)


class Features:
    """The pictures that a :class:`FeatureWriter` wrote, at random.

    Raises:
        IntegrityError: if the file breaks off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shapes: list[tuple[int, ...]] = []
        self._places: list[tuple[int, int]] = []
        """where each chunk's compressed bytes begin, and how many they are"""
        size = path.stat().st_size
        with path.open("rb") as stream:
            while stream.tell() < size:
                head = stream.read(_HEADER.size + _LENGTH.size)
                if len(head) < _HEADER.size + _LENGTH.size:
                    raise self._broken()
                (length,) = _LENGTH.unpack_from(head, _HEADER.size)
                self._shapes.append(_HEADER.unpack_from(head))
                self._places.append((stream.tell(), length))
                if stream.seek(length, 1) > size:
                    raise self._broken()

    @property
    def n_chunks(self) -> int:
        """How many chunks there are; all but the last have 512 frames."""
        return len(self._shapes)

    def chunk(self, number: int) -> Images:
        """The pictures of a chunk, (m, h, w, 3)."""
        import zstandard

        packed = read_piece(self._path, *self._places[number])
        flat = np.frombuffer(zstandard.ZstdDecompressor().decompress(packed), dtype=np.uint8)
        return np.add.accumulate(flat.reshape(self._shapes[number]), axis=0, dtype=np.uint8)

    def span(self, start: int, end: int) -> Images:
        """The pictures of the frames [start, end), (end - start, h, w, 3)."""
        parts = []
        for number in range(start // _CHUNK_FRAMES, -(-end // _CHUNK_FRAMES)):
            first = number * _CHUNK_FRAMES
            parts.append(self.chunk(number)[max(0, start - first) : end - first])
        return np.concatenate(parts)

    def _broken(self) -> IntegrityError:
        return IntegrityError(f"{self._path} breaks off.", "Run `caer verify` on the workspace.")


def read_piece(path: Path, offset: int, length: int) -> bytes:
    """``length`` bytes of a file from ``offset`` on; a face crop's JPEG, say."""
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length)

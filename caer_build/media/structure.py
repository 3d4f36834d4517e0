"""Whether a file's own structure is whole: what a decoder passes over in silence.

libav looks for the next cluster, chunk or packet that it can read and says nothing of what it
left out. Here the elements of Matroska and the tags of FLV are followed from the first to the last,
each of which says how long it is, and MPEG-TS packets are counted, which bear running numbers.
Payload is not decoded. What a file does not say about itself cannot be found: a stream without
lengths (MPEG-TS, a Matroska file as broadcast) that was cut exactly between two units looks whole.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_VOID, _CRC = 0xEC, 0xBF
_IN_SEGMENT = {
    _CLUSTER, _VOID, _CRC, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1254C367,
    0x1043A770, 0x1941A469,
}  # fmt: skip
"""clusters, seek head, info, tracks, cues, tags, chapters, attachments"""
_IN_CLUSTER = {_VOID, _CRC, 0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0x5854, 0xAF}
"""timestamp, blocks and block groups, position, size of the last cluster, silent tracks"""
_HEADER_BYTES = 12

_FLV_TAGS = (8, 9, 18)
"""sound, picture, data"""
_FLV_TAG_BYTES, _FLV_BACK_BYTES = 11, 4
"""what precedes a tag's content, and what follows it: its length again"""

_TS_SYNC, _TS_BYTES = 0x47, 188
_TS_FORMS = ((188, 0), (192, 4), (204, 0))
"""(bytes from packet to packet, of which before the sync byte): broadcast, Blu-ray, with parity"""
_TS_AT_ONCE = 50_000
_TS_ALIKE = 5


def breaks_off(path: Path, container: str, stream_ids: Collection[int]) -> bool:
    """Whether part of the file is missing, as far as its container can tell.

    Args:
        container: libav's name of it.
        stream_ids: the container's own ids of the streams that matter (MPEG-TS: their PIDs).
    """
    if container.startswith("matroska"):
        return _Matroska(path).breaks_off()
    if container == "flv":
        return _flv_breaks_off(path)
    if container == "mpegts":
        return _ts_breaks_off(path, stream_ids)
    return False


class _Matroska:
    """Follows the elements of a Matroska or WebM file by their lengths."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._handle = -1

    def breaks_off(self) -> bool:
        with self._path.open("rb") as file:
            self._handle = file.fileno()
            at = 0
            while at < self._size:
                head = self._header(at)
                if head is None or head[0] not in {_EBML, _SEGMENT, _VOID}:
                    # Something may follow the end; it must not be what comes first.
                    return at == 0
                kind, start, end = head
                if kind == _SEGMENT:
                    after = self._children(start, end, _IN_SEGMENT, {_EBML})
                elif end is None or end > self._size:
                    after = None
                else:
                    after = end
                if after is None:
                    return True
                at = after
        return False

    def _children(
        self, at: int, end: int | None, allowed: Collection[int], closing: Collection[int]
    ) -> int | None:
        """Where the parent ends; None: one of its children is broken or no such child exists.

        Args:
            end: of the parent; None: it does not say, and ends where a ``closing`` element begins.
        """
        stop = self._size if end is None else end
        if stop > self._size:
            return None
        while at < stop:
            head = self._header(at)
            if head is None:
                return None
            kind, start, child_end = head
            if end is None and kind in closing:
                return at
            if kind not in allowed:
                return None
            if kind == _CLUSTER:
                after = self._children(start, child_end, _IN_CLUSTER, {*_IN_SEGMENT, _EBML})
            else:
                after = child_end
            if after is None or after > stop:
                return None
            at = after
        return at

    def _header(self, at: int) -> tuple[int, int, int | None] | None:
        """An element's id, where its content begins and where it ends (None: it does not say)."""
        data = os.pread(self._handle, _HEADER_BYTES, at)
        if len(data) < 2 or data[0] < 0x10:
            return None
        id_bytes = 9 - data[0].bit_length()
        if len(data) <= id_bytes or data[id_bytes] == 0:
            return None
        size_bytes = 9 - data[id_bytes].bit_length()
        start = id_bytes + size_bytes
        if len(data) < start:
            return None
        every_bit = (1 << (7 * size_bytes)) - 1
        length = int.from_bytes(data[id_bytes:start], "big") & every_bit
        end = None if length == every_bit else at + start + length
        return int.from_bytes(data[:id_bytes], "big"), at + start, end


def _flv_breaks_off(path: Path) -> bool:
    """Whether the file ends inside a tag, or something else lies where a tag should begin."""
    size = path.stat().st_size
    with path.open("rb") as file:
        handle = file.fileno()
        at = int.from_bytes(os.pread(handle, 4, 5), "big") + _FLV_BACK_BYTES
        while at < size:
            tag = os.pread(handle, 4, at)
            if len(tag) < 4 or tag[0] & 0x1F not in _FLV_TAGS:
                return True
            end = at + _FLV_TAG_BYTES + int.from_bytes(tag[1:], "big")
            if end > size:
                return True
            at = end + _FLV_BACK_BYTES
    return False


def _ts_breaks_off(path: Path, pids: Collection[int]) -> bool:
    """Whether packets are incomplete, unreadable, or missing inside a frame.

    A gap before a packet that begins a frame is none: there, one recording follows another.
    """
    last: dict[int, npt.NDArray[np.uint8]] = {}
    with path.open("rb") as file:
        form = _ts_form(file.read(1 << 16))
        if form is None:
            return False
        step, before, first = form
        file.seek(first)
        while data := file.read(step * _TS_AT_ONCE):
            if len(data) % step:
                return True
            packets = np.frombuffer(data, np.uint8).reshape(-1, step)[:, before : before + 6]
            if (packets[:, 0] != _TS_SYNC).any():
                return True
            numbers = (packets[:, 1].astype(np.int64) & 0x1F) << 8 | packets[:, 2]
            for pid in pids:
                own = packets[numbers == pid]
                if len(own) == 0:
                    continue
                if pid in last:
                    own = np.concatenate([last[pid][None], own])
                if _has_gap(own):
                    return True
                last[pid] = own[-1].copy()
    return False


def _ts_form(head: bytes) -> tuple[int, int, int] | None:
    """Bytes from packet to packet, of which before the sync byte, and where the first begins."""
    for first in range(min(len(head), 2 * _TS_BYTES)):
        for step, before in _TS_FORMS:
            syncs = head[first + before : first + before + step * _TS_ALIKE : step]
            if len(syncs) == _TS_ALIKE and set(syncs) == {_TS_SYNC}:
                return step, before, first
    return None


def _has_gap(own: npt.NDArray[np.uint8]) -> bool:
    """Whether one stream's packets, (n, 6) first bytes, skip a number or say they are damaged."""
    flagged = (own[:, 1] & 0x80) != 0
    begins_frame = (own[:, 1] & 0x40) != 0
    step = (own[1:, 3] & 0x0F).astype(np.int64) - (own[:-1, 3] & 0x0F)
    # A packet may be sent twice, and one without payload keeps its predecessor's number.
    follows = (step % 16 == 1) | (step == 0)
    announced = ((own[:, 3] & 0x20) != 0) & (own[:, 4] > 0) & ((own[:, 5] & 0x80) != 0)
    excused = begins_frame[1:] | announced[1:] | announced[:-1]
    return bool(flagged.any() or (~follows & ~excused).any())

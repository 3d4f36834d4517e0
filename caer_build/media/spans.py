"""Reading the frames of chosen spans, in order, with one pass over the file.

A span is decoded from the last keyframe at or before its first frame, never from an earlier one:
what comes out depends on the file and the span alone, not on which other spans are asked for.
Packets between two spans are read but not decoded; a long way is skipped by seeking to well
before the span, which may be as rough as containers do it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from caer_build.errors import DecodeError, SchemaError
from caer_build.frames import Span, Timeline
from caer_build.media.decode import (
    DecodedFrame,
    Decoder,
    DecodeReport,
    is_flush,
    packets,
    video_stream,
)
from caer_build.media.memory import raise_if_short
from caer_build.media.probe import Headers
from caer_build.media.source import name_of, open_source

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


Ticks = npt.NDArray[np.int64]

SEEKABLE = ("mov", "matroska", "avi", "mpegts")
"""containers in which a long way to the next span is skipped"""
SEEK_GAP_S, SEEK_MARGIN_S = 30.0, 12.0
"""How far ahead a span must be for it, and how far before the span to go on reading."""


@dataclass(frozen=True, slots=True)
class TimedSpan:
    """A span of frames and where it lies in time.

    Attributes:
        span: ordinals, half-open.
        start_pts: ticks of ``headers.time_base`` of the first frame, as :class:`DecodedFrame` says.
        stop_pts: ticks of the first frame after the span, or of the end of the file's last frame.
        start_s, last_s, stop_s: seconds at which the first frame, the last frame, and the first
            frame after the span are shown, repaired where they had to be.

    Raises:
        SchemaError: if the times are not in order.
    """

    span: Span
    start_pts: int
    stop_pts: int
    start_s: float
    last_s: float
    stop_s: float

    def __post_init__(self) -> None:
        if not self.start_s <= self.last_s < self.stop_s:
            raise SchemaError(
                f"A span's times need start <= last < stop, found {self.start_s}, {self.last_s}, "
                f"{self.stop_s} s for the frames {self.span.start} to {self.span.end}."
            )

    @property
    def length_s(self) -> float:
        """How long its frames are shown, seconds."""
        return self.stop_s - self.start_s

    def shifts_s(self, time_base: Fraction) -> tuple[float, float]:
        """By how much the container's clock was moved at the first frame, and behind the last."""
        return (
            self.start_s - float(self.start_pts * time_base),
            self.stop_s - float(self.stop_pts * time_base),
        )


def timed(span: Span, pts: Ticks, timeline: Timeline, headers: Headers) -> TimedSpan:
    """Where ``span`` lies in time, from what the scan recorded of all frames.

    Args:
        pts: ticks of every frame of the file, shape (n,).
        timeline: their seconds.
    """
    end = span.end
    if end < len(pts):
        stop_pts = int(pts[end])
    else:
        shown_s = timeline.end_s - timeline.start_of(end - 1)
        stop_pts = int(pts[end - 1]) + max(1, round(shown_s / headers.time_base))
    times = [timeline.start_of(frame) for frame in (span.start, end - 1, end)]
    return TimedSpan(span, int(pts[span.start]), stop_pts, times[0], times[1], times[2])


class SpanSource(Protocol):
    """Gives the frames of spans that are asked for in order and do not overlap."""

    def frames(self, wanted: TimedSpan) -> Iterator[tuple[VideoFrame, float]]:
        """The frames of a span, each with the seconds since the span's first frame."""
        ...


class SpanReader:
    """Finds spans by their timestamps; for files whose timestamps needed no repair.

    Raises:
        DecodeError: from :meth:`frames`, if the frames found are not exactly those of the span.
    """

    def __init__(self, path: Path, headers: Headers, threads: int = 2) -> None:
        self._path, self._headers, self._threads = path, headers, threads
        self._stack = ExitStack()
        self._window: deque[Packet[VideoStream]] = deque()
        """packets read since the keyframe of the current run; the first ``_n_fed`` are decoded"""
        self._n_fed = 0
        self._run: Packet[VideoStream] | None = None
        """the keyframe from which the decoder has been fed"""
        self._ready: deque[VideoFrame] = deque()
        self._ended = False
        self._skipped = False
        """whether packets before the window were skipped rather than read"""
        self._may_seek = headers.container.split(",")[0] in SEEKABLE

    def __enter__(self) -> SpanReader:
        self._open()
        return self

    def _open(self) -> None:
        self._stack.close()
        self._container = self._stack.enter_context(open_source(self._path))
        self._stream = video_stream(self._container, self._headers, self._threads)
        self._begin_reading(skipped=False)

    def _begin_reading(self, skipped: bool) -> None:
        self._packets = packets(self._container, self._stream, DecodeReport())
        self._skipped, self._ended, self._run = skipped, False, None
        self._window.clear()
        self._ready.clear()
        self._n_fed = 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def frames(self, wanted: TimedSpan) -> Iterator[tuple[VideoFrame, float]]:
        """The frames of the span, in order; see :class:`SpanSource`."""
        self._go_to(wanted.start_pts)
        base = self._headers.time_base
        found = 0
        while (frame := self._next()) is not None:
            pts = frame.pts
            if pts is None or pts < wanted.start_pts:
                continue
            if pts >= wanted.stop_pts:
                self._ready.appendleft(frame)
                break
            if found == 0 and pts != wanted.start_pts:
                break
            if found < len(wanted.span):
                yield frame, float((pts - wanted.start_pts) * base)
            found += 1
        if found != len(wanted.span):
            raise DecodeError(
                f"{name_of(self._path)}: expected {len(wanted.span)} frames from frame "
                f"{wanted.span.start} on, found {found} when decoding from a keyframe."
            )

    def _go_to(self, start: int) -> None:
        """Feeds the decoder from the last keyframe shown at or before ``start``, if it is not."""
        self._skip_towards(start)
        self._read_beyond(start)
        if self._skipped and not any(_opens_run(packet, start) for packet in self._window):
            # Landed behind the keyframe: this file cannot be trusted to seek.
            self._may_seek = False
            self._open()
            self._read_beyond(start)
        for number in range(len(self._window) - 1, -1, -1):
            if _opens_run(self._window[number], start):
                self._forget_before(number)
                break
        if not self._window or self._window[0] is self._run:
            return
        self._run, self._n_fed = self._window[0], 0
        self._ready.clear()
        self._stream.codec_context.flush_buffers()

    def _skip_towards(self, start: int) -> None:
        import av

        base = self._headers.time_base
        here = next((t for p in reversed(self._window) if (t := _time(p)) is not None), None)
        here_s = self._headers.start_s if here is None else float(here * base)
        if not self._may_seek or float(start * base) - here_s < SEEK_GAP_S:
            return
        try:
            target = start - round(SEEK_MARGIN_S / base)
            self._container.seek(target, stream=self._stream, backward=True)
        except av.error.FFmpegError:
            self._may_seek = False
            self._open()
            return
        self._begin_reading(skipped=True)

    def _read_beyond(self, start: int) -> None:
        """Reads until no packet to come can be a keyframe shown at or before ``start``."""
        while not self._ended and not (self._window and _is_beyond(self._window[-1], start)):
            packet = next(self._packets)
            self._ended = is_flush(packet)
            self._window.append(packet)
            if _opens_run(packet, start):
                self._forget_before(len(self._window) - 1)

    def _forget_before(self, number: int) -> None:
        for _ in range(number):
            self._window.popleft()
        self._n_fed = max(0, self._n_fed - number)

    def _next(self) -> VideoFrame | None:
        import av

        while not self._ready:
            if self._n_fed == len(self._window):
                if self._ended:
                    return None
                packet = next(self._packets)
                self._ended = is_flush(packet)
                self._window.append(packet)
            packet = self._window[self._n_fed]
            self._n_fed += 1
            try:
                self._ready.extend(packet.decode())
            except av.error.FFmpegError as error:
                raise_if_short(error, self._headers.coded_width, self._headers.coded_height)
                continue
        return self._ready.popleft()


class OrdinalReader:
    """Finds spans by counting frames from the file's first one; for all other files."""

    def __init__(self, path: Path, headers: Headers, threads: int = 2) -> None:
        self._path = path
        self._decoder = Decoder(path, headers, threads)

    def __enter__(self) -> OrdinalReader:
        self._frames: Iterator[DecodedFrame] = iter(self._decoder.__enter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._decoder.__exit__(kind, error, trace)

    def frames(self, wanted: TimedSpan) -> Iterator[tuple[VideoFrame, float]]:
        """The frames of the span, in order; see :class:`SpanSource`."""
        found = 0
        for frame in self._frames:
            if frame.ordinal in wanted.span:
                found += 1
                yield frame.picture, frame.pts_s - wanted.start_s
            if frame.ordinal == wanted.span.end - 1:
                break
        if found != len(wanted.span):
            raise DecodeError(
                f"{name_of(self._path)}: expected {len(wanted.span)} frames from frame "
                f"{wanted.span.start} on, found {found}.",
                "The file changed since it was scanned, or needs another version of PyAV.",
            )


def _time(packet: Packet[VideoStream]) -> int | None:
    return packet.dts if packet.pts is None else packet.pts


def _opens_run(packet: Packet[VideoStream], start: int) -> bool:
    shown = _time(packet)
    return packet.is_keyframe and shown is not None and shown <= start


def _is_beyond(packet: Packet[VideoStream], start: int) -> bool:
    """Whether no packet behind this one can be a keyframe shown at or before ``start``."""
    if packet.dts is not None:
        return packet.dts > start
    shown = _time(packet)
    return packet.is_keyframe and shown is not None and shown > start

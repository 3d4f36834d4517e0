"""Decoding a file from its first frame to its last, every frame once.

::

    with Decoder(path, headers) as decoder:
        for frame in decoder:
            small = frame.rgb(48, 27)
    decoder.report.n_frames

Memory does not grow with the length of the file. What cannot be decoded is skipped and counted;
a file that breaks off gives the frames before the break.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from caer_build.errors import DecodeError
from caer_build.media import limits
from caer_build.media.clock import Clock
from caer_build.media.memory import raise_if_short
from caer_build.media.picture import Pixels, Scaler
from caer_build.media.probe import Headers
from caer_build.media.reorder import Places
from caer_build.media.source import name_of, open_source
from caer_build.media.structure import breaks_off

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MAX_FAILED_READS = 50
"""Reads of the container that may fail in a row before the rest of the file is given up."""
_DOUBT = 0.05
_TIMES_ALONE = ("mpegts", "mpeg", "ogg")
_SHORTFALL_S = 1.0
"""A file that ends this much before its video track's claimed end was cut off."""


class DecodedFrame:
    """One frame, and how to get pixels of it. Use it in the thread that iterates the decoder.

    Attributes:
        ordinal: 0-based, in presentation order.
        pts: the container's timestamp, ticks of ``headers.time_base``; where it has none, the
            ticks nearest to ``pts_s``. Unique only in a file whose times need no repair.
        pts_s: when the frame is shown, seconds; strictly increasing over a file.
    """

    __slots__ = ("_picture", "_scaler", "ordinal", "pts", "pts_s")

    def __init__(
        self, picture: VideoFrame, scaler: Scaler, ordinal: int, pts: int, pts_s: float
    ) -> None:
        self._picture = picture
        self._scaler = scaler
        self.ordinal = ordinal
        self.pts = pts
        self.pts_s = pts_s

    @property
    def picture(self) -> VideoFrame:
        """libav's frame as stored: not rotated, sample aspect not applied."""
        return self._picture

    def rgb(self, width: int, height: int) -> Pixels:
        """The picture as displayed, stretched to (height, width, 3) RGB."""
        return self._scaler.scaled(self._picture, width, height, "rgb24")

    def bgr(self, width: int, height: int) -> Pixels:
        """The picture as displayed, stretched to (height, width, 3) BGR."""
        return self._scaler.scaled(self._picture, width, height, "bgr24")

    def bgr_full(self) -> Pixels:
        """The picture at its display size, (headers.height, headers.width, 3) BGR."""
        return self._scaler.displayed(self._picture, "bgr24")


@dataclass
class DecodeReport:
    """What came of decoding; complete when the iteration has ended."""

    n_frames: int = 0
    """frames that were given out"""
    n_decoded: int = 0
    """frames that came out of the decoder, whether somebody took them or not"""
    n_packets: int = 0
    """of the video track that the container gave, empty ones included"""
    n_errors: int = 0
    """packets that were incomplete or failed to decode, reads that failed, damaged frames"""
    n_interlaced: int = 0
    n_repaired: int = 0
    """frames whose timestamp was missing, or not later than their predecessor's"""
    truncated: bool = False
    """the file breaks off, or part of it cannot be decoded"""
    size_changed: bool = False
    """the picture's stored size changes; all frames are scaled to the first one's display size"""
    end_s: float = 0.0
    """when the last frame stops being shown, seconds"""
    length_doubtful: bool = False
    """timestamps were repaired, and the length they give is not the one that the headers claim"""

    @property
    def repaired(self) -> bool:
        """Whether the container's timestamps cannot be used as they are."""
        return self.n_repaired > 0


class Decoder:
    """Iterates the frames of the chosen video track in presentation order.

    Args:
        threads: libav decoding threads; fixed, so that results do not depend on the machine.

    Raises:
        ProbeError: if the file cannot be opened.
        DecodeError: while iterating, if it holds no frame at all, or goes on beyond all measure.
    """

    def __init__(self, path: Path, headers: Headers, threads: int = 2) -> None:
        self._path = path
        self._headers = headers
        self._threads = threads
        self._stack = ExitStack()
        self.report = DecodeReport()

    def __enter__(self) -> Decoder:
        self._container = self._stack.enter_context(open_source(self._path))
        self._stream = video_stream(self._container, self._headers, self._threads)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[DecodedFrame]:
        h, report = self._headers, self.report
        clock = Clock(h.time_base, h.frame_rate, h.start_s)
        scaler = Scaler(h)
        first_s, pts_s, step_s, n_pixels = 0.0, 0.0, 0.0, 0
        shown_s = float(1 / h.frame_rate)
        decoded = pictures(self._container, self._stream, report)
        for time_s, picture in clock.run((picture.pts, picture) for picture in decoded):
            pts_s, step_s = time_s, time_s - pts_s
            if report.n_frames == 0:
                first_s = pts_s
            if picture.duration:
                shown_s = clock.seconds(picture.duration)
            stored = (picture.width, picture.height)
            n_pixels += picture.width * picture.height
            if n_pixels > limits.MAX_PIXELS_IN_ALL:
                raise DecodeError(
                    f"{name_of(self._path)} goes on after {report.n_frames} frames, expected at "
                    f"most {limits.MAX_PIXELS_IN_ALL:.0e} pixels in one file.",
                    "If it is no broken file, cut it into parts.",
                )
            report.size_changed |= stored != (h.coded_width, h.coded_height)
            pts = clock.ticks(pts_s) if picture.pts is None else picture.pts
            yield DecodedFrame(picture, scaler, report.n_frames, pts, pts_s)
            report.n_frames += 1
        if report.n_frames == 0:
            raise DecodeError(
                f"{name_of(self._path)} holds no frame that can be decoded.",
                "Check that it plays, and copy or download it again.",
            )
        if h.container == "avi" and report.repaired and report.n_frames > 1:
            # A copied AVI claims the rate of its clock, 600 a second, say.
            shown_s = max(shown_s, step_s)
        report.n_repaired += clock.n_repaired
        report.end_s = pts_s + shown_s
        report.truncated |= _breaks_off(self._stream, h, self._path, report)
        report.length_doubtful = _is_doubtful(h, report, report.end_s - first_s)


def video_stream(container: InputContainer, headers: Headers, threads: int) -> VideoStream:
    """The chosen video stream of an opened file, its decoder set up."""
    from av.video.stream import VideoStream

    stream = container.streams[headers.video_stream]
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        raise DecodeError(
            f"Stream {headers.video_stream} was the video when the headers were read, "
            f"found {stream.type}.",
            "The file changed in between; run again.",
        )
    context = stream.codec_context
    context.thread_type = "AUTO"
    context.thread_count = threads
    context.options = {"max_pixels": str(limits.MAX_PIXELS)}
    return stream


def pictures(
    container: InputContainer, stream: VideoStream, report: DecodeReport
) -> Iterator[VideoFrame]:
    """libav's frames from where the container stands to its end; failures go into the report."""
    import av

    places = Places(stream) if container.format.name == "avi" else None
    for packet in packets(container, stream, report):
        if places is not None:
            places.read(packet)
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            raise_if_short(error, stream.codec_context.width, stream.codec_context.height)
            report.n_errors += 1
            report.truncated = True
            continue
        report.n_decoded += len(frames)
        for frame in frames:
            # libav guesses what a damaged part of the picture may have shown.
            report.n_errors += frame.is_corrupt
            report.truncated |= frame.is_corrupt
            report.n_interlaced += frame.interlaced_frame
            if places is not None:
                places.deal(frame)
            yield frame
    if places is not None:
        report.n_repaired += places.n_moved


def packets(
    container: InputContainer, stream: VideoStream, report: DecodeReport
) -> Iterator[Packet[VideoStream]]:
    """The stream's packets from where the container stands, then the one that flushes."""
    import av
    from av.packet import Packet

    failed, damaged = 0, False
    while failed < _MAX_FAILED_READS:
        try:
            for packet in container.demux(stream):
                if is_flush(packet):
                    # Behind it, PyAV trips over streams that turned up in the middle.
                    report.truncated |= damaged
                    yield packet
                    return
                failed = 0
                report.n_packets += 1
                damaged = packet.is_corrupt
                report.n_errors += damaged
                # An empty packet (AVI: "show the last frame again") would end the decoding.
                if packet.size:
                    yield packet
            break
        except MemoryError:
            raise
        except (av.error.FFmpegError, IndexError):
            report.n_errors += 1
            report.truncated = True
            failed += 1
    # Whoever reads may rely on the flush.
    flush = Packet()
    flush.stream = stream
    yield cast("Packet[VideoStream]", flush)


def is_flush(packet: Packet[VideoStream]) -> bool:
    """Whether this is the packet that follows the last one of the file."""
    return packet.size == 0 and packet.dts is None and packet.pts is None


def _breaks_off(stream: VideoStream, headers: Headers, path: Path, report: DecodeReport) -> bool:
    """Whether the file ends before its index or claimed duration does, or a part is missing."""
    entries = stream.index_entries
    if headers.container == "avi" and report.n_packets < len(entries):
        return True
    mattering = {stream.id}
    if headers.audio is not None:
        mattering.add(stream.container.streams[headers.audio.index].id)
    if breaks_off(path, headers.container, mattering):
        return True
    if headers.container.startswith("mov") and len(entries):
        last = max((entry.pos + entry.size for entry in entries), default=0)
        if last > path.stat().st_size:
            return True
    if stream.duration is None:
        return False
    claimed_end_s = headers.start_s + float(stream.duration * headers.time_base)
    slack_s = max(_SHORTFALL_S, 2 / float(headers.frame_rate))
    return not report.repaired and report.end_s < claimed_end_s - slack_s


def _is_doubtful(headers: Headers, report: DecodeReport, length_s: float) -> bool:
    """Whether repaired times give another length than the headers of the file do."""
    # These containers claim nothing: libav takes the length from the same timestamps.
    if not report.repaired or headers.duration_s is None or headers.container in _TIMES_ALONE:
        return False
    return abs(length_s - headers.duration_s) > max(_SHORTFALL_S, _DOUBT * headers.duration_s)

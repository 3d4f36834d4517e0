"""The sound of chosen spans of time, to the sample.

Sound is placed by its timestamps: what a file lacks (the track begins late, ends early, has a
hole) is silence, what it has too much of is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from caer_build.errors import DecodeError
from caer_build.media import limits
from caer_build.media.clock import Clock
from caer_build.media.probe import AudioTrack
from caer_build.media.source import name_of, open_source
from caer_build.media.spans import SEEK_GAP_S, SEEK_MARGIN_S
from caer_build.media.waveform import Samples, Waveform

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet

_RATES = (44_100, 48_000)
"""samples per second that every player takes; others become 48 kHz"""
_PREROLL_S = 0.5
"""Decoding begins this much earlier: a lossy codec's first frames lack their predecessors."""
_SAME_PART_S = 5.0
"""Where a clock jumps back, sound ends at most so much before or behind the pictures."""
_PACKETS_PER_S = Fraction(47)
"""for packets that carry no time; AAC at 48 kHz"""
_SELF_CONTAINED = ("aac", "aac_latm", "ac3", "eac3", "mp3", "mp3float", "opus", "vorbis", "flac")
"""Decoders that need no more than the extradata, so that a fresh one can be made for each span:
some keep the state of their noise generator when they are flushed."""


def clip_rate(rate: int) -> int:
    """The sample rate of clips cut from a track of ``rate`` samples per second."""
    return rate if rate in _RATES else 48_000


class SoundReader:
    """Reads spans that are asked for in order and do not overlap, in one pass over the file.

    What comes out for a span depends on the file and the span alone.

    Args:
        timestamps_repaired: the file's clock stands still or jumps; it is carried on as the
            pictures' is, and the file is read from its start.

    Attributes:
        rate: samples per second given out.
        channels: 1 or 2; more are mixed down to stereo.
    """

    def __init__(self, path: Path, track: AudioTrack, timestamps_repaired: bool = False) -> None:
        self._path, self._track, self._repaired = path, track, timestamps_repaired
        self.rate = clip_rate(track.rate)
        self.channels = min(track.channels, 2)
        self._stack = ExitStack()
        self._window: deque[tuple[float, float, Packet[AudioStream]]] = deque()
        """(repaired time, repair, packet) of the packets a coming span may need, seconds"""
        self._may_seek = not timestamps_repaired

    def __enter__(self) -> SoundReader:
        self._open()
        return self

    def _open(self) -> None:
        from av.audio.stream import AudioStream
        from av.stream import Discard

        self._stack.close()
        container = self._stack.enter_context(open_source(self._path))
        stream = container.streams[self._track.index]
        if not isinstance(stream, AudioStream):
            raise DecodeError(
                f"{name_of(self._path)}: stream {self._track.index} is {stream.type}, "
                "expected the audio track that the headers named.",
                "The file changed since it was scanned; run again.",
            )
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        stream.codec_context.thread_count = 1
        self._container, self._stream = container, stream
        self._begin_reading()

    def _begin_reading(self) -> None:
        self._window.clear()
        self._packets = self._read(self._container.demux(self._stream))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def read(self, start_s: float, stop_s: float, shifts_s: Sequence[float] = ()) -> Samples:
        """The sound of [start_s, stop_s) of the container's clock, (n, channels) in [-1, 1].

        Args:
            shifts_s: by how much the clock was moved to carry on the pictures, at the ends of the
                span; for a clock that is not repaired of no use.
        """
        n_samples = round((stop_s - start_s) * self.rate)
        heard = Waveform(start_s, stop_s, self.channels)
        decoder = self._fresh_decoder()
        astray_s = _SAME_PART_S if self._repaired and shifts_s else 0.0
        for own_s, packet in self._span(start_s - astray_s - _PREROLL_S, stop_s + astray_s):
            # Carried on by itself, it would lose its step where it ends before the pictures do.
            nearest_s = min(shifts_s, key=lambda s: abs(s - own_s), default=own_s)
            shift_s = nearest_s if abs(nearest_s - own_s) < astray_s else own_s
            for frame in _decoded(decoder, packet):
                heard.add(frame, shift_s)
        for frame in _decoded(decoder, None):
            heard.add(frame, 0.0)
        self._forget_before(stop_s - astray_s - _PREROLL_S)
        return heard.sound(n_samples, self.rate)

    def length_s(self) -> float:
        """How long the whole track sounds, seconds; use a fresh reader for it."""
        n_samples = 0
        for _, _, packet in self._packets:
            n_samples += sum(
                frame.samples for frame in _decoded(self._stream.codec_context, packet)
            )
        n_samples += sum(frame.samples for frame in _decoded(self._stream.codec_context, None))
        return n_samples / self._stream.codec_context.sample_rate

    def _span(self, start_s: float, stop_s: float) -> Iterator[tuple[float, Packet[AudioStream]]]:
        self._skip_towards(start_s)
        self._forget_before(start_s)
        while not self._window or self._window[-1][0] < stop_s:
            entry = next(self._packets, None)
            if entry is None:
                break
            self._window.append(entry)
            self._forget_before(start_s)
        for time_s, shift_s, packet in self._window:
            if time_s < stop_s:
                yield shift_s, packet

    def _forget_before(self, time_s: float) -> None:
        """Keeps the packets from the last one at or before ``time_s`` on."""
        while len(self._window) > 1 and self._window[1][0] <= time_s:
            self._window.popleft()

    def _skip_towards(self, start_s: float) -> None:
        import av

        here_s = self._window[-1][0] if self._window else 0.0
        if not self._may_seek or start_s - here_s < SEEK_GAP_S:
            return
        try:
            base = self._stream.time_base or Fraction(1, self._track.rate)
            target = round((start_s - SEEK_MARGIN_S) / base)
            self._container.seek(target, stream=self._stream, backward=True)
            self._begin_reading()
            first = next(self._packets, None)
        except av.error.FFmpegError:
            first = None
        if first is None or first[0] > start_s:
            # Landed behind the span: this file cannot be trusted to seek.
            self._may_seek = False
            self._open()
        else:
            self._window.append(first)

    def _read(
        self, demuxed: Iterator[Packet[AudioStream]]
    ) -> Iterator[tuple[float, float, Packet[AudioStream]]]:
        base = self._stream.time_base or Fraction(1, self._track.rate)
        start = self._stream.start_time
        time_s = 0.0 if start is None else float(start * base)
        if self._repaired:
            clock = Clock(base, _PACKETS_PER_S, time_s)
            for time_s, packet in clock.run((_ticks(p), p) for p in _until_flush(demuxed)):
                ticks = _ticks(packet)
                yield time_s, 0.0 if ticks is None else time_s - clock.seconds(ticks), packet
            return
        for packet in _until_flush(demuxed):
            ticks = _ticks(packet)
            time_s = time_s if ticks is None else float(ticks * base)
            yield time_s, 0.0, packet

    def _fresh_decoder(self) -> AudioCodecContext:
        from av.codec.context import CodecContext

        own = self._stream.codec_context
        if own.name not in _SELF_CONTAINED:
            own.flush_buffers()
            return own
        fresh = cast("AudioCodecContext", CodecContext.create(own.name, "r"))
        fresh.extradata = own.extradata
        fresh.thread_count = 1
        # Opus leaves out its first samples wherever it begins, and with this says so.
        fresh.options = {"pkt_timebase": str(self._stream.time_base or Fraction(1, own.rate))}
        return fresh


def _ticks(packet: Packet[AudioStream]) -> int | None:
    return packet.dts if packet.pts is None else packet.pts


def _until_flush(demuxed: Iterator[Packet[AudioStream]]) -> Iterator[Packet[AudioStream]]:
    """The packets up to the one that flushes; where reading fails, the sound ends."""
    import av

    while True:
        try:
            packet = next(demuxed, None)
        except MemoryError:
            raise
        except (av.error.FFmpegError, IndexError):
            return
        if packet is None or (packet.size == 0 and packet.dts is None):
            return
        yield packet


def _decoded(decoder: AudioCodecContext, packet: Packet[AudioStream] | None) -> list[AudioFrame]:
    """The frames of one packet; sound that cannot be decoded stays silent."""
    import av

    try:
        frames = list(decoder.decode(packet))
    except MemoryError:
        raise
    except av.error.FFmpegError:
        return []
    # Damaged packets may claim any rate, and a frame is given room by its rate.
    return [frame for frame in frames if frame.sample_rate <= limits.MAX_AUDIO_RATE]

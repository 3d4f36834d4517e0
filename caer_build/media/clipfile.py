"""Writing one clip: pictures and sound are encoded where they were decoded.

PyAV's wheel carries libx264 and the AAC encoder, so a process writes any number of clips, with
nothing to start or to pipe into, and a clip's bytes depend on a pinned wheel, not on the ffmpeg
that a machine happens to have. The file gets its name when it is whole.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from caer_build.errors import MediaError, ModelMissing
from caer_build.media.memory import raise_if_short
from caer_build.media.waveform import Samples

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.error import FFmpegError
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_SOUND_AHEAD_S = 0.5
_MAX_TIMESCALE = 1_000_000
_USUAL_TIMESCALE = 90_000
_ENCODERS = {"h264": "libx264", "mpeg4": "mpeg4"}
_X264 = "cpu-independent=1"
"""Without it a clip's bytes depend on the kind of CPU; and what x264 has for AVX-512 (mbtree) reads
memory that nobody wrote, so that they may differ from run to run."""
_AVI_SOUND = "pcm_s16le"
"""AVI cannot say that a lossy codec begins with some milliseconds of padding"""
_PIXELS = "yuv420p"


class ClipCodec(BaseModel):
    """How clips are encoded; part of every clip's key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    container: Literal["mp4", "avi"] = Field(
        "mp4", description="mp4: H.264 + AAC for browsers; avi: as the released CAER"
    )
    video: Literal["h264", "mpeg4"] = Field("h264", description="mpeg4 (Xvid) only in avi")
    crf: int = Field(20, ge=0, le=51, description="x264 rate factor; lower is better")
    quality: int = Field(3, ge=1, le=31, description="mpeg4 quantiser; lower is better")
    preset: Literal["veryfast", "faster", "fast", "medium", "slow"] = Field(
        "veryfast", description="x264 preset"
    )
    audio_kbps: int = Field(160, ge=32, le=320, description="AAC bit rate (kbit/s)")
    threads: int = Field(1, ge=1, le=16, description="encoder threads; changes the bytes")

    @property
    def suffix(self) -> str:
        """The file name's ending, with the dot."""
        return f".{self.container}"


@dataclass(frozen=True, slots=True)
class ClipForm:
    """What is known of a clip before its first frame.

    Attributes:
        timescale: ticks per second of the frames' ``pts``.
        n_frames: how many frames will come.
        last_s: when the last frame begins, seconds from the clip's start.
        length_s: how long the clip lasts, seconds.
        sound: (n, channels) in [-1, 1], and samples per second; None: no sound.
    """

    timescale: int
    n_frames: int
    last_s: float
    length_s: float
    sound: tuple[Samples, int] | None


def encoders() -> str:
    """The encoders, with the versions of the libraries that hold them; part of a clip's key.

    Raises:
        ModelMissing: if this build of PyAV cannot write H.264 and AAC.
    """
    import av

    for name in (*_ENCODERS.values(), "aac"):
        if name not in av.codecs_available:
            raise ModelMissing(
                f"PyAV {av.__version__} was built without the encoder {name}.",
                "Install PyAV's own wheel: pip install --force-reinstall --only-binary :all: av",
            )
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"libx264 ({_X264}), aac of libavcodec {codec}"


class ClipWriter:
    """Takes the frames of one clip, then closes or aborts it.

    Args:
        out: final path; its folder exists.
        first: the first frame, yuv420p of an even size; the others are like it.

    Raises:
        MediaError, MemoryError: here, from :meth:`add` and from :meth:`close`.
        OSError: from there, if the disk is full; who keeps clips knows what to call the place
            (:func:`~caer_build.store.disk_errors`).
    """

    def __init__(self, out: Path, codec: ClipCodec, form: ClipForm, first: VideoFrame) -> None:
        import av

        self._out = out
        self._part = out.with_name(f".{out.stem}.part{out.suffix}")
        self._form = form
        self._sound_at = 0
        self._size = first.width, first.height
        # AVI knows no times: its frames are spread evenly over the clip's length.
        self._even = codec.container == "avi"
        self._rate = Fraction(form.n_frames / form.length_s).limit_denominator(1001)
        options = {"fflags": "+bitexact"}
        if not self._even:
            options |= {"movflags": "+faststart", "video_track_timescale": str(form.timescale)}
        try:
            self._container = av.open(
                f"file:{self._part}", "w", format=codec.container, container_options=options
            )
        except av.error.FFmpegError as error:
            raise self._failed(error) from error
        self._video = self._video_stream(codec, first)
        self._audio = None if form.sound is None else self._audio_stream(codec, *form.sound)
        self._n_added = 0

    @property
    def _base(self) -> Fraction:
        return 1 / self._rate if self._even else Fraction(1, self._form.timescale)

    def _video_stream(self, codec: ClipCodec, first: VideoFrame) -> VideoStream:
        # No B-frames: a fifth less work at the same rate factor and size, frames are stored in
        # the order in which they are shown, and AVI can say no other.
        options: dict[str, object] = {"bf": "0", "flags": "+bitexact"}
        if codec.video == "h264":
            # A clip lies inside one shot: nobody need look for cuts. Captions of the source
            # belong to the whole episode, not to a clip.
            options |= {"crf": str(codec.crf), "preset": codec.preset}
            options |= {"sc_threshold": "0", "a53cc": "0", "x264-params": _X264}
        else:
            options |= {"qmin": str(codec.quality), "qmax": str(codec.quality)}
        added = self._container.add_stream(_ENCODERS[codec.video], rate=self._rate)
        stream = cast("VideoStream", added)
        stream.options = options
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, _PIXELS
        context = stream.codec_context
        context.thread_count, context.time_base = codec.threads, self._base
        # What the source says of its colours, for the player.
        context.colorspace, context.color_range = first.colorspace, first.color_range
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        if codec.video == "mpeg4":
            context.codec_tag = "xvid"
        return stream

    def _audio_stream(self, codec: ClipCodec, samples: Samples, rate: int) -> AudioStream:
        name = _AVI_SOUND if self._even else "aac"
        added = self._container.add_stream(
            name, rate=rate, layout=_layout(samples), options={"flags": "+bitexact"}
        )
        stream = cast("AudioStream", added)
        if not self._even:
            stream.bit_rate = codec.audio_kbps * 1000
        return stream

    def add(self, frame: VideoFrame) -> None:
        """Writes the next frame; ``frame.pts`` counts ticks since the clip's start."""
        import av
        from av.video.frame import PictureType

        try:
            self._add_sound(float((frame.pts or 0) / self._form.timescale) + _SOUND_AHEAD_S)
            if self._even:
                frame.pts = self._n_added
            frame.time_base = self._base
            # The source's choice of keyframes is not the clip's.
            frame.pict_type = PictureType.NONE
            self._mux(self._video.encode(frame))
        except av.error.FFmpegError as error:
            raise self._failed(error) from error
        self._n_added += 1

    def close(self) -> None:
        """Ends the clip and gives the file its name."""
        import av

        try:
            self._add_sound(float("inf"))
            self._mux(self._video.encode(None))
            if self._audio is not None:
                self._container.mux(self._audio.encode(None))
            self._container.close()
            with self._part.open("rb") as written:
                os.fsync(written.fileno())
            self._part.replace(self._out)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def abort(self) -> None:
        """Leaves no file behind."""
        import av

        with suppress(av.error.FFmpegError):
            self._container.close()
        self._part.unlink(missing_ok=True)

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        """Writes packets, and for the last frame how long it is shown, which only we know."""
        form = self._form
        last, end = (round(s * form.timescale) for s in (form.last_s, form.length_s))
        for packet in packets:
            if not self._even and packet.pts == last:
                packet.duration = end - last
            self._container.mux(packet)

    def _failed(self, error: FFmpegError | OSError) -> MediaError | OSError:
        # x264 calls want of memory an error of its own.
        raise_if_short(error, *self._size)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return OSError(error.errno, error.strerror)
        return MediaError(f"{self._out.name} could not be written: {error.strerror}.")

    def _add_sound(self, until_s: float) -> None:
        from av.audio.frame import AudioFrame

        if self._form.sound is None or self._audio is None:
            return
        samples, rate = self._form.sound
        end = len(samples) if until_s == float("inf") else min(len(samples), int(until_s * rate))
        if end <= self._sound_at:
            return
        part = np.ascontiguousarray(samples[self._sound_at : end].T)
        frame = AudioFrame.from_ndarray(part, format="fltp", layout=_layout(samples))
        frame.sample_rate, frame.pts = rate, self._sound_at
        frame.time_base = Fraction(1, rate)
        self._container.mux(self._audio.encode(frame))
        self._sound_at = end


def _layout(samples: Samples) -> str:
    return "stereo" if samples.shape[1] == 2 else "mono"


def timescale_for(time_base: Fraction) -> int:
    """Ticks per second for a clip, in which the source's ticks are whole where that is possible."""
    scale = time_base.denominator
    return scale if scale <= _MAX_TIMESCALE else _USUAL_TIMESCALE

"""Writing one clip: pictures and sound go through a pipe into ffmpeg.

The pipe carries them as NUT, which keeps the time of every frame. The file gets its name when it
is whole.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from caer_build.errors import MediaError, StoreError
from caer_build.media.ffmpeg import Encoding, has_option_fps_mode
from caer_build.media.waveform import Samples

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_PIPE_BYTES = 1024 * 1024
_F_SETPIPE_SZ = 1031
_SOUND_AHEAD_S = 0.5
_PATIENCE_S = 5.0
"""An ffmpeg that no longer reads has this long to say why."""
_MAX_TIMESCALE = 1_000_000
_USUAL_TIMESCALE = 90_000
_UNSPECIFIED = {"colorspace": 2, "color_primaries": 2, "color_trc": 2, "range": 0}
_AVI_SOUND = ["-c:a", "pcm_s16le"]
"""AVI cannot say that a lossy codec begins with some milliseconds of padding"""


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
    seconds_per_frame: float = Field(
        2.0, gt=0, description="ffmpeg is killed after 60 s and this for each frame (s)"
    )

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


class ClipWriter:
    """Takes the frames of one clip, then closes or aborts it.

    Args:
        out: final path; its folder exists.
        first: the first frame, yuv420p of an even size; the others are like it.

    Raises:
        MediaError, StoreError: from :meth:`close` and :meth:`add`.
    """

    def __init__(self, out: Path, codec: ClipCodec, form: ClipForm, first: VideoFrame) -> None:
        import av

        self._out = out
        self._part = out.with_name(f".{out.stem}.part{out.suffix}")
        self._timescale = form.timescale
        self._sound = sound = form.sound
        self._sound_at = 0
        # AVI knows no times: its frames are spread evenly over the clip's length.
        self._even = codec.container == "avi"
        self._rate = Fraction(form.n_frames / form.length_s).limit_denominator(1001)
        reading, writing = os.pipe()
        self._pipe = writing
        with suppress(OSError):
            fcntl.fcntl(writing, _F_SETPIPE_SZ, _PIPE_BYTES)
        limit_s = 60 + codec.seconds_per_frame * form.n_frames
        arguments = _arguments(codec, first, self._base, sound is not None)
        if not self._even:
            arguments += _last_duration(form)
        self._encoding = Encoding(arguments, self._part, limit_s, reading)
        os.close(reading)
        self._nut = av.open(f"pipe:{writing}", "w", format="nut")
        self._video: VideoStream = self._nut.add_stream("rawvideo", rate=self._rate)
        self._video.width, self._video.height = first.width, first.height
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = self._base
        self._audio: AudioStream | None = None
        if sound is not None:
            layout = "stereo" if sound[0].shape[1] == 2 else "mono"
            self._audio = self._nut.add_stream("pcm_f32le", rate=sound[1], layout=layout)
        self._n_added = 0

    @property
    def _base(self) -> Fraction:
        return 1 / self._rate if self._even else Fraction(1, self._timescale)

    def add(self, frame: VideoFrame) -> None:
        """Writes the next frame; ``frame.pts`` counts ticks since the clip's start."""
        import av

        try:
            self._add_sound(float((frame.pts or 0) / self._timescale) + _SOUND_AHEAD_S)
            if self._even:
                frame.pts = self._n_added
            frame.time_base = self._base
            self._nut.mux(self._video.encode(frame))
        except av.error.FFmpegError as error:
            self._broken(error)
        self._n_added += 1

    def close(self) -> None:
        """Ends the clip and gives the file its name."""
        import av

        try:
            self._add_sound(float("inf"))
            self._nut.mux(self._video.encode(None))
            self._nut.close()
        except av.error.FFmpegError as error:
            self._broken(error)
        os.close(self._pipe)
        self._pipe = -1
        try:
            self._encoding.finish(self._out.name)
            _publish(self._part, self._out)
        finally:
            self._part.unlink(missing_ok=True)

    def abort(self) -> None:
        """Leaves no file behind."""
        import av

        self._encoding.kill()
        # The first call may fail on packets still held, the second then ends it: nothing may be
        # written later, when the pipe's number belongs to another file.
        for _ in range(2):
            with suppress(av.error.FFmpegError):
                self._nut.close()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self._part.unlink(missing_ok=True)

    def _broken(self, error: Exception) -> None:
        """ffmpeg stopped reading: it has said why."""
        self._encoding.finish(self._out.name, patience_s=_PATIENCE_S)
        raise MediaError(f"ffmpeg stopped reading {self._out.name}: {error}.") from error

    def _add_sound(self, until_s: float) -> None:
        from av.audio.frame import AudioFrame

        if self._sound is None or self._audio is None:
            return
        samples, rate = self._sound
        end = len(samples) if until_s == float("inf") else min(len(samples), int(until_s * rate))
        if end <= self._sound_at:
            return
        part = np.ascontiguousarray(samples[self._sound_at : end]).reshape(1, -1)
        layout = "stereo" if samples.shape[1] == 2 else "mono"
        frame = AudioFrame.from_ndarray(part, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, self._sound_at
        frame.time_base = Fraction(1, rate)
        self._nut.mux(self._audio.encode(frame))
        self._sound_at = end


def timescale_for(time_base: Fraction) -> int:
    """Ticks per second for a clip, in which the source's ticks are whole where that is possible."""
    scale = time_base.denominator
    return scale if scale <= _MAX_TIMESCALE else _USUAL_TIMESCALE


def _arguments(codec: ClipCodec, first: VideoFrame, base: Fraction, sound: bool) -> list[str]:
    video = ["-map", "0:v:0", "-threads", str(codec.threads), "-pix_fmt", "yuv420p"]
    video += _colour_tags(first)
    if codec.video == "h264":
        video += ["-c:v", "libx264", "-preset", codec.preset, "-crf", str(codec.crf)]
    else:
        video += ["-c:v", "mpeg4", "-vtag", "xvid", "-q:v", str(codec.quality)]
    # No B-frames: a fifth less work at the same rate factor and size, frames are stored in the
    # order in which they are shown, and AVI can say no other.
    video += ["-bf", "0"]
    video += ["-fps_mode" if has_option_fps_mode() else "-vsync", "passthrough"]
    video += ["-enc_time_base:v", f"{base.numerator}/{base.denominator}"]
    audio = ["-an"]
    if sound:
        aac = ["-c:a", "aac", "-b:a", f"{codec.audio_kbps}k"]
        audio = ["-map", "0:a:0", *(aac if codec.container == "mp4" else _AVI_SOUND)]
    same_bytes = ["-map_metadata", "-1", "-fflags", "+bitexact"]
    same_bytes += ["-flags:v", "+bitexact", "-flags:a", "+bitexact"]
    form = ["-f", codec.container]
    if codec.container == "mp4":
        form += ["-video_track_timescale", str(base.denominator), "-movflags", "+faststart"]
    return [*video, *audio, *same_bytes, *form]


def _last_duration(form: ClipForm) -> list[str]:
    """How long the last frame is shown, which neither NUT nor raw frames can say."""
    last, end = round(form.last_s * form.timescale), round(form.length_s * form.timescale)
    duration = f"if(eq(PTS,{last}),{end - last},DURATION)"
    return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration='{duration}'"]


def _colour_tags(frame: VideoFrame) -> list[str]:
    """What the source says of its colours, for the player; NUT does not carry it."""
    tags = {
        "colorspace": int(frame.colorspace),
        "color_primaries": int(frame.color_primaries),
        "color_trc": int(frame.color_trc),
        "range": int(frame.color_range),
    }
    known = [f"{name}={value}" for name, value in tags.items() if value != _UNSPECIFIED[name]]
    return ["-vf", f"setparams={':'.join(known)}"] if known else []


def _publish(part: Path, out: Path) -> None:
    try:
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(out)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreError(f"The disk is full: {out.name}.", "Free some space.") from error
        raise MediaError(f"{out.name} could not be written: {error.strerror}.") from error

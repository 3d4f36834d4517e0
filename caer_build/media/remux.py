"""A clip in another container: the very same pictures, nothing encoded twice.

The released CAER is AVI, which knows no times: its frames are spread evenly over the clip's
length, and its sound is PCM, because AVI cannot say that a lossy codec begins with some
milliseconds of padding.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from caer_build.errors import MediaError
from caer_build.media.probe import AudioTrack, read_headers
from caer_build.media.sound import SoundReader

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_MAX_RATE_DENOMINATOR = 1001
_FULL_SCALE = 32_767


def as_avi(clip: Path, out: Path) -> None:
    """Writes an MP4 clip of ours, H.264 without B-frames, as AVI. The same bytes every time.

    Raises:
        ProbeError: if the clip is none.
        MediaError: if its pictures cannot be taken over as they are.
    """
    import av
    from av.bitstream import BitStreamFilterContext

    headers = read_headers(clip)
    with (
        av.open(f"file:{clip}") as source,
        av.open(
            f"file:{out}", "w", format="avi", container_options={"fflags": "+bitexact"}
        ) as target,
    ):
        video = source.streams.video[0]
        length = Fraction(video.duration or 0) * (video.time_base or Fraction(0))
        if video.codec_context.name != "h264" or not length:
            raise MediaError(f"{clip.name}: expected an H.264 clip, found {headers.video_codec}.")
        rate = (video.frames / length).limit_denominator(_MAX_RATE_DENOMINATOR)
        copy = target.add_stream_from_template(video)
        copy.time_base = copy.codec_context.time_base = 1 / rate
        sound = None if headers.audio is None else _pcm(target, headers.audio)
        # MP4 keeps the decoder's parameters in its header; AVI wants them in the stream.
        unpacked = BitStreamFilterContext("h264_mp4toannexb", video, copy)
        n = 0
        for packet in source.demux(video):
            for ready in cast("list[Packet[VideoStream]]", unpacked.filter(packet)):
                ready.stream, ready.time_base = copy, 1 / rate
                ready.pts = ready.dts = n
                ready.duration = 1
                target.mux(ready)
                n += 1
        if sound is not None and headers.audio is not None:
            _add_sound(clip, headers.audio, float(length), target, sound)


def _pcm(target: OutputContainer, audio: AudioTrack) -> AudioStream:
    layout = "stereo" if audio.channels > 1 else "mono"
    return target.add_stream("pcm_s16le", rate=audio.rate, layout=layout)


def _add_sound(
    clip: Path, audio: AudioTrack, length_s: float, target: OutputContainer, stream: AudioStream
) -> None:
    from av.audio.frame import AudioFrame

    with SoundReader(clip, audio) as reader:
        samples, rate = reader.read(0.0, length_s), reader.rate
    whole = np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype(np.int16)
    frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(whole.reshape(1, -1)),
        format="s16",
        layout="stereo" if samples.shape[1] > 1 else "mono",
    )
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    target.mux(stream.encode(frame))
    target.mux(stream.encode(None))

"""Writing frames and samples made here as an MP4 that every browser plays."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from caer_build.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

Pixels = npt.NDArray[np.uint8]

SAMPLE_RATE = 48_000
"""samples per second of the sound that is written"""
_BT601 = 6
"""AVColorSpace, AVColorPrimaries and AVColorTransferCharacteristic all call SMPTE 170M 6"""
_LIMITED = 1
"""AVColorRange of video: 16 to 235"""
_AUDIO_BITS_PER_S = 128_000
_X264 = {"crf": "21", "preset": "superfast"}
"""Made to be made again at will: quickness counts more than size."""
_THREADS = 2
"""x264's output depends on their number: never the machine's."""


def encode_frames(
    frames: Iterator[Pixels],
    audio: npt.NDArray[np.float32],
    rate: Fraction,
    out: Path,
) -> int:
    """Encode pictures and sound that begin together as H.264 yuv420p and AAC in MP4.

    The same input gives the same bytes with the same versions.

    Args:
        frames: (height, width, 3) RGB, all of one even size; read one by one.
        audio: (n, 2) stereo in [-1, 1] at :data:`SAMPLE_RATE`; cut off or left silent where it
            is longer or shorter than the pictures.
        rate: frames per second, constant.
        out: written in place; ends in ``.mp4``.

    Returns:
        How many frames were written.

    Raises:
        MediaError: if there is no frame, or a frame of another form than the first.
    """
    import av

    first = next(frames, None)
    if first is None:
        raise MediaError(f"No frame to write to {out.name}.", "Give at least one.")
    height, width, _ = first.shape
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(out), "w", format="mp4", options=options) as container:
        video = _video_stream(container, width, height, rate)
        sound: AudioStream = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        sound.bit_rate = _AUDIO_BITS_PER_S
        number = -1
        for number, pixels in enumerate(chain((first,), frames)):
            if pixels.shape != first.shape or pixels.dtype != np.uint8:
                raise MediaError(
                    f"Frame {number} for {out.name} is {pixels.shape} {pixels.dtype}, "
                    f"expected {first.shape} uint8 as the first one."
                )
            _write_picture(container, video, pixels, number, rate)
            span = [int(n * SAMPLE_RATE / rate) for n in (number, number + 1)]
            _write_sound(container, sound, audio, span[0], span[1])
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return number + 1


def _video_stream(
    container: OutputContainer, width: int, height: int, rate: Fraction
) -> VideoStream:
    stream: VideoStream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = dict(_X264)
    context = stream.codec_context
    context.thread_count = _THREADS
    context.color_range, context.colorspace = _LIMITED, _BT601
    context.color_primaries, context.color_trc = _BT601, _BT601
    return stream


def _write_picture(
    container: OutputContainer,
    stream: VideoStream,
    pixels: Pixels,
    number: int,
    rate: Fraction,
) -> None:
    import cv2
    from av.video.frame import VideoFrame

    # OpenCV's conversion (BT.601, limited range) takes a tenth of libswscale's time.
    planes = cast(Pixels, cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420))
    frame = VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = number, 1 / rate
    container.mux(stream.encode(frame))


def _write_sound(
    container: OutputContainer,
    stream: AudioStream,
    audio: npt.NDArray[np.float32],
    start: int,
    end: int,
) -> None:
    from av.audio.frame import AudioFrame

    part = np.zeros((end - start, 2), np.float32)
    given = audio[start:end]
    part[: len(given)] = given
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(part.T), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    container.mux(stream.encode(frame))

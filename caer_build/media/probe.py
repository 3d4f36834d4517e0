"""What the headers of a source file claim, and what its first frame shows.

Claims are not counted facts: how many frames there are is known when they have been decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from caer_build.errors import ProbeError
from caer_build.media import limits
from caer_build.media.languages import same_language
from caer_build.media.memory import raise_if_short
from caer_build.media.source import name_of, open_source

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_HDR_TRANSFERS = (16, 18)
"""AVColorTransferCharacteristic of SMPTE 2084 (PQ) and ARIB STD-B67 (HLG)"""
_INTERLACED_ORDERS = (2, 3, 4, 5)
"""AVFieldOrder other than unknown and progressive"""
_REPLACE = "Replace it by a video file, or leave it out."


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An audio track that can be decoded."""

    index: int
    """of the stream in the container"""
    codec: str
    rate: int
    """samples per second"""
    channels: int
    language: str | None
    """as the container writes it, mostly ISO 639-2; null: untagged"""
    is_default: bool


@dataclass(frozen=True, slots=True)
class Headers:
    """The claims of a file's headers. Sizes are px, times are seconds of the container's clock."""

    container: str
    video_codec: str
    pixel_format: str
    video_stream: int
    """index of the stream in the container"""
    width: int
    """as displayed: sample aspect and rotation applied, rounded down to even"""
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    """degrees clockwise the stored picture is turned for display: 0, 90, 180 or 270"""
    sample_aspect: Fraction
    """width / height of one stored pixel"""
    interlaced: bool
    frame_rate: Fraction
    frame_count_claimed: int | None
    start_s: float
    duration_s: float | None
    time_base: Fraction
    """seconds per tick of the video's timestamps"""
    is_hdr: bool
    colorspace: int
    """AVColorSpace of the first frame; 2: unspecified"""
    color_range: int
    """AVColorRange of the first frame; 0: unspecified"""
    audio: AudioTrack | None
    """the track that goes into the clips"""
    audio_tracks: tuple[AudioTrack, ...]
    """all that can be decoded"""
    has_mute_audio: bool
    """there are audio tracks, but none that can be decoded"""
    n_decoded: int
    """frames that were decoded to learn this"""


def read_headers(path: Path, audio_language: str | None = None) -> Headers:
    """Reads the headers of ``path`` and decodes its first frame.

    Args:
        audio_language: ISO 639 code of the audio track wanted; None: the default track.

    Raises:
        ProbeError: if the file is not a video that can be used; the message says why.
    """
    import av

    name = name_of(path)
    with open_source(path) as container:
        stream = _video_stream(container, name)
        tracks = tuple(_audio_track(s) for s in container.streams.audio if _is_playable(s))
        audio = choose_audio(tracks, audio_language, name)
        _check_size(stream.codec_context.width, stream.codec_context.height, name)
        try:
            frames = _first_frames(container, stream, name)
        except MemoryError:
            raise
        except (av.error.FFmpegError, IndexError) as error:
            # PyAV trips over streams that turn up in the middle when it reaches the end.
            reason = str(getattr(error, "strerror", None) or "its streams change")
            raise _undecodable(name, reason) from error
        return replace(_headers(container, stream, frames, tracks, name), audio=audio)


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [s for s in container.streams.video if not s.disposition & pictures]
    if not streams:
        kinds = sorted({str(s.type) for s in container.streams}) or ["nothing"]
        cover = " beside a cover picture" if container.streams.video else ""
        found = ", ".join(kind for kind in kinds if kind != "video" or not cover)
        raise ProbeError(f"{name} holds no video, only {found or 'data'}{cover}.", _REPLACE)
    usable = [s for s in streams if s.codec_context is not None]
    if not usable:
        raise ProbeError(
            f"{name} holds video in a codec that cannot be decoded here.",
            "Convert it to H.264 first.",
        )
    return next((s for s in usable if s.disposition & Disposition.default), usable[0])


def choose_audio(tracks: Sequence[AudioTrack], wanted: str | None, name: str) -> AudioTrack | None:
    """The track that goes into the clips; none where there is none.

    Args:
        wanted: ISO 639 code of its language; None, or if no track is tagged: the default track.
        name: of the file, for messages.

    Raises:
        ProbeError: if no track has that language, or the one that is chosen is above the limits.
    """
    if not tracks:
        return None
    tagged = sorted({t.language for t in tracks if t.language and t.language != "und"})
    if wanted is not None and tagged:
        tracks = [t for t in tracks if t.language and same_language(t.language, wanted)]
        if not tracks:
            raise ProbeError(
                f"{name} has no audio track in the language {wanted!r}, only {', '.join(tagged)}.",
                "Ask for one of these, or for none to take the default track.",
            )
    chosen = next((t for t in tracks if t.is_default), tracks[0])
    if chosen.rate > limits.MAX_AUDIO_RATE or chosen.channels > limits.MAX_AUDIO_CHANNELS:
        raise ProbeError(
            f"{name} claims sound of {chosen.rate} samples per second in {chosen.channels} "
            f"channels; the limit is {limits.MAX_AUDIO_RATE} in {limits.MAX_AUDIO_CHANNELS}.",
            "Its headers are broken: copy it again, or convert its sound first.",
        )
    return chosen


def _audio_track(stream: AudioStream) -> AudioTrack:
    from av.stream import Disposition

    return AudioTrack(
        index=stream.index,
        codec=stream.codec_context.name,
        rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.layout.nb_channels,
        language=stream.language,
        is_default=bool(stream.disposition & Disposition.default),
    )


def _is_playable(stream: AudioStream) -> bool:
    context = stream.codec_context
    return context is not None and context.sample_rate > 0 and context.layout.nb_channels > 0


def _check_size(width: int, height: int, name: str) -> None:
    if width <= 0 or height <= 0:
        raise ProbeError(
            f"{name} claims no size of its picture, or one that cannot be ({width}x{height} px).",
            _REPLACE,
        )
    if max(width, height) > limits.MAX_SIDE_PX or width * height > limits.MAX_PIXELS:
        raise ProbeError(
            f"{name} claims a picture of {width}x{height} px; the limit is "
            f"{limits.MAX_SIDE_PX} px a side and {limits.MAX_PIXELS / 1e6:.0f} megapixels.",
            "Scale it down first.",
        )


def _first_frames(container: InputContainer, stream: VideoStream, name: str) -> list[VideoFrame]:
    """What the decoder gives first; at least one frame."""
    import av

    # One thread gives the frame after the fewest packets.
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(limits.MAX_PIXELS)}
    reason = "no frame among its first packets"
    for number, packet in enumerate(container.demux(stream)):
        try:
            if frames := packet.decode():
                return frames
        except av.error.FFmpegError as error:
            raise_if_short(error, stream.codec_context.width, stream.codec_context.height)
            reason = str(error.strerror)
        if number >= limits.FIRST_FRAME_PACKETS:
            break
    raise _undecodable(name, reason)


def _undecodable(name: str, reason: str) -> ProbeError:
    return ProbeError(
        f"{name} has the headers of a video, but no frame of it can be decoded ({reason}).",
        "Check that it plays (it may be encrypted or damaged), and copy or download it again.",
    )


def _headers(
    container: InputContainer,
    stream: VideoStream,
    frames: Sequence[VideoFrame],
    tracks: tuple[AudioTrack, ...],
    name: str,
) -> Headers:
    context, frame = stream.codec_context, frames[0]
    _check_size(frame.width, frame.height, name)
    aspect = _sane_aspect(stream.sample_aspect_ratio)
    rotation = _rotation_of(frame)
    width, height = display_size(frame.width, frame.height, aspect, rotation)
    _check_size(width, height, name)
    start, duration = stream.start_time, stream.duration
    base = stream.time_base or Fraction(1, 1_000_000)
    duration_s: float | None = None
    if duration is not None:
        duration_s = float(duration * base)
    elif container.duration is not None:
        duration_s = container.duration / 1e6
    order = int(getattr(context, "field_order", 0) or 0)
    return Headers(
        container=container.format.name,
        video_codec=context.name,
        pixel_format=frame.format.name,
        video_stream=stream.index,
        width=width,
        height=height,
        coded_width=frame.width,
        coded_height=frame.height,
        rotation=rotation,
        sample_aspect=aspect,
        interlaced=bool(frame.interlaced_frame) or order in _INTERLACED_ORDERS,
        frame_rate=_frame_rate(stream),
        frame_count_claimed=stream.frames or None,
        start_s=0.0 if start is None else float(start * base),
        duration_s=duration_s,
        time_base=base,
        is_hdr=int(frame.color_trc) in _HDR_TRANSFERS,
        colorspace=int(frame.colorspace),
        color_range=int(frame.color_range),
        audio=None,
        audio_tracks=tracks,
        has_mute_audio=bool(container.streams.audio) and not tracks,
        n_decoded=len(frames),
    )


def display_size(width: int, height: int, aspect: Fraction, rotation: int) -> tuple[int, int]:
    """The (width, height) in px at which a stored picture is shown, rounded down to even.

    Pixels that are not square are made so by enlarging the picture in one direction, so that
    none of its detail is lost; an odd last row or column is left off, as 4:2:0 video needs.
    """
    shown_width = round(width * aspect) if aspect > 1 else width
    shown_height = round(height / aspect) if aspect < 1 else height
    if rotation in (90, 270):
        shown_width, shown_height = shown_height, shown_width
    return max(2, shown_width // 2 * 2), max(2, shown_height // 2 * 2)


def _sane_aspect(claimed: Fraction | None) -> Fraction:
    if not claimed or claimed <= 0 or not 1 / limits.MAX_ASPECT <= claimed <= limits.MAX_ASPECT:
        return Fraction(1)
    return Fraction(claimed)


def _rotation_of(frame: VideoFrame) -> int:
    """Degrees clockwise, from the display matrix; anything but right angles counts as upright."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0
    a, b = struct.unpack("=2i", bytes(cast("Buffer", matrix))[:8])
    # The matrix turns the picture; its first row is (cos, sin) in 16.16 fixed point.
    if abs(a) >= abs(b):
        return 0 if a >= 0 else 180
    return 90 if b > 0 else 270


def _frame_rate(stream: VideoStream) -> Fraction:
    for claimed in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if claimed and 0 < claimed <= limits.MAX_FRAME_RATE:
            return Fraction(claimed)
    return limits.FALLBACK_FRAME_RATE

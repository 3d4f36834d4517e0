"""Looking at a clip that was cut: by decoding it again, and its source beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caer_build.errors import DecodeError, MediaError
from caer_build.frames import Span
from caer_build.media.decode import DecodedFrame, Decoder
from caer_build.media.passes import Passes
from caer_build.media.probe import Headers, read_headers
from caer_build.media.sound import SoundReader
from caer_build.media.spans import TimedSpan
from caer_build.media.upright import upright_pictures

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

AAC_FRAME_SAMPLES = 1024
_TIME_SLACK_S = 0.002
"""Containers count in milliseconds."""
_LEAST_ALIKE = 16.0
"""Grey levels by which a clip's picture may differ from its source's in the mean, whatever the rate
at which it was encoded."""
_NEARER = 0.25
"""Grey levels by which the frame beside an end may be nearer: in a still picture it may be any."""

Luma = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipCheck:
    """What a clip holds, counted."""

    n_frames: int
    last_s: float
    """when the last frame begins, seconds after the first"""
    sound_s: float | None
    """null: no sound"""
    ends: tuple[Luma, Luma] = field(repr=False)
    """the first and the last frame's brightness, (h, w)"""


def verify_clip(clip: Path, wanted: TimedSpan, with_sound: bool) -> ClipCheck:
    """Decodes ``clip`` and compares it with the span that it was cut from.

    Args:
        with_sound: whether the source has sound.

    Raises:
        MediaError: if the number of frames differs, the first or last frame is not shown when it
            should be, the sound is missing or not wanted, or the sound does not last as long as
            the picture should, within one AAC frame.
    """
    headers = read_headers(clip)
    times: list[float] = []
    first: DecodedFrame | None = None
    last: DecodedFrame | None = None
    with Decoder(clip, headers, threads=1) as decoder:
        for last in decoder:
            first = first or last
            times.append(last.pts_s)
    n = len(wanted.span)
    if first is None or last is None or len(times) != n or decoder.report.n_errors:
        raise _wrong(clip, f"{n} frames", f"{len(times)} ({decoder.report.n_errors} damaged)")
    ends = _luma(first.picture), _luma(last.picture)
    last_s = times[-1] - times[0]
    even_s = (
        wanted.length_s * (n - 1) / n if clip.suffix == ".avi" else wanted.last_s - wanted.start_s
    )
    if abs(last_s - even_s) > _TIME_SLACK_S:
        raise _wrong(clip, f"its last frame at {even_s:.3f} s", f"it at {last_s:.3f} s")
    if (headers.audio is not None) != with_sound:
        raise _wrong(clip, *(("sound", "none") if with_sound else ("no sound", "some")))
    if headers.audio is None:
        return ClipCheck(n, last_s, None, ends)
    with SoundReader(clip, headers.audio) as sound:
        sound_s = sound.length_s()
    if abs(sound_s - wanted.length_s) > AAC_FRAME_SAMPLES / headers.audio.rate:
        raise _wrong(clip, f"{wanted.length_s:.3f} s of sound", f"{sound_s:.3f} s")
    return ClipCheck(n, last_s, sound_s, ends)


def verify_ends(clip: Path, check: ClipCheck, span: Span, source: Mapping[int, Luma]) -> None:
    """Compares a clip's first and last frame with its source's.

    Args:
        source: pictures of the source by their ordinals, as :func:`pictures_at_ends` gives them.

    Raises:
        MediaError: if one of them is another picture, or the frame beside it is more like it.
    """
    for which, picture, frame in zip(
        ("first", "last"), check.ends, (span.start, span.end - 1), strict=True
    ):
        apart = {
            k: float(np.abs(picture.astype(np.int16) - source[k]).mean())
            for k in (frame - 1, frame, frame + 1)
            if k in source and source[k].shape == picture.shape
        }
        nearest = min(apart, key=lambda k: apart[k], default=None)
        if nearest is None or frame not in apart or apart[frame] > _LEAST_ALIKE:
            raise _wrong(clip, f"frame {frame} of the source as its {which} one", "another picture")
        if apart[nearest] < apart[frame] - _NEARER:
            raise _wrong(clip, f"frame {frame} of the source as its {which} one", f"{nearest}")


def pictures_at_ends(
    passes: Passes, headers: Headers, wide: TimedSpan, span: Span, repaired: bool
) -> dict[int, Luma]:
    """The pictures of a source at the ends of a span and beside them, as its clip shows them.

    Args:
        passes: over the source; spans are best asked for in order.
        wide: the span with the frame before it and the one behind it, where there are such.
        repaired: ``DecodeReport.repaired`` of the scan.

    Raises:
        DecodeError: if the frames cannot be found again.
    """
    ends = {k for end in (span.start, span.end - 1) for k in (end - 1, end, end + 1)}
    for by_counting in (True,) if repaired else (False, True):
        found = passes.over(wide.span, by_counting).frames.frames(wide)
        numbered = enumerate(upright_pictures(found, headers, timescale=1000), wide.span.start)
        try:
            return {k: _luma(picture) for k, picture in numbered if k in ends}
        except DecodeError:
            # As in cutting: not every stream decodes cleanly from its keyframes.
            if by_counting:
                raise
    return {}


def _luma(picture: VideoFrame) -> Luma:
    return np.asarray(picture.to_ndarray(format="gray"), np.uint8)


def _wrong(clip: Path, expected: str, found: str) -> MediaError:
    return MediaError(
        f"{clip.name}: expected {expected}, found {found}.", "Delete it and build again."
    )

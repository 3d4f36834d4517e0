"""Looking at a clip that was cut: by decoding it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from caer_build.errors import MediaError
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.media.spans import TimedSpan

AAC_FRAME_SAMPLES = 1024
_TIME_SLACK_S = 0.002
"""Containers count in milliseconds."""


@dataclass(frozen=True, slots=True)
class ClipCheck:
    """What a clip holds, counted."""

    n_frames: int
    last_s: float
    """when the last frame begins, seconds after the first"""
    sound_s: float | None
    """null: no sound"""


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
    times = []
    with Decoder(clip, headers, threads=1) as decoder:
        times = [frame.pts_s for frame in decoder]
    n = len(wanted.span)
    if len(times) != n or decoder.report.n_errors:
        raise _wrong(clip, f"{n} frames", f"{len(times)} ({decoder.report.n_errors} damaged)")
    last_s = times[-1] - times[0]
    even_s = (
        wanted.length_s * (n - 1) / n if clip.suffix == ".avi" else wanted.last_s - wanted.start_s
    )
    if abs(last_s - even_s) > _TIME_SLACK_S:
        raise _wrong(clip, f"its last frame at {even_s:.3f} s", f"it at {last_s:.3f} s")
    if (headers.audio is not None) != with_sound:
        raise _wrong(clip, *(("sound", "none") if with_sound else ("no sound", "some")))
    if headers.audio is None:
        return ClipCheck(n, last_s, None)
    with SoundReader(clip, headers.audio) as sound:
        sound_s = sound.length_s()
    if abs(sound_s - wanted.length_s) > AAC_FRAME_SAMPLES / headers.audio.rate:
        raise _wrong(clip, f"{wanted.length_s:.3f} s of sound", f"{sound_s:.3f} s")
    return ClipCheck(n, last_s, sound_s)


def _wrong(clip: Path, expected: str, found: str) -> MediaError:
    return MediaError(
        f"{clip.name}: expected {expected}, found {found}.", "Delete it and build again."
    )

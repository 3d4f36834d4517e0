"""Looking at a clip that was cut: by decoding it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from caer_build.errors import MediaError
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader

AAC_FRAME_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class ClipCheck:
    """What a clip holds, counted."""

    n_frames: int
    length_s: float
    sound_s: float | None
    """null: no sound"""


def verify_clip(clip: Path, n_frames: int, length_s: float, with_sound: bool) -> ClipCheck:
    """Decodes ``clip`` and compares it with what it should hold.

    Args:
        with_sound: whether the source has sound.

    Raises:
        MediaError: if the number of frames differs, the sound is missing or not wanted, or
            picture and sound do not last as long as they should, within one AAC frame.
    """
    headers = read_headers(clip)
    first_s, n_found = 0.0, 0
    with Decoder(clip, headers, threads=1) as decoder:
        for frame in decoder:
            first_s = frame.pts_s if n_found == 0 else first_s
            n_found += 1
    if n_found != n_frames or decoder.report.n_errors:
        raise MediaError(
            f"{clip.name}: expected {n_frames} frames, found {n_found} "
            f"({decoder.report.n_errors} damaged).",
            "Delete it and build again.",
        )
    found_s = decoder.report.end_s - first_s
    sound_s = None
    if headers.audio is not None:
        slack_s = AAC_FRAME_SAMPLES / headers.audio.rate
        with SoundReader(clip, headers.audio) as sound:
            sound_s = sound.length_s()
        if abs(sound_s - length_s) > slack_s:
            raise MediaError(
                f"{clip.name}: expected {length_s:.3f} s of sound, found {sound_s:.3f} s.",
                "Delete it and build again.",
            )
    if (sound_s is not None) != with_sound:
        raise MediaError(
            f"{clip.name}: expected {'sound' if with_sound else 'no sound'}, found "
            f"{'none' if with_sound else 'some'}.",
            "Delete it and build again.",
        )
    if abs(found_s - length_s) > AAC_FRAME_SAMPLES / 44_100:
        raise MediaError(
            f"{clip.name}: expected {length_s:.3f} s of picture, found {found_s:.3f} s.",
            "Delete it and build again.",
        )
    return ClipCheck(n_found, found_s, sound_s)

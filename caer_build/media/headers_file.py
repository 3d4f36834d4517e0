"""Headers kept as a file, so that a source is probed once."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from caer_build.media.probe import AudioTrack, Headers

_FRACTIONS = ("sample_aspect", "frame_rate", "time_base")


def save_headers(path: Path, headers: Headers) -> None:
    """Write headers as JSON; fractions as text, ``24000/1001``."""
    path.write_text(json.dumps(asdict(headers), default=str, indent=1, sort_keys=True))


def load_headers(path: Path) -> Headers:
    """The very headers that were saved."""
    saved = json.loads(path.read_text())
    saved |= {name: Fraction(saved[name]) for name in _FRACTIONS}
    saved["audio_tracks"] = tuple(AudioTrack(**track) for track in saved["audio_tracks"])
    saved["audio"] = saved["audio"] and AudioTrack(**saved["audio"])
    return Headers(**saved)

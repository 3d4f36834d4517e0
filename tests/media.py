"""Makes small videos with known truth.

Every frame carries its number as a bar code over its upper half, which survives lossy coding,
scaling and turning back upright; the sound is silent but for a beep at every full second.
The videos are made by the ffmpeg program, not by the library under test.
"""

from __future__ import annotations

import os
import subprocess
import wave
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from imageio_ffmpeg import get_ffmpeg_exe

WIDTH, HEIGHT, RATE, N_FRAMES = 192, 144, 25, 50
SOUND_RATE = 48_000
BEEP_S = 0.1
CODING = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_BITS = 10
_CELLS = _BITS + 4
"""a white and a black cell, the bits, their parity, and a white cell"""

Picture = npt.NDArray[np.uint8]


def numbered(number: int, width: int = WIDTH, height: int = HEIGHT, shade: int = 90) -> Picture:
    """A (height, width, 3) RGB picture that carries ``number`` (0 to 1023)."""
    bits = [number >> k & 1 for k in range(_BITS)]
    cells = [1, 0, *bits, sum(bits) % 2, 1]
    picture = np.full((height, width, 3), shade, np.uint8)
    columns = np.arange(width) * _CELLS // width
    picture[: height // 2] = (np.array(cells)[columns] * 200 + 27)[None, :, None]
    # Something that moves, in colour, so that frames differ everywhere.
    left = number * 3 % max(1, width - 24)
    picture[height * 5 // 8 : height * 7 // 8, left : left + 24] = (200, 60, 40)
    return picture


def number_in(picture: Picture) -> int:
    """The number a picture carries.

    Raises:
        ValueError: if there is none that can be read for certain.
    """
    height, width = picture.shape[:2]
    grey = picture[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    centres = ((np.arange(_CELLS) + 0.5) * width / _CELLS).astype(int)
    means = [float(grey[max(0, c - 1) : c + 2].mean()) for c in centres]
    cells = [int(mean > 127) for mean in means]
    bits = cells[2 : 2 + _BITS]
    if cells[:2] != [1, 0] or cells[-1] != 1 or sum(bits) % 2 != cells[-2]:
        raise ValueError(f"no number in a picture with the cells {[round(m) for m in means]}")
    return sum(bit << k for k, bit in enumerate(bits))


@lru_cache(maxsize=8)
def _pictures(n: int, width: int, height: int, first: int) -> bytes:
    return b"".join(numbered(first + k, width, height).tobytes() for k in range(n))


def beeps(length_s: float, rate: int = SOUND_RATE, channels: int = 1) -> npt.NDArray[np.int16]:
    """(n, channels) samples: 1 kHz for 0.1 s from every full second on, else silence."""
    time_s = np.arange(round(length_s * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * 1000 * time_s) * (time_s % 1.0 < BEEP_S)
    return np.repeat((tone * 32767).astype(np.int16)[:, None], channels, axis=1)


def first_beep_s(samples: npt.NDArray[np.floating], rate: int) -> float:
    """When the first beep begins in mono samples, seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    if len(loud) == 0:
        raise ValueError("no beep")
    return float(loud[0]) / rate


def run_ffmpeg(*arguments: str | bytes, given: bytes = b"") -> None:
    """Runs the ffmpeg program; ``given`` goes to its standard input."""
    command = [get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))


def write_sound(path: Path, length_s: float, rate: int = SOUND_RATE, channels: int = 1) -> Path:
    """Beeps as a WAV file."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(beeps(length_s, rate, channels).tobytes())
    return path


def write_video(  # noqa: PLR0917
    path: Path,
    coding: Sequence[str] = CODING,
    filters: str = "null",
    n: int = N_FRAMES,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    sounds: Sequence[Path] = (),
    first: int = 0,
    before: Sequence[str] = (),
) -> Path:
    """Numbered frames ``first`` .. ``first + n - 1`` at 25 per second.

    Args:
        coding: ffmpeg's output options; the container follows from the name.
        filters: its video filters.
        sounds: one track each, as AAC unless ``coding`` says otherwise.
        before: its input options for the pictures.
    """
    width, height = size
    tracks = [argument for sound in sounds for argument in ("-i", str(sound))]
    maps = [a for k in range(1 + len(sounds)) for a in ("-map", str(k))]
    run_ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(RATE),
        *before, "-i", "pipe:0", *tracks, *maps, "-vf", filters, "-g", "20", "-threads", "1",
        *coding, os.fsencode(f"file:{path}"),
        given=_pictures(n, width, height, first),
    )  # fmt: skip
    return path


def remux(source: Path, target: Path, *options: str, before: Sequence[str] = ()) -> Path:
    """Copies the streams of ``source`` into ``target``."""
    run_ffmpeg(
        *before, "-i", f"file:{source}", "-map", "0", "-c", "copy", *options, f"file:{target}"
    )
    return target

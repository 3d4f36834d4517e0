"""Which ffmpeg program encodes the clips, and how it is run.

It never sees a source file: it reads decoded pictures and sound from a pipe and writes one clip.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO

from caer_build.errors import MediaError, ModelMissing, StoreError

_NEEDED_ENCODERS = ("libx264", "aac")
_SHORT_S = 30


@lru_cache(maxsize=1)
def executable() -> str:
    """The ffmpeg on PATH if it can encode H.264 and AAC, else the one of imageio-ffmpeg.

    Raises:
        ModelMissing: if there is neither.
    """
    on_path = shutil.which("ffmpeg")
    if on_path is not None and _can_encode(on_path):
        return on_path
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise ModelMissing(
            "No ffmpeg program with libx264 and aac was found.",
            "Install ffmpeg, or the package imageio-ffmpeg.",
        ) from error


@lru_cache(maxsize=1)
def version() -> str:
    """The program's first line of ``-version``; part of the key of what it makes."""
    done = subprocess.run(
        [executable(), "-version"], capture_output=True, check=True, timeout=_SHORT_S
    )
    first = done.stdout.decode("utf-8", "replace").splitlines()[0]
    return first.split(" Copyright")[0].strip()


def has_option_fps_mode() -> bool:
    """Whether it knows ``-fps_mode`` (5.1 and later), which replaced ``-vsync``."""
    found = re.search(r"version n?(\d+)\.(\d+)", version())
    return found is None or (int(found[1]), int(found[2])) >= (5, 1)


def _can_encode(program: str) -> bool:
    try:
        done = subprocess.run(
            [program, "-hide_banner", "-encoders"],
            capture_output=True,
            check=True,
            timeout=_SHORT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    words = done.stdout.decode("utf-8", "replace").split()
    return all(encoder in words for encoder in _NEEDED_ENCODERS)


class Encoding:
    """One running ffmpeg that reads a pipe and writes ``out``.

    Args:
        arguments: between the input and the output, not including either.
        limit_s: it is killed when it runs longer, seconds.
    """

    def __init__(self, arguments: list[str], out: Path, limit_s: float, pipe: int) -> None:
        # A file, not a pipe: nobody reads it before the end, and a full pipe would block ffmpeg.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._limit_s = limit_s
        self._timed_out = False
        command = [
            executable(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y",
            "-protocol_whitelist", "pipe", "-analyzeduration", "0", "-fpsprobesize", "0",
            "-f", "nut", "-i", "pipe:0", *arguments, f"file:{out}",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=self._errors
        )
        self._watch = threading.Timer(limit_s, self._stop_late)
        self._watch.daemon = True
        self._watch.start()

    def _stop_late(self) -> None:
        self._timed_out = True
        self._process.kill()

    def kill(self) -> None:
        """Ends it without a result."""
        self._watch.cancel()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def finish(self, name: str, patience_s: float | None = None) -> None:
        """Waits for it to end.

        Args:
            name: the clip's, for messages.
            patience_s: it is killed when it takes longer; None: the limit alone counts.

        Raises:
            StoreError: if the disk is full.
            MediaError: if it failed otherwise, with its last lines.
        """
        try:
            code = self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._watch.cancel()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        self._errors.close()
        if self._timed_out:
            raise MediaError(
                f"ffmpeg took longer than {self._limit_s:.0f} s to encode {name}.",
                "Check the machine's load and try again.",
            )
        if code != 0:
            raise failure(name, code, lines[-5:])


def failure(name: str, code: int, last_lines: list[str]) -> MediaError | StoreError:
    """The error for an ffmpeg that ended with ``code``."""
    said = " | ".join(last_lines) or "it said nothing"
    if "No space left on device" in said:
        return StoreError(f"The disk is full: {name} could not be written.", "Free some space.")
    return MediaError(f"ffmpeg failed with code {code} on {name}: {said}.", "See its message.")

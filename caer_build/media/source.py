"""Opening a source file, and saying what is wrong with it when that fails.

The file is opened here and handed to libav as an open handle, so that names need not be
UTF-8, a leading ``-`` or a colon in a name means nothing, and no protocol is involved.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from caer_build.errors import ProbeError
from caer_build.media.limits import MAX_INDEX_ENTRIES, READ_BUFFER_BYTES, container_options
from caer_build.media.mp4_index import is_mp4, read_index

if TYPE_CHECKING:
    from av.container import InputContainer

_REPLACE = "Replace it by a video file (MP4, MOV, MKV, TS or AVI), or leave it out."
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*")
_SOUNDS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf1")


def name_of(path: Path) -> str:
    """The file's name for messages; bytes that are no UTF-8 become escapes."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


@contextmanager
def open_source(path: Path) -> Iterator[InputContainer]:
    """The file as an open libav container.

    Raises:
        ProbeError: if it is no regular file, empty, unreadable, or no container that is allowed.
    """
    import av

    name = name_of(path)
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            raise ProbeError(f"{name} is {kind}, expected a video file.", _REPLACE)
        if size == 0:
            raise ProbeError(f"{name} is empty (0 bytes).", "Copy or download it again.")
        handle = path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProbeError(
            f"{name} cannot be read: {reason}.", "Check the name and its rights."
        ) from (error)
    with handle:
        _check_index(handle, name, size)
        try:
            container = av.open(
                handle,
                "r",
                options=container_options(),
                buffer_size=READ_BUFFER_BYTES,
                metadata_errors="replace",
            )
        except MemoryError:
            raise
        except (av.error.FFmpegError, UnicodeError, ValueError) as error:
            reason = str(getattr(error, "strerror", None) or type(error).__name__)
            raise _refusal(name, handle, reason) from error
        with container:
            yield container


def _check_index(file: BinaryIO, name: str, size: int) -> None:
    """Refuse an MP4 that claims to list more than it can hold: libav would believe it."""
    n_samples = read_index(file).n_samples if is_mp4(file.read(8)) else 0
    most = min(size, MAX_INDEX_ENTRIES)
    if n_samples > most:
        raise ProbeError(
            f"{name} claims {n_samples} pictures and packets of sound, expected at most {most} in "
            f"a file of {size} bytes.",
            "Its index is broken: copy or download it again.",
        )
    file.seek(0)


def _refusal(name: str, file: BinaryIO, reason: str) -> ProbeError:
    """The error for bytes that no allowed demuxer takes, from what they look like."""
    file.seek(0)
    head = file.read(4096)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"#extm3u", b"ffconcat", b"[playlist]", b"<?xml", b"<mpd", b"<smil")):
        return ProbeError(
            f"{name} is a playlist, which names other files; expected the video itself.",
            "Give the files that it names.",
        )
    if is_mp4(head):
        whole = read_index(file).state == "whole"
        found = (
            f"is an MP4 or MOV whose index (moov, or moof of a fragment) is damaged ({reason})."
            if whole
            else "begins as an MP4 or MOV, but its index (moov) is missing or breaks off: the file "
            "was cut off, or its recording never finished."
        )
        remedy = "Copy or download it again, or repair it with a recovery tool."
        return ProbeError(f"{name} {found}", remedy)
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return ProbeError(f"{name} is a picture, expected a video file.", _REPLACE)
    if head.startswith(_SOUNDS) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return ProbeError(f"{name} holds sound only, expected a video file.", _REPLACE)
    if head and all(32 <= byte < 127 or byte in (9, 10, 13) for byte in head):
        return ProbeError(f"{name} is a text file, expected a video file.", _REPLACE)
    return ProbeError(f"{name} is in no video container that is read here ({reason}).", _REPLACE)

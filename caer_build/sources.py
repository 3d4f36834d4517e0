"""Which files are episodes, and what they are called.

A source is known by its content (SHA-256), so it may be moved or renamed between two builds and
keeps its id. The id is a lower-case slug of the file's stem; of two different files of one stem
the one that is met later also carries a short hash::

    Lobby.S01E02.720p.mp4   -> show lobby, season 1, number 2, id lobby.s01e02.720p
    Lobby 1x02.mkv          -> show lobby, season 1, number 2, id lobby-1x02
    Lobby/pilot.mov         -> show lobby (the folder's name), id pilot
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from caer_build.errors import ProbeError, StoreError
from caer_build.stage import Source
from caer_build.store import Workspace, read_json, sha256_of, write_json

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        "3gp", "asf", "avi", "divx", "f4v", "flv", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4",
        "mpeg", "mpg", "mts", "mxf", "ogm", "ogv", "qt", "rm", "rmvb", "ts", "vob", "webm", "wmv",
    )
)  # fmt: skip
_NUMBERED = (
    re.compile(r"^(?P<show>.*?)[ ._-]*[sS](?P<season>\d{1,2})[ ._-]?[eE](?P<number>\d{1,3})(?!\d)"),
    re.compile(r"^(?P<show>.*?)[ ._-]+(?P<season>\d{1,2})x(?P<number>\d{1,3})(?!\d)"),
)


def printable(name: str) -> str:
    """A file name with bytes that are not UTF-8 replaced, fit for tables and messages."""
    return os.fsencode(name).decode("utf-8", "replace")


def slug(text: str) -> str:
    """Lower-case letters and digits of any script, dots, dashes and underscores."""
    plain = unicodedata.normalize("NFKC", printable(text)).lower()
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in plain)
    return re.sub(r"-{2,}", "-", kept).strip("-._") or "episode"


@dataclass(frozen=True)
class Title:
    """What a file's name says."""

    show: str
    season: int | None
    number: int | None


def title_of(path: Path, show: str | None = None) -> Title:
    """Show, season and number from a file's name; ``show`` overrides the show."""
    stem = printable(path.stem)
    for pattern in _NUMBERED:
        found = pattern.match(stem)
        if found:
            named = show or found["show"].strip(" ._-") or path.absolute().parent.name
            return Title(slug(named), int(found["season"]), int(found["number"]))
    return Title(slug(show or path.absolute().parent.name), None, None)


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The video files below the given files and folders, and what was passed over in folders.

    A file named by the user counts whatever it is called; in a folder only files with a video's
    suffix do, hidden ones never. Sorted, each once.

    Raises:
        ProbeError: if a path does not exist, or there is no video at all.
    """
    chosen: dict[Path, None] = {}
    passed_over: list[Path] = []
    given = list(paths)
    for path in given:
        if path.is_dir():
            for folder, below, names in os.walk(path):
                below[:] = sorted(d for d in below if not d.startswith("."))
                for name in sorted(names):
                    file = Path(folder, name)
                    if file.suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
                        chosen[file] = None
                    else:
                        passed_over.append(file)
        elif path.exists():
            chosen[path] = None
        else:
            raise ProbeError(
                f"No such file or folder: {printable(str(path))}.", "Check the path's spelling."
            )
    if not chosen:
        raise ProbeError(
            f"No video files in {', '.join(printable(str(p)) for p in given)}.",
            f"Files in folders are taken by suffix: {' '.join(sorted(VIDEO_SUFFIXES))}.",
        )
    return list(chosen), passed_over


@dataclass(frozen=True)
class _Entry:
    """A known source, as ``sources.json`` keeps it."""

    episode_id: str
    show: str
    season: int | None
    number: int | None
    sha256: str
    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Register:
    """All sources of a workspace, and the files that could not even be read."""

    sources: tuple[Source, ...]
    unreadable: tuple[tuple[Path, str], ...]
    doubles: tuple[tuple[Path, str], ...]
    """files with the content of an episode that has another path: (path, episode_id)"""


def register(workspace: Workspace, files: Sequence[Path] = (), show: str | None = None) -> Register:
    """Add files to the workspace's known sources and return them all, ordered by id.

    A file already known (same path, size and time of change) is not read again.
    """
    book = workspace.root / "sources.json"
    known = [_Entry(**e) for e in read_json(book)] if book.is_file() else []
    by_content = {entry.sha256: entry for entry in known}
    unreadable: list[tuple[Path, str]] = []
    doubles: list[tuple[Path, str]] = []
    fresh: list[tuple[str, Path, os.stat_result]] = []
    seen: dict[str, Path] = {}
    stamps = {(e.path, e.size, e.modified_ns): e.sha256 for e in known}
    for file in files:
        try:
            path = file.absolute()
            stat = path.stat()
            if not path.is_file():
                # Reading a pipe or a device might never end.
                unreadable.append((file, "a pipe or device, expected a video file"))
                continue
            stamp = (str(path), stat.st_size, stat.st_mtime_ns)
            sha256 = stamps.get(stamp) or sha256_of(path)
        except OSError as error:
            unreadable.append((file, error.strerror or str(error)))
            continue
        if sha256 in seen:
            doubles.append((file, sha256))
            continue
        seen[sha256] = path
        if sha256 in by_content:
            where = {"path": str(path), "size": stat.st_size, "modified_ns": stat.st_mtime_ns}
            by_content[sha256] = _Entry(**{**asdict(by_content[sha256]), **where})
        else:
            fresh.append((sha256, path, stat))
    taken = {entry.episode_id for entry in by_content.values()}
    stems = [slug(path.stem) for _, path, _ in fresh]
    for (sha256, path, stat), stem in sorted(zip(fresh, stems, strict=True), key=_by_content):
        name = stem if stem not in taken and stems.count(stem) == 1 else f"{stem}-{sha256[:6]}"
        taken.add(name)
        title = title_of(path, show)
        by_content[sha256] = _Entry(
            name, title.show, title.season, title.number, sha256, str(path),
            stat.st_size, stat.st_mtime_ns,
        )  # fmt: skip
    entries = sorted(by_content.values(), key=lambda e: e.episode_id)
    if entries != known:
        write_json(book, [asdict(e) for e in entries])
    return Register(
        sources=tuple(
            Source(e.episode_id, e.show, e.season, e.number, Path(e.path), e.sha256)
            for e in entries
        ),
        unreadable=tuple(unreadable),
        doubles=tuple((path, by_content[sha256].episode_id) for path, sha256 in doubles),
    )


def _by_content(item: Any) -> str:
    return str(item[0][0])


def still_there(source: Source) -> Path:
    """The path of a source.

    Raises:
        StoreError: if the file has gone.
    """
    if not source.path.is_file():
        raise StoreError(
            f"The source of {source.episode_id} is no longer at {printable(str(source.path))}.",
            "Put it back, or run `caer build` with its new place.",
        )
    return source.path

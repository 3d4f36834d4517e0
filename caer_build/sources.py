"""Which files are episodes, and what they are called.

A source is known by its content (SHA-256), so it may be moved or renamed between two builds and
keeps its id. The id is a lower-case slug of the file's stem; of two different files of one stem
the one that is met later also carries a short hash::

    Lobby.S01E02.720p.mp4   -> show lobby, season 1, number 2, id lobby.s01e02.720p
    Lobby 1x02.mkv          -> show lobby, season 1, number 2, id lobby-1x02
    Lobby/pilot.mov         -> show lobby (the folder's name), id pilot

Whoever reads a source proves with :class:`Proof` that its file is still the registered one.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from caer_build.errors import MediaError, ProbeError, StoreError
from caer_build.stage import Source
from caer_build.store import Workspace, is_workspace, read_json, sha256_of, write_json

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
_BOOK = "sources.json"
_LONGEST_ID = 100
_LONGEST_KEPT_ID = 200
"""Bytes. File names may have 255, and clips are named after their episode, with more behind it;
longer ids than the first are no longer given, up to the second they are kept."""


def printable(name: str) -> str:
    """A file name with bytes that are not UTF-8 replaced, fit for tables and messages."""
    return os.fsencode(name).decode("utf-8", "replace")


def slug(text: str) -> str:
    """Lower-case letters and digits of any script, dots, dashes and underscores; of a long text
    the beginning and a short hash of the whole."""
    plain = unicodedata.normalize("NFKC", printable(text)).lower()
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in plain)
    whole = (re.sub(r"-{2,}", "-", kept).strip("-._") or "episode").encode()
    if len(whole) <= _LONGEST_ID:
        return whole.decode()
    beginning = whole[:_LONGEST_ID].decode("utf-8", "ignore").rstrip("-._")
    return f"{beginning}-{hashlib.sha256(whole).hexdigest()[:6]}"


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


class Found(NamedTuple):
    """What lies below the given files and folders."""

    files: list[Path]
    passed_over: list[Path]
    """files in folders that are no videos by their names"""
    workspaces: list[Path]
    """folders that were not looked into: the clips in them are no episodes"""


def find_files(paths: Iterable[Path]) -> Found:
    """The video files below the given files and folders.

    A file named by the user counts whatever it is called; in a folder only files with a video's
    suffix do, hidden ones never, and none in a workspace. Sorted, each once.

    Raises:
        ProbeError: if a path does not exist or lies in a workspace, or there is no video at all.
    """
    chosen: dict[Path, None] = {}
    passed_over: list[Path] = []
    workspaces: list[Path] = []
    given = list(paths)
    for path in given:
        _refuse_in_workspace(path)
        if path.is_dir():
            for folder, below, names in os.walk(path):
                below[:] = sorted(d for d in below if not d.startswith("."))
                made = [d for d in below if is_workspace(Path(folder, d))]
                workspaces += [Path(folder, d) for d in made]
                below[:] = [d for d in below if d not in made]
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
    return Found(list(chosen), passed_over, workspaces)


def _refuse_in_workspace(path: Path) -> None:
    real = path.resolve()
    for folder in (real, *real.parents):
        if is_workspace(folder):
            raise ProbeError(
                f"Expected raw episodes, {printable(str(path))} lies in the workspace "
                f"{printable(str(folder))}.",
                "What a build has made is no episode: name the files it was made of.",
            )


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
    gone: bool = False
    """another file was found at its path; size and modified_ns are -1 then"""
    removed: bool = False
    """somebody took it out of the workspace; its file is passed over where it is found"""

    @property
    def source(self) -> Source:
        return Source(
            self.episode_id, self.show, self.season, self.number, Path(self.path), self.sha256,
            self.size, self.modified_ns,
        )  # fmt: skip


@dataclass(frozen=True)
class Register:
    """All sources of a workspace but removed ones, and the files that could not even be read."""

    sources: tuple[Source, ...]
    unreadable: tuple[tuple[Path, str], ...]
    doubles: tuple[tuple[Path, str], ...]
    """files with the content of an episode that has another path: (path, episode_id)"""
    replaced: tuple[tuple[Path, str], ...] = ()
    """files that were found in the place of an episode's source, now: (path, episode_id)"""
    removed: tuple[tuple[Path, str], ...] = ()
    """files of episodes that somebody removed, found again: (path, episode_id)"""


def register(workspace: Workspace, files: Sequence[Path] = (), show: str | None = None) -> Register:
    """Add files to the workspace's known sources and return them all, ordered by id.

    A file already known (same path, size and time of change) is not read again. Of files with the
    same content the one whose name tells season and number gives its name, else the first.
    """
    noted = _noted(workspace)
    known = _tidied(noted, workspace)
    by_content = {entry.sha256: entry for entry in known}
    unreadable: list[tuple[Path, str]] = []
    doubles: list[tuple[Path, str]] = []
    fresh: list[tuple[str, Path, os.stat_result]] = []
    seen: dict[str, Path] = {}
    found_at: dict[str, str] = {}
    stamps = {(e.path, e.size, e.modified_ns): e.sha256 for e in known}
    for file in sorted(files, key=lambda f: title_of(f, show).season is None):
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
        found_at[str(path)] = sha256
        if sha256 in seen:
            doubles.append((file, sha256))
            continue
        seen[sha256] = path
        if sha256 in by_content:
            by_content[sha256] = replace(
                by_content[sha256],
                path=str(path),
                size=stat.st_size,
                modified_ns=stat.st_mtime_ns,
                gone=False,
            )
        else:
            fresh.append((sha256, path, stat))
    replaced = _note_replaced(by_content, found_at, workspace)
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
    if entries != noted:
        _note(workspace, entries)
    return Register(
        sources=tuple(e.source for e in entries if not e.removed),
        unreadable=tuple(unreadable),
        doubles=tuple((path, by_content[sha256].episode_id) for path, sha256 in doubles),
        replaced=replaced,
        removed=tuple(
            (seen[e.sha256], e.episode_id) for e in entries if e.removed and e.sha256 in seen
        ),
    )


def removed_episodes(workspace: Workspace) -> list[str]:
    """The ids of the episodes that were taken out of a workspace."""
    return [e.episode_id for e in _noted(workspace) if e.removed]


def set_removed(workspace: Workspace, episode_id: str, removed: bool) -> None:
    """Take an episode out of a workspace, or back into it; the next build acts on it.

    Raises:
        StoreError: if there is no such episode, or it is so already.
    """
    noted = _noted(workspace)
    there = [e.episode_id for e in noted if e.removed != removed]
    if episode_id not in there:
        raise StoreError(
            f"No episode {episode_id} that could be {'removed' if removed else 'restored'} "
            f"in {workspace.root}.",
            f"There are: {', '.join(there) or 'none'}.",
        )
    _note(
        workspace,
        [replace(e, removed=removed) if e.episode_id == episode_id else e for e in noted],
    )


def _noted(workspace: Workspace) -> list[_Entry]:
    book = workspace.root / _BOOK
    return [_Entry(**e) for e in read_json(book)] if book.is_file() else []


def _note(workspace: Workspace, entries: Iterable[_Entry]) -> None:
    write_json(workspace.root / _BOOK, [asdict(e) for e in entries])


def _tidied(noted: Sequence[_Entry], workspace: Workspace) -> list[_Entry]:
    """The known sources without what earlier versions should not have noted.

    Clips of the workspace itself are no episodes, and of an id that is too long for the names of
    its clips nothing can be built.
    """
    inside = f"{workspace.root}{os.sep}"
    return [
        replace(e, episode_id=slug(e.episode_id), show=slug(e.show))
        if max(len(e.episode_id.encode()), len(e.show.encode())) > _LONGEST_KEPT_ID
        else e
        for e in noted
        if not e.path.startswith(inside)
    ]


def _note_replaced(
    by_content: dict[str, _Entry], found_at: Mapping[str, str], workspace: Workspace
) -> tuple[tuple[Path, str], ...]:
    """Mark the sources in whose place another file was found as gone; which ones are so since now.

    One that was never scanned is forgotten, as there is nothing of it to keep: a file that was
    still being copied when it was read would fail for good.
    """
    replaced = []
    for entry in list(by_content.values()):
        if found_at.get(entry.path, entry.sha256) == entry.sha256:
            continue
        if not workspace.keys("scan", entry.episode_id):
            del by_content[entry.sha256]
        elif not entry.gone:
            by_content[entry.sha256] = replace(entry, size=-1, modified_ns=-1, gone=True)
            replaced.append((Path(entry.path), entry.episode_id))
    return tuple(replaced)


def _by_content(item: Any) -> str:
    return str(item[0][0])


class Proof:
    """Proves, as often as it is asked, that the file of a source is the one that was registered.

    A file may be replaced at any moment, and what is made of another file must never be kept under
    the digest of this one: so whoever reads a source asks before, and again before the result is
    kept. Size and time of change are compared; only where they differ is the file read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stamp = (source.size, source.modified_ns)

    def check(self) -> None:
        """Compare the file with the source.

        Raises:
            MediaError: if it has gone, or another is in its place.
        """
        path = self._source.path
        try:
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            if stamp == self._stamp:
                return
            # Reading a pipe or a device might never end.
            found = sha256_of(path) if path.is_file() else "no file"
        except OSError as error:
            found = error.strerror or str(error)
        if found != self._source.sha256:
            raise MediaError(
                f"The source of {self._source.episode_id} is no longer at {printable(str(path))} "
                f"(expected the content {self._source.sha256[:12]}, found {found[:40]}).",
                "Put it back, or run `caer build` with its new place.",
            )
        self._stamp = stamp

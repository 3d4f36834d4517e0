"""The workspace: results that are either whole or absent.

::

    WORK/workspace.json                                  what makes a folder a workspace
    WORK/lock, WORK/holder.json                          one build at a time, and who it is
    WORK/sources.json                                    every source ever given, known by content
    WORK/stages/<stage>/<unit>/<key>/manifest.json       a result: its files, sizes, digests, facts
    WORK/stages/<stage>/<unit>/failed.json               why the last try failed
    WORK/tables/*.parquet, WORK/clips/*                  what users open: the current results

A result is written in a folder beside its place, every file is flushed to the disk, the manifest
goes last, then the folder is renamed and its parent flushed. So a result exists if and only if
its manifest does, whatever stopped the run that made it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caer_build.errors import IntegrityError, StoreError

FORMAT = 1
MANIFEST = "manifest.json"
_TO_SAY_WHO_S = 1.0


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(value: object) -> str:
    """Hex SHA-256 of a JSON-able value, the same whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def flush(path: Path) -> None:
    """Force a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a :class:`StoreError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk that holds {place} is full.",
                "Free some space and run the same command again: it goes on where it stopped.",
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreError(
                f"Cannot write to {place}: {error.strerror}.", "Check the folder's permissions."
            ) from error
        raise


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``: readers see the old bytes or the new ones, never a mix."""
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        flush(path.parent)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file's bytes another name, which replaces whatever has it; a copy where the file
    system has no links. Who drops the source later does not change the target."""
    with disk_errors(target.parent):
        beside = target.with_name(f".{target.name}")
        beside.unlink(missing_ok=True)
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)
            flush(beside)
        beside.replace(target)


def write_json(path: Path, value: object) -> None:
    """:func:`write_atomically` of indented JSON with sorted keys."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True)
    write_atomically(path, text.encode() + b"\n")


def read_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        IntegrityError: if the file is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, UnicodeDecodeError) as error:
        raise IntegrityError(
            f"{path} should be JSON: {error}.", "Delete it and build again."
        ) from error


def holds_other_things(marker: Path) -> bool:
    """Whether a folder holds something, but not the file that its maker writes there first.

    What :func:`write_json` is about to make that file of does not count: another process may be
    writing it just now, or was killed over it. The file is looked for last, as it may have come
    with what was seen.
    """
    folder, beside = marker.parent, f".{marker.name}."
    found = folder.is_dir() and any(not e.name.startswith(beside) for e in folder.iterdir())
    return found and not marker.is_file()


@dataclass(frozen=True)
class Result:
    """A finished result: a folder whose manifest lists every file with its size and digest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.manifest["key"])

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """name -> {"bytes": n, "sha256": hex}; see :meth:`key_digest` for what else may be there"""
        return self.manifest["files"]  # type: ignore[no-any-return]

    def key_digest(self, name: str) -> str:
        """The digest of a file for the keys of what is made of it.

        That of its bytes as the stage wrote them: what was removed since of deleted persons (then
        the manifest has a "key_sha256") is no reason to do anything again.
        """
        claim = self.files[name]
        return str(claim.get("key_sha256", claim["sha256"]))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage counted on its way (decoded frames, …)."""
        return self.manifest["facts"]  # type: ignore[no-any-return]

    def path(self, name: str) -> Path:
        """Where the file ``name`` lies, its digest checked.

        Raises:
            IntegrityError: if the file is missing or changed.
        """
        if name not in self.files:
            raise IntegrityError(f"{self.folder} has no file {name}.", "Run `caer build` again.")
        path = self.folder / name
        if not path.is_file() or sha256_of(path) != self.files[name]["sha256"]:
            raise IntegrityError(
                f"{path} is not what its manifest says.",
                "Run `caer verify --repair` on the workspace, then build again.",
            )
        return path

    def is_whole(self, every_digest: bool) -> bool:
        """Whether sizes match, and the digests of tables (or of every file) too."""
        for name, claim in self.files.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size != claim["bytes"]:
                return False
            if (every_digest or name.endswith(".parquet")) and sha256_of(path) != claim["sha256"]:
                return False
        return True


@dataclass
class Draft:
    """A result in the making; :meth:`commit` makes it exist, leaving it undone removes it."""

    folder: Path
    final: Path
    facts: dict[str, Any] = field(default_factory=dict)

    def commit(self, manifest: Mapping[str, Any]) -> Result:
        """Flush everything, write the manifest last, rename into place."""
        files = {}
        for path in sorted(self.folder.iterdir()):
            flush(path)
            files[path.name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        whole = {**manifest, "key": self.final.name, "files": files, "facts": self.facts}
        write_json(self.folder / MANIFEST, whole)
        flush(self.folder)
        if self.final.exists():
            # Only an undone or broken result is ever made again, so this one is of no use.
            shutil.rmtree(self.final)
        self.folder.rename(self.final)
        flush(self.final.parent)
        return Result(self.final, whole)


def is_workspace(folder: Path) -> bool:
    """Whether a folder is a workspace, of any format; other programs have a workspace.json, too."""
    marker = folder / "workspace.json"
    try:
        found = read_json(marker) if marker.is_file() else None
    except (OSError, IntegrityError):
        return False
    return isinstance(found, dict) and "format" in found


@dataclass(frozen=True)
class Workspace:
    """A folder that remembers. See the module's docstring for its layout."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Open a workspace, making it where there is none.

        Raises:
            StoreError: if ``root`` is a file, holds other things, or is of a newer format, or
                if there can be no folder of that name.
        """
        marker = root / "workspace.json"
        try:
            if root.is_file():
                raise StoreError(
                    f"Expected a folder for the workspace, {root} is a file.", "Name another."
                )
            if not marker.exists():
                if holds_other_things(marker):
                    raise StoreError(
                        f"{root} holds other things and is no workspace.",
                        "Name an empty or new folder with -o.",
                    )
                write_json(marker, {"format": FORMAT})
        except OSError as error:
            # A device, a place below a file, a name that is too long, a folder of others.
            raise StoreError(
                f"Cannot write to {root}: {error.strerror}.",
                "Name an empty or new folder with -o.",
            ) from error
        return cls.open(root)

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open an existing workspace.

        Raises:
            StoreError: if there is none, or its format is newer than this package.
        """
        marker = root / "workspace.json"
        if not marker.is_file():
            raise StoreError(
                f"{root} is no workspace.", "Make one with `caer build EPISODES -o WORK`."
            )
        found = read_json(marker).get("format")
        if found != FORMAT:
            raise StoreError(
                f"{root} has format {found}, this version reads {FORMAT}.", "Upgrade caer-build."
            )
        return cls(root)

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def clips(self) -> Path:
        return self.root / "clips"

    def unit_folder(self, stage: str, unit: str) -> Path:
        return self.root / "stages" / stage / unit

    def find(self, stage: str, unit: str, key: str, every_digest: bool = False) -> Result | None:
        """The finished result of that key; none if it is missing or not whole."""
        folder = self.unit_folder(stage, unit) / key
        if not (folder / MANIFEST).is_file():
            return None
        try:
            result = Result(folder, read_json(folder / MANIFEST))
        except IntegrityError:
            return None
        return result if result.is_whole(every_digest) else None

    def keys(self, stage: str, unit: str) -> list[str]:
        """The keys of all finished results of a unit, whatever their settings."""
        folder = self.unit_folder(stage, unit)
        if not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if (p / MANIFEST).is_file())

    @contextmanager
    def draft(self, stage: str, unit: str, key: str) -> Iterator[Draft]:
        """A folder to write a result in; removed unless it was committed."""
        parent = self.unit_folder(stage, unit)
        with disk_errors(self.root):
            folder = parent / f".draft-{key}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                yield Draft(folder, parent / key)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the drafts that a killed run left behind; only under the lock."""
        for left in (self.root / "stages").glob("**/.draft-*"):
            shutil.rmtree(left, ignore_errors=True)

    def record_failure(self, stage: str, unit: str, failure: Mapping[str, Any]) -> None:
        write_json(self.unit_folder(stage, unit) / "failed.json", failure)

    def forget_failure(self, stage: str, unit: str) -> None:
        (self.unit_folder(stage, unit) / "failed.json").unlink(missing_ok=True)

    def failure(self, stage: str, unit: str) -> Mapping[str, Any] | None:
        """Why the last try of the unit failed; none if it did not."""
        path = self.unit_folder(stage, unit) / "failed.json"
        return read_json(path) if path.is_file() else None

    @contextmanager
    def locked(self, announce: Any, patience_s: float | None = None) -> Iterator[None]:
        """Hold the workspace; wait for whoever holds it, after saying who that is.

        Args:
            announce: called once with a sentence, if somebody else holds it.
            patience_s: seconds to wait; none: for ever.

        Raises:
            StoreError: if it is still held after that time.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(str(self.root / "lock"))
        holder = self.root / "holder.json"
        with disk_errors(self.root):
            try:
                # Who has only just taken it has not yet written who they are.
                lock.acquire(timeout=_TO_SAY_WHO_S if patience_s is None else 0)
            except Timeout:
                who = _describe(holder)
                announce(f"{self.root} is in use by {who}; waiting for it to finish.")
                try:
                    lock.acquire(timeout=-1 if patience_s is None else patience_s)
                except Timeout:
                    raise StoreError(
                        f"{self.root} is in use by {who}.", "Wait for it to finish, or stop it."
                    ) from None
        try:
            me = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%F %T")}
            write_json(holder, me)
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()


def _describe(holder: Path) -> str:
    try:
        who = read_json(holder)
        return f"process {who['pid']} on {who['host']} (since {who['since']})"
    except (OSError, IntegrityError, KeyError, TypeError):
        return "another build"

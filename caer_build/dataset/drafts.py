"""An export in the making: a folder beside its place, which gets its name when it is whole.

::

    .CAER.part/                        CAER/
      plan.json    what is made          dataset.json
      made.jsonl   a line a file         metadata/ ...
      media/       by item_id    --->    train/ ...

Whoever is stopped goes on: the same plan takes up what is there, another plan starts anew. Nothing
that bears the data set's name is ever half of it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from caer_build.errors import DatasetError, IntegrityError
from caer_build.records import Item
from caer_build.store import disk_errors, flush, read_json, write_json

PLAN, JOURNAL, MEDIA, LOCK = "plan.json", "made.jsonl", "media", "lock"
WORKSHOP = (PLAN, JOURNAL, LOCK)
"""files of a draft that a data set does not have"""


@dataclass(frozen=True, slots=True)
class Made:
    """A file of an item, as it was written.

    Attributes:
        width, height: px.
        n_bytes, sha256: of the file.
    """

    item_id: str
    width: int
    height: int
    n_bytes: int
    sha256: str


class Draft:
    """What is there of an export.

    Attributes:
        folder: of the draft.
        suffix: of the files of items.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = Lock()
        self._journal = folder / JOURNAL
        self.suffix = ""
        # By a run that was stopped; of a file that was made twice the last counts.
        self._made = {made.item_id: made for made in _entries(self._journal)}

    @classmethod
    @contextmanager
    def of(cls, out: Path, plan: str) -> Iterator[Self]:
        """The draft of ``out``; what another plan left there is removed.

        Raises:
            DatasetError: if there is something at ``out``, or somebody else makes it just now.
        """
        from filelock import FileLock, Timeout

        refuse_existing(out)
        folder = out.with_name(f".{out.name}.part")
        with disk_errors(out.parent):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(folder / LOCK))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise DatasetError(f"{out} is being made by another process.", "Wait for it.") from None
        try:
            with disk_errors(out.parent):
                _begin(folder, plan)
                yield cls(folder)
        finally:
            lock.release()

    def media(self, item_id: str) -> Path:
        """Where the file of an item is written; its folder exists."""
        return self.folder / MEDIA / f"{item_id}{self.suffix}"

    def standing(self, item: Item) -> Made | None:
        """The file of an item, if a run that was stopped wrote it, and it lies there or where it
        belongs."""
        made = self._made.get(item.item_id)
        if made is None:
            return None
        files = self.media(item.item_id), self.folder / str(item.file)
        there = any(file.is_file() and file.stat().st_size == made.n_bytes for file in files)
        return made if there else None

    def settle(self, items: Iterable[Item]) -> None:
        """Move the files of items to where they belong."""
        folders = set()
        for item in items:
            media, file = self.media(item.item_id), self.folder / str(item.file)
            if file.parent not in folders:
                file.parent.mkdir(parents=True, exist_ok=True)
                folders.add(file.parent)
            # What is not here was moved by a run that was stopped.
            if media.exists():
                media.replace(file)

    def drop_media(self) -> None:
        """Remove what was packed, and what nobody asked for any more."""
        shutil.rmtree(self.folder / MEDIA)

    def note(self, made: Made) -> None:
        """Record that the file of an item stands; from several threads."""
        line = json.dumps(asdict(made)) + "\n"
        with self._guard, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(line)

    def forget(self) -> None:
        """Nothing that was made is to be relied on."""
        self._journal.unlink(missing_ok=True)

    def publish(self, out: Path) -> None:
        """Give the draft its name, with everything on the disk."""
        for name in WORKSHOP:
            (self.folder / name).unlink(missing_ok=True)
        # One sync for all: tens of thousands of files one by one would take minutes.
        os.sync()
        self.folder.rename(out)
        flush(out.parent)


def refuse_existing(out: Path) -> None:
    """Nothing is ever written over.

    Raises:
        DatasetError: if there is something at ``out``.
    """
    if out.exists():
        raise DatasetError(
            f"{out} is there already.", "Name another folder, or remove this one first."
        )


def _begin(folder: Path, plan: str) -> None:
    place = folder / PLAN
    try:
        same = place.is_file() and read_json(place) == {"plan": plan}
    except IntegrityError:
        same = False
    if not same:
        for thing in folder.iterdir():
            if thing.name != LOCK:
                shutil.rmtree(thing) if thing.is_dir() else thing.unlink()
        write_json(place, {"plan": plan})
    (folder / MEDIA).mkdir(exist_ok=True)


def _entries(journal: Path) -> Iterator[Made]:
    if not journal.is_file():
        return
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            # The last line may be half of one.
            try:
                yield Made(**json.loads(line))
            except (ValueError, TypeError):
                return

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from caer_build.errors import DatasetError, IntegrityError
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
        made: what was written, by item_id.
        suffix: of the files of items.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = Lock()
        self._journal = folder / JOURNAL
        self.suffix = ""
        self._places: Mapping[str, str] = {}
        self.made = {made.item_id: made for made in _entries(self._journal)}

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

    def open_for(self, suffix: str, places: Mapping[str, str]) -> None:
        """Say what the files of items will be.

        Args:
            places: where each belongs when all are there, relative to the folder, by item_id;
                empty if they stay where they are written.
        """
        self.suffix, self._places = suffix, places

    def media(self, item_id: str) -> Path:
        """Where the file of an item is written; its folder exists."""
        return self.folder / MEDIA / f"{item_id}{self.suffix}"

    def stands(self, item_id: str) -> bool:
        """Whether the file of an item was written, and lies there or where it belongs."""
        made = self.made.get(item_id)
        if made is None:
            return False
        files = [self.media(item_id)]
        if item_id in self._places:
            files.append(self.folder / self._places[item_id])
        return any(file.is_file() and file.stat().st_size == made.n_bytes for file in files)

    def settle(self) -> None:
        """Move the files to where they belong."""
        for folder in {(self.folder / place).parent for place in self._places.values()}:
            folder.mkdir(parents=True, exist_ok=True)
        for item_id, place in self._places.items():
            # What is not here was moved by a run that was stopped.
            if self.media(item_id).exists():
                self.media(item_id).replace(self.folder / place)

    def drop_media(self) -> None:
        """Remove what was packed, and what nobody asked for any more."""
        shutil.rmtree(self.folder / MEDIA)

    def note(self, made: Made) -> None:
        """Record that the file of an item stands; from several threads."""
        line = json.dumps(asdict(made)) + "\n"
        with self._guard, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(line)
            self.made[made.item_id] = made

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
    for line in journal.read_text("utf-8").splitlines():
        # The last line may be half of one.
        try:
            yield Made(**json.loads(line))
        except (ValueError, TypeError):
            return

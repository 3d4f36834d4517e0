"""Folders of classes: what most data sets of emotions are.

::

    <split>/<class>/<file>       train/Angry/0001.png      Train_AFEW/Happy/000143120.avi
    <class>/<file>               without splits
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from caer_build.dataset.reading.names import emotion_of, split_of
from caer_build.dataset.reading.notes import Notes
from caer_build.errors import DatasetError
from caer_build.records import Item, ItemKind, Split

_VIDEOS = {".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".wmv"}
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}
_DEPTH = 2
"""how many folders down a data set is looked for: archives unpack into folders of their name"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of files of one split and one class.

    Attributes:
        emotion: None: the folder is of a split, and its files have no class.
    """

    folder: Path
    split: Split | None
    emotion: str | None


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without hidden ones."""
    with os.scandir(folder) as entries:
        found = [e.path for e in entries if not _hidden(e.name) and e.is_dir()]
    return [Path(path) for path in sorted(found)]


def has_classes(folder: Path) -> bool:
    """Whether there are folders in it that are called like emotions."""
    return any(emotion_of(inner.name) for inner in folders_in(folder))


def split_folders(folder: Path) -> list[tuple[Path, Split]]:
    """The folders in a folder that are called like splits."""
    named = [(inner, split_of(inner.name)) for inner in folders_in(folder)]
    return [(inner, split) for inner, split in named if split is not None]


def top_of(root: Path) -> Path | None:
    """The folder at or below a root that holds splits of classes, or classes; None: there is none.

    Raises:
        DatasetError: if there are several, side by side.
    """
    level = [root]
    for _ in range(_DEPTH + 1):
        found = [folder for folder in level if _is_top(folder)]
        if len(found) > 1:
            names = ", ".join(str(folder.relative_to(root)) for folder in found)
            raise DatasetError(
                f"Expected one data set in {root}, found {len(found)}: {names}.",
                "Name the folder of one of them.",
            )
        if found:
            return found[0]
        level = [inner for folder in level for inner in folders_in(folder)]
    return None


def places_in(top: Path, notes: Notes) -> list[Place]:
    """Where the files are, by split and class; what is neither is noted."""
    splits: Sequence[tuple[Path, Split | None]] = [
        (folder, split) for folder, split in split_folders(top) if emotion_of(folder.name) is None
    ]
    if not any(has_classes(folder) for folder, _ in splits):
        splits = [(top, split_of(top.name))]
        if splits[0][1] is None:
            notes.say("There are no folders called train, validation or test: items have no split.")
    else:
        for other in set(folders_in(top)) - {folder for folder, _ in splits}:
            notes.count("folders beside the splits, not read", other.name)
    found = []
    for folder, split in splits:
        found.append(Place(folder, split, None))
        found += [Place(c, split, emotion_of(c.name)) for c in _classes(top, folder, notes)]
    return found


def items_in(root: Path, places: Sequence[Place], notes: Notes) -> list[Item]:
    """The videos and pictures in some places, as items called by their files."""
    items: list[Item] = []
    for place in places:
        before = len(items)
        items += _items_of(root, place, notes)
        if place.emotion is None and len(items) > before:
            where = place.folder.relative_to(root).as_posix()
            notes.count("files in no folder of a class, read without an emotion", where,
                        len(items) - before)  # fmt: skip
        elif place.emotion is not None and len(items) == before:
            notes.count("folders of classes without a picture or video", _below(root, place.folder))
    return items


def kind_of(name: str) -> ItemKind | None:
    """Whether a file is a clip or a still, by its ending; None: neither."""
    ending = os.path.splitext(name)[1].lower()
    return "clip" if ending in _VIDEOS else "still" if ending in _PICTURES else None


def _items_of(root: Path, place: Place, notes: Notes) -> Iterator[Item]:
    with os.scandir(place.folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if _hidden(entry.name):
                continue
            file = _below(root, Path(entry.path))
            if entry.is_dir():
                if place.emotion is not None:
                    notes.count("folders inside classes, not read", file)
                continue
            kind = kind_of(entry.name)
            if kind is None:
                # Lists beside the classes are other readers' business.
                if place.emotion is not None:
                    notes.count("files that are no picture or video, left out", file)
            elif not _is_text(file):
                notes.count("files whose names are not UTF-8, left out", file)
            elif not entry.is_file():
                notes.count("links that lead nowhere, left out", file)
            else:
                yield Item(
                    item_id=file,
                    kind=kind,
                    file=file,
                    split=place.split,
                    emotion=place.emotion,
                    n_frames=1 if kind == "still" else None,
                    file_bytes=entry.stat().st_size,
                )


def _classes(top: Path, folder: Path, notes: Notes) -> Iterator[Path]:
    for inner in folders_in(folder):
        emotion = emotion_of(inner.name)
        if emotion is not None:
            if inner.name != emotion:
                notes.count(f"folders are called otherwise and were read as {emotion}",
                            _below(top, inner))  # fmt: skip
            yield inner
        elif folder != top or split_of(inner.name) is None:
            with os.scandir(inner) as entries:
                n = sum(kind_of(entry.name) is not None for entry in entries)
            notes.count("files in folders that are none of the seven emotions, left out",
                        _below(top, inner), n)  # fmt: skip


def _is_top(folder: Path) -> bool:
    if has_classes(folder):
        return True
    return any(has_classes(inner) for inner, _ in split_folders(folder))


def _hidden(name: str) -> bool:
    """Also what macOS puts into archives: the same names again, with no picture in them."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

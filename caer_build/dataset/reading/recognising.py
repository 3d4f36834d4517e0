"""Which layout a folder has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from caer_build.dataset.reading import box_lists, class_folders, coco, ferplus, ncaer_s, ours
from caer_build.dataset.reading.dataset import Dataset
from caer_build.dataset.reading.notes import Notes
from caer_build.errors import DatasetError
from caer_build.store import is_workspace

_SHOWN = 8
Read: TypeAlias = Callable[[Path, Notes, Path | None], Dataset | None]


@dataclass(frozen=True, slots=True)
class _Layout:
    """A layout that is known: what it looks like, in words, and its reader."""

    shape: str
    read: Read


# The first that a folder has is the one: what says more of itself comes first.
_LAYOUTS = (
    _Layout(ours.SHAPE, ours.read),
    _Layout(ferplus.SHAPE, ferplus.read),
    _Layout(ncaer_s.SHAPE, ncaer_s.read),
    _Layout(coco.SHAPE, coco.read),
    _Layout(class_folders.SHAPE, class_folders.read),
    _Layout(box_lists.SHAPE, box_lists.read),
)


def read_dataset(path: Path | str, boxes: Path | str | None = None) -> Dataset:
    """Read a data set, whoever made it.

    Neither pictures nor videos are opened. What cannot be used (a class that is none of the seven
    emotions, files of other kinds, names that are no text) is left out and said in ``notes``.

    Args:
        path: its folder.
        boxes: lists of face boxes for a released CAER-S, a file or a folder; by default those
            that lie beside its pictures.

    Raises:
        DatasetError: if there is no data set of a layout that is known, or it cannot be read.
    """
    root = Path(path)
    if not root.is_dir():
        found = "a file" if root.is_file() else "nothing"
        raise DatasetError(
            f"Expected the folder of a data set at {root}, found {found}.",
            "Name the folder; archives are unpacked first.",
        )
    if is_workspace(root):
        raise DatasetError(
            f"{root} is a workspace, not a data set.",
            f"Make one of it with `caer export {root} -o CAER`, and name that.",
        )
    lists = _existing(boxes)
    for layout in _LAYOUTS:
        notes = Notes()
        found_set = layout.read(root, notes, lists)
        if found_set is not None and found_set.items:
            return replace(found_set, notes=notes.sentences())
    raise DatasetError(
        f"Expected a data set in {root}, found {_contents(root)}. The layouts that are known: "
        f"{'; '.join(layout.shape for layout in _LAYOUTS)}.",
        "Name the folder that holds the splits, or bring the files into one of these forms.",
    )


def _existing(boxes: Path | str | None) -> Path | None:
    if boxes is None:
        return None
    if not Path(boxes).exists():
        raise DatasetError(
            f"Expected lists of face boxes at {boxes}, found nothing.", "Name a file or a folder."
        )
    return Path(boxes)


def _contents(root: Path) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in root.iterdir())
    if not names:
        return "nothing in it"
    shown = ", ".join(names[:_SHOWN]).encode("utf-8", "backslashreplace").decode()
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{shown}{more}"

"""The released CAER and CAER-S, AFEW, and whatever else is ``<split>/<class>/<file>``.

::

    CAER/train/Anger/0001.avi        CAER-S/train/Angry/0001.png      Train_AFEW/Angry/*.avi
         validation/...                     test/Anger/0001.png       Val_AFEW/...
         test/...                                                     Test_AFEW/*.avi (no classes)

Copies of CAER-S differ in class names, one and the same copy even between train and test. Box
lists beside the folders give the faces (:mod:`caer_build.dataset.reading.box_lists`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from caer_build.dataset.reading.box_lists import boxes_for, lists_below, lists_in
from caer_build.dataset.reading.dataset import Dataset, face_tables
from caer_build.dataset.reading.folders import folders_in, items_in, places_in, top_of
from caer_build.dataset.reading.notes import Notes
from caer_build.records import Item

SHAPE = "[<split>/]<class>/<file>: CAER, CAER-S, AFEW (classes and splits in any usual spelling)"


def read(root: Path, notes: Notes, boxes: Path | None = None) -> Dataset | None:
    """The data set in a folder; None: it has no folders of classes.

    Args:
        boxes: lists of face boxes that lie elsewhere, a file or a folder.
    """
    top = top_of(root)
    if top is None:
        return None
    places = places_in(top, notes)
    items = items_in(root, places, notes)
    folders = {place.folder for place in places if place.emotion is None} | {top, root}
    lists = lists_in(sorted(folders)) if boxes is None else lists_below(boxes)
    faces = boxes_for(items, lists, notes)
    _note_aligned(folders, notes)
    return Dataset(
        root,
        _layout(folders, items),
        tuple(items),
        faces=lambda: face_tables(faces),
    )


def _layout(folders: Iterable[Path], items: Iterable[Item]) -> str:
    if any("afew" in folder.name.lower() for folder in folders):
        return "afew"
    kinds = {item.kind for item in items}
    if len(kinds) > 1:
        return "class-folders"
    return "caer" if "clip" in kinds else "caer-s"


def _note_aligned(folders: Iterable[Path], notes: Notes) -> None:
    """AFEW comes with faces that somebody cut out and straightened."""
    for folder in folders:
        for inner in folders_in(folder):
            if inner.name.lower().startswith("alignedfaces"):
                notes.count("folders of aligned faces, not read: they are crops without boxes",
                            f"{folder.name}/{inner.name}")  # fmt: skip

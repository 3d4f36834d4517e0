"""NCAER-S: stills cut anew from CAER so that no video gives both training and test stills.

::

    NCAER-S/images/<split>/<class>/<name>.jpg       the picture
            crop/<split>/<class>/<name>.txt         x1,y1,x2,y2 of its face in px; 0,0,0,0: none

As its makers' code (GLAMOR-Net) reads it; ``val`` and the splits themselves may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from caer_build.dataset.reading.box_lists import TARGET, ordered
from caer_build.dataset.reading.dataset import Dataset, face_tables
from caer_build.dataset.reading.folders import folders_in, items_in, places_in
from caer_build.dataset.reading.notes import Notes
from caer_build.records import Item, ItemFace

SHAPE = "images/[<split>/]<class>/ with crop/ of the same form: NCAER-S"
_PICTURES, _BOXES = "images", "crop"


def read(root: Path, notes: Notes, boxes: Path | None = None) -> Dataset | None:  # noqa: ARG001
    """The data set in a folder; None: there is none. It brings its own boxes."""
    top = next((f for f in (root, *folders_in(root)) if _is_top(f)), None)
    if top is None:
        return None
    items = items_in(root, places_in(top / _PICTURES, notes), notes)
    return Dataset(
        root, "ncaer-s", tuple(items), faces=lambda: face_tables(_faces(root, top, items))
    )


def _is_top(folder: Path) -> bool:
    return (folder / _PICTURES).is_dir() and (folder / _BOXES).is_dir()


def _faces(root: Path, top: Path, items: Iterable[Item]) -> Iterator[ItemFace]:
    for item in items:
        picture = (root / str(item.file)).relative_to(top / _PICTURES)
        box = _box(top / _BOXES / picture.with_suffix(".txt"))
        if box is not None:
            yield ItemFace(item.item_id, 0, TARGET, True, *box, interpolated=None)


def _box(file: Path) -> tuple[float, float, float, float] | None:
    """The box in a file; None: there is no file, no box in it, or no face was found."""
    try:
        corners = [float(part) for part in file.read_text("utf-8").split(",")]
    except (FileNotFoundError, ValueError):
        return None
    return ordered(corners) if len(corners) == 4 else None

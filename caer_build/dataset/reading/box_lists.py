"""Lists of face boxes that others made for the released CAER-S, a line a picture.

::

    Surprise/5928.png,6,268,47,366,145          ndkhanh: train.txt, val.txt, test.txt
    train/Angry/0002.png,0,304,120,382,219      CAERS-Annotations: train.txt, train/Angry.txt
    <file>,<class number>,x1,y1,x2,y2           px; classes numbered by the alphabet, Anger 0

There is one box a picture, the face that the label is about. Both kinds leave pictures out. Corners
come in any order, boxes may reach beyond the picture (they are kept as written), and 0,0,0,0 means
that no face was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from caer_build.dataset.reading.dataset import Dataset, face_tables
from caer_build.dataset.reading.folders import folders_in, kind_of
from caer_build.dataset.reading.names import emotion_of, split_of
from caer_build.dataset.reading.notes import Notes
from caer_build.records import EMOTIONS, Item, ItemFace, Split

SHAPE = "lists of face boxes, <file>,<class number>,x1,y1,x2,y2 a line"
_LINE = re.compile(r"([^,]+\.\w+),(\d+),(-?\d+),(-?\d+),(-?\d+),(-?\d+)\s*")
TARGET = "0"
"""what the only face of a picture is called"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list.

    Attributes:
        place: the list's name and the line's number.
        file: the last part of the picture's path.
        box: x1, y1, x2, y2 in px, in this order; None: no face.
    """

    place: str
    split: Split | None
    emotion: str | None
    file: str
    box: tuple[float, float, float, float] | None

    @property
    def key(self) -> tuple[Split | None, str | None, str]:
        return self.split, self.emotion, self.file


def lists_in(places: Sequence[Path]) -> list[Path]:
    """The box lists among some files and in some folders (not in folders below these)."""
    files: list[Path] = []
    for place in places:
        files += sorted(place.glob("*.txt")) if place.is_dir() else [place]
    return [file for file in files if _is_list(file)]


def lists_below(place: Path) -> list[Path]:
    """The box lists in a folder and the folders in it; or a list itself."""
    return lists_in([place, *(folders_in(place) if place.is_dir() else ())])


def lines_of(lists: Iterable[Path], notes: Notes) -> Iterator[Line]:
    """The lines of lists; what is no line is noted."""
    for file in lists:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, text in enumerate(lines, start=1):
                found = _LINE.fullmatch(text)
                if found is not None:
                    yield _line(f"{file.name}:{number}", file, found)
                elif text.strip():
                    notes.count("lines that are no boxes, left out", f"{file.name}:{number}")


def boxes_for(items: Sequence[Item], lists: Sequence[Path], notes: Notes) -> list[ItemFace]:
    """The boxes of items, in their order."""
    if not lists:
        return []
    known = {(i.split, i.emotion, str(i.file).rpartition("/")[2]): i.item_id for i in items}
    boxes: dict[str, Line] = {}
    for line in lines_of(lists, notes):
        item_id = known.get(line.key)
        if item_id is None:
            notes.count("lines of box lists for pictures that are not there", line.place)
        elif boxes.setdefault(item_id, line).box != line.box:
            notes.count("second boxes of a picture in box lists, the first is kept", line.place)
    without = [i.item_id for i in items if i.item_id not in boxes]
    if without:
        notes.count("items in none of the box lists", without[0], len(without))
    return list(_faces(((i.item_id, boxes[i.item_id]) for i in items if i.item_id in boxes), notes))


def read(root: Path, notes: Notes, boxes: Path | None = None) -> Dataset | None:
    """The pictures that the lists in a folder speak of; None: there are no lists in it.

    Such a data set has no files: whoever has the released CAER-S names its folder, and these as
    its box lists.
    """
    lists = lists_below(boxes or root)
    if not lists:
        return None
    seen: dict[str, Line] = {}
    for line in lines_of(lists, notes):
        if line.emotion is None:
            notes.count("lines whose class is none of the seven emotions, left out", line.place)
            continue
        seen.setdefault("/".join([line.split or "", line.emotion, line.file]).lstrip("/"), line)
    items = tuple(
        Item(item_id, kind_of(line.file) or "still", None, line.split, line.emotion, n_frames=1)
        for item_id, line in seen.items()
    )
    faces = list(_faces(seen.items(), notes))
    notes.say("These are lists of face boxes without the pictures: items have no files.")
    return Dataset(root, "box-lists", items, faces=lambda: face_tables(faces))


def _faces(lines: Iterable[tuple[str, Line]], notes: Notes) -> Iterator[ItemFace]:
    for item_id, line in lines:
        if line.box is None:
            notes.count("lines of box lists without a face", line.place)
        else:
            yield ItemFace(item_id, 0, TARGET, True, *line.box, interpolated=None)


def _is_list(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = next((text for text in lines if text.strip()), "")
    return _LINE.fullmatch(first) is not None


def _line(place: str, file: Path, found: re.Match[str]) -> Line:
    parts = found[1].replace("\\", "/").split("/")
    named = emotion_of(parts[-2]) if len(parts) > 1 else None
    number = int(found[2])
    emotion = named or (EMOTIONS[number] if number < len(EMOTIONS) else None)
    split = next((s for part in parts[:-1] if (s := split_of(part))), None)
    corners = [float(found[k]) for k in range(3, 7)]
    return Line(
        place,
        split or split_of(file.stem) or split_of(file.parent.name),
        emotion,
        parts[-1],
        ordered(corners),
    )


def ordered(corners: Sequence[float]) -> tuple[float, float, float, float] | None:
    """A box from two opposite corners in any order; None: it has no area."""
    x1, x2 = sorted((corners[0], corners[2]))
    y1, y2 = sorted((corners[1], corners[3]))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

"""COCO: boxes of the faces in stills, for detectors and whoever reads with ``pycocotools``.

::

    COCO/annotations/instances_train.json     images, categories, annotations
         images/train/<item_id>.png
         ...

An annotation is a face. The target's category is its emotion (1 to 7), every other face's is
``face`` (8): nobody said what those people feel, and without them a detector would learn that they
are background. Stills alone: COCO knows no frames of a clip.

An image bears the lineage, the soft label and the votes; ids are hashes of our ids, so that a still
has one id in every export.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from caer_build.dataset.layouts.layout import Seen, each_split, labelled
from caer_build.dataset.layouts.libraries import reading
from caer_build.dataset.layouts.opening import require_file, require_picture
from caer_build.dataset.layouts.telling import (
    Told,
    about,
    box,
    each_with,
    soft_label,
    votes_told,
)
from caer_build.records import EMOTIONS, SPLITS, CountedVote, Item, ItemFace, ItemKind, Split
from caer_build.rows import Rows

_OTHERS = "face"
CATEGORIES = {name: number for number, name in enumerate((*EMOTIONS, _OTHERS), start=1)}
_ID_BITS = 52
"""pycocotools keeps ids as doubles, which are exact below 2**53"""


@dataclass(frozen=True)
class Coco:
    """Faces as objects, a file of annotations a split."""

    name: str = "coco"
    kinds: tuple[ItemKind, ...] = ("still",)
    suffix: str = ".png"
    archived: bool = False

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        return labelled(items, "still")

    def places(self, items: Sequence[Item]) -> Iterator[str]:
        return (f"images/{item.split}/{item.item_id}{self.suffix}" for item in items)

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        (folder / "annotations").mkdir(exist_ok=True)
        for split, there in each_split(items):
            with _annotations(folder, split).open("w", encoding="ascii") as file:
                _write(file, folder, there)

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """With ``pycocotools``; a still of each emotion of a split is opened."""
        for split in SPLITS:
            if _annotations(folder, split).is_file():
                with reading("pycocotools", folder):
                    yield from _seen(folder, split)


def _seen(folder: Path, split: Split) -> Iterator[Seen]:
    """What pycocotools finds of a split; it holds all of it, and of one split at a time."""
    from pycocotools.coco import COCO

    # It prints how long it took.
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(_annotations(folder, split)))
    opened: set[str] = set()
    for image in coco.loadImgs(coco.getImgIds()):
        file = require_file(folder / "images" / split / image["file_name"])
        emotion = _emotion(coco, image)
        if emotion not in opened:
            opened.add(emotion)
            require_picture(file)
        yield Seen(file.relative_to(folder).as_posix(), split, emotion)


def _emotion(coco: Any, image: Told) -> str:
    """What the target's category says; an image whose target has no box says it itself."""
    faces = (face for face in coco.imgToAnns[image["id"]] if face["is_target"])
    said = {coco.cats[face["category_id"]]["name"] for face in faces} or {image["emotion"]}
    return " and ".join(sorted(said))


def _annotations(folder: Path, split: str) -> Path:
    return folder / "annotations" / f"instances_{split}.json"


def _write(file: IO[str], folder: Path, items: Rows[Item]) -> None:
    """Line by line: tens of thousands of stills are never one object in memory."""
    categories = [
        {"id": number, "name": name, "supercategory": "face"} for name, number in CATEGORIES.items()
    ]
    file.write('{"info": {"description": "CAER-S, faces and emotions"}, "licenses": [],\n')
    file.write(f'"categories": {json.dumps(categories)},\n"images": [\n')
    _write_lines(
        file, (_image(item, votes) for item, votes in each_with(folder, items, CountedVote))
    )
    file.write('],\n"annotations": [\n')
    _write_lines(
        file,
        (
            _annotation(item, face)
            for item, faces in each_with(folder, items, ItemFace)
            for face in faces
        ),
    )
    file.write("]}\n")


def _write_lines(file: IO[str], rows: Iterable[Told]) -> None:
    for number, row in enumerate(rows):
        file.write((",\n" if number else "") + json.dumps(row))
    file.write("\n")


def _image(item: Item, votes: Sequence[CountedVote]) -> Told:
    return {
        "id": _id(item.item_id),
        "file_name": Path(str(item.file)).name,
        **about(item),
        "soft_label": soft_label(item),
        "votes": votes_told(votes),
    }


def _annotation(item: Item, face: ItemFace) -> Told:
    x1, y1, x2, y2 = box(face)
    width, height = round(x2 - x1, 3), round(y2 - y1, 3)
    return {
        "id": _id(item.item_id, face.face),
        "image_id": _id(item.item_id),
        "category_id": CATEGORIES[str(item.emotion) if face.is_target else _OTHERS],
        "bbox": [x1, y1, width, height],
        "area": round(width * height, 3),
        "iscrowd": 0,
        # There is none, but pycocotools shows no boxes of what has no such field.
        "segmentation": [],
        "face": face.face,
        "is_target": face.is_target,
        "interpolated": face.interpolated,
        "person_id": face.person_id,
    }


def _id(*names: str) -> int:
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _ID_BITS)

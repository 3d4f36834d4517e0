"""COCO: pictures with boxes in JSON, whose categories are the emotions.

::

    annotations/instances_train.json     {"images": […], "annotations": […], "categories": […]}
    train/_annotations.coco.json         likewise, beside the pictures

A picture has the emotion that it says itself (``emotion``), or the one that all its boxes of
emotions agree on. A box of an emotion is the target's where there is one such box.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from caer_build.dataset.reading.box_lists import ordered
from caer_build.dataset.reading.dataset import Dataset, face_tables
from caer_build.dataset.reading.folders import folders_in
from caer_build.dataset.reading.names import emotion_of, split_of
from caer_build.dataset.reading.notes import Notes
from caer_build.errors import DatasetError
from caer_build.records import Item, ItemFace, Split

SHAPE = "JSON files of images, annotations and categories: COCO, the categories being emotions"
_KEYS = {"images", "annotations", "categories"}


def read(root: Path, notes: Notes, boxes: Path | None = None) -> Dataset | None:  # noqa: ARG001
    """The data set in a folder; None: there is no such JSON. It brings its own boxes.

    Raises:
        DatasetError: if a file lacks what COCO's form demands.
    """
    places = [root, *folders_in(root)]
    found = [(f, d) for place in places for f in sorted(place.glob("*.json")) if (d := _loaded(f))]
    items: dict[str, Item] = {}
    faces: list[ItemFace] = []
    for file, content in found:
        try:
            for item, boxes_of_it in _pictures(root, file, content, notes):
                if item.item_id in items:
                    notes.count("pictures that an earlier JSON file lists too, read once",
                                item.item_id)  # fmt: skip
                    continue
                items[item.item_id] = item
                faces += boxes_of_it
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"Expected {file} to be in COCO's form, found otherwise: "
                f"{type(error).__name__} {error}.",
                "images have id, file_name, width and height; annotations image_id, category_id "
                "and bbox.",
            ) from error
    # Boxes of cars, or of faces without an emotion, make no data set of emotions.
    if all(item.emotion is None for item in items.values()):
        return None
    return Dataset(root, "coco", tuple(items.values()), faces=lambda: face_tables(faces))


def _pictures(
    root: Path, file: Path, content: Mapping[str, Any], notes: Notes
) -> Iterator[tuple[Item, list[ItemFace]]]:
    """The pictures of a JSON file with their boxes."""
    emotion_by_id = {c["id"]: emotion_of(str(c["name"])) for c in content["categories"]}
    for category in content["categories"]:
        if emotion_by_id[category["id"]] is None:
            notes.count("categories that are none of the seven emotions; their boxes are read as "
                        "other faces", str(category["name"]))  # fmt: skip
    boxes = defaultdict(list)
    for annotation in content["annotations"]:
        boxes[annotation["image_id"]].append(annotation)
    split = _split(root, file)
    folders = _folders(root, file)
    for image in content["images"]:
        mine = boxes[image["id"]]
        named = [e for a in mine if (e := emotion_by_id[a["category_id"]])]
        emotion = emotion_of(str(image["emotion"])) if image.get("emotion") else _agreed(named)
        name = str(image["file_name"]).replace("\\", "/").lstrip("/")
        item_id = f"{split or file.stem}/{name}"
        if emotion is None:
            what = "pictures with boxes of several emotions" if named else "pictures of no emotion"
            notes.count(f"{what}, read without one", item_id)
        place = next((f / name for f in folders if (f / name).is_file()), None)
        if place is None:
            notes.count("pictures that are not there, read without a file", item_id)
        item = Item(
            item_id=item_id,
            kind="still",
            file=None if place is None else place.relative_to(root).as_posix(),
            split=split,
            emotion=emotion,
            n_frames=1,
            width=int(image["width"]),
            height=int(image["height"]),
        )
        alone = len(named) == 1
        yield item, list(_faces(item_id, mine, emotion_by_id, alone=alone, notes=notes))


def _faces(
    item_id: str,
    annotations: Iterable[Mapping[str, Any]],
    emotion_by_id: Mapping[int, str | None],
    *,
    alone: bool,
    notes: Notes,
) -> Iterator[ItemFace]:
    for annotation in annotations:
        x, y, width, height = (float(value) for value in annotation["bbox"])
        box = ordered((x, y, x + width, y + height))
        if box is None:
            notes.count("boxes without an area, left out", item_id)
            continue
        target = alone and emotion_by_id[annotation["category_id"]] is not None
        yield ItemFace(item_id, 0, str(annotation["id"]), target, *box, interpolated=None)


def _agreed(named: list[str]) -> str | None:
    return named[0] if len(set(named)) == 1 else None


def _folders(root: Path, file: Path) -> list[Path]:
    """The folders from which a JSON file may name its pictures."""
    split = split_of(file.stem)
    near = [root, file.parent, root / "images", *folders_in(root)]
    if split is not None:
        near += [inner for folder in tuple(near) for inner in _of_split(folder, split)]
    return list(dict.fromkeys(near))


def _of_split(folder: Path, split: Split) -> list[Path]:
    inner = folders_in(folder) if folder.is_dir() else []
    return [place for place in inner if split_of(place.name) == split]


def _split(root: Path, file: Path) -> Split | None:
    return split_of(file.stem) or (split_of(file.parent.name) if file.parent != root else None)


def _loaded(file: Path) -> dict[str, Any] | None:
    """The content of a JSON file that has COCO's keys."""
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, OSError):
        return None
    return content if isinstance(content, dict) and content.keys() >= _KEYS else None

"""What a frame store is made of, and by which key it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.caernet.face_boxes import FaceBoxes, digest_of_boxes, packed
from caer_build.errors import DatasetError
from caer_build.records import Item
from caer_build.store import digest_of

if TYPE_CHECKING:
    from caer_build.caernet.framestore import StoreSettings
    from caer_build.dataset.reading import Dataset


@dataclass(frozen=True)
class StorePlan:
    """What a store is made of.

    Attributes:
        items: that have a label and a split.
        boxes: of their faces.
        data_key: digest of items and boxes: of the data set, wherever it lies.
        key: of the store: another data set, other files or other settings have another.
    """

    items: tuple[Item, ...]
    boxes: Mapping[str, FaceBoxes]
    data_key: str
    key: str


def planned(dataset: Dataset, settings: StoreSettings) -> StorePlan:
    """What the store of a data set is made of.

    Raises:
        DatasetError: if the data set has nothing that has a label.
    """
    items = tuple(i for i in dataset.items if i.emotion is not None and i.split is not None)
    if not items:
        raise DatasetError(
            f"{dataset.root} has no item with a label and a split.", "Give another data set."
        )
    boxes = packed(dataset.faces())
    data_key = digest_of([[asdict(item) for item in items], digest_of_boxes(boxes)])
    files: dict[str, list[int]] = {}
    for item in items:
        if item.file is not None and item.file not in files:
            files[item.file] = _state_of(dataset.root / item.file)
    key = digest_of([settings.described(), data_key, files])
    return StorePlan(items, boxes, data_key, key)


def _state_of(file: Path) -> list[int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise DatasetError(
            f"{file} cannot be read: {error.strerror}.", "Unpack archives; fetch what is missing."
        ) from error
    return [stat.st_size, stat.st_mtime_ns]

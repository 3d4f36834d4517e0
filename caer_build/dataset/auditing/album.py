"""All pictures of a data set, small: what is compared is kept, on the disk where it is large."""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from caer_build.dataset.abreast import abreast
from caer_build.dataset.auditing.descriptors import LENGTH, Stored, describe
from caer_build.dataset.auditing.matching import Pictures
from caer_build.dataset.auditing.opening import Opened, open_shelf, shelves
from caer_build.dataset.auditing.thumbnails import Thumbnails, packed, thumbnail
from caer_build.records import Item
from caer_build.rows import Rows

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What an item's file is.

    Attributes:
        name: by which people find it.
        width, height: px; 0 if it shows nothing.
        sha256: of its bytes; None likewise.
        trouble: what is wrong with it, in a few words; None: nothing.
    """

    item_id: str
    name: str
    split: str | None
    emotion: str | None
    shot_id: str | None
    track_id: str | None
    width: int
    height: int
    sha256: str | None
    trouble: str | None

    @classmethod
    def of(
        cls, item: Item, trouble: str | None, sha256: str | None = None, size: Size = (0, 0)
    ) -> Look:
        return cls(
            item.item_id, str(item.file or item.item_id), item.split, item.emotion, item.shot_id,
            item.track_id, *size, sha256, trouble,
        )  # fmt: skip


@dataclass(frozen=True)
class Album:
    """The pictures of all items.

    Attributes:
        looks: one an item that has a file.
        look_of: (n,) of each picture: index into ``looks``.
        pictures: on the disk.
    """

    looks: Rows[Look]
    look_of: npt.NDArray[np.int64]
    pictures: Pictures


@contextmanager
def album_of(
    root: Path, items: Sequence[Item], jobs: int, tell: Callable[[int, int], None]
) -> Iterator[Album]:
    """Opens every item once.

    Args:
        jobs: files that are read at once.
        tell: called with (items done, all).
    """
    look_of = array("q")
    with tempfile.TemporaryFile() as numbers, tempfile.TemporaryFile() as kept:
        thumbs = Thumbnails(kept)

        def each() -> Iterator[Look]:
            n_done = 0
            for found in abreast(partial(_look_at, root), shelves(items), jobs):
                for look, descriptors, small in found:
                    look_of.extend([n_done] * len(small))
                    n_done += 1
                    numbers.write(descriptors.tobytes())
                    thumbs.append(small)
                    yield look
                tell(n_done, len(items))

        looks = Rows.of(Look, each())
        numbers.flush()
        thumbs.settle()
        yield Album(looks, np.asarray(look_of, np.int64), Pictures(Stored(numbers), thumbs))


Seen = tuple[Look, npt.NDArray[np.float16], list[bytes]]
"""what an item is, and the descriptors (n, 2, 72) and packed thumbnails of its pictures"""


def _look_at(root: Path, items: Sequence[Item]) -> list[Seen]:
    found: list[Seen] = []
    for one in open_shelf(root, items):
        if isinstance(one, Opened):
            height, width = one.pictures[0].shape[:2]
            sha256 = hashlib.sha256(one.data).hexdigest()
            trouble = one.trouble or _changed(one.item, sha256)
            thumbs = [thumbnail(picture) for picture in one.pictures]
            descriptors = np.stack([describe(thumb) for thumb in thumbs]).astype(np.float16)
            look = Look.of(one.item, trouble, sha256, (width, height))
            found.append((look, descriptors, [packed(thumb) for thumb in thumbs]))
        else:
            item, trouble = one
            nothing = np.empty((0, 2, LENGTH), np.float16)
            found.append((Look.of(item, trouble), nothing, []))
    return found


def _changed(item: Item, sha256: str) -> str | None:
    whole = item.crop_x is None and item.file_sha256 is not None
    return "is not what was written there" if whole and sha256 != item.file_sha256 else None

"""All pictures of a data set, small: what is compared is kept, on the disk where it is large."""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.opening import Opened, open_shelf, shelves
from caer_build.records import Item
from caer_build.repetition import Hashes, Images, frame_hashes

_SIZE = (48, 27)
"""width, height: as the build compares frames, whatever the shape of the picture"""
_AHEAD = 2
"""shelves a worker may be ahead of who takes what it found"""


@dataclass(frozen=True, slots=True)
class Look:
    """What an item's file is.

    Attributes:
        width, height: px; 0 if it shows nothing.
        sha256: of its bytes; None likewise.
        trouble: what is wrong with it, in a few words; None: nothing.
    """

    item: Item
    width: int
    height: int
    sha256: str | None
    trouble: str | None


@dataclass(frozen=True)
class Album:
    """The pictures of all items.

    Attributes:
        looks: one an item that has a file.
        look_of: (n,) of each picture: index into ``looks``.
        hashes: (n,) 64 bits; 0 for flat ones.
        small: (n, 27, 48, 3) BGR; on the disk.
    """

    looks: list[Look]
    look_of: npt.NDArray[np.int64]
    hashes: Hashes
    small: Images


@contextmanager
def album_of(
    root: Path, items: Sequence[Item], jobs: int, tell: Callable[[int, int], None]
) -> Iterator[Album]:
    """Opens every item once; memory does not grow with their number, but for 200 bytes each.

    Args:
        jobs: files that are read at once.
        tell: called with (items done, all).
    """
    looks: list[Look] = []
    look_of: list[int] = []
    hashes: list[Hashes] = []
    with tempfile.TemporaryFile() as kept:
        for found in _looked(root, shelves(items), jobs):
            for look, small in found:
                look_of += [len(looks)] * len(small)
                looks.append(look)
                if len(small):
                    hashes.append(frame_hashes(small))
                    kept.write(small.tobytes())
            tell(len(looks), len(items))
        kept.flush()
        shape = (len(look_of), _SIZE[1], _SIZE[0], 3)
        small = (
            np.memmap(kept, np.uint8, "r", shape=shape) if look_of else np.zeros(shape, np.uint8)
        )
        yield Album(
            looks,
            np.array(look_of, np.int64),
            np.concatenate([*hashes, np.empty(0, np.uint64)]).astype(np.uint64),
            small,
        )


def _looked(
    root: Path, several: Sequence[Sequence[Item]], jobs: int
) -> Iterator[list[tuple[Look, Images]]]:
    running: deque[Future[list[tuple[Look, Images]]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for items in several:
                running.append(pool.submit(_look_at, root, items))
                if len(running) > jobs * _AHEAD:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _look_at(root: Path, items: Sequence[Item]) -> list[tuple[Look, Images]]:
    found = []
    for one in open_shelf(root, items):
        if isinstance(one, Opened):
            height, width = one.pictures[0].shape[:2]
            sha256 = hashlib.sha256(one.data).hexdigest()
            trouble = one.trouble or _changed(one.item, sha256)
            found.append((Look(one.item, width, height, sha256, trouble), _small(one)))
        else:
            item, trouble = one
            nothing = np.empty((0, _SIZE[1], _SIZE[0], 3), np.uint8)
            found.append((Look(item, 0, 0, None, trouble), nothing))
    return found


def _changed(item: Item, sha256: str) -> str | None:
    whole = item.crop_x is None and item.file_sha256 is not None
    return "is not what was written there" if whole and sha256 != item.file_sha256 else None


def _small(opened: Opened) -> Images:
    small = [cv2.resize(p, _SIZE, interpolation=cv2.INTER_AREA) for p in opened.pictures]
    return np.asarray(np.stack(small), np.uint8)

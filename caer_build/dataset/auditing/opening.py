"""The pictures of items, wherever they lie: files, archives, parts of a mosaic. With OpenCV, as the
users of data sets read them."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.records import Item
from caer_build.rows import Rows, columns_of

Picture = npt.NDArray[np.uint8]
LOOKS = 5
"""frames of a clip that are looked at: the middles of so many equal parts"""
_OVERCOUNTED = 1
"""frames by which the headers of AVI files that can be used are wrong at times"""
_ARCHIVE = ".tar/"
_PNG, _PNG_END = b"\x89PNG", b"IEND\xaeB\x60\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_TAIL = 64
"""bytes after the end of a picture that some programs leave there"""


class UnreadableError(Exception):
    """An item's file is none; its text says why, in a few words."""


@dataclass(frozen=True)
class Opened:
    """What an item's file shows.

    Attributes:
        data: its bytes; of a part of a mosaic, the pixels.
        pictures: (h, w, 3) BGR: the still, or some frames of the clip.
        trouble: what is wrong although there are pictures.
    """

    item: Item
    data: bytes
    pictures: list[Picture]
    trouble: str | None = None


def shelves(items: Sequence[Item]) -> Iterator[list[Item]]:
    """The items that are read together: those of one file, or of one archive."""
    there = (item for item in _by_archive(items) if item.file is not None)
    return (list(several) for _, several in groupby(there, key=_shelf))


def _by_archive(items: Sequence[Item]) -> Sequence[Item]:
    """Those of one archive beside each other; of files they are."""
    files = columns_of(Item, items, "file")["file"].to_pylist()
    if not isinstance(items, Rows) or not any(_ARCHIVE in file for file in files if file):
        return items
    archives = [str(file).partition(_ARCHIVE)[0] for file in files]
    return items.reordered(np.argsort(archives, kind="stable"))


def _shelf(item: Item) -> str:
    head, archive, _ = str(item.file).partition(_ARCHIVE)
    return head + archive


def open_shelf(root: Path, items: Sequence[Item]) -> Iterator[Opened | tuple[Item, str]]:
    """The items of a shelf, or what is wrong with them in a few words."""
    file = str(items[0].file)
    if _ARCHIVE in file and not (root / file).is_file():
        yield from _from_archive(root, items)
    elif items[0].crop_x is not None:
        yield from _parts(root / file, items)
    else:
        for item in items:
            yield _attempt(item, root / file)


def _attempt(item: Item, file: Path) -> Opened | tuple[Item, str]:
    try:
        data = _bytes_of(file)
        if item.kind == "clip":
            pictures, trouble = _frames(file)
        else:
            pictures, trouble = [_decoded(data)], None
    except UnreadableError as error:
        return item, str(error)
    return Opened(item, data, pictures, trouble)


def _bytes_of(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise UnreadableError("is not there") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise UnreadableError("is empty (0 bytes)")
    return data


def _decoded(data: bytes) -> Picture:
    # Some versions of OpenCV give what there is of a picture that breaks off.
    if data.startswith(_PNG) and _PNG_END not in data[-_TAIL:]:
        raise UnreadableError("breaks off")
    if data.startswith(_JPEG) and _JPEG_END not in data[-_TAIL:]:
        raise UnreadableError("breaks off")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise UnreadableError("is no picture that OpenCV can read")
    return np.asarray(picture, np.uint8)


def _frames(file: Path) -> tuple[list[Picture], str | None]:
    reader = cv2.VideoCapture(str(file))
    try:
        n_claimed = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
        wanted = {(2 * number + 1) * n_claimed // (2 * LOOKS) for number in range(LOOKS)}
        pictures, n_frames = [], 0
        while reader.grab():
            if n_frames in wanted or n_frames == 0 >= n_claimed:
                there, picture = reader.retrieve()
                if there:
                    pictures.append(np.asarray(picture, np.uint8))
            n_frames += 1
    finally:
        reader.release()
    if not pictures:
        raise UnreadableError("is no video that OpenCV can read")
    short = n_frames < n_claimed - _OVERCOUNTED
    return pictures, f"has {n_frames} of {n_claimed} frames" if short else None


def _parts(file: Path, items: Sequence[Item]) -> Iterator[Opened | tuple[Item, str]]:
    try:
        whole = _decoded(_bytes_of(file))
    except UnreadableError as error:
        yield from ((item, str(error)) for item in items)
        return
    for item in items:
        x, y = item.crop_x or 0, item.crop_y or 0
        part = whole[y : y + (item.crop_height or 0), x : x + (item.crop_width or 0)]
        if part.size == 0:
            yield item, "lies outside its mosaic"
        else:
            yield Opened(item, part.tobytes(), [part])


def _from_archive(root: Path, items: Sequence[Item]) -> Iterator[Opened | tuple[Item, str]]:
    """Unpacked one by one: OpenCV opens videos by their names."""
    head, ending, _ = str(items[0].file).partition(_ARCHIVE)
    archive = root / (head + ending.rstrip("/"))
    try:
        with tarfile.open(archive) as opened, tempfile.TemporaryDirectory() as folder:
            for item in items:
                member = str(item.file).partition(_ARCHIVE)[2]
                place = Path(folder, f"item{Path(member).suffix}")
                try:
                    inner = opened.extractfile(member)
                    place.write_bytes(b"" if inner is None else inner.read())
                except KeyError:
                    yield item, "is not in its archive"
                    continue
                yield _attempt(item, place)
    except (OSError, tarfile.TarError):
        yield from ((item, "lies in an archive that cannot be read") for item in items)

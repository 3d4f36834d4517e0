"""A picture of single items of a data set: a still, or the middle frame of a clip."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

import numpy as np

from caer_build.errors import DecodeError, MediaError
from caer_build.media.decode import Decoder
from caer_build.media.glance import glance
from caer_build.media.probe import read_headers
from caer_build.records import Item
from caer_build.report.pictures import Pixels, data_address, jpeg_of, with_box

_WIDTH_PX = 300
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """What is to be seen of an item.

    Attributes:
        address: a ``data:`` address; None: there is nothing to show, and ``note`` says why.
    """

    address: str | None
    note: str


def frame_of(item: Item) -> int | None:
    """Which frame of an item stands for it, 0-based; None of a clip that does not say how many
    it has."""
    if item.kind == "still":
        return 0
    return None if item.n_frames is None else item.n_frames // 2


def picture_of(root: Path, item: Item, box: Box | None) -> Picture:
    """The picture of an item, with a frame around the target.

    Args:
        box: of the target in :func:`frame_of`, px.
    """
    if item.file is None:
        return Picture(None, "Without media.")
    try:
        with _file(root, item.file) as file:
            picture, scale = _still(file, item) if item.kind == "still" else _frame(file, item)
    except (OSError, KeyError, tarfile.TarError, MediaError):
        return Picture(None, "This file cannot be read.")
    if box is not None:
        height, width = picture.shape[:2]
        left, top = item.crop_x or 0, item.crop_y or 0
        x1, y1, x2, y2 = box
        shares = ((x1 - left) * scale / width, (y1 - top) * scale / height,
                  (x2 - left) * scale / width, (y2 - top) * scale / height)  # fmt: skip
        picture = with_box(picture, shares)
    return Picture(data_address(jpeg_of(picture)), "")


@contextmanager
def _file(root: Path, name: str) -> Iterator[Path]:
    """A file of a data set, unpacked for the while if it lies in an archive."""
    inside = PurePosixPath(name)
    archive = root / inside.parts[0]
    if archive.suffix != ".tar":
        yield root / name
        return
    with tarfile.open(archive) as tar, NamedTemporaryFile(suffix=inside.suffix) as file:
        member = tar.extractfile("/".join(inside.parts[1:]))
        if member is None:
            raise KeyError(name)
        shutil.copyfileobj(member, file)
        file.flush()
        yield Path(file.name)


def _still(file: Path, item: Item) -> tuple[Pixels, float]:
    import cv2

    # OpenCV warns of files that it cannot read; whoever looks at the page is told there.
    data = np.fromfile(file, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise OSError(file)
    if item.crop_width and item.crop_height:
        left, top = item.crop_x or 0, item.crop_y or 0
        picture = picture[top : top + item.crop_height, left : left + item.crop_width]
    return _scaled(np.asarray(picture, np.uint8))


def _scaled(picture: Pixels) -> tuple[Pixels, float]:
    """A picture not wider than it is shown, and by how much it was scaled."""
    import cv2

    scale = min(1.0, _WIDTH_PX / picture.shape[1])
    if scale == 1:
        return picture, scale
    size = (round(picture.shape[1] * scale), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _frame(file: Path, item: Item) -> tuple[Pixels, float]:
    headers = read_headers(file)
    wanted = frame_of(item)
    if wanted is None:
        picture = glance(file, (headers.duration_s or 0.0) / 2, _WIDTH_PX)
        return picture, picture.shape[1] / headers.width
    # Counted, not sought: an AVI does not say when its frames are shown.
    with Decoder(file, headers, threads=1) as decoder:
        for frame in decoder:
            if frame.ordinal == wanted:
                return _scaled(frame.bgr_full())
    raise DecodeError(f"{file.name} has no frame {wanted}.")


def boxes_of(tables: Iterator[object], wanted: Mapping[str, int]) -> dict[str, Box]:
    """The target's box, px, in one frame of each of some items.

    Args:
        tables: of :class:`caer_build.records.ItemFace`.
        wanted: frames by item_id.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pa.array(sorted(wanted), pa.string())
    found = {}
    for table in tables:
        faces: pa.Table = table
        faces = faces.filter(pc.and_(faces["is_target"], pc.is_in(faces["item_id"], ids)))
        for row in faces.to_pylist():
            if row["frame"] == wanted[row["item_id"]]:
                found[row["item_id"]] = (row["x1"], row["y1"], row["x2"], row["y2"])
    return found

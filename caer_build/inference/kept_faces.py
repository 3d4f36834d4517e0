"""Faces of a data set without boxes: looked for once, by several processes, and kept.

::

    PARENT/faces-<key>/00000.parquet ...   rows of ItemFace, 64 items a file

The key is a digest of the items' files, of the detector and of how tracks are made. A file is
written beside its place and renamed: whoever was stopped goes on with the next one.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.arrow import schema, to_table
from caer_build.caernet.framestore import in_parts
from caer_build.caernet.windows import RATE
from caer_build.errors import DatasetError
from caer_build.inference.finding_faces import LOOKS_A_SECOND, SURELY, WEAKLY, faces_of_item
from caer_build.models.face_detectors import DetectorName, load
from caer_build.models.locations import model_folder
from caer_build.models.protocols import FaceDetector
from caer_build.records import Item, ItemFace
from caer_build.store import digest_of, disk_errors, flush

if TYPE_CHECKING:
    import pyarrow as pa

    from caer_build.dataset.reading import Dataset

_PER_PART = 64
DETECT_WIDTH = 480
"""px; as the build's: of the pictures in which faces are looked for"""
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class _Job:
    """Items whose faces are looked for; picklable."""

    root: Path
    items: tuple[Item, ...]
    place: Path
    detector: DetectorName
    rate: float


def lacks_faces(dataset: Dataset) -> bool:
    """Whether faces have to be looked for; of FER+ every picture is one."""
    return dataset.layout != "fer+" and not any(len(table) for table in dataset.faces())


def with_faces(
    dataset: Dataset,
    parent: Path,
    tell: Tell,
    workers: int = 2,
    detector: DetectorName = "auto",
    *,
    rate: float = RATE,
) -> Dataset:
    """A data set with faces: its own where it has any, otherwise those that are found.

    Args:
        parent: of the folder in which they are kept.
        tell: called with (items done, all items).
        workers: processes that look.
        rate: frames a second that the networks see of a clip.

    Returns:
        The data set; its notes say in how many items nobody was found.

    Raises:
        DatasetError: if a file cannot be read.
        ModelMissing: if the detector is not installed.
    """
    if not lacks_faces(dataset):
        return dataset
    items = tuple(item for item in dataset.items if item.file is not None)
    if not items:
        raise DatasetError(
            f"{dataset.root} has neither face boxes nor files in which to look for faces.",
            "Make it whole with `caer rebuild`.",
        )
    folder = parent / f"faces-{_key(dataset.root, items, detector, rate)[:12]}"
    jobs = [
        _Job(
            dataset.root, tuple(items[i] for i in part), folder / f"{k:05d}.parquet", detector, rate
        )
        for k, part in enumerate(in_parts(len(items), _PER_PART))
    ]
    with disk_errors(parent):
        folder.mkdir(parents=True, exist_ok=True)
        _look(jobs, len(items), tell, workers)
    parts = [job.place for job in jobs]
    n_without = len(items) - sum(_n_with_faces(part) for part in parts)
    note = f"It has no face boxes: {_described(detector)} looked for faces"
    note += f", and found none in {n_without} of {len(items)} items." if n_without else "."
    return replace(dataset, faces=lambda: _tables(parts), notes=(*dataset.notes, note))


def _key(root: Path, items: Sequence[Item], detector: DetectorName, rate: float) -> str:
    """Another file, detector or way to track is another search; labels and splits are not."""
    looks = [_described(detector), LOOKS_A_SECOND, rate, SURELY.model_dump(), WEAKLY.model_dump()]
    looks.append(schema(ItemFace).names)
    files = []
    for item in items:
        stat = _stat(root, item)
        crop = [item.crop_x, item.crop_y, item.crop_width, item.crop_height]
        files.append([item.item_id, item.kind, item.file, item.length_s, crop, stat.st_size,
                      stat.st_mtime_ns])  # fmt: skip
    return digest_of([looks, files])


def _stat(root: Path, item: Item) -> os.stat_result:
    try:
        return (root / str(item.file)).stat()
    except OSError as error:
        raise DatasetError(
            f"{root / str(item.file)} cannot be read: {error.strerror}.",
            "Unpack archives; fetch what is missing.",
        ) from error


@cache
def _detector(name: DetectorName) -> FaceDetector:
    return load(name, model_folder(), DETECT_WIDTH)


def _described(name: DetectorName) -> str:
    return _detector(name).version


def _look(jobs: Sequence[_Job], n_items: int, tell: Tell, workers: int) -> None:
    missing = [job for job in jobs if not _is_whole(job.place)]
    n_done = n_items - sum(len(job.items) for job in missing)
    tell(n_done, n_items)
    if not missing:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(missing)), mp_context=spawn) as pool:
        running = {pool.submit(_make, job): len(job.items) for job in missing}
        try:
            for done in as_completed(running):
                done.result()
                n_done += running[done]
                tell(n_done, n_items)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make(job: _Job) -> None:
    import cv2
    import pyarrow.parquet as pq

    cv2.setNumThreads(1)
    detector = _detector(job.detector)
    rows = [
        face for item in job.items for face in faces_of_item(job.root, item, detector, job.rate)
    ]
    draft = job.place.with_name(f".{job.place.name}.{os.getpid()}")
    pq.write_table(to_table(ItemFace, rows), draft, compression="zstd")
    flush(draft)
    draft.replace(job.place)


def _is_whole(part: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(part)
    except (OSError, pa.ArrowInvalid):
        return False
    return True


def _n_with_faces(part: Path) -> int:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    items = pq.read_table(part, columns=["item_id"])["item_id"]
    return int(pc.count_distinct(items).as_py())


def _tables(parts: Sequence[Path]) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    for part in parts:
        yield pq.read_table(part)

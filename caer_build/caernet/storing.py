"""Making a frame store: items are decoded by several processes, a part at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from caer_build.arrow import to_table
from caer_build.caernet.face_boxes import FaceBoxes, nobody, packed
from caer_build.caernet.footage import Shown, frames_of
from caer_build.caernet.framestore import (
    CONTEXT,
    FACES,
    ITEMS,
    PART,
    PARTS,
    SEEN,
    STORE,
    FrameStore,
    StoreSettings,
    in_parts,
    is_whole,
    part_folder,
)
from caer_build.caernet.pictures import MEAN_BGR, Box, Pixels, context_of, face_crop
from caer_build.errors import DatasetError, StoreError
from caer_build.records import Item
from caer_build.store import digest_of, disk_errors, flush, read_json, sha256_of, write_json

if TYPE_CHECKING:
    from caer_build.dataset.reading import Dataset

_PER_PART = 32
_FRAMES_OF_A_CLIP = 35
"""at ten a second, where nobody says how long clips are; CAER's are 28 to 35"""
_HEADROOM = 1.05
Tell = Callable[[int, int], None]
Frame = tuple[Pixels, Pixels, bool]
"""face, context, both RGB; whether a face was there"""


@dataclass(frozen=True)
class Job:
    """A part to be made; picklable."""

    root: Path
    folder: Path
    number: int
    items: tuple[Item, ...]
    boxes: Mapping[str, FaceBoxes]
    settings: StoreSettings


@dataclass(frozen=True)
class Needs:
    """What a store takes on the disk.

    Attributes:
        n_frames: about how many; exact of stills.
        n_bytes: about.
        n_free: of the disk that holds it.
    """

    n_frames: int
    n_bytes: int
    n_free: int


def needs(dataset: Dataset, folder: Path, settings: StoreSettings) -> Needs:
    """What a store of a data set takes, before it is made."""
    n_frames = sum(_n_frames(item) for item in dataset.items)
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    return Needs(n_frames, round(n_frames * settings.frame_bytes * _HEADROOM), free)


def _n_frames(item: Item) -> int:
    if item.kind == "still":
        return 1
    return _FRAMES_OF_A_CLIP if item.length_s is None else max(1, round(item.length_s * 10))


def make_store(
    dataset: Dataset, folder: Path, settings: StoreSettings, tell: Tell, workers: int = 2
) -> FrameStore:
    """Make the frame store of a data set, or go on making it.

    Args:
        folder: of the store.
        tell: called with (items done, all items).
        workers: processes that decode.

    Raises:
        DatasetError: if a file cannot be read, or the data set has nothing that has a label.
        StoreError: if the disk has not enough room.
    """
    items = [i for i in dataset.items if i.emotion is not None and i.split is not None]
    if not items:
        raise DatasetError(
            f"{dataset.root} has no item with a label and a split.", "Give another data set."
        )
    _begin(folder, _plan(dataset, items, settings))
    wanted = needs(dataset, folder, settings)
    parts = list(in_parts(len(items), _PER_PART))
    missing = [
        n for n in range(len(parts)) if not is_whole(part_folder(folder, n), every_digest=False)
    ]
    if wanted.n_bytes * len(missing) // len(parts) > wanted.n_free:
        raise StoreError(
            f"The frame store takes about {wanted.n_bytes / 1e9:.1f} GB, and the disk that holds "
            f"{folder} has {wanted.n_free / 1e9:.1f} GB left.",
            "Give a folder on a larger disk.",
        )
    n_done = len(items) - sum(len(parts[n]) for n in missing)
    tell(n_done, len(items))
    boxes = packed(dataset.faces())
    spawn = multiprocessing.get_context("spawn")
    with disk_errors(folder), ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        running = {}
        for number in missing:
            mine = tuple(items[i] for i in parts[number])
            own = {item.item_id: boxes.get(item.item_id, nobody()) for item in mine}
            job = Job(dataset.root, folder, number, mine, own, settings)
            running[pool.submit(make_part, job)] = len(mine)
        try:
            for done in as_completed(running):
                done.result()
                n_done += running[done]
                tell(n_done, len(items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    write_json(folder / STORE, {"settings": settings.described(), "n_parts": len(parts)})
    return FrameStore.open(folder)


def _plan(dataset: Dataset, items: Sequence[Item], settings: StoreSettings) -> str:
    """What the store is made of: another data set, or other settings, begin anew."""
    files = {}
    for item in items:
        if item.file is not None and item.file not in files:
            stat = (dataset.root / item.file).stat()
            files[item.file] = [stat.st_size, stat.st_mtime_ns]
    return digest_of([settings.described(), [asdict(item) for item in items], files])


def _begin(folder: Path, plan: str) -> None:
    place = folder / "plan.json"
    if place.is_file() and read_json(place) == {"plan": plan}:
        return
    if folder.exists() and not place.is_file() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not empty, and no frame store.", "Give another folder.")
    with disk_errors(folder.parent):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / PARTS).mkdir(parents=True)
        write_json(place, {"plan": plan})


def make_part(job: Job) -> None:
    """Decode the items of a part and write it."""
    import cv2

    cv2.setNumThreads(1)

    def frames(item: Item) -> Iterator[Frame]:
        for shown in frames_of(job.root, item):
            frame = _streams(shown, item, job)
            for _ in range(shown.n_ticks):
                yield frame

    write_part(part_folder(job.folder, job.number), job.items, frames)


def write_part(
    place: Path, items: Sequence[Item], frames: Callable[[Item], Iterator[Frame]]
) -> None:
    """Write the frames of items as a part of a store: beside its place, then renamed.

    Args:
        place: of the part.
        frames: of an item, one or more.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    draft = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    firsts, counts = [], []
    with (
        (draft / FACES).open("wb") as faces,
        (draft / CONTEXT).open("wb") as contexts,
        (draft / SEEN).open("wb") as seen,
    ):
        n = 0
        for item in items:
            firsts.append(n)
            for face, context, there in frames(item):
                faces.write(face.tobytes())
                contexts.write(context.tobytes())
                seen.write(bytes([there]))
                n += 1
            counts.append(n - firsts[-1])
    table = to_table(Item, items)
    table = table.append_column("first", pa.array(firsts, pa.int64()))
    table = table.append_column("n_sampled", pa.array(counts, pa.int64()))
    pq.write_table(table, draft / ITEMS, compression="zstd")
    facts = {
        name: {"bytes": (draft / name).stat().st_size, "sha256": sha256_of(draft / name)}
        for name in (FACES, CONTEXT, SEEN, ITEMS)
    }
    for name in facts:
        flush(draft / name)
    (draft / PART).write_text(json.dumps({"files": facts}, indent=1))
    flush(draft / PART)
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)


def _streams(shown: Shown, item: Item, job: Job) -> Frame:
    """Face and context, RGB; and whether there was a face."""
    settings = job.settings
    target, others = job.boxes[item.item_id].at(shown.frame)
    if target is None:
        face = np.full((settings.face_px, settings.face_px, 3), MEAN_BGR, np.uint8)
    else:
        face = face_crop(shown.picture, target, settings.face_px, settings.margin)
    hidden: Iterable[Box] = ()
    if settings.hide != "none" and target is not None:
        hidden = (target,)
    if settings.hide == "all":
        hidden = (*hidden, *others)
    context = context_of(
        shown.picture,
        hidden,
        (settings.context_width, settings.context_height),
        MEAN_BGR if settings.fill == "mean" else (0, 0, 0),
    )
    return _rgb(face), _rgb(context), target is not None


def _rgb(picture: Pixels) -> Pixels:
    return np.ascontiguousarray(picture[:, :, ::-1])

"""Making a frame store: items are decoded by several processes, a part at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.arrow import to_table
from caer_build.caernet.face_boxes import FaceBoxes, nobody
from caer_build.caernet.footage import frames_of
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
from caer_build.caernet.pictures import Pixels
from caer_build.caernet.store_plan import StorePlan, planned
from caer_build.caernet.streams import streams_of
from caer_build.errors import StoreError
from caer_build.records import Item
from caer_build.store import (
    disk_errors,
    flush,
    holds_other_things,
    read_json,
    sha256_of,
    write_json,
)

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

    @property
    def sentence(self) -> str:
        """For people, before it begins."""
        return (
            f"{self.n_frames} frames take about {_size(self.n_bytes)} of disk "
            f"({_size(self.n_free)} are free); training reads them all every epoch, and is "
            f"fast where they fit into memory ({_size(_memory())} are free)."
        )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 10**9 else f"{n_bytes / 1e6:.1f} MB"


def _memory() -> int:
    """Bytes that nobody needs, or only to keep files."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free = next(line for line in lines if line.startswith("MemAvailable"))
    return int(free.split()[1]) * 1024


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


def keep_store(
    dataset: Dataset,
    parent: Path,
    settings: StoreSettings,
    tell: Tell,
    workers: int = 2,
    *,
    plan: StorePlan | None = None,
) -> FrameStore:
    """The store of a data set in a folder of stores, ``frames-<key>``; made where it is not there.

    Args:
        parent: of the stores; runs beside each other share theirs.
        plan: of :func:`planned`, where it is known already.

    Raises:
        DatasetError, StoreError: see :func:`make_store`.
    """
    from filelock import FileLock

    plan = plan or planned(dataset, settings)
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
    name = f"frames-{plan.key[:12]}"
    # Two runs that begin at once do not make it twice.
    with FileLock(str(parent / f".{name}.lock")):
        return make_store(dataset, parent / name, settings, tell, workers, plan=plan)


def make_store(
    dataset: Dataset,
    folder: Path,
    settings: StoreSettings,
    tell: Tell,
    workers: int = 2,
    *,
    plan: StorePlan | None = None,
) -> FrameStore:
    """Make the frame store of a data set, or go on making it.

    Args:
        folder: of the store.
        tell: called with (items done, all items).
        workers: processes that decode.
        plan: of :func:`planned`, where it is known already.

    Raises:
        DatasetError: if a file cannot be read, or the data set has nothing that has a label.
        StoreError: if the disk has not enough room.
    """
    plan = plan or planned(dataset, settings)
    items, boxes = plan.items, plan.boxes
    _begin(folder, plan.key)
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


def _begin(folder: Path, plan: str) -> None:
    place = folder / "plan.json"
    if place.is_file() and read_json(place) == {"plan": plan}:
        return
    if holds_other_things(place):
        raise StoreError(f"{folder} is not empty, and no frame store.", "Give another folder.")
    with disk_errors(folder.parent):
        # The old plan stays until the new one replaces it: stopped in between, it is still ours.
        (folder / STORE).unlink(missing_ok=True)
        shutil.rmtree(folder / PARTS, ignore_errors=True)
        write_json(place, {"plan": plan})


def make_part(job: Job) -> None:
    """Decode the items of a part and write it."""
    import cv2

    cv2.setNumThreads(1)

    def frames(item: Item) -> Iterator[Frame]:
        for shown in frames_of(job.root, item):
            target, others = job.boxes[item.item_id].at(shown.frame)
            face, context = streams_of(shown.picture, target, others, job.settings)
            for _ in range(shown.n_ticks):
                yield face, context, target is not None

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

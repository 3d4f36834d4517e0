"""Making a frame store: items are decoded by several processes, a part at a time."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.caernet.face_boxes import FaceBoxes, nobody
from caer_build.caernet.footage import frames_of
from caer_build.caernet.framestore import (
    BLANK,
    INTERPOLATED,
    PARTS,
    SEEN,
    STORE,
    FrameStore,
    StoreSettings,
    in_parts,
    is_whole,
    part_folder,
)
from caer_build.caernet.pictures import Box
from caer_build.caernet.store_parts import Frame, write_part
from caer_build.caernet.store_plan import StorePlan, planned
from caer_build.caernet.streams import streams_of
from caer_build.errors import StoreError
from caer_build.records import Item
from caer_build.store import (
    disk_errors,
    holds_other_things,
    read_json,
    write_json,
)

if TYPE_CHECKING:
    from caer_build.dataset.reading import Dataset

_PER_PART = 32
_SECONDS_OF_A_CLIP = 3.5
"""where nobody says how long clips are; CAER's are 2.8 to 3.5"""
_HEADROOM = 1.05
Tell = Callable[[int, int], None]
Say = Callable[[str], None]


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
    n_frames = sum(_n_frames(item, settings.rate) for item in dataset.items)
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    return Needs(n_frames, round(n_frames * settings.frame_bytes * _HEADROOM), free)


def _n_frames(item: Item, rate: float) -> int:
    if item.kind == "still":
        return 1
    length_s = _SECONDS_OF_A_CLIP if item.length_s is None else item.length_s
    return max(1, round(length_s * rate))


def keep_store(
    dataset: Dataset,
    parent: Path,
    settings: StoreSettings,
    tell: Tell,
    workers: int = 2,
    *,
    plan: StorePlan | None = None,
    verify: bool = False,
    say: Say = lambda _: None,
) -> FrameStore:
    """The store of a data set in a folder of stores, ``frames-<key>``; made where it is not there.

    Args:
        parent: of the stores; runs beside each other share theirs.
        plan: of :func:`planned`, where it is known already.
        verify, say: see :func:`make_store`.

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
        return make_store(
            dataset, parent / name, settings, tell, workers, plan=plan, verify=verify, say=say
        )


def make_store(
    dataset: Dataset,
    folder: Path,
    settings: StoreSettings,
    tell: Tell,
    workers: int = 2,
    *,
    plan: StorePlan | None = None,
    verify: bool = False,
    say: Say = lambda _: None,
) -> FrameStore:
    """Make the frame store of a data set, or go on making it; what is damaged is made again.

    Args:
        folder: of the store.
        tell: called with (items done, all items).
        workers: processes that decode.
        plan: of :func:`planned`, where it is known already.
        verify: look at every byte of what is there; otherwise of a finished store only at the
            sizes of its files.
        say: told of parts that are not as they were written.

    Raises:
        DatasetError: if a file cannot be read, or the data set has nothing that has a label.
        IntegrityError: if the disk does not give back what was written.
        StoreError: if the disk has not enough room.
    """
    plan = plan or planned(dataset, settings)
    items, boxes = plan.items, plan.boxes
    _begin(folder, plan.key)
    wanted = needs(dataset, folder, settings)
    parts = list(in_parts(len(items), _PER_PART))
    every_digest = verify or not (folder / STORE).is_file()
    missing = _missing(folder, len(parts), workers, say, every_digest=every_digest)
    if missing:
        # Stopped before they are there again, it is looked through again.
        (folder / STORE).unlink(missing_ok=True)
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


def _missing(
    folder: Path, n_parts: int, workers: int, say: Say, *, every_digest: bool
) -> list[int]:
    """The parts that are not there as they were written."""
    places = [part_folder(folder, number) for number in range(n_parts)]
    with ThreadPoolExecutor(workers) as pool:
        whole = list(pool.map(lambda place: is_whole(place, every_digest=every_digest), places))
    damaged = [n for n in range(n_parts) if not whole[n] and places[n].exists()]
    if damaged:
        say(
            f"{folder.name}: {len(damaged)} of {n_parts} parts are not as they were written "
            f"({', '.join(map(str, damaged))}); they are made again."
        )
    return [number for number in range(n_parts) if not whole[number]]


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
        for shown in frames_of(job.root, item, job.settings.rate):
            target, others, interpolated = job.boxes[item.item_id].at(shown.frame)
            face, context = streams_of(
                shown.picture, target, others, job.settings, interpolated=interpolated
            )
            height, width = shown.picture.shape[:2]
            state = _state(target, job.settings, interpolated=interpolated)
            for _ in range(shown.n_ticks):
                yield Frame(face, context, target, (width, height), state)

    write_part(part_folder(job.folder, job.number), job.items, frames)


def _state(target: Box | None, settings: StoreSettings, *, interpolated: bool) -> int:
    """What the face of a frame is."""
    if target is None or (interpolated and settings.interpolated == "blank"):
        return BLANK
    return INTERPOLATED if interpolated else SEEN

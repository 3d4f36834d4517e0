"""Samples in bulk: straight into a frame store, or as a data set in a folder.

A sample's face source is its item's ``group_id``: few faces stand in many samples, and intervals
resample faces.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import cv2

from benchmarks.controlled.face_pool import FacePool
from benchmarks.controlled.sampling import Sample, draw
from benchmarks.controlled.scenes import face_boxes, pictures_of
from benchmarks.controlled.setting import CUE_STATES, SPLITS, Setting
from caer_build.caernet.framestore import (
    PARTS,
    STORE,
    FrameStore,
    StoreSettings,
    in_parts,
    is_whole,
    part_folder,
)
from caer_build.caernet.store_parts import Frame, write_part
from caer_build.caernet.streams import streams_of
from caer_build.records import EMOTIONS, Item
from caer_build.store import digest_of, read_json, write_json

_PER_PART = 500
VERSION = 2
"""of the pictures: what is drawn otherwise is drawn anew"""


@dataclass(frozen=True)
class _Part:
    folder: Path
    number: int
    world: Setting
    settings: StoreSettings
    split: str
    indices: range


@lru_cache(maxsize=1)
def _pool() -> FacePool:
    """The faces; read once a process."""
    return FacePool()


def fill(
    folder: Path,
    world: Setting,
    settings: StoreSettings,
    counts: Mapping[str, int],
    tell: Callable[[int, int], None],
    *,
    workers: int = 2,
) -> FrameStore:
    """The frame store of the first samples of each split; goes on where it was stopped.

    Args:
        counts: how many of each split.
        tell: called with (samples done, all samples).
    """
    plan = digest_of([VERSION, asdict(world), settings.described(), dict(counts)])
    place = folder / "plan.json"
    if not place.is_file() or read_json(place) != {"plan": plan}:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / PARTS).mkdir(parents=True)
        write_json(place, {"plan": plan})
    parts: list[_Part] = []
    for split in SPLITS:
        parts += [
            _Part(folder, len(parts) + k, world, settings, split, range(some[0], some[-1] + 1))
            for k, some in enumerate(in_parts(counts[split], _PER_PART))
        ]
    missing = [part for part in parts if not is_whole(part_folder(folder, part.number))]
    n_all = sum(counts.values())
    n_done = n_all - sum(len(part.indices) for part in missing)
    tell(n_done, n_all)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        running = {pool.submit(_make, part): part for part in missing}
        for done in as_completed(running):
            done.result()
            n_done += len(running[done].indices)
            tell(n_done, n_all)
    write_json(folder / STORE, {"settings": settings.described(), "n_parts": len(parts)})
    return FrameStore.open(folder)


def _make(part: _Part) -> None:
    cv2.setNumThreads(1)
    samples = {}
    for index in part.indices:
        sample = draw(part.world, part.split, index, _pool())
        samples[item_id(part.split, index)] = sample
    items = [_item(sample, part.world) for sample in samples.values()]

    def frames(item: Item) -> Iterator[Frame]:
        yield from streams(samples[item.item_id], part.world, part.settings)

    write_part(part_folder(part.folder, part.number), items, frames)


def item_id(split: str, index: int) -> str:
    """What a sample is called."""
    return f"{split}-{index:06d}"


def streams(sample: Sample, world: Setting, settings: StoreSettings) -> Iterator[Frame]:
    """What the two streams see of a sample: exactly what they see of a data set's pictures."""
    target, others = face_boxes(sample, world)
    for picture in pictures_of(sample, world, _pool()):
        face, context = streams_of(picture, target, others, settings)
        yield Frame(face, context, target, (world.px, world.px))


def _item(sample: Sample, world: Setting) -> Item:
    row = _pool().row(sample.split, sample.label, sample.face)
    return Item(
        item_id(sample.split, sample.index),
        "still" if world.n_frames == 1 else "clip",
        None,
        sample.split,
        EMOTIONS[sample.label],
        n_frames=world.n_frames,
        width=world.px,
        height=world.px,
        group_id=f"ferplus-{sample.split}-{row:05d}",
    )


def export(folder: Path, world: Setting, counts: Mapping[str, int]) -> None:
    """Write the first samples of each split of a world of stills as a data set that anybody reads:
    PNG and COCO, and the truth about each in ``truth.csv``."""
    (folder / "annotations").mkdir(parents=True)
    with (folder / "truth.csv").open("w", newline="") as file:
        truth = csv.writer(file)
        truth.writerow(["item", "emotion", "blur", "cue_state", "cue", "in_conflict", "face"])
        for split in SPLITS:
            (folder / split).mkdir()
            images, boxes = [], []
            for index in range(counts[split]):
                sample = draw(world, split, index, _pool())
                name = f"{item_id(split, index)}.png"
                picture = next(pictures_of(sample, world, _pool()))
                cv2.imwrite(str(folder / split / name), picture)
                emotion = EMOTIONS[sample.label]
                images.append({"id": index, "file_name": name, "width": world.px,
                               "height": world.px, "emotion": emotion})  # fmt: skip
                target, others = face_boxes(sample, world)
                for number, (x1, y1, x2, y2) in enumerate([target, *others]):
                    boxes.append({
                        "id": 2 * index + number, "image_id": index,
                        "category_id": len(EMOTIONS) if number else sample.label,
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                    })  # fmt: skip
                truth.writerow([
                    f"{split}/{name}", emotion, world.blurs[sample.blur],
                    CUE_STATES[sample.cue_state],
                    "" if sample.cue is None else EMOTIONS[sample.cue.kind],
                    int(sample.in_conflict), _item(sample, world).group_id,
                ])  # fmt: skip
            categories = [{"id": k, "name": name} for k, name in enumerate((*EMOTIONS, "person"))]
            content = {"images": images, "annotations": boxes, "categories": categories}
            (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))

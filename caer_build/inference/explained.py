"""``caer explain-model``: one person, in a picture or in a video, as a network sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from caer_build.caernet.explaining import Explanation, explain
from caer_build.caernet.explanation_figure import Scene, draw
from caer_build.caernet.footage import Shown, frames_of
from caer_build.caernet.runs import TrainedRun
from caer_build.caernet.streams import streams_of
from caer_build.errors import DatasetError
from caer_build.inference.finding_faces import faces_in
from caer_build.inference.predicting import PICTURE_SUFFIXES
from caer_build.models.face_detectors import load
from caer_build.models.locations import model_folder
from caer_build.records import Item, ItemFace

_DETECT_WIDTH = 480


@dataclass(frozen=True)
class Explained:
    """What was explained.

    Attributes:
        face: whose: the name of the track.
        faces: those that there are.
    """

    explanation: Explanation
    face: str
    faces: tuple[str, ...]


def explain_file(
    run: TrainedRun, file: Path, out: Path, device: torch.device, *, at_s: float | None = None,
    face: str | None = None,
) -> Explained:  # fmt: skip
    """Write the figure of one person.

    Args:
        file: a picture or a video.
        out: of the figure, PNG or PDF.
        at_s: of a video: the moment, seconds after its first frame; None: its middle. A network
            of clips sees the window around it.
        face: t00, t01, … from left to right; None: the largest near the middle.

    Raises:
        DatasetError: if the file cannot be read, or shows nobody.
    """
    clips = run.plan.architecture.n_dims == 3
    length, rate = run.plan.windows.length, run.store.rate
    shown = _shown(file, at_s, length if clips else 1, rate)
    found = faces_in(file.name, shown, load("auto", model_folder(), _DETECT_WIDTH), rate)
    names = tuple(dict.fromkeys(f.face for f in found))
    if not names:
        raise DatasetError(f"{file} shows no face there.", "Give another file, or --at.")
    chosen = face or next(f.face for f in found if f.is_target)
    if chosen not in names:
        raise DatasetError(f"{file} has no face {chosen}.", f"There are {', '.join(names)}.")
    own = {f.frame: f for f in found if f.face == chosen}
    there = [s for s in shown if s.frame in own]
    pairs = [
        streams_of(s.picture, _box(own[s.frame]),
                   [_box(f) for f in found if f.frame == s.frame and f.face != chosen], run.store,
                   interpolated=bool(own[s.frame].interpolated))
        for s in there
        for _ in range(s.n_ticks)
    ]  # fmt: skip
    middle = there[len(there) // 2]
    if clips:
        # What is shorter than a window is looped or held, as in training.
        pairs = [pairs[k] for k in run.plan.windows.every(len(pairs))[0]]
        faces, contexts = (np.stack([pair[stream] for pair in pairs]) for stream in (0, 1))
    else:
        faces, contexts = pairs[len(pairs) // 2]
    crop = run.plan.augmentation.crop
    said = explain(run.network(device), faces, contexts, crop, device)
    context = contexts[len(contexts) // 2] if clips else contexts
    draw(Scene(middle.picture, _box(own[middle.frame]), context, crop), said, out)
    return Explained(said, chosen, names)


def _box(face: ItemFace) -> tuple[float, float, float, float]:
    return face.x1, face.y1, face.x2, face.y2


def _shown(file: Path, at_s: float | None, n_ticks: int, rate: float) -> list[Shown]:
    """The sampled frames around a moment, as many as there are ticks, where there are so many."""
    if file.suffix.lower() in PICTURE_SUFFIXES:
        return list(frames_of(file.parent, Item(file.name, "still", file.name, None, None)))
    item = Item(file.name, "clip", file.name, None, None)
    total = sum(s.n_ticks for s in frames_of(file.parent, item, rate))
    if at_s is not None and at_s * rate >= total:
        raise DatasetError(
            f"{file} ends at {total / rate:.1f} s, before the {at_s:g} s of --at.",
            "Give an earlier moment.",
        )
    middle = total // 2 if at_s is None else min(total - 1, round(at_s * rate))
    first = max(0, min(middle - n_ticks // 2, total - n_ticks))
    return list(_between(frames_of(file.parent, item, rate), first, first + n_ticks))


def _between(shown: Iterable[Shown], first: int, end: int) -> Iterable[Shown]:
    """The frames shown at ticks [first, end)."""
    tick = 0
    for one in shown:
        n = min(end, tick + one.n_ticks) - max(first, tick)
        tick += one.n_ticks
        if n > 0:
            yield Shown(one.frame, n, one.picture)
        if tick >= end:
            return

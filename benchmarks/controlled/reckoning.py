"""From the cells' answers to figures: each with its interval, whatever its sign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.controlled.ceilings import (
    ceiling,
    context_ceiling,
    face_ceiling,
    unweighted_ceiling,
)
from benchmarks.controlled.cells import CELLS, CONTRASTS, Cell, Effort
from benchmarks.controlled.face_pool import FacePool
from benchmarks.controlled.intervals import interval
from benchmarks.controlled.running import Outcome
from benchmarks.controlled.sampling import Sample, draw
from benchmarks.controlled.scenes import face_boxes
from benchmarks.controlled.setting import ABSENT, CLEAR
from benchmarks.reporting import Row
from caer_build.caernet.attending import area_of, in_crop, mass_on

READERS = ("face, not placed", "face")
"""cells that read faces alone, the first that was run is what ceilings are reckoned with"""


@dataclass(frozen=True)
class Truth:
    """What is true of the test samples; (n,) each."""

    samples: list[Sample]
    labels: npt.NDArray[np.int64]
    blurs: npt.NDArray[np.int64]
    states: npt.NDArray[np.int64]
    in_conflict: npt.NDArray[np.bool_]
    faces: npt.NDArray[np.int64]


def truth_of(cell: Cell, effort: Effort, pool: FacePool) -> Truth:
    """Drawn again: it is the same."""
    world = effort.world(cell.world)
    samples = [draw(world, "test", k, pool) for k in range(effort.counts_of(cell)["test"])]
    return Truth(
        samples,
        np.array([s.label for s in samples]),
        np.array([s.blur for s in samples]),
        np.array([s.cue_state for s in samples]),
        np.array([s.in_conflict for s in samples]),
        np.array([pool.row("test", s.label, s.face) for s in samples]),
    )


def rows(effort: Effort, outcomes: Mapping[str, Outcome]) -> Iterator[Row]:
    """The figures of the cells that were run."""
    pool, set_ = FacePool(), f"controlled-{effort.name}"
    cells = {cell.name: cell for cell in CELLS if cell.name in outcomes}
    for name, cell in cells.items():
        truth = truth_of(cell, effort, pool)
        yield from _accuracies(set_, name, outcomes[name], truth)
        if effort.world(cell.world).scenery == "drawn":
            yield from _in_conflict(set_, name, outcomes[name], truth)
        yield from _weights(set_, name, outcomes[name], truth)
        yield from _attention(set_, cell, effort, outcomes[name], truth)
    for one, other in CONTRASTS:
        if one in cells and other in cells:
            yield from _difference(set_, (cells[one], cells[other]), effort, outcomes, pool)
    yield from _ceilings(set_, effort, outcomes, pool)


def _difference(
    set_: str,
    pair: tuple[Cell, Cell],
    effort: Effort,
    outcomes: Mapping[str, Outcome],
    pool: FacePool,
) -> Iterator[Row]:
    """One cell minus another, sample by sample; in one world also where face and cue conflict, and
    of the attention on the face."""
    one, other = pair
    truth = truth_of(one, effort, pool)
    gained = _right(outcomes[one.name], truth).mean(0) - _right(outcomes[other.name], truth).mean(0)
    found = {"difference": (gained, truth.faces)}
    if one.world == other.world:
        odd = truth.in_conflict
        found["difference.conflict"] = gained[odd], truth.faces[odd]
        masses = [_mass(cell, effort, outcomes[cell.name], truth) for cell in pair]
        if masses[0] is not None and masses[1] is not None:
            found["difference.attention_on_face"] = masses[0] - masses[1], truth.faces
    for metric, (values, faces) in found.items():
        low, high = interval(values, faces)
        for suffix, value in (("", float(values.mean())), (".low", low), (".high", high)):
            system = f"{one.name} - {other.name}"
            yield Row(set_, system, f"{metric}{suffix}", value * 100, "points")


def _right(outcome: Outcome, truth: Truth) -> npt.NDArray[np.float64]:
    """(seeds, n)"""
    return (outcome.predicted == truth.labels).astype(np.float64)


def _accuracies(set_: str, name: str, outcome: Outcome, truth: Truth) -> Iterator[Row]:
    right = _right(outcome, truth)
    low, high = interval(right.mean(0), truth.faces)
    yield Row(set_, name, "accuracy", float(right.mean()))
    yield Row(set_, name, "accuracy.low", low)
    yield Row(set_, name, "accuracy.high", high)
    if len(right) > 1:
        yield Row(set_, name, "accuracy.sd", float(right.mean(1).std(ddof=1)))
    yield Row(set_, name, "accuracy.validation", outcome.validation)
    yield Row(set_, name, "rate", outcome.rate, "lr")
    yield Row(set_, name, "bits", outcome.bits, "bits")


def _in_conflict(set_: str, name: str, outcome: Outcome, truth: Truth) -> Iterator[Row]:
    """Where the cue speaks against the label."""
    odd = truth.in_conflict
    right = _right(outcome, truth)[:, odd]
    low, high = interval(right.mean(0), truth.faces[odd])
    yield Row(set_, name, "accuracy.conflict", float(right.mean()))
    yield Row(set_, name, "accuracy.conflict.low", low)
    yield Row(set_, name, "accuracy.conflict.high", high)


def _weights(set_: str, name: str, outcome: Outcome, truth: Truth) -> Iterator[Row]:
    """The face's weight where it is sharp and the cue absent, and where it is the other way."""
    if outcome.fusion is None:
        return
    mean, worst = outcome.fusion.mean(0), truth.blurs.max()
    for what, chosen in (
        ("sharp", (truth.blurs == 0) & (truth.states == ABSENT)),
        ("blurred", (truth.blurs == worst) & (truth.states == CLEAR)),
    ):
        if chosen.any():
            yield Row(set_, name, f"face_weight.{what}", float(mean[chosen].mean()))


def _attention(
    set_: str, cell: Cell, effort: Effort, outcome: Outcome, truth: Truth
) -> Iterator[Row]:
    """How much attention lies on the target's face, hidden or not; and how much would by area."""
    mass = _mass(cell, effort, outcome, truth)
    if mass is None or outcome.attention is None:
        return
    low, high = interval(mass, truth.faces)
    yield Row(set_, cell.name, "attention_on_face", float(mass.mean()))
    yield Row(set_, cell.name, "attention_on_face.low", low)
    yield Row(set_, cell.name, "attention_on_face.high", high)
    even = area_of(_faces_in_crop(cell, effort, truth), effort.crop).mean()
    yield Row(set_, cell.name, "attention_on_face.even", float(even))


def _mass(
    cell: Cell, effort: Effort, outcome: Outcome, truth: Truth
) -> npt.NDArray[np.float64] | None:
    """(n,) how much of the attention lies on the face; without attention all positions count alike.
    None: there is no context."""
    if not cell.architecture.has_context:
        return None
    seen = _faces_in_crop(cell, effort, truth)
    if outcome.attention is None:
        return area_of(seen, effort.crop).numpy()
    maps = torch.from_numpy(outcome.attention)
    return torch.stack([mass_on(each, seen, effort.crop) for each in maps]).mean(0).numpy()


def _faces_in_crop(cell: Cell, effort: Effort, truth: Truth) -> torch.Tensor:
    """(n, 4) px of the crop."""
    world = effort.world(cell.world)
    boxes = torch.tensor([face_boxes(s, world)[0] for s in truth.samples])
    frames = torch.full((len(boxes), 2), effort.px)
    return in_crop(boxes, frames, effort.store_settings(cell), effort.crop)


def _ceilings(
    set_: str, effort: Effort, outcomes: Mapping[str, Outcome], pool: FacePool
) -> Iterator[Row]:
    """For a perfect reader of faces, and for one as good as the network that sees faces alone."""
    world = effort.world("main")
    readers = {"perfect": (1.0,) * len(world.blurs)}
    reading = next((name for name in READERS if name in outcomes), None)
    if reading is not None:
        cell = next(c for c in CELLS if c.name == reading)
        truth = truth_of(cell, effort, pool)
        right = _right(outcomes[reading], truth).mean(0)
        readers["measured"] = tuple(
            float(right[truth.blurs == k].mean()) for k in range(len(world.blurs))
        )
    for what, reader in readers.items():
        system = f"ceiling, {what} reader"
        yield Row(set_, system, "accuracy.face", face_ceiling(world, reader))
        yield Row(set_, system, "accuracy.context", context_ceiling(world))
        yield Row(set_, system, "accuracy", ceiling(world, reader))
        yield Row(set_, system, "accuracy.unweighted", unweighted_ceiling(world, reader))
        for k, a in enumerate(reader):
            yield Row(set_, system, f"accuracy.face.blur{k}", a)

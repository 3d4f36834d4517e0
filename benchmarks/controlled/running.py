"""Training a cell: the search for its learning rate, its seeds, its answers on the test split.

::

    PLACE/stores/<world>-<hide>/        samples, drawn once for all cells that see them
          runs/<cell>/<rate>-<seed>/    training runs; they go on where they were stopped
          cells/<cell>.json, .npz       what came of a cell; a cell that has them is not run again
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.controlled.cells import Cell, Effort
from benchmarks.controlled.filling import VERSION, fill
from caer_build.caernet import checkpoint
from caer_build.caernet.batches import Batches
from caer_build.caernet.framestore import FrameStore
from caer_build.caernet.model import CAERNet
from caer_build.caernet.predicting import answers
from caer_build.caernet.train import train
from caer_build.errors import IntegrityError
from caer_build.store import digest_of, read_json, write_json

Say = Callable[[str], None]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What came of a cell on the test split.

    Attributes:
        rate: the learning rate that was best on validation.
        predicted: (seeds, n) places among the emotions.
        attention: (seeds, n, H', W'); none without attention.
        fusion: (seeds, n), the face's weight; none without fusion weights.
    """

    rate: float
    predicted: npt.NDArray[np.int64]
    attention: Numbers | None
    fusion: Numbers | None


def slug(name: str) -> str:
    """A cell's name as a file's."""
    return re.sub(r"\W+", "-", name).strip("-")


def outcome_of(cell: Cell, effort: Effort, place: Path) -> Outcome | None:
    """What came of a cell; None: it was not run, or not like this."""
    facts = _facts_file(cell, place)
    if not facts.is_file():
        return None
    said = read_json(facts)
    if said["plan"] != _plan(cell, effort):
        return None
    with np.load(facts.with_suffix(".npz")) as kept:
        found = {name: kept[name] for name in kept.files}
    return Outcome(said["rate"], found["predicted"], found.get("attention"), found.get("fusion"))


def run_cell(cell: Cell, effort: Effort, place: Path, device: str, say: Say) -> Outcome:
    """Train and test a cell; what was done before is not done again."""
    done = outcome_of(cell, effort, place)
    if done is not None:
        return done
    store = _store(cell, effort, place, say)
    runs = place / "runs" / slug(cell.name)
    plan = _plan(cell, effort)
    _begin(runs, plan)

    def trained(rate: float, seed: int) -> tuple[tuple[float, float], Path]:
        folder = runs / f"{rate:g}-{seed}"
        epochs = train(store, folder, effort.plan(cell, rate, seed, device), lambda _: None)
        best = max((e.validation_accuracy, -e.validation_loss) for e in epochs)
        say(f"{cell.name}: rate {rate:g}, seed {seed}: {best[0]:.3f} on validation")
        return best, folder

    found = {rate: trained(rate, 0) for rate in effort.rates}
    rate = max(found, key=lambda r: found[r][0])
    folders = [found[rate][1]] + [trained(rate, s)[1] for s in range(1, effort.n_seeds)]
    tested = [_tested(cell, effort, store, folder, device) for folder in folders]
    arrays: dict[str, Any] = {name: np.stack([each[name] for each in tested]) for name in tested[0]}
    facts = _facts_file(cell, place)
    facts.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(facts.with_suffix(".npz"), **arrays)
    search = {f"{r:g}": result[0][0] for r, result in found.items()}
    write_json(facts, {"plan": plan, "rate": rate, "validation": search})
    outcome = outcome_of(cell, effort, place)
    if outcome is None:
        raise IntegrityError(f"{facts} is not what was just written.", "Run it again.")
    return outcome


def _tested(
    cell: Cell, effort: Effort, store: FrameStore, folder: Path, device: str
) -> dict[str, npt.NDArray[Any]]:
    """A run's answers on the test split."""
    network = CAERNet(cell.architecture).to(device)
    checkpoint.load_weights(folder / checkpoint.BEST, network)
    test = Batches(store, "test", effort.batch_size, clips=cell.is_of_clips)
    seen = answers(network, test, torch.device(device), effort.crop, with_attention=True)
    found: dict[str, npt.NDArray[Any]] = {"predicted": seen.probabilities.argmax(1).numpy()}
    if seen.attention is not None:
        found["attention"] = seen.attention.float().numpy()
    if seen.fusion is not None:
        found["fusion"] = seen.fusion[:, 0].float().numpy()
    return found


def _store(cell: Cell, effort: Effort, place: Path, say: Say) -> FrameStore:
    folder = place / "stores" / f"{cell.world}-{cell.hide}"
    say(f"{cell.name}: samples of {cell.world} in {folder.name}")
    world = effort.world(cell.world)
    return fill(folder, world, effort.store_settings(cell), effort.counts_of(cell), lambda *_: None)


def _plan(cell: Cell, effort: Effort) -> str:
    world = asdict(effort.world(cell.world))
    # Which other cells are run changes nothing about this one.
    return digest_of([VERSION, asdict(cell), asdict(replace(effort, only=())), world])


def _begin(runs: Path, plan: str) -> None:
    """Runs of another effort or another world are not gone on with."""
    place = runs / "plan.json"
    if not place.is_file() or read_json(place) != {"plan": plan}:
        shutil.rmtree(runs, ignore_errors=True)
        write_json(place, {"plan": plan})


def _facts_file(cell: Cell, place: Path) -> Path:
    return place / "cells" / f"{slug(cell.name)}.json"

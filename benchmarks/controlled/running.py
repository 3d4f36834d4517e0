"""Training a cell: the search for its learning rate, its seeds, its answers on the test split.

::

    PLACE/stores/<world>-<hide>/        samples, drawn once for all cells that see them; deleted
                                        after the last of these
          runs/<cell>/<rate>-<seed>/    training runs; they go on where they were stopped
          cells/<cell>.json, .npz       what came of a cell; a cell that has them is not run again

On a CPU as many cells run at once as it has cores, each with one thread: that is much faster than
many threads in one.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock

from benchmarks.controlled.cells import CELLS, Cell, Effort, compute_on
from benchmarks.controlled.filling import VERSION, fill
from caer_build.caernet import checkpoint
from caer_build.caernet.batches import Batches
from caer_build.caernet.compute import is_bf16, ready
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
        validation: accuracy there, of the first seed's best epoch.
        bits: of the numbers that it computed with, 16 (bf16) or 32.
        predicted: (seeds, n) places among the emotions.
        attention: (seeds, n, H', W'); none without attention.
        fusion: (seeds, n), the face's weight; none without fusion weights.
    """

    rate: float
    validation: float
    bits: int
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
    return Outcome(
        said["rate"], said["validation"], said["bits"], found["predicted"],
        found.get("attention"), found.get("fusion"),
    )  # fmt: skip


def run_cells(
    cells: Sequence[Cell], effort: Effort, place: Path, device: str, say: Say, *, at_once: int = 0
) -> None:
    """Train and test cells, several at once; samples that no cell needs any more are deleted.

    Args:
        say: is called in other processes, too.
        at_once: how many; 0: one on a GPU, and on a CPU as many as it has cores.
    """
    is_cpu = torch.device(device).type == "cpu"
    n = at_once or ((os.cpu_count() or 1) if is_cpu else 1)
    missing = [cell for cell in cells if outcome_of(cell, effort, place) is None]
    drop_stores(cells, effort, place)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n, mp_context=spawn) as pool:
        running = [pool.submit(run_cell, cell, effort, place, device, say) for cell in missing]
        try:
            for done in as_completed(running):
                done.result()
                drop_stores(cells, effort, place)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def drop_stores(cells: Sequence[Cell], effort: Effort, place: Path) -> None:
    """Delete the samples of which every cell is done, of these and of all that the effort has."""
    users: dict[Path, list[Cell]] = {}
    for cell in CELLS:
        if cell in cells or cell.name in effort.only or not effort.only:
            users.setdefault(_store_folder(cell, place), []).append(cell)
    for folder, mine in users.items():
        if all(outcome_of(cell, effort, place) is not None for cell in mine):
            shutil.rmtree(folder, ignore_errors=True)


def run_cell(cell: Cell, effort: Effort, place: Path, device: str, say: Say) -> Outcome:
    """Train and test a cell; what was done before is not done again."""
    facts = _facts_file(cell, place)
    facts.parent.mkdir(parents=True, exist_ok=True)
    # Whoever runs the same cell elsewhere waits, and finds it done.
    with FileLock(facts.with_suffix(".lock")):
        done = outcome_of(cell, effort, place)
        return done if done is not None else _run(cell, effort, place, device, say)


def _run(cell: Cell, effort: Effort, place: Path, device: str, say: Say) -> Outcome:
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
    np.savez_compressed(facts.with_suffix(".npz"), **arrays)
    bits = 16 if is_bf16(torch.device(device), compute_on(device).precision) else 32
    said = {"plan": plan, "rate": rate, "validation": found[rate][0][0], "bits": bits}
    write_json(facts, said)
    outcome = outcome_of(cell, effort, place)
    if outcome is None:
        raise IntegrityError(f"{facts} is not what was just written.", "Run it again.")
    return outcome


def _tested(
    cell: Cell, effort: Effort, store: FrameStore, folder: Path, device: str
) -> dict[str, npt.NDArray[Any]]:
    """A run's answers on the test split."""
    there, plan = torch.device(device), effort.plan(cell, effort.rates[0], 0, device)
    network = CAERNet(cell.architecture)
    checkpoint.load_weights(folder / checkpoint.BEST, network)
    asked = ready(network, there, plan.compute, plan.given(store.settings.face_px))
    test = Batches(store, "test", effort.batch_size, clips=cell.is_of_clips)
    seen = answers(asked, test, there, effort.crop, plan.compute.precision, with_attention=True)
    found: dict[str, npt.NDArray[Any]] = {"predicted": seen.probabilities.argmax(1).numpy()}
    if seen.attention is not None:
        found["attention"] = seen.attention.float().numpy()
    if seen.fusion is not None:
        found["fusion"] = seen.fusion[:, 0].float().numpy()
    return found


def _store(cell: Cell, effort: Effort, place: Path, say: Say) -> FrameStore:
    folder = _store_folder(cell, place)
    say(f"{cell.name}: samples of {cell.world} in {folder.name}")
    world, settings = effort.world(cell.world), effort.store_settings(cell)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two that fill one store at once delete each other's parts: the second finds it filled.
    with FileLock(folder.with_suffix(".lock")):
        return fill(
            folder, world, settings, effort.counts_of(cell), lambda *_: None,
            workers=os.cpu_count() or 1,
        )  # fmt: skip


def _store_folder(cell: Cell, place: Path) -> Path:
    return place / "stores" / f"{cell.world}-{cell.hide}"


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

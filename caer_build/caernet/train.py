"""Training, in one loop that can be read.

The order of samples, their windows, their augmentation and dropout depend on the seed and the
epoch alone: a run that was stopped and goes on is the run that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from caer_build.caernet import checkpoint, networks
from caer_build.caernet.augment import Augmentation, draw
from caer_build.caernet.batches import Batches
from caer_build.caernet.compute import (
    Compute,
    checked,
    compiled,
    lies_on_device,
    placed,
    set_up,
)
from caer_build.caernet.distributed import ALONE, Ranks, synchronised
from caer_build.caernet.objective import Objective
from caer_build.caernet.predicting import infer, predict
from caer_build.caernet.runlog import Epoch, RunLog, epochs_of
from caer_build.caernet.selfcheck import Given
from caer_build.caernet.sources import DeviceSource, MappedSource, Source
from caer_build.caernet.windows import Windows
from caer_build.errors import CheckpointError

if TYPE_CHECKING:
    from caer_build.caernet.framestore import FrameStore
    from caer_build.caernet.networks import NetworkSettings
    from caer_build.caernet.regime import Regime

__all__ = ["Epoch", "Plan", "one_epoch", "source_of", "train"]
Tell = Callable[[Epoch], None]
TellStep = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What is trained, and how.

    Attributes:
        architecture: of the network, of any kind that :mod:`~caer_build.caernet.networks` knows.
        augmentation: of the training pictures; its crop holds for testing, too.
        device: cpu, cuda or cuda:N.
        compute: how fast.
        windows: how clips become samples.
    """

    architecture: NetworkSettings
    regime: Regime
    augmentation: Augmentation
    device: str = "cpu"
    compute: Compute = field(default_factory=Compute)
    windows: Windows = field(default_factory=Windows)

    def described(self) -> dict[str, Any]:
        """Its parts, JSON; without the device and its options, as it may go on elsewhere."""
        return {
            "model": self.architecture.model,
            "architecture": self.architecture.described(),
            "regime": self.regime.described(),
            "augmentation": asdict(self.augmentation),
            "windows": self.windows.described(),
        }

    def given(self, face_px: int, n_processes: int = 1) -> Given:
        """What the network of a process is given at once, of faces of this size."""
        n = math.ceil(self.regime.batch_size / n_processes)
        return Given(n, face_px, self.augmentation.crop, self.windows.length)


def train(
    store: FrameStore,
    run: Path,
    plan: Plan,
    tell: Tell,
    *,
    tell_step: TellStep = lambda *_: None,
    about: Mapping[str, Any] | None = None,
    ranks: Ranks = ALONE,
    stop_after: int | None = None,
) -> list[Epoch]:
    """Train a network, or go on training it.

    Args:
        run: the run's folder: checkpoints, ``run.json`` with every epoch, logs.
        tell: called after every epoch.
        tell_step: called after every step with the epoch, steps done, and all of the epoch.
        about: what else ``run.json`` says of the run; of a run that goes on its "data" must be
            what it was.
        ranks: which of several processes this is.
        stop_after: so many epochs of this call; what is planned stays as it is, and whoever goes
            on has in the end the run that was never stopped. None: all that are planned.

    Raises:
        CheckpointError: if the folder holds another run, or the loss is no number any more.
        DatasetError: if there is nothing to train or to validate on.
        DeviceError: if the device computes wrongly.
    """
    regime, device, architecture = plan.regime, torch.device(plan.device), plan.architecture
    set_up(device, plan.compute)
    source = source_of(store, device, plan.compute)
    training, validation = (
        Batches(store, split, regime.batch_size, clips=architecture.n_dims == 3,
                rank=ranks.rank, n_ranks=ranks.n, source=source, windows=plan.windows)
        for split in ("train", "validation")
    )  # fmt: skip
    torch.manual_seed(regime.seed)
    begins = not (run / checkpoint.LAST).is_file()
    network = networks.build(architecture, pretrained=begins)
    network = placed(network, device, plan.compute, architecture.n_dims)
    given = plan.given(store.settings.face_px, ranks.n)
    network = checked(network, device, plan.compute, given, learns=True)
    optimizer = regime.optimizer_of(network.parameters(), fused=plan.compute.fused)
    with closing(RunLog(run, plan.described(), about or {})) as log:
        done = _take_up(run, log, plan, network, optimizer)
        if done and ranks.leads:
            _catch_up(run, log, network, done)
        ranks.wait()
        called = compiled(synchronised(network, ranks), plan.compute)
        for number in range(len(done) + 1, regime.epochs + 1)[:stop_after]:
            if _is_over(done, regime):
                break
            began = time.perf_counter()
            loss, accuracy = one_epoch(
                called, optimizer, training, plan, number, tell_step=tell_step
            )
            probabilities = predict(
                called, validation, device, plan.augmentation.crop, plan.compute.precision
            )
            logs = probabilities.clamp_min(torch.finfo(torch.float64).tiny).log()
            right = (probabilities.argmax(1) == validation.labels).double().mean()
            epoch = Epoch(
                number, loss, accuracy, float(functional.nll_loss(logs, validation.labels)),
                float(right), optimizer.param_groups[0]["lr"], time.perf_counter() - began,
            )  # fmt: skip
            done.append(epoch)
            if ranks.leads:
                checkpoint.save_all(run / checkpoint.LAST, network, optimizer, log.said(done))
                _keep_if_best(run, network, done)
                log.write(done)
                tell(epoch)
    ranks.wait()
    return done


def source_of(store: FrameStore, device: torch.device, compute: Compute) -> Source:
    """Where training takes its frames from: the device itself where they fit."""
    items = store.items
    parts = items.part[items.split.isin(["train", "validation"])].unique().astype(np.int64)
    n_bytes = sum(store.n_frames(int(part)) for part in parts) * store.settings.frame_bytes
    if lies_on_device(n_bytes, device, compute):
        return DeviceSource(store, parts, device)
    return MappedSource(store, feeds_gpu=device.type == "cuda")


def one_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    training: Batches,
    plan: Plan,
    number: int,
    *,
    tell_step: TellStep = lambda *_: None,
) -> tuple[float, float]:
    """Train for an epoch: its mean loss and its accuracy.

    Args:
        network: laid out and compiled as it is to be called.
        number: 1-based; order, windows, augmentation and learning rate depend on it.
        tell_step: called after every step with the epoch, steps done, and all of the epoch.

    Raises:
        CheckpointError: if the loss is no number any more.
    """
    regime, device, ranks = plan.regime, torch.device(plan.device), training.ranks
    objective = Objective(training, regime, plan.architecture.n_classes, device)
    network.train()
    # Dropout's random numbers, too, are those of the epoch; every process has its own.
    torch.manual_seed((regime.seed * 100_003 + number) * 1_009 + ranks.rank)
    generator = torch.Generator().manual_seed(regime.seed * 100_003 + number)
    # Loss and right ones: added up where they are, so that no step waits for the device.
    sums, n_seen = torch.zeros(2, dtype=torch.float64, device=device), 0
    for index, read in enumerate(training.epoch(number, regime.seed)):
        batch = read.to(device)
        step = (number - 1) * len(training) + index
        for group in optimizer.param_groups:
            group["lr"] = regime.lr_at(step, len(training))
        draws = draw(len(batch.whole), plan.augmentation, generator).share(ranks.rank, ranks.n)
        # Before the forward pass, which has their memory, and whose CUDA graph writes over them.
        optimizer.zero_grad(set_to_none=True)
        logits = infer(
            network, batch, device, plan.augmentation.crop, draws, precision=plan.compute.precision
        ).logits
        loss = objective(logits, batch)
        torch.autograd.backward(loss)
        ranks.sum_gradients(network.parameters())
        optimizer.step()
        right = (logits.detach().argmax(1) == batch.labels).sum()
        sums += torch.stack((loss.detach() * len(batch.whole), right))
        n_seen += len(batch.items)
        tell_step(number, index + 1, len(training))
    sums = torch.cat((sums, sums.new_tensor([n_seen])))
    total, n_right, n = ranks.summed(sums).tolist()
    if not math.isfinite(total):
        raise CheckpointError(
            f"The loss of epoch {number} is no number any more.", "Lower the learning rate."
        )
    if n != len(training.items):
        raise CheckpointError(
            f"Expected {len(training.items)} items in epoch {number}, found {n:.0f}.",
            "This is a fault of the program; please report it.",
        )
    return total / n, n_right / n


def _keep_if_best(run: Path, network: nn.Module, done: list[Epoch]) -> None:
    """Keep the weights after the last epoch as the best ones, where they are."""
    *before, last = done
    best = run / checkpoint.BEST
    is_best = all(last.score > earlier.score for earlier in before)
    if is_best and not checkpoint.is_of_epoch(best, last.number):
        checkpoint.save_weights(best, network, last.number)


def _catch_up(run: Path, log: RunLog, network: nn.Module, done: list[Epoch]) -> None:
    """Write what comes after a checkpoint, where a run was killed before it did."""
    _keep_if_best(run, network, done)
    is_told = (run / checkpoint.RUN).is_file()
    if not is_told or len(checkpoint.read_run(run)["epochs"]) != len(done):
        log.write(done)


def _is_over(done: list[Epoch], regime: Regime) -> bool:
    if not regime.patience or len(done) <= regime.patience:
        return False
    best = max(done, key=lambda epoch: epoch.score)
    return done[-1].number - best.number >= regime.patience


def _take_up(
    run: Path, log: RunLog, plan: Plan, network: nn.Module, optimizer: torch.optim.Optimizer
) -> list[Epoch]:
    """The epochs that a run has behind it, with its weights and the optimizer's state."""
    if not (run / checkpoint.LAST).is_file():
        if (run / checkpoint.RUN).is_file():
            raise CheckpointError(
                f"{run} has {checkpoint.RUN} and no {checkpoint.LAST}.", "Give another folder."
            )
        run.mkdir(parents=True, exist_ok=True)
        return []
    log.take_up(checkpoint.said_of(run / checkpoint.LAST), plan.regime.epochs)
    return epochs_of(checkpoint.load_all(run / checkpoint.LAST, network, optimizer))

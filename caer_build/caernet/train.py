"""Training, in one loop that can be read.

The order of samples, their windows, their augmentation and dropout depend on the seed and the
epoch alone: a run that was stopped and goes on is the run that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from caer_build.caernet import checkpoint
from caer_build.caernet.augment import Augmentation, draw
from caer_build.caernet.batches import Batches
from caer_build.caernet.model import CAERNet
from caer_build.caernet.predicting import infer, predict
from caer_build.errors import CheckpointError

if TYPE_CHECKING:
    from caer_build.caernet.architecture import Architecture
    from caer_build.caernet.framestore import FrameStore
    from caer_build.caernet.regime import Regime

Tell = Callable[["Epoch"], None]


@dataclass(frozen=True)
class Epoch:
    """What came of an epoch.

    Attributes:
        number: 1-based.
        loss, accuracy: of training, as it went.
        validation_loss, validation_accuracy: after it.
        lr: at its end.
        seconds: it took.
    """

    number: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What is trained, and how.

    Attributes:
        augmentation: of the training pictures; its crop holds for testing, too.
        device: cpu, cuda or cuda:N.
    """

    architecture: Architecture
    regime: Regime
    augmentation: Augmentation
    device: str = "cpu"

    def described(self) -> dict[str, Any]:
        """Its parts, JSON; without the device, on which it may go on elsewhere."""
        return {
            "architecture": self.architecture.described(),
            "regime": self.regime.described(),
            "augmentation": asdict(self.augmentation),
        }


def train(store: FrameStore, run: Path, plan: Plan, tell: Tell) -> list[Epoch]:
    """Train a network, or go on training it.

    Args:
        run: the run's folder: checkpoints, ``run.json`` with every epoch.
        tell: called after every epoch.

    Raises:
        CheckpointError: if the folder holds another run, or the loss is no number any more.
        DatasetError: if there is nothing to train or to validate on.
    """
    regime, device = plan.regime, torch.device(plan.device)
    clips = plan.architecture.n_dims == 3
    training = Batches(store, "train", regime.batch_size, clips=clips)
    validation = Batches(store, "validation", regime.batch_size, clips=clips)
    torch.manual_seed(regime.seed)
    network = CAERNet(plan.architecture).to(device)
    optimizer = regime.optimizer_of(network.parameters())
    done = _take_up(run, plan, network, optimizer)
    for number in range(len(done) + 1, regime.epochs + 1):
        if _is_over(done, regime):
            break
        began = time.perf_counter()
        loss, accuracy = _one_epoch(network, optimizer, training, plan, number)
        probabilities = predict(network, validation, device, plan.augmentation.crop)
        validation_loss = functional.nll_loss(probabilities.log(), validation.labels)
        right = (probabilities.argmax(1) == validation.labels).double().mean()
        epoch = Epoch(
            number, loss, accuracy, float(validation_loss), float(right),
            optimizer.param_groups[0]["lr"], time.perf_counter() - began,
        )  # fmt: skip
        if all(_score(epoch) > _score(earlier) for earlier in done):
            checkpoint.save_weights(run / checkpoint.BEST, network)
        done.append(epoch)
        checkpoint.save_all(run / checkpoint.LAST, network, optimizer, {"epoch": str(number)})
        _note(run, plan, done)
        tell(epoch)
    return done


def _one_epoch(
    network: CAERNet,
    optimizer: torch.optim.Optimizer,
    training: Batches,
    plan: Plan,
    number: int,
) -> tuple[float, float]:
    """The mean loss and the accuracy of an epoch of training."""
    regime, device = plan.regime, torch.device(plan.device)
    class_weights = _class_weights(training.labels, regime, plan.architecture.n_classes).to(device)
    network.train()
    # Dropout's random numbers, too, are those of the epoch.
    torch.manual_seed(regime.seed * 100_003 + number)
    generator = torch.Generator().manual_seed(regime.seed * 100_003 + number)
    total, right, n = 0.0, 0, 0
    for index, batch in enumerate(training.epoch(number, regime.seed)):
        step = (number - 1) * len(training) + index
        for group in optimizer.param_groups:
            group["lr"] = regime.lr_at(step, len(training))
        draws = draw(len(batch.items), plan.augmentation, generator)
        logits = infer(network, batch, device, plan.augmentation.crop, draws).logits.float()
        labels = batch.labels.to(device)
        wanted = batch.soft.to(device) if regime.labels == "soft" else labels
        loss = functional.cross_entropy(logits, wanted, weight=class_weights)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        total += float(loss.detach()) * len(labels)
        right += int((logits.argmax(1) == labels).sum())
        n += len(labels)
    if math.isnan(total):
        raise CheckpointError(
            f"The loss of epoch {number} is no number any more.", "Lower the learning rate."
        )
    return total / n, right / n


def _class_weights(labels: Tensor, regime: Regime, n_classes: int) -> Tensor:
    """One a class; of mean 1 over the items."""
    counts = torch.bincount(labels, minlength=n_classes).clamp(min=1).double()
    power = {"none": 0.0, "root": 0.5, "inverse": 1.0}[regime.class_weights]
    weights = counts**-power
    return (weights / weights[labels].mean()).float()


def _score(epoch: Epoch) -> tuple[float, float]:
    """Better accuracy; of equals the lower loss."""
    return epoch.validation_accuracy, -epoch.validation_loss


def _is_over(done: list[Epoch], regime: Regime) -> bool:
    if not regime.patience or len(done) <= regime.patience:
        return False
    best = max(done, key=_score)
    return done[-1].number - best.number >= regime.patience


def _take_up(
    run: Path, plan: Plan, network: CAERNet, optimizer: torch.optim.Optimizer
) -> list[Epoch]:
    """The epochs that a run has behind it, with its weights and the optimizer's state."""
    if not (run / checkpoint.RUN).is_file():
        run.mkdir(parents=True, exist_ok=True)
        return []
    said = checkpoint.read_run(run)
    mine = plan.described()
    # A run may be made longer; everything else is what it is.
    theirs = {**said["plan"], "regime": {**said["plan"]["regime"], "epochs": plan.regime.epochs}}
    if theirs != mine:
        raise CheckpointError(
            f"{run} holds a run with other settings.", "Give another folder, or its settings."
        )
    epoch = int(checkpoint.load_all(run / checkpoint.LAST, network, optimizer)["epoch"])
    return [Epoch(**facts) for facts in said["epochs"][:epoch]]


def _note(run: Path, plan: Plan, done: list[Epoch]) -> None:
    checkpoint.write_run(
        run, {"plan": plan.described(), "epochs": [asdict(epoch) for epoch in done]}
    )

"""Training a network of faces on FER+: 48 px grey faces in memory, augmented on the device.

Every epoch's order and changes depend on the seed and the epoch alone, so that a run that was
stopped goes on as it would have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from caer_build.caernet import checkpoint
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.model import CAERNet
from caer_build.caernet.predicting import autocast
from caer_build.caernet.regime import Regime
from caer_build.errors import CheckpointError

INPUT_PX = 96
_MEAN, _STD = 129.0, 65.0
"""grey levels of the training faces, about"""


@dataclass(frozen=True)
class Change:
    """How training faces are changed; each number is drawn evenly from minus to plus it.

    Attributes:
        flip, erase: shares of faces that are mirrored, and that a square is cut out of.
        turn: degrees; scale, shift: shares of the face; contrast: share.
    """

    flip: float = 0.5
    turn: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    contrast: float = 0.25
    erase: float = 0.3


@dataclass(frozen=True)
class Examples:
    """Faces of a split.

    Attributes:
        pictures: (n, 48, 48) uint8.
        targets: (n, classes), rows sum to 1.
        labels: (n,)
    """

    pictures: Tensor
    targets: Tensor
    labels: Tensor

    def to(self, device: str) -> Examples:
        """On a device."""
        return Examples(*(part.to(device) for part in (self.pictures, self.targets, self.labels)))


@dataclass(frozen=True)
class How:
    """How a network is trained, and on which device: cpu, cuda or cuda:N."""

    regime: Regime
    change: Change = Change()
    device: str = "cpu"


@dataclass(frozen=True)
class Epoch:
    """What came of an epoch; number 1-based."""

    number: int
    loss: float
    accuracy: float
    validation_accuracy: float


def augmented(pictures: Tensor, change: Change, generator: torch.Generator) -> Tensor:
    """(B, 48, 48) uint8 -> (B, 3, 96, 96), turned, shifted, stretched, a square cut out."""
    n, device = len(pictures), pictures.device
    u = torch.rand(9, n, generator=generator).to(device)
    angle = torch.deg2rad(change.turn * (2 * u[0] - 1))
    stretch = 1 + change.scale * (2 * u[1] - 1)
    mirror = torch.where(u[2] < change.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) / stretch, torch.sin(angle) / stretch
    shift = 2 * change.shift * (2 * u[3:5] - 1)
    rows = [cos * mirror, -sin, shift[0], sin * mirror, cos, shift[1]]
    theta = torch.stack(rows, 1).view(n, 2, 3)
    grid = functional.affine_grid(theta, [n, 1, INPUT_PX, INPUT_PX], align_corners=False)
    floats = (pictures.float().unsqueeze(1) - _MEAN) / _STD
    seen = functional.grid_sample(floats, grid, padding_mode="border", align_corners=False)
    seen = seen * (1 + change.contrast * (2 * u[5] - 1)).view(-1, 1, 1, 1)
    side = INPUT_PX * (0.15 + 0.25 * u[6])
    place = torch.arange(INPUT_PX, device=device)
    inside = []
    for begin in (u[7] * (INPUT_PX - side), u[8] * (INPUT_PX - side)):
        after = place >= begin[:, None]
        inside.append(after & (place < (begin + side)[:, None]))
    cut = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    is_cut = torch.rand(n, generator=generator).to(device) < change.erase
    seen = seen.masked_fill(cut & is_cut.view(-1, 1, 1, 1), 0.0)
    return seen.expand(-1, 3, -1, -1)


def plain(pictures: Tensor) -> Tensor:
    """(B, 48, 48) uint8 -> (B, 3, 96, 96), only made larger."""
    floats = (pictures.float().unsqueeze(1) - _MEAN) / _STD
    large = functional.interpolate(floats, size=(INPUT_PX, INPUT_PX), mode="bilinear")
    return large.expand(-1, 3, -1, -1)


@torch.no_grad()
def probabilities(network: CAERNet, pictures: Tensor, batch_size: int = 256) -> Tensor:
    """(n, classes) float64 on the CPU."""
    network.eval()
    device = next(network.parameters()).device
    said = []
    for some in pictures.split(batch_size):
        with autocast(device):
            logits = network(plain(some.to(device)), None).logits
        said.append(torch.softmax(logits.double(), 1).cpu())
    return torch.cat(said)


def train_faces(
    training: Examples,
    validation: Examples,
    run: Path,
    how: How,
    tell: Callable[[Epoch], None],
) -> tuple[CAERNet, list[Epoch]]:
    """Train the face stream alone, or go on training it; the network of the best epoch.

    Raises:
        CheckpointError: if the folder holds another run, or the loss is no number any more.
    """
    regime = how.regime
    torch.manual_seed(regime.seed)
    architecture = Architecture(2, streams="face", n_classes=training.targets.shape[1])
    network = CAERNet(architecture).to(how.device)
    training = training.to(how.device)
    optimizer = regime.optimizer_of(network.parameters())
    said = {"regime": regime.described(), "change": asdict(how.change), "n": len(training.labels)}
    done = _take_up(run, said, network, optimizer)
    for number in range(len(done) + 1, regime.epochs + 1):
        loss, accuracy = _one_epoch(network, optimizer, training, how, number)
        right = probabilities(network, validation.pictures).argmax(1) == validation.labels
        epoch = Epoch(number, loss, accuracy, float(right.double().mean()))
        done.append(epoch)
        facts = {"plan": json.dumps(said), "epochs": json.dumps([asdict(e) for e in done])}
        checkpoint.save_all(run / checkpoint.LAST, network, optimizer, facts)
        _keep_if_best(run, network, done)
        tell(epoch)
    checkpoint.load_weights(run / checkpoint.BEST, network)
    return network, done


def _one_epoch(
    network: CAERNet, optimizer: torch.optim.Optimizer, training: Examples, how: How, number: int
) -> tuple[float, float]:
    """The mean loss and the accuracy of an epoch."""
    network.train()
    regime, device = how.regime, torch.device(how.device)
    torch.manual_seed(regime.seed * 100_003 + number)
    generator = torch.Generator().manual_seed(regime.seed * 100_003 + number)
    order = torch.randperm(len(training.labels), generator=generator).to(device)
    total = torch.zeros(2, dtype=torch.float64, device=device)
    batches = order.split(regime.batch_size)
    for index, chosen in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = regime.lr_at((number - 1) * len(batches) + index, len(batches))
        faces = augmented(training.pictures[chosen], how.change, generator)
        with autocast(device):
            logits = network(faces, None).logits
        loss = functional.cross_entropy(logits.float(), training.targets[chosen])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        right = (logits.argmax(1) == training.labels[chosen]).sum()
        total += torch.stack([loss.detach().double() * len(chosen), right.double()])
    loss_of, right_of = (total / len(order)).tolist()
    if math.isnan(loss_of):
        raise CheckpointError(
            f"The loss of epoch {number} is no number any more.", "Lower the learning rate."
        )
    return loss_of, right_of


def _keep_if_best(run: Path, network: CAERNet, done: list[Epoch]) -> None:
    *before, last = done
    best = run / checkpoint.BEST
    is_best = all(last.validation_accuracy > epoch.validation_accuracy for epoch in before)
    if is_best and not checkpoint.is_of_epoch(best, last.number):
        checkpoint.save_weights(best, network, last.number)


def _take_up(
    run: Path, said: dict[str, Any], network: CAERNet, optimizer: torch.optim.Optimizer
) -> list[Epoch]:
    if not (run / checkpoint.LAST).is_file():
        run.mkdir(parents=True, exist_ok=True)
        return []
    found = checkpoint.load_all(run / checkpoint.LAST, network, optimizer)
    # JSON knows no tuples.
    if "plan" not in found or json.loads(found["plan"]) != json.loads(json.dumps(said)):
        raise CheckpointError(f"{run} holds a run with other settings.", "Remove it.")
    done = [Epoch(**facts) for facts in json.loads(found["epochs"])]
    _keep_if_best(run, network, done)
    return done

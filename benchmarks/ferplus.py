"""FER+, real faces: what the face stream alone (CAER-Net-S w/F, 96 px) makes of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.data import cache_folder
from benchmarks.ferplus_faces import CLASSES, faces_of, majority, most_voted
from benchmarks.ferplus_training import (
    Epoch,
    Examples,
    How,
    probabilities,
    train_faces,
)
from benchmarks.reporting import RESULTS, Row, kept_as, name_of
from caer_build.caernet.distributed import device_of
from caer_build.caernet.regime import Regime
from caer_build.errors import DatasetError, RecipeError

PROTOCOL = """
The face stream of CAER-Net-S alone on FER+ (Barsoum et al. 2016), eight classes, majority
protocol: single votes struck, a class needs more than half of what is left, unknown and not a face
dropped: 25,057 faces to train on, 3,199 to choose the best epoch by, 3,153 to test on. accuracy:
of these; macro_f1 and uar (mean of the classes' recall) likewise. accuracy.all: of all 3,573 test
faces, right where the class has the most votes (of several such classes an equal share; a face
with no vote for any class is wrong). 48 px faces made 96 px; mirrored, turned up to 15 degrees,
scaled by 15 %, shifted by 8 %, contrast, a square cut out in 30 %; AdamW, cosine. targets: the
majority's class, or the distribution of the votes. VGG13 with majority votes is published with
0.8385 (Barsoum et al. 2016, over four runs).
"""
COUNTS = {"train": 25_057, "validation": 3_199, "test": 3_153}
EPOCHS, BATCH = 60, 128
TARGETS = ("majority", "distribution")


def examples(split: str, targets: str = "majority") -> Examples:
    """The faces of a split that have a label.

    Args:
        targets: "majority": the label; "distribution": the share of the votes for each class
            (single votes struck).

    Raises:
        DatasetError: if there are not as many as there should be.
        RecipeError: if there are no such targets.
    """
    if targets not in TARGETS:
        raise RecipeError(f"Expected targets {' or '.join(TARGETS)}, found {targets!r}.")
    faces = faces_of(split)
    labels = majority(faces.votes)
    kept = labels >= 0
    if kept.sum() != COUNTS[split]:
        raise DatasetError(
            f"Expected {COUNTS[split]} faces of {split} under the majority protocol, found "
            f"{kept.sum()}.", "Fetch the faces again.",
        )  # fmt: skip
    votes = faces.votes[kept][:, : len(CLASSES)]
    votes = np.where(votes <= 1, 0, votes)
    if targets == "majority":
        votes = np.eye(len(CLASSES))[labels[kept]]
    shares = votes / votes.sum(1, keepdims=True)
    return Examples(
        torch.from_numpy(faces.pictures[kept]),
        torch.from_numpy(shares).float(),
        torch.from_numpy(labels[kept]),
    )


def run(
    epochs: int = EPOCHS, device: str = "auto", targets: str = "majority", reduced: bool = False
) -> Iterator[Row]:
    """Train, or go on training, in the cache; then test the best epoch.

    Args:
        device: auto, cpu or cuda; auto: a GPU where there is one.
        reduced: three epochs, which show the curve, instead of ``epochs``.
    """
    epochs, device = 3 if reduced else epochs, device_of(device)
    place = cache_folder() / f"ferplus-{targets}-{epochs}-{name_of(device)}"
    how = How(Regime(epochs=epochs, batch_size=BATCH, lr=2e-3, warm_up=0.05), device=device)
    network, done = train_faces(
        examples("train", targets), examples("validation"), place, how, _say
    )
    system = f"ours-{targets}"
    test = examples("test")
    said = probabilities(network, test.pictures).argmax(1).numpy()
    yield from scores(system, said, test.labels.numpy())
    whole = faces_of("test")
    of_all = probabilities(network, torch.from_numpy(whole.pictures)).argmax(1).numpy()
    worth = most_voted(whole.votes)[np.arange(len(of_all)), of_all]
    yield Row("ferplus", system, "accuracy.all", float(worth.mean()))
    yield Row("ferplus", system, "faces.all", len(worth), "faces")
    yield Row("ferplus", system, "epochs", len(done), "epochs")
    for epoch in done:
        name = f"{system}, epoch {epoch.number}"
        yield Row("ferplus", name, "accuracy.training", epoch.accuracy)
        yield Row("ferplus", name, "accuracy.validation", epoch.validation_accuracy)
    draw_curve(done, RESULTS / f"{kept_as(f'ferplus-{targets}', {'reduced': reduced}, device)}.png")


def scores(system: str, said: np.ndarray, labels: np.ndarray) -> Iterator[Row]:
    """Accuracy, macro-F1 and mean recall over the eight classes."""
    classes = np.arange(len(CLASSES))
    hits = np.array([((said == k) & (labels == k)).sum() for k in classes])
    n_said, n_true = (np.bincount(x, minlength=len(classes)) for x in (said, labels))
    yield Row("ferplus", system, "accuracy", float((said == labels).mean()))
    yield Row("ferplus", system, "macro_f1", float((2 * hits / (n_said + n_true)).mean()))
    yield Row("ferplus", system, "uar", float((hits / n_true).mean()))
    yield Row("ferplus", system, "faces", len(labels), "faces")


def draw_curve(done: Sequence[Epoch], file: Path) -> None:
    """Accuracy over epochs, of training and validation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    numbers = [e.number for e in done]
    axes.plot(numbers, [100 * e.accuracy for e in done], "o-", label="training (changed faces)")
    axes.plot(numbers, [100 * e.validation_accuracy for e in done], "o-", label="validation")
    axes.set(xlabel="epoch", ylabel="accuracy, %", title="FER+, the face stream alone")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=130)


def _say(epoch: Epoch) -> None:
    print(
        f"epoch {epoch.number}: loss {epoch.loss:.3f}, training {epoch.accuracy:.3f}, "
        f"validation {epoch.validation_accuracy:.3f}",
        file=sys.stderr, flush=True,
    )  # fmt: skip

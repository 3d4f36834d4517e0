"""What a network says of a person at one moment, and of the whole of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from caer_build.caernet.augment import prepared
from caer_build.caernet.compute import Compute, autocast, ready, set_up
from caer_build.caernet.model import Inference
from caer_build.caernet.pictures import Pixels
from caer_build.caernet.runs import TrainedRun
from caer_build.caernet.selfcheck import Given
from caer_build.caernet.windows import MeanOf, averaged
from caer_build.errors import CheckpointError
from caer_build.inference.sampling import Box, Sample
from caer_build.records import EMOTIONS

_BATCH_FRAMES = 64
"""pictures that the network is given at once"""


@dataclass(frozen=True)
class Moment:
    """What is said of a sample.

    Attributes:
        face, start_s, end_s, frame, box: those of the :class:`Sample`.
        probabilities: of the emotions in their order, sum 1.
        weights: of face and context, sum 1; None: the network weighs nothing.
    """

    face: str
    start_s: float
    end_s: float
    frame: int
    box: Box
    probabilities: tuple[float, ...]
    weights: tuple[float, float] | None

    @property
    def emotion(self) -> str:
        return emotion_of(self.probabilities)


def emotion_of(probabilities: Sequence[float]) -> str:
    """The likeliest."""
    return EMOTIONS[int(np.argmax(probabilities))]


class Reader:
    """A trained network that is asked about samples.

    Raises:
        CheckpointError: if it does not tell the seven emotions apart, or cannot be read.
        DeviceError: if the device computes wrongly.
    """

    def __init__(
        self, run: TrainedRun, device: torch.device, compute: Compute | None = None
    ) -> None:
        if run.plan.architecture.n_classes != len(EMOTIONS):
            raise CheckpointError(
                f"{run.folder} tells {run.plan.architecture.n_classes} classes apart, expected the "
                f"{len(EMOTIONS)} emotions.", "Give a run on a data set of these.",
            )  # fmt: skip
        self._reads = run.plan.architecture
        windows = run.plan.windows
        self.windows = windows if run.plan.architecture.n_dims == 3 else None
        self._crop = run.plan.augmentation.crop
        self._at_once = max(1, _BATCH_FRAMES // (self.windows.length if self.windows else 1))
        self._device, self._compute = device, compute or Compute()
        given = Given(self._at_once, run.store.face_px, self._crop, windows.length)
        set_up(device, self._compute)
        self._network = ready(run.network(device), device, self._compute, given)

    def moments(self, samples: Iterable[Sample]) -> Iterator[Moment]:
        """What it says of each, in their order."""
        left = iter(samples)
        while some := list(islice(left, self._at_once)):
            yield from self._said(some)

    @torch.no_grad()
    def _said(self, samples: Sequence[Sample]) -> Iterator[Moment]:
        faces = self._input([s.faces for s in samples]) if self._reads.has_face else None
        contexts = None
        if self._reads.has_context:
            contexts = self._input([s.contexts for s in samples], self._crop)
        with autocast(self._device, self._compute.precision):
            said: Inference = self._network(faces, contexts)
        probabilities = torch.softmax(said.logits.double(), 1).tolist()
        weights = [None] * len(samples) if said.fusion is None else said.fusion.double().tolist()
        for sample, each, weighed in zip(samples, probabilities, weights, strict=True):
            yield Moment(
                sample.face, sample.start_s, sample.end_s, sample.frame, sample.box, tuple(each),
                None if weighed is None else (weighed[0], weighed[1]),
            )  # fmt: skip

    def _input(self, pictures: Sequence[Pixels], crop: int | None = None) -> torch.Tensor:
        return prepared(torch.from_numpy(np.stack(pictures)).to(self._device), None, crop)


class Course:
    """What is said of one person over time.

    Args:
        moments: of the person, in order; not none.
        mean_of: what is averaged over moments, see :class:`Windows`.
    """

    def __init__(self, moments: Sequence[Moment], mean_of: MeanOf = "probabilities") -> None:
        self._mean_of: MeanOf = mean_of
        self._starts = np.array([m.start_s for m in moments])
        self._ends = np.array([m.end_s for m in moments])
        self._said = np.array([m.probabilities for m in moments])

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Over all moments, (7,): as a test clip's is (section 5.1)."""
        return averaged(self._said, self._mean_of)

    def at(self, time_s: float) -> npt.NDArray[np.float64]:
        """The mean over the windows that cover a time, (7,); beyond them that of the nearest."""
        covers = (self._starts <= time_s) & (time_s < self._ends)
        if not covers.any():
            away = np.maximum(self._starts - time_s, time_s - self._ends)
            covers = away == away.min()
        return averaged(self._said[covers], self._mean_of)


def by_face(moments: Iterable[Moment]) -> dict[str, list[Moment]]:
    """The moments of each person, in order of time; persons by when they are first there."""
    found: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda m: (m.start_s, m.face)):
        found.setdefault(moment.face, []).append(moment)
    return found


def as_csv(files: Mapping[str, Sequence[Moment]]) -> str:
    """A row a moment: file, face, start_s, end_s, frame, box, emotion, probabilities, weights."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["file", "face", "start_s", "end_s", "frame", "x1", "y1", "x2", "y2", "emotion",
         *(f"p_{emotion.lower()}" for emotion in EMOTIONS), "face_weight", "context_weight"]
    )  # fmt: skip
    for file, moments in files.items():
        for m in (m for some in by_face(moments).values() for m in some):
            weights = ["", ""] if m.weights is None else [f"{w:.6f}" for w in m.weights]
            writer.writerow(
                [file, m.face, f"{m.start_s:.3f}", f"{m.end_s:.3f}", m.frame,
                 *(f"{v:.1f}" for v in m.box), m.emotion, *(f"{p:.6f}" for p in m.probabilities),
                 *weights]
            )  # fmt: skip
    return text.getvalue()


def described(moments: Sequence[Moment], mean_of: MeanOf = "probabilities") -> list[dict[str, Any]]:
    """Each person of a file: when, and what is said of the whole of them; JSON."""
    persons = []
    for face, own in by_face(moments).items():
        mean = Course(own, mean_of).mean.tolist()
        weights = [m.weights for m in own if m.weights is not None]
        facts: dict[str, Any] = {
            "face": face,
            "start_s": round(own[0].start_s, 3),
            "end_s": round(max(m.end_s for m in own), 3),
            "n_moments": len(own),
            "emotion": emotion_of(mean),
            "p": {name: round(p, 6) for name, p in zip(EMOTIONS, mean, strict=True)},
        }
        if weights:
            facts["face_weight"] = round(float(np.mean([w[0] for w in weights])), 6)
        persons.append(facts)
    return persons

"""A network as ONNX: bytes of RGB in, probabilities out; checked against torch before it is kept.

torch's older exporter is used: its newer one would need another package (onnxscript).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from caer_build.caernet.augment import prepared
from caer_build.caernet.model import Inference
from caer_build.errors import CheckpointError
from caer_build.records import EMOTIONS
from caer_build.store import disk_errors

if TYPE_CHECKING:
    from caer_build.caernet.runs import TrainedRun

FACES, CONTEXT = "faces", "context"
PROBABILITIES, ATTENTION, FUSION = "probabilities", "attention", "fusion"
MOST_DIFFERENCE = 1e-4
"""of any output, between torch and onnxruntime"""
_OPSET = 17
_CHECKED_BATCHES = (1, 3)
"""other ones than that of the export, so that a batch size that got fixed is noticed"""


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        inputs: name -> shape, the batch being "batch"; uint8 RGB.
        outputs: names.
        difference: the largest from torch.
    """

    file: Path
    inputs: dict[str, list[int | str]]
    outputs: tuple[str, ...]
    difference: float


class _Whole(nn.Module):
    """The network with what is done to its pictures, and a tuple as its answer."""

    def __init__(self, network: nn.Module, inputs: Sequence[str]) -> None:
        super().__init__()
        self.network, self.inputs = network, tuple(inputs)

    def named(self, pictures: Sequence[Tensor]) -> dict[str, Tensor]:
        """What it answers, by the outputs' names."""
        given = {name: prepared(p, None) for name, p in zip(self.inputs, pictures, strict=True)}
        said: Inference = self.network(given.get(FACES), given.get(CONTEXT))
        every = {PROBABILITIES: torch.softmax(said.logits, 1), ATTENTION: said.attention,
                 FUSION: said.fusion}  # fmt: skip
        return {name: output for name, output in every.items() if output is not None}

    def forward(self, *pictures: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.named(pictures).values())


@torch.no_grad()
def export_onnx(run: TrainedRun, out: Path) -> Exported:
    """Write the network of a run's best epoch.

    Inputs, uint8 RGB, the batch of any size: ``faces`` (batch, h, w, 3) and ``context``, cropped
    to what the network sees; of clips (batch, t, h, w, 3), a window long. Streams that the network
    does not have are no inputs. Outputs: ``probabilities`` (batch, classes), and where there are
    any ``attention`` and ``fusion``, see :class:`~caer_build.caernet.model.Inference`.

    Args:
        out: of the file; it gets its name when it was found to say what torch says.

    Raises:
        CheckpointError: if the file says something else than torch; then it is not kept.
    """
    shapes = _shapes(run)
    whole = _Whole(run.network(torch.device("cpu")), list(shapes)).eval()
    generator = np.random.default_rng(0)
    example = _random(shapes, 2, generator)
    names = list(whole.named(example))
    part = out.with_name(f".{out.name}")
    try:
        with disk_errors(out.parent), warnings.catch_warnings():
            # The older exporter says at every call that there is a newer one.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                whole, example, str(part), input_names=list(shapes), output_names=names,
                dynamic_axes={name: {0: "batch"} for name in (*shapes, *names)},
                opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
            _describe(part, run)
        difference = max(
            _difference(part, whole, _random(shapes, n, generator)) for n in _CHECKED_BATCHES
        )
        # What is no number is not smaller either.
        if not difference <= MOST_DIFFERENCE:
            raise CheckpointError(
                f"Expected what ONNX says to be within {MOST_DIFFERENCE} of what torch says, found "
                f"{difference:.2g}.", "The exporter of this torch is at fault; use another one."
            )  # fmt: skip
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    inputs: dict[str, list[int | str]] = {n: ["batch", *shape] for n, shape in shapes.items()}
    return Exported(out, inputs, tuple(names), difference)


def _shapes(run: TrainedRun) -> dict[str, tuple[int, ...]]:
    """Of a sample, by the inputs' names."""
    architecture, store = run.plan.architecture, run.store
    time = (run.plan.windows.length,) if architecture.n_dims == 3 else ()
    crop = run.plan.augmentation.crop
    shapes: dict[str, tuple[int, ...]] = {}
    if architecture.has_face:
        shapes[FACES] = (*time, store.face_px, store.face_px, 3)
    if architecture.has_context:
        shapes[CONTEXT] = (*time, crop, crop, 3)
    return shapes


def _random(
    shapes: dict[str, tuple[int, ...]], n: int, generator: np.random.Generator
) -> tuple[Tensor, ...]:
    return tuple(
        torch.from_numpy(generator.integers(0, 256, (n, *shape), np.uint8))
        for shape in shapes.values()
    )


def _difference(file: Path, whole: _Whole, pictures: tuple[Tensor, ...]) -> float:
    """The largest between any output of torch and of onnxruntime."""
    import onnxruntime

    expected = whole.named(pictures)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = {name: p.numpy() for name, p in zip(whole.inputs, pictures, strict=True)}
    found = session.run(list(expected), given)
    differences = [
        np.abs(output.numpy() - other).max() if output.shape == other.shape else np.inf
        for output, other in zip(expected.values(), found, strict=True)
    ]
    return float(np.max(differences))


def _describe(file: Path, run: TrainedRun) -> None:
    """What a reader needs to know, in the file itself."""
    import onnx

    model = onnx.load(str(file))
    facts: dict[str, Any] = {
        "model": run.plan.architecture.model, "epoch": run.best, "data": run.data.get("key", ""),
        "pixels": "uint8 RGB", "hidden_faces": run.store.hide, "fill": run.store.fill,
        "face_margin": run.store.margin, "face_is_square": run.store.square, "rate": run.store.rate,
    }  # fmt: skip
    if run.plan.architecture.n_classes == len(EMOTIONS):
        facts["classes"] = json.dumps(EMOTIONS)
    onnx.helper.set_model_props(model, {name: str(fact) for name, fact in facts.items()})
    onnx.save(model, str(file))

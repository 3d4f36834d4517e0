"""What a network says of one sample, and where it looked: CAER-Net by its own attention, a baseline
by Grad-CAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from caer_build.caernet.augment import prepared
from caer_build.caernet.baselines import Baseline
from caer_build.caernet.grad_cam import as_shares, grad_cam

if TYPE_CHECKING:
    from caer_build.caernet.model import Inference
    from caer_build.caernet.pictures import Pixels

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """What a network says of one sample, and where it looked.

    Attributes:
        probabilities: (classes,).
        looked: (h, w) shares of what the network saw of the context, sum 1; of a clip the mean
            over its time steps. None: the network does not say.
        by: "attention" or "Grad-CAM".
        weights: of face and context, sum 1; None: the network weighs nothing.
    """

    probabilities: Floats
    looked: Floats | None
    by: str
    weights: tuple[float, float] | None


def explain(
    network: nn.Module, faces: Pixels, contexts: Pixels, crop: int, device: torch.device
) -> Explanation:
    """Explain what a network says of a sample.

    Args:
        network: in evaluation mode, on the device.
        faces, contexts: (h, w, 3) of a still, (16, h, w, 3) of a clip; uint8 RGB.
        crop: px of the square that the network sees of the context.
    """
    architecture: Any = network.architecture
    given = [torch.from_numpy(np.ascontiguousarray(p))[None].to(device) for p in (faces, contexts)]
    face = prepared(given[0], None) if architecture.has_face else None
    context = prepared(given[1], None, crop) if architecture.has_context else None
    looked, by = None, "attention"
    with torch.no_grad():
        said: Inference = network(face, context)
    if said.attention is not None:
        looked = said.attention
    elif isinstance(network, Baseline) and context is not None:
        looked, by = grad_cam(network, context, said.logits.argmax(1)), "Grad-CAM"
    weights = None
    if said.fusion is not None:
        face_weight, context_weight = said.fusion[0].tolist()
        weights = face_weight, context_weight
    return Explanation(
        torch.softmax(said.logits[0].double(), 0).cpu().numpy(),
        None if looked is None else as_shares(looked.double()).cpu().numpy()[0],
        by,
        weights,
    )

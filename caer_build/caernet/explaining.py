"""Where a network looks: the attention of CAER-Net, and what stands in for it in the baselines.

CAER-Net says itself where it looks in the context. A baseline does not; for it there is Grad-CAM
(Selvaraju et al., ICCV 2017). The paper draws CAM (Zhou et al. 2016) of a fine-tuned VGG, which
takes a global average pooling in place of the fully connected layers: another network than that
of its tables. Grad-CAM equals CAM where a network has such a head, and otherwise explains the
very network that was compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from caer_build.caernet.augment import prepared
from caer_build.caernet.baselines import Baseline
from caer_build.errors import RecipeError

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
        looked = said.attention[0].double().cpu()
    elif isinstance(network, Baseline) and context is not None:
        looked, by = grad_cam(network, context, int(said.logits.argmax())).cpu(), "Grad-CAM"
    weights = None
    if said.fusion is not None:
        face_weight, context_weight = said.fusion[0].tolist()
        weights = face_weight, context_weight
    return Explanation(
        torch.softmax(said.logits[0].double(), 0).cpu().numpy(),
        None if looked is None else _shares(looked),
        by,
        weights,
    )


def grad_cam(network: Baseline, context: Tensor, category: int) -> Tensor:
    """How much each place of the last convolution's output speaks for a category.

    Args:
        context: (1, 3, H, W), of C3D (1, 3, T, H, W), prepared.

    Returns:
        (h, w), of C3D (t, h, w); >= 0, float64.
    """
    layer = _last_with_places(network)
    held: list[Tensor] = []

    def hold(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # A leaf, as frozen convolutions keep no gradients; what follows may change it in place.
        held.append(output.detach().relu().requires_grad_())
        return held[-1].clone()

    hook = layer.register_forward_hook(hold)
    try:
        # Not through forward, which gives a frozen network's convolutions no gradients.
        with torch.enable_grad():
            logits = network.classifier(network.features(context))
            (slopes,) = torch.autograd.grad(logits[0, category], held)
    finally:
        hook.remove()
    places = tuple(range(2, slopes.dim()))
    importance = slopes.mean(places, keepdim=True)
    return (importance * held[0]).sum(1)[0].relu().detach().double()


def _last_with_places(network: Baseline) -> nn.Module:
    """Behind which the picture still is a picture: the last convolution, of ResNet the last
    block."""
    name = network.architecture.model
    if name == "resnet50":
        return network.features.get_submodule("layer4")
    convolutions = [m for m in network.features.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d))]
    if not convolutions:
        raise RecipeError(f"{name} has no convolution.")
    return convolutions[-1]


def _shares(looked: Tensor) -> Floats:
    """(h, w), sum 1: the mean over time; nowhere at all is everywhere alike."""
    flat = looked.mean(0) if looked.dim() == 3 else looked
    total = float(flat.sum())
    shares = flat / total if total > 0 else torch.full_like(flat, 1 / flat.numel())
    return np.asarray(shares.numpy(), np.float64)

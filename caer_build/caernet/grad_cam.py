"""Grad-CAM (Selvaraju et al., ICCV 2017): where a baseline looks, which does not say it itself.

The paper draws CAM (Zhou et al. 2016) of a fine-tuned VGG, which takes a global average pooling in
place of the fully connected layers: another network than that of its tables. Grad-CAM equals CAM
where a network has such a head, and otherwise explains the very network that was compared.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caer_build.caernet.baselines import Baseline
from caer_build.errors import RecipeError


def grad_cam(network: Baseline, context: Tensor, categories: Tensor) -> Tensor:
    """How much each place of the last convolution's output speaks for a category.

    Args:
        context: (B, 3, H, W), of C3D (B, 3, T, H, W), prepared.
        categories: (B,), whole numbers: of each sample the category that is asked about.

    Returns:
        (B, h, w), of C3D (B, t, h, w); >= 0, float64.
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
            # Samples do not meet: the slope of the sum is each one's own.
            said = logits.gather(1, categories[:, None]).sum()
            (slopes,) = torch.autograd.grad(said, held)
    finally:
        hook.remove()
    places = tuple(range(2, slopes.dim()))
    importance = slopes.mean(places, keepdim=True)
    return (importance * held[0]).sum(1).relu().detach().double()


def as_shares(maps: Tensor) -> Tensor:
    """(B, h, w) maps that each sum to 1, of (B, h, w) or (B, t, h, w): the mean over time; one
    that is nowhere at all is everywhere alike."""
    flat = maps.mean(1) if maps.dim() == 4 else maps
    totals = flat.sum((1, 2), keepdim=True)
    even = torch.full_like(flat, 1 / flat[0].numel())
    return torch.where(totals > 0, flat / totals.clamp(min=torch.finfo(flat.dtype).tiny), even)


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

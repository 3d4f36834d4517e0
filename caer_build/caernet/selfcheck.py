"""Whether a device computes 3D convolutions in bf16 as it should.

Releases of torch had a bf16 conv3d that was wrong. A network trains all the same, only worse, and
nobody sees why: so a small one is held against double precision before anything is trained.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from caer_build.errors import DeviceError

_ALLOWED = 0.01
"""of the norm: rounding a result to bf16 leaves at most 1/256 of it, in the mean far less"""
_WHAT = ("result", "gradient of the input", "gradient of the weights")
Convolve = Callable[[Tensor, Tensor], Tensor]


def _conv3d(batch: Tensor, weight: Tensor) -> Tensor:
    return functional.conv3d(batch, weight, padding=1)


def check_convolutions(device: torch.device, convolve: Convolve = _conv3d) -> None:
    """Compare forward and backward with double precision, in both memory layouts.

    Args:
        convolve: (n, c, t, h, w), (d, c, 3, 3, 3) -> (n, d, t, h, w), in bf16.

    Raises:
        DeviceError: if they are further apart than rounding explains.
    """
    generator = torch.Generator().manual_seed(0)
    for n_in, n_out in ((3, 32), (32, 64)):
        batch = torch.randn(2, n_in, 8, 14, 14, generator=generator).bfloat16()
        weight = torch.randn(n_out, n_in, 3, 3, 3, generator=generator).bfloat16()
        grad = torch.randn(2, n_out, 8, 14, 14, generator=generator).bfloat16()
        right = _passes(_conv3d, batch.double(), weight.double(), grad.double())
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            placed = [t.to(device).contiguous(memory_format=layout) for t in (batch, weight, grad)]
            found = _passes(convolve, *placed)
            for what, mine, true in zip(_WHAT, found, right, strict=True):
                _compare(what, device, mine, true)


def _passes(convolve: Convolve, batch: Tensor, weight: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
    """The result, and the gradients of batch and weight."""
    batch, weight = batch.requires_grad_(), weight.requires_grad_()
    said = convolve(batch, weight)
    return said.detach(), *torch.autograd.grad(said, (batch, weight), grad)


def _compare(what: str, device: torch.device, mine: Tensor, true: Tensor) -> None:
    off = float((mine.cpu().double() - true).norm() / true.norm())
    if not off <= _ALLOWED:
        raise DeviceError(
            f"conv3d in bf16 on {device} with torch {torch.__version__}: its {what} is "
            f"{off:.1%} off; rounding explains less than {_ALLOWED:.0%}.",
            "Use another version of torch, or --set compute.precision=fp32.",
        )

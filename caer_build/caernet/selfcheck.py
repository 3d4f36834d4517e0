"""Whether a device computes a network's 3D convolutions in bf16 as it should.

Releases of torch had bf16 conv3d that was wrong, on GPUs and on CPUs. A network trains all the
same, only worse, and nobody sees why: so each of its convolutions is held against double precision
before anything is trained or said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from caer_build.caernet import networks

if TYPE_CHECKING:
    from caer_build.caernet.networks import NetworkSettings

_ALLOWED = 0.01
"""of the norm: rounding a result to bf16 leaves at most 1/256 of it, in the mean far less"""
_SCALES = (1.0, -0.5, 2.0, -1.0)
"""of the samples of a batch: powers of two, which change no digit"""
_CPU_BATCH, _CPU_PX = 2, 14


@dataclass(frozen=True)
class Given:
    """What a network is given at once.

    Attributes:
        n: samples.
        face_px, crop: sides of the two streams' pictures.
        length: frames of a clip.
    """

    n: int
    face_px: int
    crop: int
    length: int = 16


@dataclass(frozen=True)
class Convolution:
    """A 3D convolution as a network calls it, with a stride of 1.

    Attributes:
        batch: (n, c, t, h, w).
        weight: (d, c, kt, kh, kw).
        padding: of t, h and w.
        passes_back: its input has a gradient.
    """

    batch: tuple[int, ...]
    weight: tuple[int, ...]
    padding: tuple[int, ...]
    passes_back: bool


Convolve = Callable[[Tensor, Tensor, tuple[int, ...]], Tensor]


def _conv3d(batch: Tensor, weight: Tensor, padding: tuple[int, ...]) -> Tensor:
    return functional.conv3d(batch, weight, padding=padding)


def convolutions_of(settings: NetworkSettings, given: Given) -> dict[str, Convolution]:
    """The 3D convolutions of a network of clips, by the names of their modules."""
    found: dict[str, Convolution] = {}
    with torch.device("meta"):
        network = networks.build(settings)
        face, context = (
            torch.empty(given.n, 3, given.length, px, px) for px in (given.face_px, given.crop)
        )

    def note(name: str) -> Callable[[nn.Conv3d, Any], None]:
        def called(module: nn.Conv3d, inputs: Any) -> None:
            batch: Tensor = inputs[0]
            padding = tuple(int(p) for p in module.padding)
            found[name] = Convolution(
                tuple(batch.shape), tuple(module.weight.shape), padding, batch.requires_grad
            )

        return called

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_pre_hook(note(name))
    network(face if settings.has_face else None, context if settings.has_context else None)
    return found


def wrong_convolutions(
    convolutions: Mapping[str, Convolution],
    device: torch.device,
    *,
    learns: bool,
    convolve: Convolve = _conv3d,
) -> dict[str, str]:
    """Those that a device computes wrongly in bf16, each with what is wrong.

    A GPU is given the very sizes, as by them it chooses how it computes; a CPU fewer samples and
    smaller pictures of as many frames.

    Args:
        learns: backward, too.
        convolve: (batch, weight, padding) -> result, in bf16.
    """
    return {
        name: fault
        for name, convolution in convolutions.items()
        if (fault := _fault(convolution, device, learns, convolve))
    }


@lru_cache(maxsize=256)
def _fault(asked: Convolution, device: torch.device, learns: bool, convolve: Convolve) -> str:
    """What is wrong; empty: nothing. A process looks once: it may train many networks."""
    for what, off in _differences(asked, device, learns, convolve):
        if off > _ALLOWED:
            far = f"{off:.1%}" if off < 10 else "more than 1000%"
            return (
                f"conv3d in bf16 on {device} with torch {torch.__version__}, {asked.batch} by "
                f"{asked.weight}: its {what} is {far} off; rounding explains less than "
                f"{_ALLOWED:.0%}."
            )
    return ""


def _differences(
    asked: Convolution, device: torch.device, learns: bool, convolve: Convolve
) -> Iterator[tuple[str, float]]:
    """What is computed, and how far it is from double precision, as a share of the norm.

    Double precision sees one sample, the device a batch of it, scaled.
    """
    n, c, t, *sides = asked.batch
    if device.type == "cpu":
        n, sides = min(n, _CPU_BATCH), [min(side, _CPU_PX) for side in sides]
    generator = torch.Generator().manual_seed(0)
    sample, weight = (
        torch.randn(*shape, generator=generator).bfloat16()
        for shape in ((1, c, t, *sides), asked.weight)
    )
    exact = [each.double().requires_grad_(learns) for each in (weight, sample)]
    true = _conv3d(exact[1], exact[0], asked.padding)
    grad = torch.randn(true.shape, generator=generator).bfloat16()
    scales = torch.tensor(_SCALES).repeat(n)[:n].to(device)
    mine = _laid(weight.to(device)).requires_grad_(learns)
    batch = _laid(_scaled(sample, scales)).requires_grad_(learns and asked.passes_back)
    said = convolve(batch, mine, asked.padding)
    yield "result", _furthest(said.detach(), true.detach(), scales)
    if not learns:
        return
    n_wanted = 2 if asked.passes_back else 1
    right = torch.autograd.grad(true, exact[:n_wanted], grad.double())
    found = torch.autograd.grad(said, (mine, batch)[:n_wanted], _laid(_scaled(grad, scales)))
    # A sample's part in it is scaled twice: by its input and by its gradient.
    squares = scales.square().sum()[None]
    yield "gradient of the weights", _furthest(found[0][None], right[0], squares)
    if asked.passes_back:
        yield "gradient of the input", _furthest(found[1], right[1], scales)


def _scaled(sample: Tensor, scales: Tensor) -> Tensor:
    """(1, ...) -> (n, ...), on the device of the scales."""
    return sample.to(scales.device) * scales.to(sample.dtype).view(-1, 1, 1, 1, 1)


def _laid(batch: Tensor) -> Tensor:
    """As pictures come from the frame store."""
    return batch.contiguous(memory_format=torch.channels_last_3d)


def _furthest(found: Tensor, true: Tensor, scales: Tensor) -> float:
    """The largest difference of a sample, as a share of its norm; infinite of what is no number."""
    there = true.reshape(found.shape[1:]).to(found.device)
    offs = [
        (each.double() / scale - there).norm() / there.norm()
        for each, scale in zip(found, scales.double(), strict=True)
    ]
    return float(torch.stack(offs).nan_to_num(nan=torch.inf).max())

"""How a network is run: what makes it faster and leaves what it learns alone.

None of this belongs to a run's plan: a run may go on elsewhere, in another precision.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from caer_build.caernet.selfcheck import check_convolutions
from caer_build.errors import RecipeError

if TYPE_CHECKING:
    from caer_build.caernet.networks import NetworkSettings

Precision = Literal["auto", "fp32", "bf16"]
_CHOICES = {
    "precision": ("auto", "fp32", "bf16"),
    "compile": ("off", "default", "reduce-overhead", "max-autotune"),
    "resident": ("auto", "yes", "no"),
}
_SHARE_FOR_DATA = 0.6


@dataclass(frozen=True)
class Compute:
    """Options of speed.

    Attributes:
        precision: "bf16" by autocast, or single; "auto": bf16 on a GPU, and on the CPU single, as
            many have no bf16 units.
        channels_last: weights lie as the pictures do, which the fast convolutions want.
        compile: torch.compile, by its modes; "reduce-overhead" and "max-autotune" record CUDA
            graphs. It takes minutes before the first step.
        resident: the frame store lies in the GPU's memory; "auto": where it takes at most 60 % of
            what is free.
        fused: the optimizer's step in one kernel.
        deterministic: only algorithms that give the same bits each time, where there are any.

    Raises:
        RecipeError: if there is no such thing.
    """

    precision: Precision = "auto"
    channels_last: bool = True
    compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = "off"
    resident: Literal["auto", "yes", "no"] = "auto"
    fused: bool = True
    deterministic: bool = False

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"Expected {name} to be one of {', '.join(known)}, "
                    f"found {getattr(self, name)!r}."
                )

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


def autocast(device: torch.device, precision: Precision = "auto") -> AbstractContextManager[None]:
    """What a forward pass stands in."""
    if is_bf16(device, precision):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def is_bf16(device: torch.device, precision: Precision) -> bool:
    """Whether convolutions are computed in bf16."""
    return precision == "bf16" or (precision == "auto" and device.type == "cuda")


def set_up(device: torch.device, compute: Compute, network: NetworkSettings) -> None:
    """Switches of the whole process; and the check of what it will compute with.

    Raises:
        DeviceError: if the device computes wrongly.
    """
    if compute.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Pools of 3D have no kernel that is called deterministic; as theirs do not overlap, it is.
    torch.use_deterministic_algorithms(compute.deterministic, warn_only=True)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = not compute.deterministic
        if network.n_dims == 3 and is_bf16(device, compute.precision):
            check_convolutions(device)


def placed(network: nn.Module, device: torch.device, compute: Compute, n_dims: int) -> nn.Module:
    """The network on its device, its weights laid out for it."""
    network = network.to(device)
    if not compute.channels_last:
        return network
    layout = torch.channels_last_3d if n_dims == 3 else torch.channels_last
    return network.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]


def compiled(network: nn.Module, compute: Compute) -> nn.Module:
    """The network as it is called; its weights are the same."""
    if compute.compile == "off":
        return network
    faster: nn.Module = torch.compile(network, mode=compute.compile, dynamic=False)  # type: ignore[assignment]
    return faster


def lies_on_device(n_bytes: int, device: torch.device, compute: Compute) -> bool:
    """Whether a frame store of so many bytes is kept on the device."""
    if device.type != "cuda" or compute.resident == "no":
        return False
    if compute.resident == "yes":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= _SHARE_FOR_DATA * free

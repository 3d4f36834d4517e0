"""How a network is run: what makes it faster and leaves what it learns alone.

None of this belongs to a run's plan: a run may go on elsewhere, in another precision.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from caer_build.caernet.selfcheck import Given, convolutions_of, wrong_convolutions
from caer_build.errors import DeviceError, RecipeError

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
        precision: "bf16" by autocast, or single; "auto": bf16 on a GPU, and on a CPU that has
            instructions for it (AVX-512 BF16 or AMX), where a step takes about half as long.
        channels_last: weights lie as the pictures do, which the fast convolutions want.
        compile: torch.compile, by its modes; "reduce-overhead" and "max-autotune" record CUDA
            graphs. It takes minutes before the first step.
        resident: the frame store lies in the GPU's memory; "auto": where it takes at most 60 % of
            what is free.
        fused: the optimizer's step in one kernel.
        threads: of the CPU that compute; 0: as many as it has cores.
        deterministic: only algorithms that give the same bits each time, where there are any.

    Raises:
        RecipeError: if there is no such thing.
    """

    precision: Precision = "auto"
    channels_last: bool = True
    compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = "off"
    resident: Literal["auto", "yes", "no"] = "auto"
    fused: bool = True
    threads: int = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"Expected {name} to be one of {', '.join(known)}, "
                    f"found {getattr(self, name)!r}."
                )
        if self.threads < 0:
            raise RecipeError(f"Expected threads of 0 or more, found {self.threads}.")


def described(compute: Compute, device: str, n_processes: int) -> dict[str, Any]:
    """What is computed with, JSON: the options, and what "auto" of the precision came to."""
    is_half = is_bf16(torch.device(device), compute.precision)
    return {"device": device, "processes": n_processes, **asdict(compute), "bf16": is_half}


def autocast(device: torch.device, precision: Precision = "auto") -> AbstractContextManager[None]:
    """What a forward pass stands in."""
    if is_bf16(device, precision):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def is_bf16(device: torch.device, precision: Precision) -> bool:
    """Whether convolutions are computed in bf16."""
    if precision == "auto":
        return device.type == "cuda" or (device.type == "cpu" and _cpu_has_bf16())
    return precision == "bf16"


def _cpu_has_bf16() -> bool:
    """Not emulated, which would be slower than single precision."""
    # Releases of torch that cannot say so compute in single precision.
    can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def set_up(device: torch.device, compute: Compute) -> None:
    """Switches of the whole process."""
    if compute.threads:
        torch.set_num_threads(compute.threads)
    if compute.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Pools of 3D have no kernel that is called deterministic; as theirs do not overlap, it is.
    torch.use_deterministic_algorithms(compute.deterministic, warn_only=True)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = not compute.deterministic


def placed(network: nn.Module, device: torch.device, compute: Compute, n_dims: int) -> nn.Module:
    """The network on its device, its weights laid out for it."""
    network = network.to(device)
    for module in network.modules() if device.type == "cpu" else ():
        if type(module) is nn.MaxPool3d:
            module.__class__ = _MaxPool3d
    if not compute.channels_last:
        return network
    layout = torch.channels_last_3d if n_dims == 3 else torch.channels_last
    return network.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]


def checked(
    network: nn.Module, device: torch.device, compute: Compute, given: Given, *, learns: bool
) -> nn.Module:
    """The network, when its 3D convolutions in bf16 were found right.

    Those that a CPU computes wrongly are computed in single precision from now on. (With torch 2.13
    and AVX-512 BF16 it is the weights' gradient where two frames are left.)

    Args:
        network: of settings, with its ``architecture``.
        learns: it will be trained.

    Raises:
        DeviceError: if a GPU computes wrongly.
    """
    settings: Any = network.architecture
    if settings.n_dims != 3 or not is_bf16(device, compute.precision):
        return network
    wrong = wrong_convolutions(convolutions_of(settings, given), device, learns=learns)
    for name, fault in wrong.items():
        if device.type != "cpu":
            raise DeviceError(
                fault, "Use another version of torch, or --set compute.precision=fp32."
            )
        network.get_submodule(name).__class__ = _SingleConv3d
    return network


class _MaxPool3d(nn.MaxPool3d):
    """In the precision of what it is given: the largest number is the same in any. On a CPU
    autocast would bring all of it to single precision first, which takes a tenth of a step."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            pooled: Tensor = super().forward(input)
        return pooled


class _SingleConv3d(nn.Conv3d):
    """Computed in single precision, whatever autocast it stands in."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def ready(network: nn.Module, device: torch.device, compute: Compute, given: Given) -> nn.Module:
    """A trained network, to be asked: laid out, found right, compiled.

    Raises:
        DeviceError: if a GPU computes wrongly.
    """
    settings: Any = network.architecture
    laid = placed(network, device, compute, settings.n_dims)
    return compiled(checked(laid, device, compute, given, learns=False), compute)


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

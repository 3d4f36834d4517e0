"""What a sample costs, counted and not measured: multiplications, and bytes that are moved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from caer_build.caernet import networks
from caer_build.caernet.networks import Preset


def gflop(chosen: Preset) -> tuple[float, float]:
    """GFLOP a sample, forward and in training: a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as forward:
        logits = _logits(chosen, 1, torch.float32)
    with FlopCounterMode(display=False) as backward:
        _backward(logits)
    one = forward.get_total_flops()
    return one / 1e9, (one + backward.get_total_flops()) / 1e9


def megabytes(chosen: Preset, dtype: torch.dtype) -> float:
    """MB that training moves a sample, forward and backward, if nothing is fused: every operation
    reads its inputs and writes its outputs once. Without what it moves once a step (weights).

    Args:
        dtype: of activations.
    """
    moved = []
    for n in (1, 2):
        with _Moved() as counted:
            _backward(_logits(chosen, n, dtype))
        moved.append(counted.n_bytes)
    return (moved[1] - moved[0]) / 1e6


def _logits(chosen: Preset, n: int, dtype: torch.dtype) -> Tensor:
    """Of a network that has shapes and no numbers."""
    settings, sizes = chosen.architecture, chosen.store
    time = (chosen.windows.length,) if settings.n_dims == 3 else ()
    with torch.device("meta"):
        network = networks.build(settings).to(dtype).train()
        face, context = (
            torch.empty(n, 3, *time, px, px, dtype=dtype)
            for px in (sizes.face_px, chosen.augmentation.crop)
        )
    logits: Tensor = network(face, context).logits
    return logits


def _backward(logits: Tensor) -> None:
    labels = torch.zeros(len(logits), dtype=torch.long, device="meta")
    functional.cross_entropy(logits.float(), labels).backward()


class _Moved(TorchDispatchMode):
    """Adds up the bytes of what operations are given and give; views move nothing."""

    n_bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view and func.namespace == "aten":
            tensors = [t for t in tree_leaves((args, kwargs, made)) if isinstance(t, Tensor)]
            self.n_bytes += sum(t.numel() * t.element_size() for t in tensors)
        return made

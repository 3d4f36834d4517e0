"""What a GPU does while it trains, as torch's profiler sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "convolution": ("aten::cudnn_convolution", "aten::mkldnn_convolution", "aten::_slow_conv",
                    "aten::convolution", "aten::_conv_depthwise"),
    "norm": ("aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::_batch_norm",
             "aten::batch_norm"),
    "pool": ("aten::max_pool",),
    "optimizer": ("aten::_fused_adam", "aten::_fused_sgd", "aten::_foreach"),
    "copies": ("aten::copy_", "aten::clone", "Memcpy", "aten::contiguous"),
    "picking": ("aten::index",),
}  # fmt: skip
"""parts of a step, by what the names of their operations begin with; all others are "rest" """


def busy_s(work: Callable[[], object], on: DeviceType = DeviceType.CUDA) -> float:
    """Seconds in which something ran on the GPU while the work was done.

    Args:
        on: where kernels run.
    """
    activities = [ProfilerActivity.CUDA if on == DeviceType.CUDA else ProfilerActivity.CPU]
    with profile(activities=activities) as seen:
        work()
        _wait(on)
    spans = (
        (event.time_range.start, event.time_range.end)
        for event in seen.events() or ()
        if event.device_type == on and not event.is_user_annotation
    )
    return covered(spans) / 1e6


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long it is that one or more of the spans cover."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def shares(work: Callable[[], object], on: DeviceType = DeviceType.CUDA) -> dict[str, float]:
    """What share of the kernels' time goes into each of :data:`KINDS` and into the rest."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        work()
        _wait(on)
    spent: Counter[str] = Counter()
    for row in seen.key_averages():
        if row.device_type == DeviceType.CPU and not row.is_user_annotation:
            took = row.self_device_time_total if on == DeviceType.CUDA else row.self_cpu_time_total
            spent[kind_of(row.key)] += took
    total = spent.total()
    return {kind: spent[kind] / total for kind in (*KINDS, "rest")} if total else {}


def kind_of(operation: str) -> str:
    """Which of :data:`KINDS` an operation is of, or "rest"."""
    return next((k for k, begins in KINDS.items() if operation.startswith(begins)), "rest")


def share_channels_last(network: nn.Module, call: Callable[[], object]) -> float:
    """Of the layers that give feature maps, the share whose maps lie channels last.

    A layer that lays them otherwise copies all it is given, and so does the next one.
    """
    kept: list[bool] = []

    def look(_: nn.Module, __: Any, said: Any) -> None:
        if isinstance(said, Tensor) and said.dim() in {4, 5} and said.shape[1] > 1:
            layout = torch.channels_last if said.dim() == 4 else torch.channels_last_3d
            kept.append(said.is_contiguous(memory_format=layout))

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(look) for module in leaves]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(kept) / len(kept)


def _wait(on: DeviceType) -> None:
    if on == DeviceType.CUDA:
        torch.cuda.synchronize()

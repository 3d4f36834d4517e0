"""Several processes that train one network: ``torchrun`` starts them, one a GPU or a part of a CPU.

Every batch is shared out, and what comes of the shares is summed: losses, gradients, batch
statistics, predictions. So several processes do what one would do, and nothing is padded: an item
counts once, whatever the number of processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from caer_build.errors import DeviceError


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    n: int = 1

    @property
    def leads(self) -> bool:
        """It is the one that writes files and speaks."""
        return self.rank == 0

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.n > 1:
            distributed.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        """Until all are here."""
        if self.n > 1:
            distributed.barrier()

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of the gradients, in one message."""
        if self.n == 1:
            return
        learning = [w for w in weights if w.requires_grad]
        grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in learning]
        flat = self.summed(torch.cat([grad.reshape(-1) for grad in grads]))
        pieces = torch.split(flat, [grad.numel() for grad in grads])
        for weight, grad, piece in zip(learning, grads, pieces, strict=True):
            weight.grad = grad.copy_(piece.view(grad.shape))


ALONE = Ranks()


@contextmanager
def joined(device: str) -> Iterator[tuple[Ranks, str]]:
    """Join the processes that ``torchrun`` started; without it this one is alone.

    Args:
        device: cpu or cuda.

    Yields:
        which process this is, and its own device.
    """
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        yield ALONE, device
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    kind = "nccl" if device.startswith("cuda") else "gloo"
    # All wait for the one that decodes; that may take hours.
    distributed.init_process_group(kind, timeout=timedelta(days=2))
    try:
        yield Ranks(int(os.environ["RANK"]), n), device
    finally:
        distributed.destroy_process_group()


def device_of(asked: str) -> str:
    """The device that was asked for; of ``auto`` a GPU where there is one.

    Raises:
        DeviceError: if it is not there.
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked != "cpu" and not asked.startswith("cuda"):
        raise DeviceError(f"Expected auto, cpu or cuda as the device, found {asked!r}.")
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(
            f"There is no {asked} that torch {torch.__version__} can use.", "Give --device cpu."
        )
    return asked


def synchronised(network: nn.Module, ranks: Ranks) -> nn.Module:
    """The network with batch statistics over the whole batch, whatever this process has of it."""
    if ranks.n == 1:
        return network
    if next(network.parameters()).is_cuda:
        whole: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return whole
    for name, module in list(network.named_modules()):
        if isinstance(module, _BatchNorm):
            place, _, last = name.rpartition(".")
            setattr(network.get_submodule(place), last, SyncedNorm.like(module))
    return network


class SyncedNorm(_BatchNorm):
    """Batch normalisation over the shares of all processes; torch's own is for GPUs only."""

    @classmethod
    def like(cls, norm: _BatchNorm) -> SyncedNorm:
        """One that shares a norm's weights and statistics."""
        mine = cls(norm.num_features, norm.eps, norm.momentum)
        mine.weight, mine.bias = norm.weight, norm.bias
        mine.running_mean, mine.running_var = norm.running_mean, norm.running_var
        mine.num_batches_tracked = norm.num_batches_tracked
        return mine.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Of clips and of stills."""

    def forward(self, batch: Tensor) -> Tensor:
        if not self.training:
            return super().forward(batch)
        given, batch = batch.dtype, batch if batch.dtype == torch.float64 else batch.float()
        over = [0, *range(2, batch.dim())]
        shape = (1, -1) + (1,) * (batch.dim() - 2)
        here = batch.new_tensor([batch.numel() / self.num_features])
        sums = _over_all(torch.cat([batch.sum(over), here]))
        mean, n = sums[:-1] / sums[-1], sums[-1].detach()
        centred = batch - mean.view(shape)
        var = _over_all(centred.square().sum(over)) / n
        self._note(mean.detach(), var.detach(), n)
        scaled = centred * (var.view(shape) + self.eps).rsqrt()
        shifted: Tensor = scaled * self.weight.view(shape) + self.bias.view(shape)
        return shifted.to(given)

    @torch.no_grad()
    def _note(self, mean: Tensor, var: Tensor, n: Tensor) -> None:
        """The running statistics; the variance is the unbiased one, as torch's."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * (n / (n - 1)), self.momentum)


def _over_all(tensor: Tensor) -> Tensor:
    whole: Tensor = _Summed.apply(tensor)  # type: ignore[no-untyped-call]
    return whole


class _Summed(torch.autograd.Function):
    """A sum over processes through which gradients flow: they are summed likewise."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ARG004
        whole = tensor.clone()
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        whole = grads[0].clone()
        distributed.all_reduce(whole)
        return whole

"""Checkpoints: tensors as safetensors, all the rest as JSON; nothing in them can run.

::

    RUN/last.safetensors   weights and the optimizer's state, to go on from
        best.safetensors   weights of the best epoch by validation
        run.json           settings, data key, revision, what was reached

They are written in this order. Whatever stops a run in between, the epoch that ``last`` has behind
it is the one that is gone on from, and if it is the best, ``best`` is made of it again: an epoch
that is trained a second time need not be the same to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from caer_build.errors import CheckpointError
from caer_build.store import read_json, write_json

LAST, BEST, RUN = "last.safetensors", "best.safetensors", "run.json"
_WEIGHTS, _STATE = "weights.", "optimizer."


def save_weights(file: Path, network: nn.Module, epoch: int) -> None:
    """Write the weights of a network after an epoch, atomically."""
    weights = {_WEIGHTS + name: t for name, t in network.state_dict().items()}
    _save(file, weights, {"epoch": str(epoch)})


def is_of_epoch(file: Path, epoch: int) -> bool:
    """Whether a file holds the weights after an epoch."""
    return file.is_file() and said_of(file).get("epoch") == str(epoch)


def save_all(
    file: Path, network: nn.Module, optimizer: torch.optim.Optimizer, said: Mapping[str, str]
) -> None:
    """Write what training goes on from, atomically."""
    tensors = {_WEIGHTS + name: t for name, t in network.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{_STATE}{number}.{name}"] = torch.as_tensor(value)
    _save(file, tensors, dict(said))


def load_weights(file: Path, network: nn.Module) -> dict[str, str]:
    """Read weights into a network; what was said when they were written.

    Raises:
        CheckpointError: if the file is none, or of another network.
    """
    tensors, said = _read(file)
    weights = {n.removeprefix(_WEIGHTS): t for n, t in tensors.items() if n.startswith(_WEIGHTS)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{file} holds the weights of another network: {str(error).splitlines()[0]}",
            "Give the settings that it was trained with.",
        ) from error
    return said


def said_of(file: Path) -> dict[str, str]:
    """What was said when a checkpoint was written; its tensors are not read.

    Raises:
        CheckpointError: if the file is none.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            return opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} is no checkpoint that can be read: {error}.") from error


def load_all(file: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, str]:
    """Read weights and the optimizer's state.

    Raises:
        CheckpointError: likewise.
    """
    said = load_weights(file, network)
    tensors, _ = _read(file)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_STATE):
            number, key = name.removeprefix(_STATE).split(".", 1)
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    # Files know no memory layout; fused optimizers want the weights'.
    for weight, values in optimizer.state.items():
        for key, value in values.items():
            if value.shape == weight.shape:
                values[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
    return said


def write_run(run: Path, said: Mapping[str, Any]) -> None:
    """Replace what a run says of itself."""
    write_json(run / RUN, dict(said))


def read_run(run: Path) -> dict[str, Any]:
    """What a run says of itself.

    Raises:
        CheckpointError: if the folder is no run.
    """
    if not (run / RUN).is_file():
        raise CheckpointError(
            f"{run} is no training run: it has no {RUN}.", "Give caer train's -o."
        )
    said: dict[str, Any] = read_json(run / RUN)
    return said


def _save(file: Path, tensors: Mapping[str, Tensor], said: dict[str, str]) -> None:
    from safetensors.torch import save_file

    part = file.with_name(f".{file.name}")
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    save_file(plain, part, said)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(file)


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            names = opened.keys()
            tensors = {name: opened.get_tensor(name) for name in names}
            return tensors, opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} is no checkpoint that can be read: {error}.") from error

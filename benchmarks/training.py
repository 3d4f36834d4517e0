"""How fast networks are trained, from the frame store to the optimizer's step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reporting import Row
from benchmarks.training_data import clips, store
from benchmarks.training_loops import Decoded, Ours, Plain, Windows, loader, seconds
from caer_build.caernet import networks
from caer_build.caernet.compute import Compute
from caer_build.caernet.networks import Preset

PROTOCOL = """
One epoch after one to warm up, data path included, median of three on a GPU; the networks' own
presets, windows of 16 frames of a store of real footage. ours: what `caer train` does; compiled:
with compute.compile=reduce-overhead, that is CUDA graphs, at ours' fastest batch. plain-eager:
a DataLoader over the same store, autocast, eager, the usual order of layers, unfused AdamW.
dataloader-mp4: the same loop, each window decoded from an MP4 file of 640x360 when it is needed.
read: samples a second if nothing is done with them (mp4: decoded). compute: samples a second of
steps whose batch is there already. share_of_bound: of what the card's own speed at large bf16
matrices (tflops.matmul; of a CPU single precision) would allow, by the counted training GFLOP.
"""
_ON_GPU, _ON_CPU = {3: 2048, 2: 16_384}, {3: 64, 2: 256}
_BATCHES_ON_GPU = {3: (64, 128, 256), 2: (128, 256, 512, 1024)}
_KINDS = (("caer-net", "ours", "clips"), ("caer-net-s", "ours", "images"),
          ("caer-net-s", "paper", "images"))  # fmt: skip


def run(device: str = "cpu") -> Iterator[Row]:
    there = torch.device(device)
    tflops = _matmul_tflops(there)
    yield Row(_name(there), "machine", "tflops.matmul", tflops, "TFLOP/s")
    for model, preset, samples in _KINDS:
        chosen = networks.preset(model, preset)
        system = "ours" if preset == "ours" else f"ours-{preset}"
        yield from _of_network(system, chosen, samples, there, tflops)
    yield from _decoding(there)


def _of_network(
    system: str, chosen: Preset, samples: str, device: torch.device, tflops: float
) -> Iterator[Row]:
    set_ = _name(device)
    n_dims, unit = chosen.architecture.n_dims, f"{samples}/s"
    is_gpu = device.type == "cuda"
    frames = store((_ON_GPU if is_gpu else _ON_CPU)[n_dims], chosen.store, stills=n_dims == 2)
    forward, training = _gflop(chosen)
    yield Row(set_, system, f"gflop_forward.{samples}", forward, "GFLOP")
    yield Row(set_, system, f"gflop_training.{samples}", training, "GFLOP")
    compute = Compute()
    best, fastest = 0.0, 32
    for batch in (32, *(_BATCHES_ON_GPU[n_dims] if is_gpu else ())):
        ours = Ours(frames, chosen, batch, device, compute)
        took = _epochs(ours.epoch, device)
        rate = ours.n_items / took
        if rate > best:
            best, fastest = rate, batch
        yield Row(set_, system, f"{samples}_per_s.b{batch}", rate, unit)
        if batch == 32:
            read, step = ours.n_items / ours.reading(9), batch / ours.computing()
            yield Row(set_, system, f"{samples}_per_s.read", read, unit)
            yield Row(set_, system, f"{samples}_per_s.compute", step, unit)
    yield Row(set_, system, f"share_of_bound.{samples}", best * training / (tflops * 1000))
    if is_gpu:
        graphs = Ours(frames, chosen, fastest, device, Compute(compile="reduce-overhead"))
        rate = graphs.n_items / _epochs(graphs.epoch, device)
        yield Row(set_, f"{system}-compiled", f"{samples}_per_s.b{fastest}", rate, unit)
    batches = loader(Windows(frames, clips=n_dims == 3), 32, _workers(device))
    plain = Plain(chosen, batches, device)
    took = _epochs(lambda _: plain.epoch(), device)
    peer = "plain-eager" if system == "ours" else "plain-eager-paper"
    yield Row(set_, peer, f"{samples}_per_s.b32", len(frames.items) / took, unit)
    yield Row(set_, peer, f"{samples}_per_s.compute", 32 / plain.computing(), unit)


def _decoding(device: torch.device) -> Iterator[Row]:
    set_ = _name(device)
    chosen = networks.preset("caer-net", "ours")
    root, items = clips()
    n = 512 if device.type == "cuda" else 64
    batches = loader(Decoded(root, items, chosen.store, n), 32, _workers(device))
    took = _epochs(lambda _: seconds(lambda: [None for _ in batches], device), device)
    yield Row(set_, "dataloader-mp4", "clips_per_s.read", n / took, "clips/s")
    plain = Plain(chosen, batches, device)
    took = _epochs(lambda _: plain.epoch(), device)
    yield Row(set_, "dataloader-mp4", "clips_per_s.b32", n / took, "clips/s")


def _epochs(epoch: Callable[[int], float], device: torch.device) -> float:
    """Seconds of an epoch: the first is to warm up."""
    epoch(1)
    found: Sequence[float] = [epoch(2 + k) for k in range(3 if device.type == "cuda" else 1)]
    return median(found)


def _workers(device: torch.device) -> int:
    cores = os.cpu_count() or 1
    return min(8, cores) if device.type == "cuda" else min(2, cores)


def _gflop(chosen: Preset) -> tuple[float, float]:
    """GFLOP a sample, forward and in training: a multiplication and an addition are two."""
    network, sizes = networks.build(chosen.architecture), chosen.store
    time = (16,) if chosen.architecture.n_dims == 3 else ()
    face = torch.zeros(1, 3, *time, sizes.face_px, sizes.face_px)
    context = torch.zeros(1, 3, *time, chosen.augmentation.crop, chosen.augmentation.crop)
    network.eval()
    with FlopCounterMode(display=False) as forward:
        logits = network(face, context).logits
    with FlopCounterMode(display=False) as backward:
        functional.cross_entropy(logits, torch.zeros(1, dtype=torch.long)).backward()
    one = forward.get_total_flops()
    return one / 1e9, (one + backward.get_total_flops()) / 1e9


def _matmul_tflops(device: torch.device) -> float:
    is_gpu = device.type == "cuda"
    n, kind = (8192, torch.bfloat16) if is_gpu else (2048, torch.float32)
    a, b = (torch.randn(n, n, device=device, dtype=kind) for _ in range(2))
    a @ b
    took = min(seconds(lambda: [a @ b for _ in range(5)], device) for _ in range(5)) / 5
    return 2 * n**3 / took / 1e12


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device).split()[1].lower()
    return f"cpu-{os.cpu_count()}"

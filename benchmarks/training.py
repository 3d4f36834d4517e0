"""How fast networks are trained, from the frame store to the optimizer's step."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import torch

from benchmarks.reporting import Failure, Row, attempted, name_of
from benchmarks.training_counts import gflop, megabytes
from benchmarks.training_data import clips, store
from benchmarks.training_loops import Decoded, Ours, Plain, StoredWindows, loader, seconds
from benchmarks.training_profile import busy_s, share_channels_last, shares
from caer_build.caernet import networks
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.compute import Compute, Precision, is_bf16
from caer_build.caernet.distributed import device_of
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.networks import Preset
from caer_build.caernet.sources import Source
from caer_build.caernet.train import source_of
from caer_build.errors import RecipeError

PROTOCOL = """
One epoch after one to warm up, data path included, median of three on a GPU; the networks' own
presets, windows of 16 frames of a store of real footage; .b32: batches of 32. ours: what `caer
train` does in the precision that auto comes to (bits), the frame store in the GPU's memory;
ours-streamed: out of mapped files instead; ours-compiled: with compute.compile=reduce-overhead,
that is CUDA graphs; ours-fp32: in single precision. plain-eager-bf16, -fp32: a DataLoader over the
same store, autocast or none, eager, the usual order of layers, unfused AdamW; the same changes of
colour as ours. dataloader-mp4: that loop, each window decoded from an MP4 file of 640x360 when it
is needed. Measured at batch 32 and at ours' fastest. read: samples a second if nothing is done
with them (mp4: decoded). compute: samples a second of steps whose batch is there already.
gpu_idle: share of an epoch (64 steps of it at most) in which no kernel runs. gpu_share: of the
kernels' time in a step. channels_last: of the layers that give feature maps, the share that keeps
the layout of its input. share_of_bound: of what the machine's own speed at large matrices
(tflops.matmul, in ours' precision) would allow, by the counted training GFLOP;
share_of_memory_bound: of what its own copies (tb_per_s.copy, read and written) would allow if
nothing is fused and each operation reads its inputs and writes its outputs once, by the counted
MB. speedup, of ours: step, epoch: over plain-eager in the same precision; step_fp32: both in single
precision; step_over_fp32, epoch_over_fp32: ours as it is over plain-eager-fp32; epoch_over_mp4,
read_over_mp4: over dataloader-mp4. reduced: pictures of 32 px, eight samples: that it runs.
"""


@dataclass(frozen=True)
class Subject:
    """A network that is timed: model and preset, and what its samples are called."""

    model: str
    preset: str
    samples: str

    @property
    def cell(self) -> str:
        return self.model + self.suffix

    @property
    def suffix(self) -> str:
        return "" if self.preset == "ours" else f"-{self.preset}"


SUBJECTS = (
    Subject("caer-net", "ours", "clips"),
    Subject("caer-net-s", "ours", "images"),
    Subject("caer-net-s", "paper", "images"),
)
MP4 = "dataloader-mp4"
_N_PROFILED = 64
"""steps at most: the profiler is slow to tell of more"""


@dataclass(frozen=True)
class Effort:
    """How much is timed.

    Attributes:
        n_items: of a network's dimensions (3: clips): how many an epoch has.
        batches: likewise: sizes, the first of which everything is measured at.
        n_decoded, n_files: windows that are decoded, out of how many files.
        n_epochs: of which the median is taken.
        n_steps: on a batch that is there.
        matrix_side, copied_mb: what the machine's own speed is measured with.
        is_small: pictures of 32 px.
    """

    n_items: dict[int, int]
    batches: dict[int, tuple[int, ...]]
    n_decoded: int
    n_files: int = 16
    n_epochs: int = 1
    n_steps: int = 3
    matrix_side: int = 2048
    copied_mb: int = 256
    is_small: bool = False


ON_GPU = Effort(
    {3: 2048, 2: 16_384}, {3: (32, 64, 128, 256), 2: (32, 128, 256, 512, 1024)}, 512,
    n_epochs=3, n_steps=20, matrix_side=8192, copied_mb=4096,
)  # fmt: skip
ON_CPU = Effort({3: 64, 2: 256}, {3: (32,), 2: (32,)}, 64)
REDUCED = Effort(
    {3: 8, 2: 8}, {3: (2, 4), 2: (2, 4)}, 4, n_files=1, n_steps=1, matrix_side=256,
    copied_mb=16, is_small=True,
)  # fmt: skip


def run(
    device: str = "auto", only: Sequence[str] = (), reduced: bool = False
) -> Iterator[Row | Failure]:
    """Time every network, and the loop that decodes.

    Args:
        only: names of cells: caer-net, caer-net-s, caer-net-s-paper, dataloader-mp4; none: all.
        reduced: pictures and epochs so small that it only shows that it runs.

    Raises:
        RecipeError: if there is no such cell.
    """
    cells = {subject.cell: subject for subject in SUBJECTS}
    unknown = set(only) - {*cells, MP4}
    if unknown:
        raise RecipeError(
            f"No cell {', '.join(sorted(unknown))}.", f"There are: {', '.join([*cells, MP4])}."
        )
    there = torch.device(device_of(device))
    effort = REDUCED if reduced else ON_GPU if there.type == "cuda" else ON_CPU
    figures = _Figures(name_of(str(there)), there, effort)
    yield from figures.of_machine()
    for cell, subject in cells.items():
        if not only or cell in only:
            yield from figures.of_network(subject)
    if not only or MP4 in only:
        yield from figures.of_decoding()


@dataclass
class _Figures:
    """Measures, and remembers what it measured.

    Attributes:
        found: (system, metric) -> value.
    """

    set: str
    device: torch.device
    effort: Effort
    found: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def precision(self) -> Precision:
        """What auto comes to."""
        return "bf16" if is_bf16(self.device, "auto") else "fp32"

    def row(self, system: str, metric: str, value: float, unit: str = "") -> Row:
        self.found[system, metric] = value
        return Row(self.set, system, metric, value, unit)

    def attempt(self, what: str, rows: Callable[[], Iterator[Row]]) -> Iterator[Row | Failure]:
        """The rows, or that there are none; nothing stays in memory for those that come next."""
        print(what, file=sys.stderr, flush=True)
        yield from attempted(what, rows)
        gc.collect()
        if self.is_gpu:
            torch.cuda.empty_cache()

    def of_machine(self) -> Iterator[Row | Failure]:
        dtypes: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp32": torch.float32}

        def rows() -> Iterator[Row]:
            for precision in ("bf16", "fp32") if self.precision == "bf16" else ("fp32",):
                speed = _matmul_tflops(self.device, dtypes[precision], self.effort.matrix_side)
                yield self.row("machine", f"tflops.matmul.{precision}", speed, "TFLOP/s")
            copied = _copied_tb_per_s(self.device, self.effort.copied_mb)
            yield self.row("machine", "tb_per_s.copy", copied, "TB/s")

        yield from self.attempt("machine: its own speed", rows)

    def of_network(self, subject: Subject) -> Iterator[Row | Failure]:
        """All that is measured of a network."""
        chosen = _small(networks.preset(subject.model, subject.preset), self.effort)
        n_dims = chosen.architecture.n_dims
        of = _Network(self, subject, chosen, self.effort.batches[n_dims])
        yield from self.attempt(f"{subject.cell}: counted", of.counted)
        yield from self.attempt(f"{subject.cell}: frame store", of.stored)
        if of.store is None:
            return
        for batch in of.batches:
            yield from self.attempt(
                f"{subject.cell}: ours at {batch}", lambda b=batch: of.epochs("ours", b, Compute())
            )
        for batch in of.marks:
            yield from self.attempt(
                f"{subject.cell}: parts of ours at {batch}", lambda b=batch: of.parts(b)
            )
            yield from self.attempt(
                f"{subject.cell}: plain at {batch}",
                lambda b=batch: of.plain(b, self.precision),
            )
            if self.is_gpu:
                for system, compute in (
                    ("ours-streamed", Compute(resident="no")),
                    ("ours-compiled", Compute(compile="reduce-overhead")),
                ):
                    yield from self.attempt(
                        f"{subject.cell}: {system} at {batch}",
                        lambda s=system, b=batch, c=compute: of.epochs(s, b, c),
                    )
        if not self.is_gpu and self.precision == "bf16":
            first = of.batches[0]
            yield from self.attempt(f"{subject.cell}: ours in fp32", lambda: of.single(first))
            yield from self.attempt(
                f"{subject.cell}: plain in fp32", lambda: of.plain(first, "fp32")
            )
        yield from of.speedups()

    def of_decoding(self) -> Iterator[Row | Failure]:
        """The loop that decodes, and how much faster ours is."""
        effort = self.effort
        batch = effort.batches[3][0]

        def rows() -> Iterator[Row]:
            chosen = _small(networks.preset("caer-net", "ours"), effort)
            root, items = clips(effort.n_files)
            data = Decoded(root, items, chosen.store, effort.n_decoded)
            batches = loader(data, batch, _workers(self.device))
            took = self.timed(lambda _: seconds(lambda: [None for _ in batches], self.device))
            yield self.row(MP4, f"clips_per_s.read.b{batch}", effort.n_decoded / took, "clips/s")
            plain = Plain(chosen, batches, self.device, self.precision)
            took = self.timed(lambda _: plain.epoch())
            yield self.row(MP4, f"clips_per_s.b{batch}", effort.n_decoded / took, "clips/s")

        yield from self.attempt(f"{MP4}: read and epoch", rows)
        for name, metric in (("epoch", f"clips_per_s.b{batch}"),
                             ("read", f"clips_per_s.read.b{batch}")):  # fmt: skip
            yield from self.ratio(
                "ours", f"speedup.clips.{name}_over_mp4.b{batch}", ("ours", metric), (MP4, metric)
            )

    def timed(self, epoch: Callable[[int], float]) -> float:
        """Seconds of an epoch: the first is to warm up."""
        epoch(1)
        return median(epoch(2 + k) for k in range(self.effort.n_epochs))

    def ratio(
        self, system: str, metric: str, one: tuple[str, str], other: tuple[str, str]
    ) -> Iterator[Row]:
        """How much faster one is than another; no row where one was not measured."""
        if one in self.found and other in self.found:
            yield self.row(system, metric, self.found[one] / self.found[other], "x")


@dataclass
class _Network:
    """A network that is timed.

    Attributes:
        batches: sizes.
        store, source: of its frames, when they were made.
    """

    figures: _Figures
    subject: Subject
    chosen: Preset
    batches: tuple[int, ...]
    store: FrameStore | None = None
    source: Source | None = None

    @property
    def marks(self) -> tuple[int, ...]:
        """The first batch size and the fastest: what everything is measured at."""
        rates = {b: self.figures.found.get((self._ours, self._rate(b)), 0.0) for b in self.batches}
        return tuple(dict.fromkeys((self.batches[0], max(rates, key=lambda b: rates[b]))))

    @property
    def _ours(self) -> str:
        return f"ours{self.subject.suffix}"

    def _rate(self, batch: int, part: str = "") -> str:
        return f"{self.subject.samples}_per_s.{part}b{batch}"

    def _speed(self, system: str, batch: int, value: float, part: str = "") -> Row:
        unit = f"{self.subject.samples}/s"
        return self.figures.row(system + self.subject.suffix, self._rate(batch, part), value, unit)

    def counted(self) -> Iterator[Row]:
        samples, figures = self.subject.samples, self.figures
        forward, training = gflop(self.chosen)
        yield figures.row(self._ours, f"gflop_forward.{samples}", forward, "GFLOP")
        yield figures.row(self._ours, f"gflop_training.{samples}", training, "GFLOP")
        half = figures.precision == "bf16"
        moved = megabytes(self.chosen, torch.bfloat16 if half else torch.float32)
        yield figures.row(self._ours, f"mb_training.{samples}", moved, "MB")
        yield figures.row(self._ours, f"bits.{samples}", 16 if half else 32, "bits")

    def stored(self) -> Iterator[Row]:
        """Its frames, and what of them lies on the device; no row."""
        n_dims = self.chosen.architecture.n_dims
        n_items = self.figures.effort.n_items[n_dims]
        self.store = store(n_items, self.chosen.store, stills=n_dims == 2)
        self.source = source_of(self.store, self.figures.device, Compute())
        yield from ()

    def _made(self, batch: int, compute: Compute) -> Ours:
        assert self.store is not None
        source = None if compute.resident == "no" else self.source
        return Ours(
            self.store, self.chosen, batch, self.figures.device, compute=compute, source=source
        )

    def epochs(self, system: str, batch: int, compute: Compute) -> Iterator[Row]:
        """Whole epochs, and on a GPU how long nothing ran."""
        figures = self.figures
        ours = self._made(batch, compute)
        took = figures.timed(ours.epoch)
        yield self._speed(system, batch, ours.n_items / took)
        if figures.is_gpu:
            begin = ours.beginning(_N_PROFILED)
            took, busy = seconds(begin, figures.device), busy_s(begin)
            yield figures.row(
                system + self.subject.suffix, f"gpu_idle.{self.subject.samples}.b{batch}",
                max(0.0, 1 - busy / took),
            )  # fmt: skip

    def parts(self, batch: int) -> Iterator[Row]:
        """Reading and computing apart, and what share of the machine's speed it comes to."""
        figures, samples = self.figures, self.subject.samples
        ours = self._made(batch, Compute())
        yield self._speed("ours", batch, ours.n_items / ours.reading(9), "read.")
        yield self._speed("ours", batch, self._stepping(ours, batch), "compute.")
        rate = figures.found.get((self._ours, self._rate(batch)))
        flops = figures.found.get(("machine", f"tflops.matmul.{figures.precision}"))
        copied = figures.found.get(("machine", "tb_per_s.copy"))
        for name, cost, bound in (
            ("share_of_bound", f"gflop_training.{samples}", flops and flops * 1e3),
            ("share_of_memory_bound", f"mb_training.{samples}", copied and copied * 1e6),
        ):
            needed = figures.found.get((self._ours, cost))
            if rate and bound and needed:
                yield figures.row(self._ours, f"{name}.{samples}.b{batch}", rate * needed / bound)
        if batch == self.marks[-1]:
            if figures.is_gpu:
                for kind, share in shares(ours.steps(3)).items():
                    yield figures.row(self._ours, f"gpu_share.{samples}.{kind}", share)
            kept = share_channels_last(ours.network, ours.forward)
            yield figures.row(self._ours, f"channels_last.{samples}", kept)

    def _stepping(self, loop: Ours | Plain, batch: int) -> float:
        """Samples a second of steps; the first ones are to warm up."""
        steps = loop.steps(self.figures.effort.n_steps)
        steps()
        return batch * self.figures.effort.n_steps / seconds(steps, self.figures.device)

    def single(self, batch: int) -> Iterator[Row]:
        """Ours in single precision."""
        ours = self._made(batch, Compute(precision="fp32"))
        yield self._speed("ours-fp32", batch, self._stepping(ours, batch), "compute.")

    def plain(self, batch: int, precision: Precision) -> Iterator[Row]:
        """The loop that is usually written."""
        assert self.store is not None
        windows = StoredWindows(self.store, clips=self.chosen.architecture.n_dims == 3)
        batches = loader(windows, batch, _workers(self.figures.device))
        plain = Plain(self.chosen, batches, self.figures.device, precision)
        took = self.figures.timed(lambda _: plain.epoch())
        system = f"plain-eager-{precision}"
        yield self._speed(system, batch, len(self.store.items) / took)
        yield self._speed(system, batch, self._stepping(plain, batch), "compute.")

    def speedups(self) -> Iterator[Row]:
        """Of ours over the plain loop; see the protocol."""
        suffix, own = self.subject.suffix, self.figures.precision
        pairs: list[tuple[str, str, str, str, int]] = []
        for batch in self.marks:
            pairs += [("ours", "step", "compute.", own, batch), ("ours", "epoch", "", own, batch)]
            pairs += [(s, "epoch", "", own, batch) for s in ("ours-streamed", "ours-compiled")]
        first = self.batches[0]
        if own == "bf16":
            pairs += [
                ("ours-fp32", "step_fp32", "compute.", "fp32", first),
                ("ours", "step_over_fp32", "compute.", "fp32", first),
                ("ours", "epoch_over_fp32", "", "fp32", first),
            ]
        for system, name, part, precision, batch in pairs:
            metric = self._rate(batch, part)
            yield from self.figures.ratio(
                system + suffix, f"speedup.{self.subject.samples}.{name}.b{batch}",
                (system + suffix, metric), (f"plain-eager-{precision}{suffix}", metric),
            )  # fmt: skip


def _small(chosen: Preset, effort: Effort) -> Preset:
    if not effort.is_small:
        return chosen
    store_ = StoreSettings(face_px=32, context_width=43, context_height=32)
    return replace(chosen, store=store_, augmentation=Augmentation(crop=32))


def _workers(device: torch.device) -> int:
    cores = os.cpu_count() or 1
    return min(8, cores) if device.type == "cuda" else min(2, cores)


def _matmul_tflops(device: torch.device, dtype: torch.dtype, n: int) -> float:
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    a @ b
    took = min(seconds(lambda: [a @ b for _ in range(5)], device) for _ in range(5)) / 5
    return 2 * n**3 / took / 1e12


def _copied_tb_per_s(device: torch.device, mb: int) -> float:
    """Read and written."""
    n_bytes = mb * 2**20
    one, other = (torch.zeros(n_bytes // 4, device=device) for _ in range(2))
    other.copy_(one)
    took = min(seconds(lambda: [other.copy_(one) for _ in range(5)], device) for _ in range(5)) / 5
    return 2 * n_bytes / took / 1e12

"""Data sets as large as CAER: how long their exports take, and in how much memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.data import cache_folder
from benchmarks.memory import Peak
from benchmarks.reporting import Row
from benchmarks.synthetic_workspace import synthetic_workspace
from caer_build.dataset.looks import FOLDER as LOOKS

N_CLIPS, N_STILLS = 13_201, 70_000
PROTOCOL = """
Synthetic workspaces of 13,201 clips (84 frames of 96x64 px, about 25 kB) and of a tenth of them,
split by show; `caer stills` (each clip looked at anew) and `caer export` as whole processes, one
run each, with two workers, checksums, leak audit and reading back included. items: clips or stills.
peak_rss_mb: the largest proportional set size of the process, sampled every 0.2 s; flat means that
the larger workspace takes little more. copy: the same files copied by shutil.copytree.
CAER_BENCH_EXPORT_CLIPS sets another number of clips.
"""
FORMATS: tuple[tuple[str, Sequence[str]], ...] = (
    ("caer", ("--format", "caer")),
    ("caer-s", ("--format", "caer-s")),
    ("media-free", ("--format", "media-free")),
    ("hf", ("--format", "hf")),
    ("hf-stills", ("--format", "hf", "--media", "stills")),
    ("webdataset", ("--format", "webdataset")),
    ("webdataset-stills", ("--format", "webdataset", "--media", "stills")),
    ("coco", ("--format", "coco")),
    ("kinetics", ("--format", "kinetics")),
)


def run() -> Iterator[Row]:
    whole = int(os.environ.get("CAER_BENCH_EXPORT_CLIPS", N_CLIPS))
    for n_clips in (whole // 10, whole):
        work = synthetic_workspace(cache_folder(), n_clips).root
        set_ = f"synthetic-{n_clips}"
        n_a_class = round(N_STILLS / 7 * n_clips / N_CLIPS)
        shutil.rmtree(Path(work, LOOKS), ignore_errors=True)
        yield from _measured(set_, "stills", ["stills", work, "--per-emotion", n_a_class])
        with tempfile.TemporaryDirectory(prefix="caer-bench-") as scratch:
            for name, options in FORMATS:
                out = Path(scratch, name)
                yield from _measured(set_, name, ["export", work, "-o", out, *options])
                said = json.loads((out / "dataset.json").read_text())
                yield Row(set_, "ours", f"items.{name}", said["n_items"], "items")
                if name == "caer":
                    yield Row(set_, "copy", f"seconds.{name}", _copying(out), "s")
                shutil.rmtree(out)


def _measured(set_: str, name: str, arguments: Sequence[object]) -> Iterator[Row]:
    command = [sys.executable, "-m", "caer_build.cli", *map(str, arguments)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = Peak(process.pid)
    process.wait()
    seconds = time.perf_counter() - began
    peak.stop()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}.")
    yield Row(set_, "ours", f"seconds.{name}", seconds, "s")
    yield Row(set_, "ours", f"peak_rss_mb.{name}", peak.mb, "MB")


def _copying(folder: Path) -> float:
    began = time.perf_counter()
    copy = Path(shutil.copytree(folder, folder.with_name("copy")))
    seconds = time.perf_counter() - began
    shutil.rmtree(copy)
    return seconds

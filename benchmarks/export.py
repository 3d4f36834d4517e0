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
the larger workspace takes little more. copy: the same files copied by shutil.copytree. datasets,
pycocotools: a process that does nothing but load what was exported with the library of its users,
as every export does to verify itself.
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

LIBRARIES = {"hf": "datasets", "hf-stills": "datasets", "coco": "pycocotools"}
"""that read a whole data set, or a whole split of it, into memory"""
LOADING = {
    "datasets": """
import sys, tempfile, datasets
with tempfile.TemporaryDirectory() as cache:
    datasets.load_dataset(sys.argv[1], cache_dir=cache)
""",
    "pycocotools": """
import sys
from pathlib import Path
from pycocotools.coco import COCO
for split in sorted(Path(sys.argv[1], "annotations").iterdir()):
    COCO(str(split))
""",
}


def run() -> Iterator[Row]:
    whole = int(os.environ.get("CAER_BENCH_EXPORT_CLIPS", N_CLIPS))
    for n_clips in (whole // 10, whole):
        work = synthetic_workspace(cache_folder(), n_clips).root
        set_ = f"synthetic-{n_clips}"
        n_a_class = round(N_STILLS / 7 * n_clips / N_CLIPS)
        shutil.rmtree(Path(work, LOOKS), ignore_errors=True)
        yield from _caer(set_, "stills", "stills", work, "--per-emotion", n_a_class)
        with tempfile.TemporaryDirectory(prefix="caer-bench-") as scratch:
            for name, options in FORMATS:
                out = Path(scratch, name)
                yield from _caer(set_, name, "export", work, "-o", out, *options)
                said = json.loads((out / "dataset.json").read_text())
                yield Row(set_, "ours", f"items.{name}", said["n_items"], "items")
                if name == "caer":
                    yield Row(set_, "copy", f"seconds.{name}", _copying(out), "s")
                library = LIBRARIES.get(name)
                if library is not None:
                    yield from _measured(set_, library, name, ["-c", LOADING[library], str(out)])
                shutil.rmtree(out)


def _caer(set_: str, name: str, *arguments: object) -> Iterator[Row]:
    return _measured(set_, "ours", name, ["-m", "caer_build.cli", *map(str, arguments)])


def _measured(set_: str, system: str, name: str, arguments: Sequence[str]) -> Iterator[Row]:
    command = [sys.executable, *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = Peak(process.pid)
    process.wait()
    seconds = time.perf_counter() - began
    peak.stop()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}.")
    yield Row(set_, system, f"seconds.{name}", seconds, "s")
    # Nothing is known of what ended before it was looked at.
    if peak.mb:
        yield Row(set_, system, f"peak_rss_mb.{name}", peak.mb, "MB")


def _copying(folder: Path) -> float:
    began = time.perf_counter()
    copy = Path(shutil.copytree(folder, folder.with_name("copy")))
    seconds = time.perf_counter() - began
    shutil.rmtree(copy)
    return seconds

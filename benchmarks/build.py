"""The whole build, stage by stage, beside bare decoding of the same files."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.data import cache_folder, test_data
from benchmarks.memory import Peak
from benchmarks.reporting import Row
from caer_build.pipeline import STAGES

PROTOCOL = """
`caer build` as a whole process with its default number of workers, from nothing to tables and
clips; every figure is the median of the runs (3 on the lobby episodes, as many as
CAER_BENCH_LONG_RUNS says on long-720p, default 1). realtime_factor is the footage's length over
the wall time; cpu_s is the time of all its processes; peak_rss_mb is the largest sum of their
proportional set sizes, sampled every 0.2 s; seconds.STAGE is the wall time inside that stage,
summed over episodes; decoded_ratio is frames decoded before cutting over frames of the source.
PyAV decodes the same files and does nothing else. long-720p: 42 minutes, 1280x720, 25 fps,
H.264/AAC, edited from the footage
at hand, with the repeat screen off; CAER_BENCH_LONG_S makes a shorter one, named by its seconds.
"""
LONG_S = 42 * 60
RECIPES = {"ours": "caer", "ours-quick": "quick"}
SLOW_RECIPES = {"ours-paper": "paper"}


@dataclass(frozen=True)
class Run:
    """One build, measured from outside."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    totals: dict[str, float]
    stages: dict[str, float]


def run() -> Iterator[Row]:
    episodes = sorted((test_data() / "episodes").glob("*.mp4"))
    yield from _measure("lobby", episodes, RECIPES | SLOW_RECIPES, 3, [])
    from benchmarks.editor import long_episode

    seconds = int(os.environ.get("CAER_BENCH_LONG_S", LONG_S))
    name = "long-720p" if seconds == LONG_S else f"long-720p-{seconds}s"
    long = [long_episode(cache_folder(), seconds)]
    runs = int(os.environ.get("CAER_BENCH_LONG_RUNS", "1"))
    yield from _measure(name, long, RECIPES, runs, ["--set", "screening.drop_repeats=false"])


def _measure(
    name: str, files: list[Path], recipes: dict[str, str], n_runs: int, options: list[str]
) -> Iterator[Row]:
    decoding = [_bare_decoding(files) for _ in range(n_runs)]
    length_s = sum(_length_s(f) for f in files)
    peer = f"PyAV {version('av')}"
    bare_s = statistics.median(wall for wall, _ in decoding)
    yield Row(name, peer, "seconds", bare_s, "s")
    yield Row(name, peer, "cpu_s", statistics.median(cpu for _, cpu in decoding), "s")
    yield Row(name, peer, "realtime_factor", length_s / bare_s, "x")
    for system, recipe in recipes.items():
        runs = [_build(files, recipe, options) for _ in range(n_runs)]
        wall_s = statistics.median(r.wall_s for r in runs)
        yield Row(name, system, "seconds", wall_s, "s")
        yield Row(name, system, "cpu_s", statistics.median(r.cpu_s for r in runs), "s")
        yield Row(name, system, "realtime_factor", length_s / wall_s, "x")
        yield Row(name, system, "peak_rss_mb", max(r.peak_mb for r in runs), "MB")
        totals = runs[0].totals
        yield Row(name, system, "decoded_ratio", totals["decoded_frames"] / totals["frames"])
        yield Row(name, system, "clips_kept", totals["clips_kept"], "clips")
        for stage in (s.name for s in STAGES if s.name in runs[0].stages):
            seconds = statistics.median(r.stages[stage] for r in runs)
            yield Row(name, system, f"seconds.{stage}", seconds, "s")


def _length_s(file: Path) -> float:
    import av

    with av.open(str(file)) as container:
        return float((container.duration or 0) / 1e6)


def _bare_decoding(files: list[Path]) -> tuple[float, float]:
    """Seconds of wall and processor time that decoding every frame takes, with two threads."""
    import av

    wall, cpu = time.perf_counter(), time.process_time()
    for file in files:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.codec_context.thread_count = "AUTO", 2
            for _ in container.decode(stream):
                pass
    return time.perf_counter() - wall, time.process_time() - cpu


def _build(files: list[Path], recipe: str, options: list[str]) -> Run:
    with tempfile.TemporaryDirectory(prefix="caer-bench-") as scratch:
        work = Path(scratch, "work")
        command = [
            sys.executable,
            "-m",
            "caer_build.cli",
            "build",
            *map(str, files),
            "-o",
            str(work),
        ]
        command += ["--recipe", recipe, "--json", *options]
        began = time.perf_counter()
        before = os.times()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        peak = Peak(process.pid)
        out, _ = process.communicate()
        wall_s = time.perf_counter() - began
        peak.stop()
        after = os.times()
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}.")
        cpu_s = sum(after[2:4]) - sum(before[2:4])
        stages: dict[str, float] = defaultdict(float)
        for manifest in work.glob("stages/*/*/*/manifest.json"):
            facts = json.loads(manifest.read_text())
            stages[facts["stage"]] += facts["seconds"]
        return Run(wall_s, cpu_s, peak.mb, json.loads(out), dict(stages))

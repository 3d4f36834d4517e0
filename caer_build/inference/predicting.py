"""``caer predict``: files in, tables and pictures out; a bad file does not stop the others.

::

    OUT/predictions.csv     a row a moment: who, when, where, how likely each emotion is
        predictions.json    each file, each person in it; and what could not be read
        <file>.mp4, .png    the video or picture with faces and emotions drawn on it
        tracks/             shots and face tracks: the workspace of a build, kept for the next time
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from caer_build.caernet.compute import Compute
from caer_build.caernet.pictures import Pixels
from caer_build.caernet.runs import TrainedRun
from caer_build.caernet.windows import MeanOf
from caer_build.errors import CaerError, ProbeError, StoreError
from caer_build.inference.moments import Course, Moment, Reader, as_csv, by_face, described
from caer_build.inference.overlay import Mark, annotated
from caer_build.inference.sampling import read_picture, samples_of_picture, samples_of_video
from caer_build.inference.watching import Watched, watch
from caer_build.media.redraw import redraw
from caer_build.models.face_detectors import load
from caer_build.models.locations import model_folder
from caer_build.pipeline import Observer
from caer_build.sources import VIDEO_SUFFIXES, slug
from caer_build.store import disk_errors, write_atomically

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
CSV, JSON, TRACKS = "predictions.csv", "predictions.json", "tracks"
_DETECT_WIDTH = 480
Tell = Callable[[str, str, float, float], None]


@dataclass
class Predictions:
    """What came of some files.

    Attributes:
        moments: of each file that could be read, also of one in which nobody was seen.
        facts: of each such file: kind, length_s, n_shots, annotated.
        failures: of each that could not.
        mean_of: what is averaged over a person's moments.
    """

    moments: dict[Path, list[Moment]] = field(default_factory=dict)
    facts: dict[Path, dict[str, Any]] = field(default_factory=dict)
    failures: dict[Path, CaerError] = field(default_factory=dict)
    mean_of: MeanOf = "probabilities"

    def described(self) -> dict[str, Any]:
        """JSON."""
        return {
            "files": [
                {"file": str(file), **self.facts[file], "faces": described(moments, self.mean_of)}
                for file, moments in self.moments.items()
            ],
            "failed": [
                {"file": str(file), "message": error.message, "remedy": error.remedy}
                for file, error in self.failures.items()
            ],
        }


@dataclass(frozen=True)
class Options:
    """How files are read.

    Attributes:
        recipe: of the build whose stages find the faces of videos.
        workers: videos that are looked through at once.
        annotate: write videos and pictures that are drawn upon.
        compute: how fast the network is.
    """

    recipe: str = "caer"
    workers: int = 1
    annotate: bool = True
    compute: Compute = field(default_factory=Compute)


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The given files, and those in given folders whose suffix is a video's or a picture's.

    Raises:
        ProbeError: if there is none.
    """
    found: dict[Path, None] = {}
    given = list(paths)
    for path in given:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in below:
            known = file.suffix.lower() in VIDEO_SUFFIXES | PICTURE_SUFFIXES
            if file == path or (known and not file.name.startswith(".") and file.is_file()):
                found[file] = None
    if not found:
        raise ProbeError(
            f"No video or picture in {', '.join(map(str, given))}.", "Name the files themselves."
        )
    return list(found)


def predict_files(
    run: TrainedRun,
    files: Sequence[Path],
    out: Path,
    options: Options,
    *,
    device: torch.device,
    observer: Observer,
    tell: Tell,
) -> Predictions:
    """Read files and write what a network says of everybody in them.

    Args:
        files: videos and pictures, told apart by their suffix; what is neither is a video.
        out: a folder, made if new.
        observer: told of the build's stages.
        tell: called with (step, file, done, total) while the network reads and videos are written.

    Raises:
        CheckpointError: if the run cannot be used.
        DeviceError: if the device computes wrongly.
        ModelMissing, RecipeError, StoreError: see :func:`~caer_build.inference.watching.watch`.
    """
    reader = Reader(run, device, options.compute)
    with disk_errors(out.parent):
        out.mkdir(parents=True, exist_ok=True)
    found = Predictions(mean_of=run.plan.windows.mean_of)
    task = _Task(run, reader, out, options, tell, found)
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    videos = [file for file in files if file not in set(pictures)]
    for file in list(videos):
        if not file.exists():
            found.failures[file] = ProbeError(f"No such file: {file}.", "Check its spelling.")
            videos.remove(file)
    if videos:
        watched = watch(videos, out / TRACKS, options.recipe, observer, options.workers)
        for file, video in watched.items():
            task.attempt(file, _video(task, video))
    for file in pictures:
        task.attempt(file, _picture(task, file))
    facts = {"run": run.folder.absolute().name, "model": run.plan.architecture.model,
             "epoch": run.best, **found.described()}  # fmt: skip
    names = {str(file): moments for file, moments in found.moments.items()}
    write_atomically(out / CSV, as_csv(names).encode())
    write_atomically(out / JSON, json.dumps(facts, indent=1).encode())
    return found


@dataclass
class _Task:
    """What every file needs, and where it says what came of it."""

    run: TrainedRun
    reader: Reader
    out: Path
    options: Options
    tell: Tell
    found: Predictions
    taken: set[str] = field(default_factory=set)

    def attempt(self, file: Path, work: Callable[[], tuple[list[Moment], dict[str, Any]]]) -> None:
        """Do it, or note why it cannot be done; a full disk concerns every file."""
        try:
            moments, facts = work()
        except StoreError:
            raise
        except CaerError as error:
            self.found.failures[file] = error
        else:
            self.found.moments[file], self.found.facts[file] = moments, facts

    def name_for(self, file: Path, suffix: str) -> str:
        """Of what is written of a file: unique, whatever folders the files are in."""
        stem, number = slug(file.stem), 1
        while (name := f"{stem}{'' if number == 1 else f'-{number}'}{suffix}") in self.taken:
            number += 1
        self.taken.add(name)
        return name


def _video(
    task: _Task, video: Watched | CaerError
) -> Callable[[], tuple[list[Moment], dict[str, Any]]]:
    def work() -> tuple[list[Moment], dict[str, Any]]:
        if isinstance(video, CaerError):
            raise video
        length_s = video.timeline.end_s - video.timeline.start_of(0)
        moments = []
        samples = samples_of_video(video, task.run.store, task.reader.windows)
        for moment in task.reader.moments(samples):
            moments.append(moment)
            task.tell("emotions", video.name, moment.end_s, length_s)
        facts: dict[str, Any] = {
            "kind": "video", "length_s": round(length_s, 3), "n_shots": video.n_shots,
        }  # fmt: skip
        if task.options.annotate:
            facts["annotated"] = task.name_for(video.file, ".mp4")
            _redraw(task, video, moments, task.out / facts["annotated"])
        return moments, facts

    return work


def _redraw(task: _Task, video: Watched, moments: Sequence[Moment], out: Path) -> None:
    courses = {face: Course(own, task.found.mean_of) for face, own in by_face(moments).items()}
    rows = {face: {row.frame: row for row in video.tracks[face]} for face in courses}
    n, zero_s = len(video.timeline), video.timeline.start_of(0)
    order = sorted(rows, key=lambda face: min(rows[face]))
    begins = [min(rows[face]) for face in order]

    def draw(frame: int, picture: Pixels) -> Pixels:
        at_s = video.timeline.start_of(frame) - zero_s
        marks = []
        for face in order[: bisect_right(begins, frame)]:
            row = rows[face].get(frame)
            if row is not None:
                marks.append(Mark((row.x1, row.y1, row.x2, row.y2), courses[face].at(at_s)))
        task.tell("drawing", video.name, frame + 1, n)
        return annotated(picture, marks)

    redraw(video.file, out, video.timeline, draw, timestamps_repaired=video.timestamps_repaired)


def _picture(task: _Task, file: Path) -> Callable[[], tuple[list[Moment], dict[str, Any]]]:
    def work() -> tuple[list[Moment], dict[str, Any]]:
        import cv2

        detector = load("auto", model_folder(), _DETECT_WIDTH)
        samples = samples_of_picture(file, detector, task.run.store, task.reader.windows)
        moments = list(task.reader.moments(samples))
        facts: dict[str, Any] = {"kind": "picture"}
        if task.options.annotate:
            facts["annotated"] = task.name_for(file, ".png")
            marks = [Mark(m.box, np.array(m.probabilities)) for m in moments]
            _, encoded = cv2.imencode(".png", annotated(read_picture(file), marks))
            write_atomically(task.out / facts["annotated"], encoded.tobytes())
        return moments, facts

    return work

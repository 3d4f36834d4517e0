"""Face tracks: how well the faces of a shot are followed, beside other detectors and joiners."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks import synthetic_faces
from benchmarks.data import test_data
from benchmarks.reporting import Row
from benchmarks.tracking_scores import FrameBoxes, Shot, hota, idf1
from caer_build import records
from caer_build.boxes import iou
from caer_build.faces import yaw_deg
from caer_build.frames import Timeline
from caer_build.models.face_detectors import load
from caer_build.models.protocols import FaceDetector, Faces, Images
from caer_build.records import FaceDetection, FaceTrack, TrackBox
from caer_build.stages.tracks import TrackSettings, build_tracks

PROTOCOL = """
lobby: both test episodes, detection at 480 px every 0.2 s, the true shots. one_track is the share
of shots of one person (15 frames and more) with exactly one track, one_track_80 of those where it
also covers 80 % of the frames outside transitions; coverage is the mean over these shots of the
best track's; none_tracks counts tracks in shots of kind none (the dark audience of s01e01 has real
faces, which count here too); group_tracks is the mean number in shots of groups. synthetic-faces:
six shots of photographs of faces moved along known paths (two pass each other, one passes behind,
one turns away for 1.2 s, one approaches), idf1 (overlap 0.5) and hota over every frame.
ms_per_picture is the processor time of the detector at 480 px, one thread. greedy-iou joins our
detections to the last box that overlaps most (0.3 and more; Bochinski et al. 2017) with straight
lines between them; dlib HOG has our joining. adaptive: our detector passes a picture over whose
48x27 differs from the last one it saw by less than 2 grey levels in the mean, for at most 0.6 s;
looks_per_s: pictures in which faces were looked for, a second of footage.
"""
INTERVAL_S = 0.2
STILL_LEVELS, LONGEST_STILL_S = 2.0, 0.6
WIDTH = 480

Joined = tuple[list[FaceTrack], list[TrackBox]]
Join = Callable[[Sequence[records.Shot], Sequence[FaceDetection], Timeline], Joined]


@dataclass
class Watch:
    """A detector, and how long it took; ``adaptive``: it passes over what hardly changed."""

    detector: FaceDetector
    adaptive: bool = False
    seconds: float = 0.0
    pictures: int = 0

    def detect(self, picture: Images) -> Faces:
        begun = time.process_time()
        faces = self.detector.detect(picture)
        self.seconds += time.process_time() - begun
        self.pictures += 1
        return faces


@dataclass
class Detected:
    """The detections of one episode or shot."""

    rows: list[FaceDetection] = field(default_factory=list)
    pts_s: list[float] = field(default_factory=list)
    last_s: float = -np.inf
    looked_s: float = -np.inf
    looked: Images | None = None

    def look(self, watch: Watch, pts_s: float, picture: Callable[[], Images], scale: float) -> None:
        """Takes the next frame; its picture is asked for only where faces are looked for."""
        frame = len(self.pts_s)
        self.pts_s.append(pts_s)
        if pts_s - self.last_s < INTERVAL_S - 1e-3:
            return
        self.last_s = pts_s
        shown = picture()
        if watch.adaptive and self._is_still(shown, pts_s):
            return
        faces = watch.detect(shown)
        yaws = yaw_deg(faces.landmarks)
        for index, (box, score, yaw) in enumerate(
            zip(faces.boxes, faces.scores, yaws, strict=True)
        ):
            place = [float(v) * scale for v in box]
            turned = None if np.isnan(yaw) else float(yaw)
            self.rows.append(
                FaceDetection("bench", frame, index, *place, float(score), [], 1.0, turned)
            )

    def _is_still(self, picture: Images, pts_s: float) -> bool:
        import cv2

        small = np.asarray(cv2.resize(picture, (48, 27), interpolation=cv2.INTER_AREA), np.uint8)
        if self.looked is not None and pts_s - self.looked_s <= LONGEST_STILL_S - INTERVAL_S:
            apart = np.abs(small.astype(np.int16) - self.looked).mean()
            if apart < STILL_LEVELS:
                return True
        self.looked, self.looked_s = small, pts_s
        return False

    def timeline(self) -> Timeline:
        return Timeline(np.array(self.pts_s), 2 * self.pts_s[-1] - self.pts_s[-2])


def ours(
    shots: Sequence[records.Shot], rows: Sequence[FaceDetection], timeline: Timeline
) -> Joined:
    return build_tracks(shots, rows, timeline, TrackSettings())[:2]


def greedy_iou(shots: Sequence[records.Shot], rows: Sequence[FaceDetection], _: Timeline) -> Joined:
    """The plainest joining there is: of sampled frame to sampled frame, by overlap."""
    tracks, boxes = [], []
    for shot in shots:
        alive: list[list[FaceDetection]] = []
        done: list[list[FaceDetection]] = []
        inside = [r for r in rows if shot.start_frame <= r.frame < shot.end_frame]
        for frame in sorted({r.frame for r in inside}):
            here = [r for r in inside if r.frame == frame and r.score >= 0.75]
            going = []
            for track in alive:
                overlaps = [float(iou(_xyxy(track[-1]), _xyxy(r))[0, 0]) for r in here]
                if overlaps and max(overlaps) >= 0.3:
                    track.append(here.pop(int(np.argmax(overlaps))))
                    going.append(track)
                else:
                    done.append(track)
            alive = going + [[r] for r in here]
        for number, track in enumerate(t for t in done + alive if len(t) > 1):
            name = f"{shot.shot_id}-{number}"
            at = np.arange(track[0].frame, track[-1].frame + 1)
            known = np.concatenate([_xyxy(r) for r in track])
            lines = [np.interp(at, [r.frame for r in track], known[:, i]) for i in range(4)]
            boxes += [
                TrackBox(name, int(f), *b, False)
                for f, b in zip(at, np.stack(lines, 1).tolist(), strict=True)
            ]
            tracks.append(
                FaceTrack(
                    name, "bench", shot.shot_id, int(at[0]), int(at[-1]) + 1, len(track), 1, 1,
                    None, 1, 1,
                )
            )  # fmt: skip
    return tracks, boxes


def _xyxy(row: FaceDetection) -> np.ndarray:
    return np.array([[row.x1, row.y1, row.x2, row.y2]])


def run() -> Iterator[Row]:
    hog = f"dlib-bin {version('dlib-bin')}"
    detectors = {
        "ours": Watch(load("yuface", None, WIDTH)),
        "adaptive": Watch(load("yuface", None, WIDTH), adaptive=True),
        hog: Watch(load("dlib-hog", None, WIDTH)),
    }
    joins: dict[str, tuple[str, Join]] = {
        "ours": ("ours", ours),
        "adaptive": ("adaptive", ours),
        "greedy-iou": ("ours", greedy_iou),
        hog: (hog, ours),
    }
    episodes = test_data() / "episodes"
    yield from _lobby(episodes, detectors, joins)
    length_s = sum(_length_s(video) for video in episodes.glob("*.mp4"))
    for name in ("ours", "adaptive"):
        yield Row("lobby", name, "looks_per_s", detectors[name].pictures / length_s, "1/s")
    yield from _synthetic(synthetic_faces.photographs(test_data()), detectors, joins)
    for name, watch in detectors.items():
        milliseconds = 1000 * watch.seconds / watch.pictures
        yield Row("lobby", name, "ms_per_picture", milliseconds, "ms")


def _lobby(
    folder: Path, detectors: dict[str, Watch], joins: dict[str, tuple[str, Join]]
) -> Iterator[Row]:
    counts: dict[str, list[tuple[str, int, float]]] = {name: [] for name in joins}
    for video in sorted(folder.glob("*.mp4")):
        truth = json.loads(video.with_suffix(".truth.json").read_text())
        detected = _detect_episode(video, detectors)
        timeline = next(iter(detected.values())).timeline()
        for name, (detector, join) in joins.items():
            shots = [_shot(shot, truth["gradual"]) for shot in truth["shots"]]
            tracks, _ = join(shots, detected[detector].rows, timeline)
            for shot, true in zip(shots, truth["shots"], strict=True):
                if true["kind"] == "single" and true["stop"] - true["start"] < 15:
                    continue
                mine = [t for t in tracks if t.shot_id == shot.shot_id]
                cover = _coverage(shot, truth["gradual"], mine)
                counts[name].append((true["kind"], len(mine), cover))
    for name, shots_seen in counts.items():
        single = [(n, cover) for kind, n, cover in shots_seen if kind == "single"]
        groups = [n for kind, n, _ in shots_seen if kind == "group"]
        none = [n for kind, n, _ in shots_seen if kind == "none"]
        good = [n == 1 and cover >= 0.8 for n, cover in single]
        yield Row("lobby", name, "one_track", float(np.mean([n == 1 for n, _ in single])))
        yield Row("lobby", name, "one_track_80", float(np.mean(good)))
        yield Row("lobby", name, "coverage", float(np.mean([cover for _, cover in single])))
        yield Row("lobby", name, "none_tracks", sum(none), "tracks")
        yield Row("lobby", name, "group_tracks", float(np.mean(groups)), "tracks")


def _length_s(video: Path) -> float:
    import av

    with av.open(str(video)) as container:
        return float((container.duration or 0) / 1e6)


def _detect_episode(video: Path, detectors: dict[str, Watch]) -> dict[str, Detected]:
    from caer_build.media.decode import Decoder
    from caer_build.media.probe import read_headers

    headers = read_headers(video)
    size = WIDTH, round(headers.height * WIDTH / headers.width)
    detected = {name: Detected() for name in detectors}
    with Decoder(video, headers) as decoder:
        for frame in decoder:
            for name, watch in detectors.items():
                detected[name].look(
                    watch, frame.pts_s, lambda f=frame: f.bgr(*size), headers.width / WIDTH
                )
    return detected


def _shot(true: dict[str, int], gradual: list[tuple[int, int, str]]) -> records.Shot:
    """A true shot, with its first frames in a transition marked as such."""
    start, stop = true["start"], true["stop"]
    ends = [last + 1 for first, last, _ in gradual if first <= start <= last]
    return records.Shot(
        f"s{start:06d}", "bench", start, stop, float(start), float(stop), "cut",
        min(stop, ends[0]) if ends else start, 1.0,
    )  # fmt: skip


def _coverage(
    shot: records.Shot, gradual: list[tuple[int, int, str]], tracks: list[FaceTrack]
) -> float:
    """The best track's share of the shot's frames outside transitions."""
    start = shot.transition_end_frame
    ends = [first for first, _, _ in gradual if start <= first < shot.end_frame]
    end = min([shot.end_frame, *ends])
    shared = [min(t.end_frame, end) - max(t.start_frame, start) for t in tracks]
    return max([0, *shared]) / (end - start)


def _synthetic(
    photos: list[Images], detectors: dict[str, Watch], joins: dict[str, tuple[str, Join]]
) -> Iterator[Row]:
    results: dict[str, list[Shot]] = {name: [] for name in joins}
    for number in range(len(synthetic_faces.SCENES)):
        detected = {name: Detected() for name in detectors}
        truth = []
        for frame, (picture, boxes) in enumerate(synthetic_faces.frames(number, photos)):
            truth.append(boxes)
            for name, watch in detectors.items():
                seconds = frame / synthetic_faces.FPS
                detected[name].look(watch, seconds, lambda p=picture: p, 1.0)
        shot = records.Shot("s", "bench", 0, len(truth), 0.0, 8.0, "cut", 0, 1.0)
        for name, (detector, join) in joins.items():
            _, boxes = join([shot], detected[detector].rows, detected[detector].timeline())
            results[name].append(Shot(truth, _by_frame(boxes, len(truth))))
    for name, shots in results.items():
        yield Row("synthetic-faces", name, "idf1", idf1(shots))
        yield Row("synthetic-faces", name, "hota", hota(shots))


def _by_frame(boxes: Sequence[TrackBox], n: int) -> list[FrameBoxes]:
    frames: list[FrameBoxes] = [{} for _ in range(n)]
    for box in boxes:
        frames[box.frame][box.track_id] = np.array([box.x1, box.y1, box.x2, box.y2])
    return frames

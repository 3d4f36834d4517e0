"""Scan: the one decode. Every frame once, fanned out to everything that needs pixels.

::

    decoder --every frame--> 48x27 features ----------------> features.zst   (shots, repeats)
            --every 0.2 s--> face detector -> detections ---> detections     (tracks, screening)
                                           -> loose crops --> crops.bin      (embeddings, report)

Decoding and small pictures run in one thread, detection and crops in another, joined by a short
queue: neither waits for the other, and memory does not grow with the episode's length.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from caer_build.arrays import FeatureWriter, save_timeline
from caer_build.faces import loose_crop_box, sharpness, yaw_deg
from caer_build.frames import Timeline
from caer_build.models.locations import model_folder
from caer_build.models.protocols import (
    FEATURE_HEIGHT,
    FEATURE_WIDTH,
    FaceDetector,
    Faces,
    Images,
)
from caer_build.records import Episode, FaceCrop, FaceDetection
from caer_build.sources import printable
from caer_build.stage import Artifact, Context, Stage

if TYPE_CHECKING:
    from caer_build.media.decode import Decoder, DecodeReport

_QUEUE, _QUEUE_BYTES = 8, 64 << 20
"""frames that may wait for the detector: at most this many, and fewer where they are large"""


class ScanSettings(BaseModel):
    """What is looked at, how often, and how large."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Literal["auto", "yunet", "yuface", "dlib-hog"] = Field(
        "auto", description="face detector; auto: YuNet where its file is installed, else yuface"
    )
    detect_width: int = Field(
        480, ge=160, le=640, description="width at which faces are looked for (px)"
    )
    detect_interval_s: float = Field(
        0.2, gt=0, le=0.2, description="faces are looked for this often (s)"
    )
    crop_quality: int = Field(92, ge=50, le=100, description="JPEG quality of the face crops")
    decode_threads: int = Field(3, ge=1, le=16, description="threads of the video decoder")


@dataclass
class _Seen:
    """The faces of one sampled frame, and their crops."""

    frame: int
    detections: list[FaceDetection]
    crops: list[tuple[FaceCrop, bytes]]


def faces_of(
    episode_id: str, frame: int, picture: Images, faces: Faces, quality: int
) -> tuple[list[FaceDetection], list[tuple[FaceCrop, bytes]]]:
    """Rows and JPEG crops of the faces of one frame.

    Args:
        picture: the displayed frame, (h, w, 3) BGR.
        faces: in px of that picture.
        quality: of the JPEG.

    Returns:
        The detections, and for each its crop; the crops' offsets are still 0.
    """
    import cv2

    height, width = picture.shape[:2]
    yaws = yaw_deg(faces.landmarks)
    detections, crops = [], []
    for index, (box, score, points) in enumerate(
        zip(faces.boxes, faces.scores, faces.landmarks, strict=True)
    ):
        x1, y1, x2, y2 = (float(v) for v in box)
        rows = slice(max(0, int(y1)), max(int(y1) + 1, round(y2)))
        columns = slice(max(0, int(x1)), max(int(x1) + 1, round(x2)))
        grey = cv2.cvtColor(picture[rows, columns], cv2.COLOR_BGR2GRAY)
        known = not bool(np.isnan(points).any())
        detections.append(
            FaceDetection(
                episode_id=episode_id,
                frame=frame,
                index=index,
                x1=x1,
                y1=y1,
                x2=x2,
                y2=y2,
                score=float(score),
                landmarks=[float(v) for v in points.ravel()] if known else [],
                sharpness=sharpness(np.asarray(grey, np.uint8)),
                yaw=float(yaws[index]) if known else None,
            )
        )
        crop = loose_crop_box(box, width, height)
        _, jpeg = cv2.imencode(".jpg", crop.cut(picture), [cv2.IMWRITE_JPEG_QUALITY, quality])
        data = jpeg.tobytes()
        row = FaceCrop(frame, index, crop.x1, crop.y1, crop.x2, crop.y2, 0, len(data))
        crops.append((row, data))
    return detections, crops


@dataclass
class _Scanner:
    """One pass over one episode."""

    episode_id: str
    settings: ScanSettings
    detector: FaceDetector
    size: tuple[int, int]
    features: FeatureWriter
    crops_path: Path
    ticks: list[int] = field(default_factory=list)
    pts_s: list[float] = field(default_factory=list)
    sampled: list[int] = field(default_factory=list)
    detections: list[FaceDetection] = field(default_factory=list)
    crops: list[FaceCrop] = field(default_factory=list)

    def run(self, decoder: Decoder, tell: Any, total_s: float) -> None:
        pending: deque[Future[_Seen]] = deque()
        width, height = self.size
        small_width = min(width, self.settings.detect_width)
        small = small_width, max(1, round(height * small_width / width))
        next_look_s = -np.inf
        most_waiting = min(_QUEUE, max(1, _QUEUE_BYTES // (3 * width * height)))
        with ThreadPoolExecutor(1) as beside, self.crops_path.open("wb") as crops:
            for frame in decoder:
                self.ticks.append(frame.pts)
                self.pts_s.append(frame.pts_s)
                self.features.add(frame.rgb(FEATURE_WIDTH, FEATURE_HEIGHT))
                if frame.pts_s >= next_look_s:
                    next_look_s = self._next_look(frame.pts_s, next_look_s)
                    self.sampled.append(frame.ordinal)
                    pending.append(
                        beside.submit(
                            self._look, frame.ordinal, frame.bgr(*small), frame.bgr_full()
                        )
                    )
                    if len(pending) > most_waiting:
                        self._take(pending.popleft(), crops)
                if frame.ordinal % 50 == 0:
                    tell(frame.pts_s - self.pts_s[0], total_s)
            for future in pending:
                self._take(future, crops)

    def _next_look(self, now_s: float, due_s: float) -> float:
        # On a grid, so that frames a hair late do not stretch the interval frame by frame.
        interval = self.settings.detect_interval_s
        due = due_s + interval
        return due if due > now_s else now_s + interval

    def _look(self, ordinal: int, small: Images, picture: Images) -> _Seen:
        faces = self.detector.detect(small)
        scale = np.array([self.size[0] / small.shape[1], self.size[1] / small.shape[0]])
        in_picture = Faces(
            (faces.boxes * np.tile(scale, 2)).astype(np.float32),
            faces.scores,
            (faces.landmarks * scale).astype(np.float32),
        )
        rows = faces_of(self.episode_id, ordinal, picture, in_picture, self.settings.crop_quality)
        return _Seen(ordinal, *rows)

    def _take(self, future: Future[_Seen], crops: Any) -> None:
        from dataclasses import replace

        seen = future.result()
        self.detections += seen.detections
        for row, data in seen.crops:
            self.crops.append(replace(row, offset=crops.tell()))
            crops.write(data)


def is_variable(pts_s: np.ndarray[Any, np.dtype[np.float64]], tick_s: float) -> bool:
    """Whether frame durations differ by more than rounding to the container's clock explains."""
    steps = np.diff(pts_s)
    return len(steps) > 1 and bool(steps.max() - steps.min() > 2.5 * max(tick_s, 0.001))


def run(context: Context[ScanSettings]) -> None:
    from caer_build.media.decode import Decoder
    from caer_build.media.headers_file import load_headers
    from caer_build.models.face_detectors import load

    settings, source = context.settings, context.source
    headers = load_headers(context.file("headers.json"))
    name = printable(source.path.name)
    detector = load(settings.detector, model_folder(), settings.detect_width)
    with (
        Decoder(source.path, headers, settings.decode_threads) as decoder,
        FeatureWriter(context.output("features.zst")) as features,
    ):
        scanner = _Scanner(
            episode_id=source.episode_id,
            settings=settings,
            detector=detector,
            size=(headers.width, headers.height),
            features=features,
            crops_path=context.output("crops.bin"),
        )
        scanner.run(decoder, context.progress, headers.duration_s or 0.0)
    report = decoder.report
    times = np.array(scanner.pts_s)
    timeline = Timeline(times, report.end_s)
    save_timeline(
        context.output("timeline.npz"),
        np.array(scanner.ticks, dtype=np.int64),
        timeline,
        np.array(scanner.sampled, dtype=np.int64),
    )
    context.write("detections", scanner.detections)
    context.write("crops", scanner.crops)
    context.write(
        "episodes",
        [
            Episode(
                episode_id=source.episode_id,
                show=source.show,
                season=source.season,
                number=source.number,
                source_name=name,
                source_sha256=source.sha256,
                frame_count=report.n_frames,
                frame_rate_num=headers.frame_rate.numerator,
                frame_rate_den=headers.frame_rate.denominator,
                variable_rate=is_variable(times, float(headers.time_base)),
                width=headers.width,
                height=headers.height,
                rotation=headers.rotation,
                sample_aspect=float(headers.sample_aspect),
                duration_s=report.end_s - float(times[0]),
                audio_codec=None,
                audio_rate=None,
                audio_channels=None,
                audio_track=None,
                truncated=report.truncated,
                timestamps_repaired=report.repaired,
            )
        ],
    )
    context.facts.update(
        decoded_frames=headers.n_decoded + report.n_decoded,
        decode_errors=report.n_errors,
        repaired_timestamps=report.n_repaired,
        interlaced_frames=report.n_interlaced,
        size_changed=report.size_changed,
        warnings=doubts_of(name, report),
        sampled_frames=len(scanner.sampled),
    )


def doubts_of(name: str, report: DecodeReport) -> list[str]:
    """What is wrong with a file that is used nevertheless, in sentences."""
    doubts = []
    if report.truncated:
        doubts.append(
            f"{name} breaks off or is damaged: the {report.n_frames} frames that could be decoded "
            "are used. Copy or download it again."
        )
    if report.length_doubtful:
        doubts.append(
            f"{name} says another length than its repaired times come to: check that a clip of it "
            "plays at the right speed."
        )
    return doubts


def versions(settings: ScanSettings) -> tuple[str, ...]:
    from importlib.metadata import version

    from caer_build.models.face_detectors import load

    detector = load(settings.detector, model_folder(), settings.detect_width)
    return (f"av {version('av')}", detector.version)


STAGE: Stage[Any] = Stage(
    name="scan",
    version=3,
    settings=ScanSettings,
    scope="episode",
    reads=("headers.json",),
    writes=(
        Artifact("episodes", Episode, published=True, filled_from="sounds"),
        Artifact("detections", FaceDetection, published=True),
        Artifact("crops", FaceCrop),
        Artifact("crops.bin"),
        Artifact("features.zst"),
        Artifact("timeline.npz"),
    ),
    run=run,
    versions=versions,
    reads_source=True,
)

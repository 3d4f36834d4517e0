"""Tracks: detections joined inside a shot, with a box for every frame. Never across a shot.

::

    shot       |=====================================|
    detections     x    x    x         x    x    x
    track      |-------------------------------------|     to the edges where they are near,
    seen       |****************|   |****************|     a box in each frame, interpolated or not

Between detections boxes are interpolated, which needs no pictures; or the face is followed with a
correlation tracker, as the paper's tool did it, which decodes the episode a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from caer_build import boxes as box_arithmetic
from caer_build import tracking
from caer_build.arrays import load_timeline
from caer_build.errors import SchemaError
from caer_build.frames import Span, Timeline
from caer_build.records import FaceDetection, FaceTrack, Shot, TrackBox, TrackDetection
from caer_build.stage import Artifact, Context, Stage

if TYPE_CHECKING:
    from caer_build.media.replay import Replay

Array = npt.NDArray[np.float64]
_TIME_SLACK_S = 1e-6


class TrackSettings(BaseModel):
    """How detections become tracks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["detections", "forward-backward"] = Field(
        "detections",
        description="detections: joined and interpolated; forward-backward: faces are followed "
        "from detection to detection with dlib's correlation tracker in a second decode",
    )
    strong_score: float = Field(
        0.82, ge=0, le=1, description="a track needs a detection of this score ([0, 1])"
    )
    weak_score: float = Field(
        0.5, ge=0, le=1, description="detections below this score are ignored ([0, 1])"
    )
    interval_s: float = Field(
        0.2, gt=0, le=2, description="what counts as seen: this near to a detection (seconds)"
    )
    longest_gap_s: float = Field(
        2.0,
        ge=0,
        le=30,
        description="longest time without a detection inside a track; forward-backward: longest "
        "time that a tracker runs without one, either way (seconds)",
    )
    reach_s: float = Field(
        0.2, ge=0, le=2, description="how far a track reaches to its shot's edge (seconds)"
    )
    min_detections: int = Field(
        2, ge=1, le=100, description="fewest detections of a track, where the shot is long enough"
    )
    smoothing_s: float = Field(
        0.25, ge=0, le=2, description="width of the smoothing of boxes, 0 = none (seconds)"
    )
    most_shift: float = Field(
        0.1, ge=0, le=1, description="most that smoothing moves an edge (share of the face's size)"
    )
    duplicate_cover: float = Field(
        0.7, gt=0, le=1, description="tracks that cover each other more are one face ([0, 1])"
    )

    follow_width: int = Field(
        640, ge=160, le=1280, description="forward-backward: width of the pictures (px)"
    )
    follow_confidence: float = Field(
        10.0,
        ge=0,
        le=100,
        description="forward-backward: a tracker less sure has lost its face (peak to sidelobe)",
    )
    follow_overlap: float = Field(
        0.33,
        gt=0,
        le=1,
        description="forward-backward: boxes of a frame that overlap so are one face (IoU)",
    )
    decode_threads: int = Field(
        2, ge=1, le=16, description="forward-backward: threads of the video decoder (count)"
    )

    @model_validator(mode="after")
    def _ordered(self) -> TrackSettings:
        if self.weak_score > self.strong_score:
            raise ValueError(
                f"expected weak_score <= strong_score, found {self.weak_score} > "
                f"{self.strong_score}"
            )
        return self


@dataclass(frozen=True)
class _InShot:
    """What one shot's tracks are made from; detections as columns, by time and place."""

    shot: Shot
    timeline: Timeline
    settings: TrackSettings
    rows: list[FaceDetection]
    frames: npt.NDArray[np.int64]
    times_s: Array
    boxes: Array
    scores: Array


@dataclass(frozen=True)
class _Track:
    """A finished track: which rows of its shot it is made of, and a box in each of its frames."""

    found: npt.NDArray[np.int64]
    start_frame: int
    boxes: Array

    @property
    def end_frame(self) -> int:
        return self.start_frame + len(self.boxes)


Tables = tuple[list[FaceTrack], list[TrackBox], list[TrackDetection]]
Candidates = Callable[[_InShot], list[_Track]]
"""Finds the faces of one shot; what is too little of a face is sorted out afterwards."""


def build_tracks(
    shots: Sequence[Shot],
    detections: Sequence[FaceDetection],
    timeline: Timeline,
    settings: TrackSettings,
    candidates: Candidates | None = None,
) -> Tables:
    """The tracks of an episode.

    Args:
        shots: of one episode, not overlapping; detections outside all of them are ignored.
        detections: of the same episode, in any order.
        timeline: when its frames are shown.
        candidates: asked about each shot with detections, in order; null: these are joined.

    Returns:
        Tracks by shot, first frame and place; their boxes, one for each frame of each track; and
        which detections they are made of. No detection is in two tracks.

    Raises:
        SchemaError: if a shot or a detection lies beyond the last frame.
    """
    shots = sorted(shots, key=lambda shot: shot.start_frame)
    ordered = sorted(detections, key=lambda d: (d.frame, d.x1, d.y1, d.index))
    last = max([s.end_frame for s in shots] + [d.frame + 1 for d in ordered[-1:]], default=0)
    if last > len(timeline):
        raise SchemaError(
            f"Expected shots and detections within the {len(timeline)} frames of the timeline, "
            f"found frame {last - 1}."
        )
    frames = np.array([d.frame for d in ordered], np.int64)
    tracks: list[FaceTrack] = []
    boxes: list[TrackBox] = []
    members: list[TrackDetection] = []
    for shot in shots:
        # In the transition the faces of the shot before are seen too: only from its end on is a
        # face surely one of this shot. A track may reach back into it, interpolated.
        clear = shot.transition_end_frame
        begin = clear if clear < shot.end_frame else shot.start_frame
        first, end = np.searchsorted(frames, (begin, shot.end_frame))
        rows = [d for d in ordered[first:end] if d.score >= settings.weak_score]
        if not rows:
            continue
        inside = _in_shot(shot, rows, timeline, settings)
        for k, track in enumerate(_kept(inside, (candidates or _joined)(inside))):
            track_id = f"{shot.shot_id}-t{k:02d}"
            tracks.append(_record(track_id, track, inside))
            boxes += _box_records(track_id, track, inside)
            members += [TrackDetection(track_id, rows[i].frame, rows[i].index) for i in track.found]
    return tracks, boxes, members


def _in_shot(
    shot: Shot, rows: list[FaceDetection], timeline: Timeline, settings: TrackSettings
) -> _InShot:
    frames = np.array([d.frame for d in rows], np.int64)
    return _InShot(
        shot,
        timeline,
        settings,
        rows,
        frames,
        times_s=timeline.pts_s[frames],
        boxes=np.array([(d.x1, d.y1, d.x2, d.y2) for d in rows], np.float64),
        scores=np.array([d.score for d in rows], np.float64),
    )


def _joined(inside: _InShot) -> list[_Track]:
    """The detections of one shot, joined by where they are."""
    strong = inside.scores >= inside.settings.strong_score
    found = tracking.join(inside.times_s, inside.boxes, strong, inside.settings.longest_gap_s)
    return [_filled(rows, inside) for rows in found]


def _kept(inside: _InShot, candidates: Sequence[_Track]) -> list[_Track]:
    """The tracks of one shot, by first frame, then from left to right."""
    shot, settings = inside.shot, inside.settings
    strong = inside.scores >= settings.strong_score
    length_s = inside.timeline.duration_of(Span(shot.start_frame, shot.end_frame))
    samples = max(1, int(length_s / settings.interval_s + _TIME_SLACK_S))
    enough = min(settings.min_detections, samples)
    kept = [
        track for track in candidates if len(track.found) >= enough and strong[track.found].any()
    ]
    # The best supported first: of two tracks on one face the other goes.
    kept.sort(key=lambda t: (-float(inside.scores[t.found].sum()), t.start_frame, *t.boxes[0]))
    single: list[_Track] = []
    for track in kept:
        if not any(_same_face(track, other, settings.duplicate_cover) for other in single):
            single.append(track)
    return sorted(single, key=lambda t: (t.start_frame, *t.boxes[0]))


def _filled(rows: npt.NDArray[np.int64], inside: _InShot) -> _Track:
    """A track with a box in each of its frames."""
    shot, timeline, settings = inside.shot, inside.timeline, inside.settings
    times_s = inside.times_s[rows]
    start, end = int(inside.frames[rows[0]]), int(inside.frames[rows[-1]]) + 1

    def near(earlier: int, later: int) -> bool:
        gap_s = timeline.start_of(later) - timeline.start_of(earlier)
        return gap_s <= settings.reach_s + _TIME_SLACK_S

    # A face seen right after a transition was there at its end, if not before.
    edges = [edge for edge in (shot.start_frame, shot.transition_end_frame) if edge < start]
    start = min([start, *(edge for edge in edges if near(edge, start))])
    if near(end - 1, shot.end_frame - 1):
        end = shot.end_frame
    known = tracking.smooth(times_s, inside.boxes[rows], settings.smoothing_s, settings.most_shift)
    at = timeline.pts_s[start:end]
    return _Track(rows, start, box_arithmetic.interpolate(at, times_s, known))


def _same_face(weaker: _Track, track: _Track, cover: float) -> bool:
    """Whether, for half of its time at least, the weaker track lies on the other."""
    start = max(weaker.start_frame, track.start_frame)
    end = min(weaker.end_frame, track.end_frame)
    if 2 * (end - start) < len(weaker.boxes):
        return False
    one = weaker.boxes[start - weaker.start_frame : end - weaker.start_frame]
    other = track.boxes[start - track.start_frame : end - track.start_frame]
    return float(np.median(tracking.covered(one, other))) > cover


def _record(track_id: str, track: _Track, inside: _InShot) -> FaceTrack:
    rows = [inside.rows[i] for i in track.found]
    yaws = [abs(d.yaw) for d in rows if d.yaw is not None]
    heights = inside.boxes[track.found, 3] - inside.boxes[track.found, 1]
    return FaceTrack(
        track_id=track_id,
        episode_id=inside.shot.episode_id,
        shot_id=inside.shot.shot_id,
        start_frame=track.start_frame,
        end_frame=track.end_frame,
        n_detections=len(rows),
        seen_share=_seen_share(track, inside),
        median_face_height=float(np.median(heights)),
        yaw=float(np.median(yaws)) if yaws else None,
        sharpness=float(np.median([d.sharpness for d in rows])),
        score=min(1.0, float(inside.scores[track.found].mean())),
    )


def _seen_share(track: _Track, inside: _InShot) -> float:
    """Share of the track's time within one detection interval of a detection."""
    timeline = inside.timeline
    at = timeline.pts_s[track.start_frame : track.end_frame]
    lasts = np.diff(at, append=timeline.start_of(track.end_frame))
    known = inside.times_s[track.found]
    after = np.clip(np.searchsorted(known, at), 1, max(1, len(known) - 1))
    before_s, after_s = at - known[after - 1], at - known[np.minimum(after, len(known) - 1)]
    nearest_s = np.minimum(np.abs(before_s), np.abs(after_s))
    seen = nearest_s <= inside.settings.interval_s + _TIME_SLACK_S
    return min(1.0, float(lasts[seen].sum() / lasts.sum()))


def _box_records(track_id: str, track: _Track, inside: _InShot) -> list[TrackBox]:
    detected = set(inside.frames[track.found].tolist())
    return [
        TrackBox(track_id, frame, x1, y1, x2, y2, frame not in detected)
        for frame, (x1, y1, x2, y2) in enumerate(track.boxes.tolist(), start=track.start_frame)
    ]


def _followed(inside: _InShot, replay: Replay, picture_scale: Array) -> list[_Track]:
    """The faces of one shot, followed from detection to detection.

    Args:
        replay: gives the pictures; it stands at or before the shot.
        picture_scale: (4,) what leads from px of the displayed frame to px of these pictures.
    """
    from caer_build.models.correlation_tracker import CorrelationTracker
    from caer_build.models.following import MOST_PICTURES, FollowRules, follow_rows

    settings = inside.settings
    longest = inside.timeline.frames_within(settings.longest_gap_s)
    rules = FollowRules(
        min_confidence=settings.follow_confidence,
        min_overlap=settings.follow_overlap,
        longest_blind=longest,
        longest_back=min(longest, MOST_PICTURES),
    )
    shot = Span(inside.shot.start_frame, inside.shot.end_frame)
    boxes = inside.boxes * picture_scale
    faces = follow_rows(
        replay.pictures, shot, inside.frames, boxes, begin=CorrelationTracker, rules=rules
    )
    size = replay.size
    return [
        _Track(rows, f.start_frame, np.asarray(box_arithmetic.clip(f.boxes, *size) / picture_scale))
        for rows, f in faces
    ]


def _follow_all(context: Context[TrackSettings], timeline: Timeline) -> Tables:
    from caer_build.media.probe import read_headers
    from caer_build.media.replay import Replay

    settings, path = context.settings, context.source.path
    headers = read_headers(path)
    with Replay(path, headers, settings.follow_width, settings.decode_threads) as replay:
        scale = np.tile(np.divide(replay.size, (headers.width, headers.height)), 2)

        def candidates(inside: _InShot) -> list[_Track]:
            context.progress(inside.shot.start_frame, len(timeline))
            return _followed(inside, replay, scale)

        found = build_tracks(
            context.read("shots"), context.read("detections"), timeline, settings, candidates
        )
    context.facts.update(redecoded_frames=headers.n_decoded + replay.n_decoded)
    return found


def follows(settings: TrackSettings) -> bool:
    """Whether the source is opened again."""
    return settings.method == "forward-backward"


def versions(settings: TrackSettings) -> tuple[str, ...]:
    if not follows(settings):
        return ()
    from importlib.metadata import version

    from caer_build.models import correlation_tracker

    return (f"av {version('av')}", correlation_tracker.version())


def run(context: Context[TrackSettings]) -> None:
    timeline = load_timeline(context.file("timeline.npz"))
    if follows(context.settings):
        tracks, boxes, members = _follow_all(context, timeline)
    else:
        shots, detections = context.read("shots"), context.read("detections")
        tracks, boxes, members = build_tracks(shots, detections, timeline, context.settings)
    context.write("tracks", tracks)
    context.write("track_boxes", boxes)
    context.write("track_detections", members)


STAGE: Stage[Any] = Stage(
    name="tracks",
    version=2,
    settings=TrackSettings,
    scope="episode",
    reads=("shots", "detections", "timeline.npz"),
    writes=(
        Artifact("tracks", FaceTrack, published=True),
        Artifact("track_boxes", TrackBox, published=True),
        Artifact("track_detections", TrackDetection),
    ),
    run=run,
    versions=versions,
    reads_source=follows,
)

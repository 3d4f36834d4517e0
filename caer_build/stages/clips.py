"""Clips: candidates around one target person inside one shot.

::

    shot     |~~~~|------------------------------------------|~~~   (~ transition)
    usable         [g----------------------------------------g)     g: guard frames
    track       ========================================
    clips          [ window        )[ window            )

A window never shows a frame of a transition; what is too short to be a clip is a row all the same,
and screening gives its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from caer_build.arrays import load_timeline
from caer_build.boxes import centres
from caer_build.frames import Span, Timeline
from caer_build.records import Clip, FaceTrack, Shot, TrackBox
from caer_build.stage import Artifact, Context, Stage

_NOMINAL_RATE = 60


class ClipSettings(BaseModel):
    """How candidates are cut out of shots."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_frames: int = Field(
        30,
        ge=1,
        le=10_000,
        description="frames of the shortest clip (section 4.1); screening.min_frames is the same",
    )
    max_s: float = Field(
        6.0,
        gt=0,
        le=3600,
        description="longest clip; a longer span is split, if each part has min_frames (s)",
    )
    guard_frames: int = Field(
        1,
        ge=0,
        le=1000,
        description="frames left out beside a boundary, which may be off by one (frames)",
    )

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        # What is longer than max_s can be split only if it has twice min_frames. The frame rate of
        # an episode is known later; at more than this one nobody films.
        least_s = 2 * self.min_frames / _NOMINAL_RATE
        if self.max_s < least_s:
            raise ValueError(
                f"min_frames = {self.min_frames} expects max_s >= {least_s:.3g} (two such clips at "
                f"{_NOMINAL_RATE} frames a second), found {self.max_s:g}"
            )
        return self


def usable_span(shot: Shot, follower: Shot | None, guard_frames: int) -> Span | None:
    """The frames of a shot that show no transition; none if there are none.

    The transition out of a shot belongs to the shot that follows. The guard is left out beside
    every boundary, but not at the episode's ends.
    """
    start = shot.transition_end_frame + (guard_frames if shot.transition_in != "start" else 0)
    end = shot.end_frame - (guard_frames if follower is not None else 0)
    return Span(start, end) if start < end else None


def windows(
    span: Span, min_frames: int, max_frames: int, movement: npt.NDArray[np.floating]
) -> list[Span]:
    """Split a span into windows of at most ``max_frames``, none shorter than ``min_frames``.

    The fewest windows that do are made, of about equal length; each boundary moves to where the
    target's face moves least nearby, so that a gesture is not cut in half.

    Args:
        max_frames: at least twice ``min_frames``, so that any span can be split.
        movement: how much the face moves at each frame of the span, shape (len(span),).
    """
    count = -(-len(span) // max_frames)
    ideal = [span.start + round(len(span) * i / count) for i in range(1, count)]
    slack = len(span) // count // 5
    edges = [span.start]
    for number, middle in enumerate(ideal):
        rest = count - number - 1
        low = max(middle - slack, edges[-1] + min_frames, span.end - rest * max_frames)
        high = min(middle + slack, edges[-1] + max_frames, span.end - rest * min_frames)
        nearby = np.arange(min(low, high), high + 1)
        # Of equally still places the one nearest to the middle.
        order = np.lexsort((np.abs(nearby - middle), movement[nearby - span.start]))
        edges.append(int(nearby[order[0]]))
    edges.append(span.end)
    return [Span(a, b) for a, b in pairwise(edges)]


def movement_of(boxes: Mapping[int, TrackBox], span: Span) -> npt.NDArray[np.float64]:
    """How far the face's centre moves at each frame of the span, in face heights a frame."""
    corners = np.array(
        [[b.x1, b.y1, b.x2, b.y2] for b in (boxes[f] for f in range(span.start, span.end))]
    )
    middle = centres(corners)
    steps = np.hypot(*np.gradient(middle, axis=0).T) if len(span) > 1 else np.zeros(1)
    heights = corners[:, 3] - corners[:, 1]
    return np.asarray(np.convolve(steps / heights, np.ones(5) / 5, mode="same"))


def candidates(
    shots: Sequence[Shot],
    tracks: Sequence[FaceTrack],
    boxes: Mapping[str, Mapping[int, TrackBox]],
    timeline: Timeline,
    settings: ClipSettings,
) -> list[Clip]:
    """All candidates of an episode: at least one row a shot, one or more a track.

    Args:
        shots: in order.
        boxes: by track and frame.
    """
    by_shot: dict[str, list[FaceTrack]] = {}
    for track in tracks:
        by_shot.setdefault(track.shot_id, []).append(track)
    max_frames = max(timeline.frames_within(settings.max_s), 2 * settings.min_frames)
    rows = []
    for shot, follower in zip(shots, [*shots[1:], None], strict=True):
        usable = usable_span(shot, follower, settings.guard_frames)
        own = sorted(by_shot.get(shot.shot_id, []), key=lambda t: t.track_id)
        if not own:
            rows.append(_row(shot, None, usable or _mixed(shot), shot.shot_id, timeline))
        for track in own:
            whole = Span(track.start_frame, track.end_frame)
            if usable is None or not whole.overlap(usable):
                # Seen only while one shot turns into the next.
                clip_id = f"{track.track_id}-{whole.start:06d}"
                rows.append(_row(shot, track, _mixed(shot), clip_id, timeline))
                continue
            span = Span(max(whole.start, usable.start), min(whole.end, usable.end))
            movement = movement_of(boxes[track.track_id], span)
            for window in windows(span, settings.min_frames, max_frames, movement):
                clip_id = f"{track.track_id}-{window.start:06d}"
                rows.append(_row(shot, track, window, clip_id, timeline))
    return rows


def _mixed(shot: Shot) -> Span:
    """The transition into a shot of which nothing else is usable; the whole shot after a cut."""
    transition_end = shot.transition_end_frame
    end = transition_end if transition_end > shot.start_frame else shot.end_frame
    return Span(shot.start_frame, end)


def _row(shot: Shot, track: FaceTrack | None, span: Span, clip_id: str, timeline: Timeline) -> Clip:
    return Clip(
        clip_id=clip_id,
        episode_id=shot.episode_id,
        shot_id=shot.shot_id,
        track_id=None if track is None else track.track_id,
        person_id=None,
        start_frame=span.start,
        end_frame=span.end,
        start_pts_s=timeline.start_of(span.start),
        end_pts_s=timeline.start_of(span.end),
        n_frames=len(span),
        seen_share=None,
        face_height_px=None,
        face_height_share=None,
        sharpness=None,
        yaw=None,
        n_faces=0.0,
        group_share=0.0,
        repeat_of=None,
        reject_reason=None,
        file=None,
        file_sha256=None,
    )


def boxes_by_track(rows: Sequence[TrackBox]) -> dict[str, dict[int, TrackBox]]:
    """Track boxes by track, then by frame."""
    found: dict[str, dict[int, TrackBox]] = {}
    for box in rows:
        found.setdefault(box.track_id, {})[box.frame] = box
    return found


def run(context: Context[ClipSettings]) -> None:
    timeline, settings = load_timeline(context.file("timeline.npz")), context.settings
    if timeline.frames_within(settings.max_s) < 2 * settings.min_frames:
        context.facts["warnings"] = [
            f"Clips of {context.unit} may be longer than clips.max_s = {settings.max_s:g}: at its "
            f"frame rate a span is too short to be split into two of {settings.min_frames} frames."
        ]
    context.write(
        "candidates",
        candidates(
            context.read("shots"),
            context.read("tracks"),
            boxes_by_track(context.read("track_boxes")),
            timeline,
            settings,
        ),
    )


STAGE: Stage[Any] = Stage(
    name="clips",
    version=1,
    settings=ClipSettings,
    scope="episode",
    reads=("timeline.npz", "shots", "tracks", "track_boxes"),
    writes=(Artifact("candidates", Clip),),
    run=run,
)

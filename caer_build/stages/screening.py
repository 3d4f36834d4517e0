"""Screening: which candidates are kept, and for every other one the first reason that applies.

Rows are never dropped. The reasons, in the order in which they are tried:

=================  ===============================================================================
person_deleted     the person was deleted, whatever else was decided or scored
by_hand            a person said so; what they keep has no reason, whatever its scores
transition         nothing of the shot, or of the track, stands outside a gradual transition
too_short          fewer frames than a clip must have
no_face            no face was tracked through the shot
repeat             the footage was seen earlier in the show (titles, recaps); the first one stays
group              through most of the shot more than k faces of comparable size, nobody dominant
ambiguous_small    the target's face is too small to read
ambiguous_blurred  … too blurred
ambiguous_turned   … turned away
ambiguous_brief    … seen too briefly: most of its boxes are interpolated
=================  ===============================================================================

(Section 4.1 says "group-level and ambiguous shots" without a criterion; these are ours.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from caer_build.arrays import load_sampled, load_timeline
from caer_build.frames import Timeline
from caer_build.records import (
    Clip,
    FaceDetection,
    FaceTrack,
    Identity,
    Override,
    RejectReason,
    Repeat,
    Shot,
    TrackDetection,
)
from caer_build.stage import Artifact, Context, Stage


class ScreeningSettings(BaseModel):
    """What a clip must be like to be kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_frames: int = Field(
        30,
        ge=1,
        le=10_000,
        description="shortest clip; the same as clips.min_frames, it is enough to set one (frames)",
    )
    drop_repeats: bool = Field(True, description="reject footage seen earlier in the show")
    group_faces: int = Field(
        2, ge=1, le=1000, description="k: more comparable faces than this are a group"
    )
    group_comparable: float = Field(
        0.5, gt=0, le=1, description="a face this share of the largest one's height is comparable"
    )
    group_share: float = Field(
        0.5, gt=0, le=1, description="a shot is a group if this share of its samples show one"
    )
    group_min_score: float = Field(
        0.7, ge=0, le=1, description="faces of a lower detection score are not counted"
    )
    min_face_px: float = Field(
        48, ge=0, le=16384, description="median height of the target's face; models see 96 (px)"
    )
    min_face_share: float = Field(
        0.07, ge=0, le=1, description="the same as a share of the frame's height"
    )
    min_sharpness: float = Field(
        15,
        ge=0,
        le=1_000_000,
        description="median variance of the Laplacian of the face at 64x64 px",
    )
    max_yaw: float = Field(60, ge=0, le=180, description="median head turn (degrees)")
    min_seen_share: float = Field(
        0.6, ge=0, le=1, description="share of the clip in which the face was detected, not guessed"
    )
    interval_s: float = Field(
        0.2, gt=0, le=60, description="a face counts as seen this close to a detection (s)"
    )


Detections = Sequence[FaceDetection]
_SLACK_S = 1e-6  # times are sums of floats: two frames five apart may differ from 0.2 s by a hair


def group_scores(
    detections: Detections, n_samples: int, settings: ScreeningSettings
) -> tuple[float, float]:
    """How much of a shot shows a group.

    Args:
        detections: of the shot's frames outside transitions.
        n_samples: how many of those frames the detector looked at, found a face or not.

    Returns:
        The median number of comparable faces over the samples that show a face, and the share
        [0, 1] of all samples in which more than ``group_faces`` are comparable.
    """
    heights: dict[int, list[float]] = {}
    for d in detections:
        if d.score >= settings.group_min_score:
            heights.setdefault(d.frame, []).append(d.y2 - d.y1)
    if not heights:
        return 0.0, 0.0
    counts = np.array(
        [sum(h >= settings.group_comparable * max(hs) for h in hs) for hs in heights.values()]
    )
    return float(np.median(counts)), float(np.sum(counts > settings.group_faces)) / n_samples


def target_scores(
    clip: Clip, own: Detections, frame_height: int, timeline: Timeline, interval_s: float
) -> dict[str, float | None]:
    """The scores of the target's face in a clip.

    Args:
        own: the detections of the target's track.
        frame_height: px as displayed.
    """
    inside = [d for d in own if clip.start_frame <= d.frame < clip.end_frame]
    # A short clip between two samples is judged by those beside it.
    judged = inside or list(own)
    height = float(np.median([d.y2 - d.y1 for d in judged]))
    yaws = [abs(d.yaw) for d in judged if d.yaw is not None]
    times = timeline.pts_s[clip.start_frame : clip.end_frame]
    seen_at = np.array([timeline.start_of(d.frame) for d in own])
    distance = np.min(np.abs(times[:, None] - seen_at[None, :]), axis=1)
    return {
        "seen_share": float(np.mean(distance <= interval_s + _SLACK_S)),
        "face_height_px": height,
        "face_height_share": height / frame_height,
        "sharpness": float(np.median([d.sharpness for d in judged])),
        "yaw": float(np.median(yaws)) if yaws else None,
    }


def first_reason(clip: Clip, shot: Shot, settings: ScreeningSettings) -> RejectReason | None:
    """The first reason to reject a scored clip; none: it is kept."""
    outside = min(clip.end_frame, shot.end_frame) - max(clip.start_frame, shot.transition_end_frame)
    small = (clip.face_height_px or 0) < settings.min_face_px or (
        clip.face_height_share or 0
    ) < settings.min_face_share
    tests: tuple[tuple[RejectReason, bool], ...] = (
        ("transition", outside <= 0),
        ("too_short", clip.n_frames < settings.min_frames),
        ("no_face", clip.track_id is None),
        ("repeat", settings.drop_repeats and clip.repeat_of is not None),
        ("group", clip.group_share >= settings.group_share),
        ("ambiguous_small", small),
        ("ambiguous_blurred", (clip.sharpness or 0) < settings.min_sharpness),
        ("ambiguous_turned", clip.yaw is not None and clip.yaw > settings.max_yaw),
        ("ambiguous_brief", (clip.seen_share or 0) < settings.min_seen_share),
    )
    return next((reason for reason, applies in tests if applies), None)


def by_hand(clip: Clip, decisions: Mapping[str, str]) -> Clip:
    """The clip as a person decided: ``keep`` and ``reject`` win over every score.

    A clip without a target face cannot be kept: there would be nobody to label.
    """
    decision = decisions.get(clip.clip_id)
    if decision == "reject":
        return replace(clip, reject_reason="by_hand")
    if decision == "keep" and clip.track_id is not None:
        return replace(clip, reject_reason=None)
    return clip


def screen(
    *,
    candidates: Sequence[Clip],
    shots: Sequence[Shot],
    detections: Detections,
    tracks: Sequence[FaceTrack],
    members: Sequence[TrackDetection],
    identities: Sequence[Identity],
    deleted: frozenset[str],
    repeats: Sequence[Repeat],
    overrides: Sequence[Override],
    sampled: Sequence[int],
    timeline: Timeline,
    frame_height: int,
    settings: ScreeningSettings,
) -> list[Clip]:
    """Score every candidate and say why it is rejected; as many rows come out as went in.

    Args:
        members: which detections each track is made of.
        deleted: track ids of persons who were deleted.
        sampled: the frames the detector looked at, ascending.
    """
    by_id = {(d.frame, d.index): d for d in detections}
    own: dict[str, list[FaceDetection]] = {t.track_id: [] for t in tracks}
    for m in members:
        own[m.track_id].append(by_id[m.frame, m.index])
    person = {i.track_id: i.person_id for i in identities}
    repeat_of = {r.shot_id: r.repeat_of for r in repeats}
    decisions = {o.target: o.action for o in overrides}
    frames = np.asarray(sampled)
    detected_at = np.array([d.frame for d in detections], dtype=np.int64)
    groups = {}
    for shot in shots:
        clear = (shot.transition_end_frame, shot.end_frame)
        first, last = np.searchsorted(detected_at, clear)
        n_samples = int(np.diff(np.searchsorted(frames, clear))[0])
        groups[shot.shot_id] = group_scores(detections[first:last], n_samples, settings)
    by_shot = {shot.shot_id: shot for shot in shots}
    rows = []
    for clip in candidates:
        n_faces, group_share = groups[clip.shot_id]
        scored = replace(
            clip,
            n_faces=n_faces,
            group_share=group_share,
            repeat_of=repeat_of.get(clip.shot_id),
        )
        if clip.track_id is not None:
            scores: dict[str, Any] = target_scores(
                clip, own[clip.track_id], frame_height, timeline, settings.interval_s
            )
            scored = replace(scored, person_id=person.get(clip.track_id), **scores)
        scored = replace(
            scored, reject_reason=first_reason(scored, by_shot[clip.shot_id], settings)
        )
        scored = by_hand(scored, decisions)
        if clip.track_id in deleted:
            # Not to be overruled by a decision on the clip: the person wants to be gone.
            scored = replace(
                scored,
                reject_reason="person_deleted",
                person_id=None,
                seen_share=None,
                face_height_px=None,
                face_height_share=None,
                sharpness=None,
                yaw=None,
            )
        rows.append(scored)
    return rows


def run(context: Context[ScreeningSettings]) -> None:
    tracks = context.read("tracks")
    identities = context.read("identities")
    # Everybody has exactly one identity; who has none was deleted with their person.
    deleted = {t.track_id for t in tracks} - {i.track_id for i in identities}
    times = context.file("timeline.npz")
    context.write(
        "screened",
        screen(
            candidates=context.read("candidates"),
            shots=context.read("shots"),
            detections=context.read("detections"),
            tracks=tracks,
            members=context.read("track_detections"),
            identities=identities,
            deleted=frozenset(deleted),
            repeats=context.read("repeats"),
            overrides=context.overrides,
            sampled=load_sampled(times).tolist(),
            timeline=load_timeline(times),
            frame_height=context.read("episodes")[0].height,
            settings=context.settings,
        ),
    )


STAGE: Stage[Any] = Stage(
    name="screening",
    version=2,
    settings=ScreeningSettings,
    scope="episode",
    reads=(
        "candidates",
        "shots",
        "detections",
        "tracks",
        "track_detections",
        "identities",
        "repeats",
        "timeline.npz",
        "episodes",
    ),
    writes=(Artifact("screened", Clip),),
    run=run,
    obeys=("keep", "reject"),
)

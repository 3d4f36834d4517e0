"""Screening: the first reason that applies, and no row lost."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from caer_build.frames import Timeline
from caer_build.records import (
    Clip,
    FaceDetection,
    FaceTrack,
    Identity,
    Override,
    Repeat,
    Shot,
    TrackDetection,
)
from caer_build.stages.screening import ScreeningSettings, first_reason, group_scores, screen

SETTINGS = ScreeningSettings()
SHOT = Shot("e-s000100", "e", 100, 200, 4.0, 8.0, "dissolve", 110, 0.9)
GOOD = Clip(
    clip_id="e-s000100-t01-000111", episode_id="e", shot_id=SHOT.shot_id,
    track_id="e-s000100-t01", person_id="p", start_frame=111, end_frame=199, start_pts_s=4.44,
    end_pts_s=7.96, n_frames=88, seen_share=1.0, face_height_px=120.0, face_height_share=0.2,
    sharpness=200.0, yaw=10.0, n_faces=1.0, group_share=0.0, repeat_of=None, reject_reason=None,
    file=None, file_sha256=None,
)  # fmt: skip

FLAWS: list[tuple[str, dict[str, Any]]] = [
    ("transition", {"start_frame": 100, "end_frame": 110, "n_frames": 10}),
    ("too_short", {"n_frames": 29}),
    ("no_face", {"track_id": None}),
    ("repeat", {"repeat_of": "e-s000000"}),
    ("group", {"group_share": 0.5}),
    ("ambiguous_small", {"face_height_px": 20.0}),
    ("ambiguous_small", {"face_height_share": 0.01}),
    ("ambiguous_blurred", {"sharpness": 1.0}),
    ("ambiguous_turned", {"yaw": 80.0}),
    ("ambiguous_brief", {"seen_share": 0.1}),
]


def test_a_good_clip_is_kept() -> None:
    assert first_reason(GOOD, SHOT, SETTINGS) is None


@pytest.mark.parametrize(("reason", "flaw"), FLAWS)
def test_each_reason(reason: str, flaw: dict[str, Any]) -> None:
    assert first_reason(dataclasses.replace(GOOD, **flaw), SHOT, SETTINGS) == reason


def test_the_first_reason_wins() -> None:
    for (first, flaw), (_, later) in itertools.pairwise(FLAWS):
        both = dataclasses.replace(GOOD, **{**later, **flaw})
        assert first_reason(both, SHOT, SETTINGS) == first


def detection(frame: int, index: int, height: float, score: float = 0.9) -> FaceDetection:
    return FaceDetection("e", frame, index, 0, 0, height, height, score, [], 100.0, 0.0)


@pytest.mark.parametrize(
    ("heights", "share"),
    [
        ([100.0], 0.0),
        ([100.0, 90.0], 0.0),
        ([100.0, 90.0, 80.0], 1.0),
        ([100.0, 40.0, 40.0, 40.0], 0.0),  # one dominant face before a crowd
        ([12.0, 11.0, 10.0, 9.0], 1.0),  # however small they are
    ],
)
def test_what_a_group_is(heights: list[float], share: float) -> None:
    seen = [detection(f, i, h) for f in (110, 115) for i, h in enumerate(heights)]
    assert group_scores(seen, 2, SETTINGS)[1] == share


def test_a_group_must_fill_most_of_the_shot() -> None:
    seen = [detection(110, i, 50) for i in range(5)]
    assert group_scores(seen, 10, SETTINGS) == (5.0, 0.1)
    assert group_scores([], 10, SETTINGS) == (0.0, 0.0)
    weak = [detection(110, i, 50, score=0.55) for i in range(5)]
    assert group_scores(weak, 1, SETTINGS)[1] == 0.0


def screened(candidates: list[Clip], **other: Any) -> list[Clip]:
    seen = [detection(f, 0, 120) for f in range(110, 200, 5)]
    given: dict[str, Any] = {
        "candidates": candidates,
        "shots": [SHOT],
        "detections": seen,
        "tracks": [FaceTrack(GOOD.track_id, "e", SHOT.shot_id, 100, 200, 18, 1, 120, 0, 100, 0.9)],  # type: ignore[arg-type]
        "members": [TrackDetection(str(GOOD.track_id), d.frame, 0) for d in seen],
        "identities": [Identity(str(GOOD.track_id), "e", "p", 0.1)],
        "deleted": frozenset(),
        "repeats": [],
        "overrides": [],
        "sampled": list(range(0, 400, 5)),
        "timeline": Timeline(np.arange(400) / 25, 16.0),
        "frame_height": 720,
        "settings": SETTINGS,
    }
    return screen(**{**given, **other})


def test_rows_are_scored_and_never_dropped() -> None:
    bare = dataclasses.replace(
        GOOD, person_id=None, seen_share=None, face_height_px=None, sharpness=None, yaw=None
    )
    faceless = dataclasses.replace(GOOD, clip_id="x", track_id=None)
    rows = screened([bare, faceless])
    assert [r.reject_reason for r in rows] == [None, "no_face"]
    assert (rows[0].face_height_px, rows[0].person_id, rows[0].seen_share) == (120, "p", 1.0)
    assert rows[0].face_height_share == pytest.approx(120 / 720)


def test_a_repeat_names_the_first_showing() -> None:
    rows = screened([GOOD], repeats=[Repeat("e", SHOT.shot_id, "d-s000000", 0.9)])
    assert (rows[0].reject_reason, rows[0].repeat_of) == ("repeat", "d-s000000")


def test_hands_win_over_scores_but_not_over_deletion() -> None:
    keep = Override(0, "keep", GOOD.clip_id, None, None)
    reject = Override(1, "reject", GOOD.clip_id, None, None)
    short = dataclasses.replace(GOOD, n_frames=5)
    assert screened([short], overrides=[keep])[0].reject_reason is None
    assert screened([GOOD], overrides=[keep, reject])[0].reject_reason == "by_hand"
    faceless = dataclasses.replace(GOOD, track_id=None)
    assert screened([faceless], overrides=[keep])[0].reject_reason == "no_face"
    gone = screened([GOOD], overrides=[keep], deleted=frozenset([str(GOOD.track_id)]))
    assert (gone[0].reject_reason, gone[0].person_id) == ("person_deleted", None)


def test_a_face_seen_in_passing_has_a_small_seen_share() -> None:
    seen = [detection(f, 0, 120) for f in (150, 155)]
    members = [TrackDetection(str(GOOD.track_id), d.frame, 0) for d in seen]
    row = screened([GOOD], detections=seen, members=members)[0]
    assert row.seen_share == pytest.approx(16 / 88)  # 0.2 s = 5 frames around 150 and 155
    assert row.reject_reason == "ambiguous_brief"

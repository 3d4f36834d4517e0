"""Tracks of toy faces, written out by hand, and what holds for any detections at all."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from caer_build.errors import SchemaError
from caer_build.frames import Timeline
from caer_build.records import FaceDetection, FaceTrack, Shot, TrackBox
from caer_build.stages.tracks import TrackSettings, build_tracks

EPISODE = "toy"
FPS = 25
DEFAULT = TrackSettings()


def timeline(n: int) -> Timeline:
    return Timeline(np.arange(n) / FPS, n / FPS)


def shot(start: int, end: int, transition_end: int | None = None) -> Shot:
    return Shot(
        shot_id=f"{EPISODE}-s{start:06d}",
        episode_id=EPISODE,
        start_frame=start,
        end_frame=end,
        start_pts_s=start / FPS,
        end_pts_s=end / FPS,
        transition_in="cut" if transition_end is None else "dissolve",
        transition_end_frame=start if transition_end is None else transition_end,
        boundary_score=1.0,
    )


def face(
    frame: int, x: float, y: float = 100, *, size: float = 80, score: float = 0.9, index: int = 0
) -> FaceDetection:
    return FaceDetection(
        EPISODE, frame, index, x, y, x + size, y + size, score, [], float(frame), None
    )


def boxes_of(track: FaceTrack, boxes: list[TrackBox]) -> np.ndarray:
    mine = [b for b in boxes if b.track_id == track.track_id]
    assert [b.frame for b in mine] == list(range(track.start_frame, track.end_frame))
    return np.array([(b.x1, b.y1, b.x2, b.y2) for b in mine])


def test_a_still_face_is_one_track_with_its_box_in_every_frame_to_the_edges() -> None:
    found = [face(frame, 200) for frame in range(3, 50, 5)]  # 3, 8, … 48
    tracks, boxes, members = build_tracks([shot(0, 50)], found, timeline(50), DEFAULT)
    (track,) = tracks
    assert track.track_id == "toy-s000000-t00"
    assert (track.start_frame, track.end_frame, track.n_detections) == (0, 50, 10)
    assert (track.seen_share, track.median_face_height, track.yaw) == (1.0, 80.0, None)
    assert track.sharpness == 25.5
    assert track.score == pytest.approx(0.9)
    np.testing.assert_allclose(boxes_of(track, boxes), np.tile((200, 100, 280, 180), (50, 1)))
    assert [b.frame for b in boxes if not b.interpolated] == [d.frame for d in found]
    assert [(m.frame, m.index) for m in members] == [(d.frame, 0) for d in found]


def test_an_even_walk_is_followed_without_lag() -> None:
    found = [face(frame, 100 + 6 * frame) for frame in range(0, 51, 5)]
    tracks, boxes, _ = build_tracks([shot(0, 51)], found, timeline(51), DEFAULT)
    assert len(tracks) == 1
    expected = 100 + 6 * np.arange(51)
    np.testing.assert_allclose(boxes_of(tracks[0], boxes)[:, 0], expected, atol=1e-6)


def test_with_a_variable_frame_rate_boxes_follow_time_and_not_frame_numbers() -> None:
    pts_s = np.array([0.0, 0.01, 0.02, 0.2, 0.21, 0.4, 0.41, 0.6])
    found = [face(frame, 100 + 50 * pts_s[frame]) for frame in (0, 3, 5, 7)]
    tracks, boxes, _ = build_tracks([shot(0, 8)], found, Timeline(pts_s, 0.64), DEFAULT)
    np.testing.assert_allclose(boxes_of(tracks[0], boxes)[:, 0], 100 + 50 * pts_s, atol=1e-6)


def test_jitter_is_smoothed_but_no_box_leaves_its_detection() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 3, 40)
    found = [face(5 * k, 200 + noise[k]) for k in range(40)]
    tracks, boxes, _ = build_tracks([shot(0, 200)], found, timeline(200), DEFAULT)
    at_detections = boxes_of(tracks[0], boxes)[::5, 0]
    assert np.std(at_detections) < 0.75 * np.std(noise)
    assert np.abs(at_detections - 200 - noise).max() <= DEFAULT.most_shift * 80 + 1e-9


def test_two_people_who_pass_each_other_keep_their_tracks() -> None:
    found = []
    for frame in range(0, 100, 5):
        right, left = face(frame, 100 + 5 * frame), face(frame, 600 - 5 * frame, 130)
        first, second = sorted((right, left), key=lambda d: d.x1)
        found += [first, FaceDetection(**{**_columns(second), "index": 1})]
    tracks, boxes, _ = build_tracks([shot(0, 100)], found, timeline(100), DEFAULT)
    assert [t.track_id for t in tracks] == ["toy-s000000-t00", "toy-s000000-t01"]
    to_right, to_left = (boxes_of(t, boxes) for t in tracks)
    np.testing.assert_allclose(to_right[:96, 0], 100 + 5 * np.arange(96), atol=8)
    np.testing.assert_allclose(to_left[:96, 0], 600 - 5 * np.arange(96), atol=8)
    np.testing.assert_allclose(to_left[:, 1], 130)


def _columns(detection: FaceDetection) -> dict[str, object]:
    return {name: getattr(detection, name) for name in FaceDetection.__slots__}


@pytest.mark.parametrize(("gap_frames", "n_tracks"), [(25, 1), (50, 1), (55, 2)])
def test_gaps_are_bridged_up_to_the_setting(gap_frames: int, n_tracks: int) -> None:
    last_before = 20
    found = [face(f, 200) for f in (0, 5, 10, 15, last_before)]
    found += [face(last_before + gap_frames + f, 205) for f in (0, 5, 10, 15)]
    tracks, _, _ = build_tracks([shot(0, 120)], found, timeline(120), DEFAULT)
    assert len(tracks) == n_tracks
    assert sum(t.n_detections for t in tracks) == 9


def test_what_was_seen_is_told_from_what_was_bridged() -> None:
    found = [face(0, 200), face(25, 200)]
    tracks, boxes, _ = build_tracks([shot(0, 26)], found, timeline(26), DEFAULT)
    # 0.2 s around each: frames 0-5 and 20-25, 12 of 26.
    assert tracks[0].seen_share == pytest.approx(12 / 26)
    assert sum(b.interpolated for b in boxes) == 24


def test_a_track_ends_with_its_shot_though_the_face_goes_on() -> None:
    found = [face(f, 200) for f in range(0, 60, 5)]
    tracks, _, _ = build_tracks([shot(0, 33), shot(33, 60)], found, timeline(60), DEFAULT)
    spans = [(t.shot_id[-7:], t.start_frame, t.end_frame, t.n_detections) for t in tracks]
    assert spans == [("s000000", 0, 33, 7), ("s000033", 33, 60, 5)]


def test_a_track_does_not_reach_farther_than_it_may() -> None:
    found = [face(f, 200) for f in range(10, 40, 5)]  # 10 … 35, 0.4 s from either edge
    tracks, _, _ = build_tracks([shot(0, 46)], found, timeline(46), DEFAULT)
    assert (tracks[0].start_frame, tracks[0].end_frame) == (10, 36)


def test_after_a_dissolve_a_track_reaches_back_to_its_end() -> None:
    found = [face(f, 200) for f in range(16, 46, 5)]
    tracks, _, _ = build_tracks([shot(0, 46, transition_end=12)], found, timeline(46), DEFAULT)
    assert tracks[0].start_frame == 12


def test_a_face_seen_only_in_a_dissolve_is_none_of_this_shot() -> None:
    found = [face(f, 500, index=1) for f in (0, 5, 10)] + [face(f, 200) for f in range(0, 50, 5)]
    tracks, _, _ = build_tracks([shot(0, 50, transition_end=12)], found, timeline(50), DEFAULT)
    # Nor is any detection inside it used: the face there may be that of the shot before.
    assert [t.n_detections for t in tracks] == [7]
    assert tracks[0].start_frame <= 12


def test_weak_detections_carry_a_track_but_do_not_make_one() -> None:
    weak = [face(f, 200, score=0.6) for f in range(0, 50, 5)]
    assert build_tracks([shot(0, 50)], weak, timeline(50), DEFAULT) == ([], [], [])
    tracks, _, _ = build_tracks(
        [shot(0, 50)], [*weak[:-1], face(45, 200, score=0.9)], timeline(50), DEFAULT
    )
    assert [t.n_detections for t in tracks] == [10]
    ignored = [face(f, 200, score=0.49) for f in range(0, 50, 5)]
    assert build_tracks([shot(0, 50)], [*ignored, face(47, 200)], timeline(50), DEFAULT)[0] == []


def test_one_detection_is_a_track_only_in_a_shot_too_short_for_more() -> None:
    assert build_tracks([shot(0, 50)], [face(20, 200)], timeline(50), DEFAULT)[0] == []
    tracks, _, _ = build_tracks([shot(0, 8)], [face(3, 200)], timeline(8), DEFAULT)
    assert [(t.start_frame, t.end_frame) for t in tracks] == [(0, 8)]


def test_two_boxes_on_one_face_are_one_track() -> None:
    found = [face(f, 200) for f in range(0, 50, 5)]
    inner = [face(f, 215, 110, size=40, score=0.85, index=1) for f in range(0, 50, 5)]
    tracks, _, _ = build_tracks([shot(0, 50)], found + inner, timeline(50), DEFAULT)
    assert [t.median_face_height for t in tracks] == [80]


def test_a_face_that_jumps_across_the_picture_is_another_face() -> None:
    found = [face(f, 200 if f < 25 else 900) for f in range(0, 50, 5)]
    tracks, _, _ = build_tracks([shot(0, 50)], found, timeline(50), DEFAULT)
    assert [(t.start_frame, t.end_frame) for t in tracks] == [(0, 21), (25, 50)]


def test_no_faces_no_tracks_and_rows_beyond_the_end_are_refused() -> None:
    assert build_tracks([shot(0, 50)], [], timeline(50), DEFAULT) == ([], [], [])
    with pytest.raises(SchemaError, match="frame 60"):
        build_tracks([shot(0, 50)], [face(60, 10)], timeline(50), DEFAULT)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="weak_score <= strong_score"):
        TrackSettings(weak_score=0.9, strong_score=0.8)


@st.composite
def episodes(draw: st.DrawFn) -> tuple[list[Shot], list[FaceDetection], int]:
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
    ends = np.cumsum(lengths)
    shots = [
        shot(int(end - n), int(end), draw(st.integers(int(end - n), int(end))))
        for end, n in zip(ends, lengths, strict=True)
    ]
    found = []
    for frame in range(draw(st.integers(0, 4)), int(ends[-1]), draw(st.integers(1, 7))):
        faces = draw(
            st.lists(
                st.tuples(
                    st.integers(0, 6), st.integers(0, 3), st.integers(2, 9), st.integers(40, 99)
                ),
                max_size=4,
            )
        )
        found += [
            face(frame, 60.0 * x, 60.0 * y, size=20.0 * size, score=score / 100, index=index)
            for index, (x, y, size, score) in enumerate(faces)
        ]
    return shots, found, int(ends[-1])


@given(episodes(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_what_holds_for_any_episode(
    episode: tuple[list[Shot], list[FaceDetection], int], chance: random.Random
) -> None:
    shots, found, n = episode
    tracks, boxes, members = build_tracks(shots, found, timeline(n), DEFAULT)

    shuffled, order = list(found), list(shots)
    chance.shuffle(shuffled)
    chance.shuffle(order)
    assert build_tracks(order, shuffled, timeline(n), DEFAULT) == (tracks, boxes, members)

    by_id = {s.shot_id: s for s in shots}
    assert len({t.track_id for t in tracks}) == len(tracks)
    for track in tracks:
        own = by_id[track.shot_id]
        assert own.start_frame <= track.start_frame < track.end_frame <= own.end_frame
        boxes_of(track, boxes)  # exactly one a frame, in order
        mine = [(m.frame, m.index) for m in members if m.track_id == track.track_id]
        assert len(mine) == track.n_detections
        assert len({frame for frame, _ in mine}) == len(mine)
        scores = [d.score for d in found if (d.frame, d.index) in mine]
        assert max(scores) >= DEFAULT.strong_score
        assert min(scores) >= DEFAULT.weak_score
        assert mine[0][0] - track.start_frame <= DEFAULT.reach_s * FPS + 1e-6
        seen = {b.frame for b in boxes if b.track_id == track.track_id and not b.interpolated}
        assert seen == {frame for frame, _ in mine}
    assert max(Counter((m.frame, m.index) for m in members).values(), default=1) == 1
    starts = [(t.shot_id, t.start_frame) for t in tracks]
    assert starts == sorted(starts)

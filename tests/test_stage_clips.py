"""Candidates: where windows begin and end."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.frames import Span, Timeline
from caer_build.records import FaceTrack, Shot, TrackBox
from caer_build.stages.clips import ClipSettings, boxes_by_track, candidates, usable_span, windows

TIMELINE = Timeline(np.arange(400) / 25, 16.0)


def shot(start: int, end: int, kind: str = "cut", transition_end: int | None = None) -> Shot:
    return Shot(
        f"e-s{start:06d}", "e", start, end, start / 25, end / 25, kind,  # type: ignore[arg-type]
        start if transition_end is None else transition_end, 1.0,
    )  # fmt: skip


def track(of: Shot, start: int, end: int, number: int = 1) -> tuple[FaceTrack, list[TrackBox]]:
    name = f"{of.shot_id}-t{number:02d}"
    boxes = [TrackBox(name, f, 10, 10, 60, 80, False) for f in range(start, end)]
    row = FaceTrack(name, "e", of.shot_id, start, end, 3, 1.0, 70.0, 5.0, 100.0, 0.9)
    return row, boxes


def test_what_is_usable_of_a_shot() -> None:
    first, faded, last = shot(0, 100, "start"), shot(100, 200, "fade", 112), shot(200, 400)
    assert usable_span(first, faded, 1) == Span(0, 99)
    assert usable_span(faded, last, 1) == Span(113, 199)
    assert usable_span(last, None, 1) == Span(201, 400)
    assert usable_span(shot(5, 9, "dissolve", 9), last, 0) is None


@given(
    length=st.integers(1, 900),
    min_frames=st.integers(1, 60),
    extra=st.integers(0, 100),
    seed=st.integers(0, 5),
)
def test_windows_tile_the_span_and_none_is_too_short(
    length: int, min_frames: int, extra: int, seed: int
) -> None:
    longest = 2 * min_frames + extra
    movement = np.random.default_rng(seed).random(length)
    found = windows(Span(7, 7 + length), min_frames, longest, movement)
    assert [found[0].start, found[-1].end] == [7, 7 + length]
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    assert all(len(w) <= longest for w in found)
    assert len(found) == 1 or all(len(w) >= min_frames for w in found)


def test_a_window_ends_where_the_face_is_still() -> None:
    movement = np.ones(300)
    movement[140] = 0.0
    assert windows(Span(0, 300), 30, 160, movement) == [Span(0, 140), Span(140, 300)]


def test_every_shot_gives_a_row_and_every_track_a_clip() -> None:
    shots = [shot(0, 100, "start"), shot(100, 180), shot(180, 400, "dissolve", 190)]
    one, one_boxes = track(shots[0], 0, 100)
    two, two_boxes = track(shots[2], 180, 400)
    rows = candidates(
        shots, [one, two], boxes_by_track(one_boxes + two_boxes), TIMELINE, ClipSettings()
    )
    spans = [(r.shot_id, r.track_id is not None, r.start_frame, r.end_frame) for r in rows]
    assert spans[:2] == [("e-s000000", True, 0, 99), ("e-s000100", False, 101, 179)]
    assert rows[0].clip_id == "e-s000000-t01-000000"
    assert rows[1].clip_id == "e-s000100"
    assert next(s[2] for s in spans[2:]) == 191
    assert spans[-1][3] == 400
    assert len({r.clip_id for r in rows}) == len(rows)
    assert rows[0].end_pts_s == pytest.approx(99 / 25)


def test_a_track_seen_only_in_the_transition_is_a_row_too() -> None:
    shots = [shot(0, 100, "start"), shot(100, 400, "dissolve", 120)]
    ghost, boxes = track(shots[1], 100, 118)
    rows = candidates(shots, [ghost], boxes_by_track(boxes), TIMELINE, ClipSettings())
    assert [(r.track_id, r.start_frame, r.end_frame) for r in rows] == [
        (None, 0, 99),
        (ghost.track_id, 100, 120),
    ]

"""The report's pure functions on rows written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.arrays import FeatureWriter
from caer_build.records import REJECT_REASONS, Clip, FaceDetection, Identity, Person, RejectReason
from caer_build.report.contact_sheet import best_of_parts, quality
from caer_build.report.filmstrip import Slot, paint, slots, small_pictures
from caer_build.report.funnel import funnel
from caer_build.report.histograms import bin_width, histogram
from caer_build.report.numbers import Footage, footage, length
from caer_build.report.palette import call_roll, letters
from caer_build.report.samples import choose_kept, choose_rejected, spread
from caer_build.report.thresholds import (
    REASON_NAMES,
    SHORT_NAMES,
    THRESHOLDS,
    failing,
    relaxed,
    why,
)
from caer_build.report.timeline_svg import MAX_ROWS, Drawing, clock, draw, rows_of, ruler
from caer_build.report.what_if import values_around, what_if
from caer_build.stages.screening import ScreeningSettings, first_reason
from tests.toy_workspace import SCREEN, clip, episode, shot, track

SETTINGS = SCREEN
SHOT = shot(0, 50)
GOOD = clip(SHOT, track(SHOT))
BY_SETTING = {t.setting: t for t in THRESHOLDS}


def screened(**changes: Any) -> Any:
    """The good clip with other scores and the reason that these give."""
    scored = replace(GOOD, **changes)
    return replace(scored, reject_reason=first_reason(scored, SHOT, SETTINGS))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_frames": 18}, "It has 18 frames; a clip needs at least 30 frames."),
        ({"face_height_px": 31.2}, "The face height is 31 px; it must be at least 40 px."),
        ({"sharpness": 14.96}, "The sharpness is just under 15; it must be at least 15."),
        ({"yaw": 75.0}, "The head turn is 75°; it must be at most 60°."),
        (
            {"seen_share": 0.4},
            "The share of the clip in which the face was detected is 40 %; "
            "it must be at least 60 %.",
        ),
        (
            {"group_share": 0.8},
            "80 % of the shot shows more than 2 faces of comparable size; "
            "from 50 % on it counts as a group.",
        ),
        (
            {"repeat_of": "toy.s01e01-s000000"},
            "The same footage was shown earlier, in toy.s01e01-s000000; the first one stays.",
        ),
        ({}, "Kept: it passes every threshold."),
    ],
)
def test_a_reason_is_a_sentence_with_score_and_threshold(
    changes: dict[str, Any], sentence: str
) -> None:
    assert why(screened(**changes), SETTINGS) == sentence


def test_decisions_by_hand_are_told_apart() -> None:
    rejected = replace(GOOD, reject_reason="by_hand")
    assert why(rejected, SETTINGS, "a mask") == "Rejected by hand: a mask."
    kept = replace(GOOD, sharpness=3.0)
    assert why(kept, SETTINGS).startswith("Kept by hand, against the thresholds")


scores = st.fixed_dictionaries(
    {
        "n_frames": st.integers(1, 90),
        "group_share": st.floats(0, 1),
        "face_height_px": st.floats(0, 120),
        "face_height_share": st.floats(0, 0.3),
        "sharpness": st.floats(0, 60),
        "yaw": st.none() | st.floats(0, 90),
        "seen_share": st.floats(0, 1),
        "repeat_of": st.none() | st.just("toy.s01e01-s000000"),
    }
)


@given(scores)
def test_thresholds_agree_with_the_screen(values: dict[str, Any]) -> None:
    scored = replace(GOOD, **values, reject_reason=None)
    plain = SETTINGS.model_copy(update={"drop_repeats": False})
    reasons = [t.reason for t in failing(scored, plain)]
    assert first_reason(scored, SHOT, plain) == (reasons[0] if reasons else None)


@given(scores)
def test_relaxed_settings_keep_the_clip(values: dict[str, Any]) -> None:
    scored = replace(GOOD, **values)
    changes = relaxed(scored, SHOT, SETTINGS)
    if changes is None:
        # Only a share of exactly 1 cannot be allowed by a setting that ends at 1.
        assert values["group_share"] > 0.998
    else:
        settings = ScreeningSettings(**{**SETTINGS.model_dump(), **changes})
        assert first_reason(scored, SHOT, settings) is None


def test_no_setting_keeps_a_shot_without_a_face() -> None:
    assert relaxed(clip(SHOT), SHOT, SETTINGS) is None


def test_funnel_counts_in_the_order_of_reasons() -> None:
    reasons: list[RejectReason | None] = ["no_face", "group", "no_face", None, "ambiguous_small"]
    counted = funnel([replace(GOOD, reject_reason=r) for r in reasons])
    taken = {s.reason: (s.n_taken, s.n_left) for s in counted.steps if s.n_taken}
    assert taken == {"no_face": (2, 3), "group": (1, 2), "ambiguous_small": (1, 1)}
    assert (counted.n_candidates, counted.n_kept, counted.share(2)) == (5, 1, 40.0)


def test_the_funnel_begins_with_what_people_decided() -> None:
    """A deletion goes before all reasons, so what it takes would have been, say, a repeat."""
    repeat, deleted = (replace(GOOD, reject_reason=r) for r in ("repeat", "person_deleted"))
    by_hand = replace(GOOD, reject_reason="by_hand")
    taken = [s.reason for s in funnel([repeat, by_hand, deleted]).steps if s.n_taken]
    assert taken == ["person_deleted", "by_hand", "repeat"]
    assert tuple(REASON_NAMES) == tuple(SHORT_NAMES) == REJECT_REASONS


def test_what_if_screens_again() -> None:
    rows = [screened(sharpness=s) for s in (5.0, 8.0, 14.0, 16.0, 25.0, 100.0)]
    trials = {r.threshold.setting: r.trials for r in what_if(rows, {SHOT.shot_id: SHOT}, SETTINGS)}
    kept = {t.value: t.kept for t in trials["min_sharpness"]}
    assert kept == {0.0: 6, 7.5: 5, 11.2: 4, 15.0: 3, 18.8: 2, 22.5: 2, 30.0: 1}
    assert [t.value for t in trials["min_sharpness"] if t.is_current] == [15.0]
    # The other thresholds change nothing for rows that fail on sharpness.
    assert {t.kept for t in trials["min_seen_share"]} == {3}


@given(st.lists(scores, min_size=1, max_size=12))
def test_what_if_is_what_the_screen_would_say(rows: list[dict[str, Any]]) -> None:
    clips = [replace(GOOD, **values) for values in rows] + [clip(SHOT)]
    for row in what_if(clips, {SHOT.shot_id: SHOT}, SETTINGS):
        for trial in row.trials:
            changed = SETTINGS.model_copy(update={row.threshold.setting: trial.value})
            kept = sum(first_reason(c, SHOT, changed) is None for c in clips)
            assert kept == trial.kept


def test_tried_values_stay_in_range() -> None:
    assert values_around(BY_SETTING["min_seen_share"], 0.6)[-1] == 1.0
    assert values_around(BY_SETTING["min_frames"], 30)[0] == 1.0
    assert 0.0 not in values_around(BY_SETTING["group_share"], 0.5)


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=60),
    st.sampled_from(["min_face_px", "min_sharpness", "max_yaw"]),
)
def test_histograms_lose_nothing_and_bins_end_at_the_threshold(
    values: list[float], setting: str
) -> None:
    threshold = BY_SETTING[setting]
    rows = [replace(GOOD, **{threshold.column: v}) for v in values]
    chart = histogram(rows, threshold, SETTINGS)
    assert chart is not None
    assert sum(b.n for b in chart.bins) == len(values)
    limit = threshold.limit(SETTINGS)
    assert any(abs(b.low - limit) < 1e-6 or abs(b.high - limit) < 1e-6 for b in chart.bins)


def test_histogram_by_hand() -> None:
    rows = [screened(n_frames=n) for n in (10, 29, 30, 31, 60)]
    chart = histogram(rows, BY_SETTING["min_frames"], SETTINGS)
    assert chart is not None
    counts = {(b.low, b.high): (b.n_kept, b.n_rejected) for b in chart.bins if b.n}
    # 98 % of the values lie below 58: what is beyond shares the last bin.
    assert counts == {(10, 15): (0, 1), (25, 30): (0, 1), (30, 35): (2, 0), (55, 60): (1, 0)}
    assert (chart.median, chart.has_tail, chart.place(30)) == (30, True, 50.0)
    assert histogram([clip(SHOT)], BY_SETTING["max_yaw"], SETTINGS) is None


def test_bin_widths_divide_the_threshold() -> None:
    assert bin_width(200, 40, whole=False) == 10
    assert bin_width(170, 30, whole=True) == 10
    assert bin_width(1, 0.6, whole=False) == pytest.approx(0.05)


def test_bars_of_one_row_do_not_overlap() -> None:
    assert rows_of([(0, 4), (1, 3), (3, 5), (4, 6)]) == [0, 1, 1, 0]
    # What finds no row goes beyond them, and takes nobody's place.
    assert rows_of([(0, 9), (0, 5), (0, 9), (6, 8)], max_rows=2) == [0, 1, 2, 1]


def drawn(n_faces: int) -> Drawing:
    """The drawing of a shot of so many faces, with a clip around each."""
    faces = [track(SHOT, n) for n in range(n_faces)]
    return draw(
        episode=episode(n_frames=50),
        shots=[SHOT],
        tracks=faces,
        clips=[clip(SHOT, face) for face in faces],
        roll=call_roll([], [], faces, [episode()]),
        say_why=lambda _: "because",
    )


def test_no_face_is_hidden_behind_another() -> None:
    for n_faces in (9, MAX_ROWS):
        bars = [b for b in drawn(n_faces).bars if b.css in ("nobody", "kept")]
        assert len({(b.css, b.x, b.y) for b in bars}) == len(bars) == 2 * n_faces


def test_faces_without_a_row_of_their_own_are_counted_and_named() -> None:
    drawing = drawn(MAX_ROWS + 3)
    faces, clips = (b for b in drawing.bars if b.css == "more")
    assert faces.letter == clips.letter == "+3 more"
    assert faces.tip.startswith("3 more faces:")
    last = MAX_ROWS + 2
    assert f"{SHOT.shot_id}-t{last:02d}, nobody" in faces.tip
    assert f"{SHOT.shot_id}-t{last:02d}-000000: kept" in clips.tip
    assert max(b.y + b.height for b in drawing.bars) <= drawing.height
    assert len({(b.css, b.x, b.y) for b in drawing.bars}) == len(drawing.bars)


def test_footage_in_several_clips_counts_once() -> None:
    def of(first: int, end: int, episode_id: str = "toy.s01e01") -> Clip:
        return clip(shot(first, end, episode_id))

    assert footage([of(0, 50), of(50, 100)]) == Footage(4.0, 0)
    two = [replace(GOOD, clip_id="a"), replace(GOOD, clip_id="b")]
    assert footage([*two, of(100, 150)]) == Footage(4.0, 2)
    # One long clip and two short ones inside it, and the same frames of another episode.
    assert footage([of(0, 100), of(10, 20), of(90, 125)]) == Footage(5.0, 3)
    assert footage([of(0, 50), of(0, 50, "toy.s01e02")]) == Footage(4.0, 0)


def test_a_drawing_places_bars_in_time() -> None:
    first = shot(0, 100)
    second = shot(100, 500, transition_in="dissolve", transition_end_frame=120)
    face = track(second)
    roll = call_roll(
        [Person("toy-a", "toy", face.track_id, None, None, None)],
        [Identity(face.track_id, "toy.s01e01", "toy-a", 0.0)],
        [face],
        [episode()],
    )
    drawing = draw(
        episode=episode(),
        shots=[first, second],
        tracks=[face],
        clips=[clip(first), clip(second, face)],
        roll=roll,
        say_why=lambda _: "because",
    )
    places = [(b.css, b.x, b.width, b.letter) for b in drawing.bars]
    assert places == [
        ("shot even", 0.0, 20.0, ""),
        ("shot odd", 20.0, 80.0, ""),
        ("gradual", 20.0, 4.0, ""),
        ("p0", 20.0, 80.0, "A"),
        ("none", 0.0, 20.0, "no face"),
        ("kept", 20.0, 80.0, "✓"),
    ]
    assert drawing.stretch == 1.0


def test_clocks_rulers_and_letters() -> None:
    assert [clock(s) for s in (0, 59.9, 61, 3725)] == ["0:00", "0:59", "1:01", "1:02:05"]
    assert ruler(20, 13) == [(t, f"0:{t:02d}") for t in range(0, 20, 2)]
    assert [letters(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    assert [length(s) for s in (12.4, 600, 9000)] == ["12 s", "10.0 min", "2.5 h"]


def test_persons_are_ranked_by_time_on_screen_and_merged_ones_left_out() -> None:
    faces = [track(SHOT, n, end_frame=e) for n, e in enumerate((10, 50, 20))]
    people = [
        Person(p, "toy", faces[0].track_id, None, into, None)
        for p, into in (("a", None), ("b", None), ("c", "b"))
    ]
    ids = [Identity(f.track_id, "toy.s01e01", p, 0.0) for f, p in zip(faces, "abb", strict=True)]
    roll = call_roll(people, ids, faces, [episode()])
    assert [(s.person.person_id, s.n_tracks, s.seconds) for s in roll.standings] == [
        ("b", 2, pytest.approx(70 / 25)),
        ("a", 1, pytest.approx(10 / 25)),
    ]
    assert roll.mark(faces[0].track_id).letter == "B"
    assert roll.mark(None).letter == ""


def test_samples_show_as_many_persons_as_possible() -> None:
    rows = [replace(GOOD, clip_id=f"c{n}", person_id=p) for n, p in enumerate("aaaaab")]
    assert [c.person_id for c in choose_kept(rows, ["a", "b"], 4)] == ["a", "b", "a", "a"]


def test_rejected_samples_go_from_near_to_far() -> None:
    rows = [replace(screened(sharpness=s), clip_id=f"c{s}") for s in (1, 14, 7, 10, 3, 99)]
    shown = choose_rejected(rows, "ambiguous_blurred", SETTINGS, 3)
    assert [c.sharpness for c in shown] == [14, 7, 1]
    assert spread(rows, 2) == [rows[0], rows[-1]]


def test_a_filmstrip_changes_pictures_where_shots_change(tmp_path: Any) -> None:
    shots = [shot(0, 100), shot(100, 150), shot(150, 500)]
    places = slots(shots, 100, 40)
    assert places == [
        Slot(0, 20, 50), Slot(20, 30, 125), Slot(30, 65, 237), Slot(65, 100, 412),
    ]  # fmt: skip
    path = tmp_path / "features.zst"
    with FeatureWriter(path) as writer:
        for n in range(600):
            writer.add(np.full((27, 48, 3), n % 251, np.uint8))
    pictures = small_pictures(path, [s.frame for s in places] + [550])
    assert {f: int(p[0, 0, 0]) for f, p in pictures.items()} == {
        f: f % 251 for f in (50, 125, 237, 412, 550)
    }
    strip = paint(places, pictures, 100)
    assert strip.shape == (27, 100, 3)
    assert [int(strip[0, x, 0]) for x in (0, 19, 20, 29, 30, 64, 65, 99)] == [
        50, 50, 125, 125, 237, 237, 161, 161,
    ]  # fmt: skip


def test_portraits_are_large_sharp_frontal_and_spread() -> None:
    def face(frame: int, sharpness: float, yaw: float) -> FaceDetection:
        return FaceDetection("toy", frame, 0, 0, 0, 80, 100, 0.9, [], sharpness, yaw)

    assert quality(face(0, 90, 0)) > quality(face(0, 90, 70)) > quality(face(0, 5, 70))
    shown = best_of_parts([face(0, 10, 0), face(5, 90, 0), face(10, 90, 80), face(15, 90, 5)], 2)
    assert [f.frame for f in shown] == [5, 15]
    assert best_of_parts([], 3) == []

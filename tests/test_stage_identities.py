"""Identities: chips, groups of tracks, and what the invariants are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.errors import SchemaError
from caer_build.records import FaceDetection, FaceTrack, TrackEmbedding
from caer_build.stages.embeddings import EmbeddingSettings, choose_chips, track_embedding
from caer_build.stages.identities import (
    IdentitySettings,
    group_episode,
    group_show,
    identity_rows,
    person_means,
    together,
)

LANDMARKS = [float(v) for v in range(10)]


def detection(frame: int, sharpness: float = 100.0, yaw: float = 0.0, height: float = 100.0):
    return FaceDetection(
        "e", frame, 0, 0.0, 0.0, 80.0, height, 0.9, LANDMARKS, sharpness=sharpness, yaw=yaw
    )


def track(track_id: str, start: int, end: int, height: float = 100.0) -> FaceTrack:
    episode = track_id.rsplit("-", 2)[0]
    shot = track_id.rsplit("-", 1)[0]
    return FaceTrack(track_id, episode, shot, start, end, 5, 1.0, height, 5.0, 100.0, 0.9)


def embedding(track_id: str, degrees: float, n_chips: int = 4) -> TrackEmbedding:
    radians = np.deg2rad(degrees)
    return TrackEmbedding(
        track_id, "toy", [float(np.cos(radians)), float(np.sin(radians))], n_chips
    )


def grouped(tracks: list[FaceTrack], degrees: list[float]) -> list[str]:
    """The persons of an episode as words of the tracks' letters (their ids' last)."""
    found = {t.track_id: embedding(t.track_id, d) for t, d in zip(tracks, degrees, strict=True)}
    persons = group_episode(tracks, found, IdentitySettings())
    return ["".join(track_id[-1] for track_id in person.tracks) for person in persons]


# --- chips


def test_chips_are_spread_over_time() -> None:
    detections = [detection(frame) for frame in range(0, 100, 5)]
    # Twenty in four stretches of five: the middle of each.
    assert choose_chips(detections, EmbeddingSettings(chips=4)) == [2, 7, 12, 17]
    assert choose_chips(detections, EmbeddingSettings(chips=1)) == [10]


def test_all_of_a_few_are_taken() -> None:
    detections = [detection(9), detection(3, sharpness=1.0)]
    assert choose_chips(detections, EmbeddingSettings(chips=4)) == [1, 0]


def test_poor_faces_are_passed_over_while_there_are_others() -> None:
    chosen = EmbeddingSettings(chips=2)
    poor = [
        detection(0, sharpness=50.0),
        detection(1, yaw=-60.0),
        detection(2, height=50.0),
    ]
    good = [detection(frame) for frame in (3, 4, 5, 6)]
    assert choose_chips(poor + good, chosen) == [4, 6]
    # Only two good ones among five: both. One good one: the least bad beside it.
    assert choose_chips(poor + good[:2], EmbeddingSettings(chips=2)) == [3, 4]
    worst = detection(7, yaw=60.0, sharpness=1.0)
    assert choose_chips([worst, worst, poor[1], good[0]], chosen) == [2, 3]


def test_a_face_without_landmarks_is_never_chosen() -> None:
    blind = FaceDetection("e", 0, 0, 0, 0, 9, 9, 0.9, [], 100.0, None)
    assert choose_chips([blind, detection(1)], EmbeddingSettings()) == [1]
    assert choose_chips([blind], EmbeddingSettings()) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 500),
            st.floats(0, 1000),
            st.floats(-90, 90),
            st.floats(10, 300),
        ),
        max_size=30,
        unique_by=lambda row: row[0],
    ),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_the_same_chips_are_chosen_in_any_order(
    rows: list[tuple[int, float, float, float]], chips: int, random: object
) -> None:
    detections = [detection(*row) for row in rows]
    chosen = choose_chips(detections, EmbeddingSettings(chips=chips))
    frames = [detections[i].frame for i in chosen]
    assert len(chosen) == min(chips, len(rows))
    assert frames == sorted(set(frames))
    random.shuffle(detections)  # type: ignore[attr-defined]
    again = choose_chips(detections, EmbeddingSettings(chips=chips))
    assert [detections[i].frame for i in again] == frames


def test_a_tracks_embedding_is_the_direction_of_the_mean() -> None:
    found = track_embedding("t", "toy", np.array([[1, 0], [0, 1]], dtype=np.float32))
    np.testing.assert_allclose(found.embedding, [np.sqrt(0.5)] * 2, rtol=1e-6)
    assert (found.track_id, found.model, found.n_chips) == ("t", "toy", 2)


@pytest.mark.parametrize("vectors", [np.zeros((0, 2)), np.array([[1.0, 0.0], [-1.0, 0.0]])])
def test_no_direction_is_an_error(vectors: np.ndarray) -> None:
    with pytest.raises(SchemaError, match="t01"):
        track_embedding("t01", "toy", vectors.astype(np.float32))


# --- who shares a frame


def test_tracks_that_share_a_frame_are_found() -> None:
    tracks = [
        track("e-s0-a", 0, 10),
        track("e-s0-b", 9, 20),
        track("e-s0-c", 20, 30),
        track("e-s0-d", 5, 25),
    ]
    found = {frozenset((a[-1], b[-1])) for a, b in together(tracks)}
    assert found == {frozenset(pair) for pair in ("ab", "ad", "bd", "cd")}


# --- an episode


def test_tracks_of_one_face_are_one_person() -> None:
    tracks = [track(f"e-s{i}-{name}", 10 * i, 10 * i + 10) for i, name in enumerate("abcd")]
    assert grouped(tracks, [0, 90, 5, 95]) == ["ac", "bd"]


def test_twins_on_screen_together_are_two() -> None:
    tracks = [track("e-s0-a", 0, 10), track("e-s0-b", 0, 10), track("e-s1-c", 10, 20)]
    assert grouped(tracks, [0, 4, 1]) == ["ac", "b"]


def test_a_small_face_does_not_bridge_two_persons() -> None:
    tracks = [
        track("e-s0-a", 0, 10),
        track("e-s1-b", 10, 20),
        track("e-s2-c", 20, 30, height=20.0),
    ]
    # a and b are 1 - cos(50) = 0.36 apart; c is at 0.094 of both.
    assert grouped(tracks, [0, 50, 25]) == ["ac", "b"]
    tracks[2] = track("e-s2-c", 20, 30)
    # A large face there does: a-c, then b at (0.36 + 0.094) / 2 = 0.225.
    assert grouped(tracks, [0, 50, 25]) == ["abc"]


def test_a_track_without_an_embedding_is_a_person() -> None:
    tracks = [track("e-s0-a", 0, 10), track("e-s1-b", 10, 20), track("e-s2-c", 20, 30)]
    persons = group_episode(tracks, {"e-s0-a": embedding("e-s0-a", 0)}, IdentitySettings())
    assert [p.tracks for p in persons] == [("e-s0-a",), ("e-s1-b",), ("e-s2-c",)]
    assert [p.sure for p in persons] == [True, False, False]
    assert group_episode([], {}, IdentitySettings()) == []


# --- a show


def test_a_person_is_recognised_in_another_episode() -> None:
    first = [track("e1-s0-a", 0, 10), track("e1-s0-b", 0, 10)]
    second = [track("e2-s0-a", 0, 10), track("e2-s1-b", 10, 20)]
    rule = IdentitySettings()
    episodes = [
        group_episode(
            tracks,
            {t.track_id: embedding(t.track_id, d) for t, d in zip(tracks, degrees, strict=True)},
            rule,
        )
        for tracks, degrees in ((first, (0, 90)), (second, (95, 5)))
    ]
    assert group_show(episodes, rule) == [["e1-s0-a", "e2-s1-b"], ["e1-s0-b", "e2-s0-a"]]
    assert group_show([], rule) == []


def test_an_episode_without_any_embedding_is_no_obstacle() -> None:
    rule = IdentitySettings()
    blind = group_episode([track("e0-s0-a", 0, 10)], {}, rule)
    seen = group_episode([track("e1-s0-a", 0, 10)], {"e1-s0-a": embedding("e1-s0-a", 0)}, rule)
    assert group_show([blind, seen], rule) == [["e0-s0-a"], ["e1-s0-a"]]


def test_who_is_apart_in_one_episode_stays_apart_in_the_show() -> None:
    first = [track("e1-s0-a", 0, 10), track("e1-s0-b", 0, 10)]
    second = [track("e2-s0-c", 0, 10)]
    rule = IdentitySettings()
    degrees = {"e1-s0-a": 0.0, "e1-s0-b": 8.0, "e2-s0-c": 3.0}
    episodes = [
        group_episode(
            tracks, {t.track_id: embedding(t.track_id, degrees[t.track_id]) for t in tracks}, rule
        )
        for tracks in (first, second)
    ]
    assert group_show(episodes, rule) == [["e1-s0-a", "e2-s0-c"], ["e1-s0-b"]]


def test_every_track_gets_a_row_with_its_distance_to_the_person() -> None:
    tracks = [track("e-s0-a", 0, 10), track("e-s1-b", 10, 20), track("e-s2-c", 20, 30)]
    found = {t.track_id: embedding(t.track_id, d) for t, d in zip(tracks[:2], (0, 20), strict=True)}
    episodes = [group_episode(tracks, found, IdentitySettings())]
    person_of = {"e-s0-a": "P", "e-s1-b": "P", "e-s2-c": "Q"}
    rows = identity_rows(tracks, found, person_of, person_means(episodes, person_of))
    assert [(r.track_id, r.episode_id, r.person_id) for r in rows] == [
        ("e-s0-a", "e", "P"),
        ("e-s1-b", "e", "P"),
        ("e-s2-c", "e", "Q"),
    ]
    # Both are 10 degrees from their mean.
    assert [r.distance for r in rows] == pytest.approx([0.015192, 0.015192, 0.0], abs=2e-6)


@st.composite
def shows(draw: st.DrawFn) -> list[tuple[list[FaceTrack], dict[str, TrackEmbedding]]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    faces = rng.normal(size=(4, 8))
    episodes = []
    for number in range(draw(st.integers(1, 3))):
        tracks, found = [], {}
        for i in range(draw(st.integers(0, 8))):
            start = int(rng.integers(0, 60))
            end = start + int(rng.integers(1, 30))
            new = track(f"e{number}-s{start:03d}-{i}", start, end, float(rng.choice([20.0, 90.0])))
            vector = faces[rng.integers(4)] + 0.3 * rng.normal(size=8)
            vector /= np.linalg.norm(vector)
            tracks.append(new)
            if rng.random() < 0.9:
                n_chips = int(rng.integers(1, 5))
                found[new.track_id] = TrackEmbedding(new.track_id, "toy", vector.tolist(), n_chips)
        episodes.append((tracks, found))
    return episodes


@settings(max_examples=100, deadline=None)
@given(shows(), st.floats(0, 1.2), st.randoms(use_true_random=False))
def test_every_track_once_no_two_on_screen_together_and_any_order(
    show: list[tuple[list[FaceTrack], dict[str, TrackEmbedding]]],
    threshold: float,
    random: object,
) -> None:
    rule = IdentitySettings(episode_distance=threshold, show_distance=threshold)
    groups = group_show([group_episode(tracks, found, rule) for tracks, found in show], rule)
    everybody = sorted(t.track_id for tracks, _ in show for t in tracks)
    assert sorted(track_id for group in groups for track_id in group) == everybody
    number = {track_id: i for i, group in enumerate(groups) for track_id in group}
    for tracks, _ in show:
        for a in tracks:
            for b in tracks:
                if a is not b and a.start_frame < b.end_frame and b.start_frame < a.end_frame:
                    assert number[a.track_id] != number[b.track_id]
    random.shuffle(show)  # type: ignore[attr-defined]
    for tracks, _ in show:
        random.shuffle(tracks)  # type: ignore[attr-defined]
    assert group_show([group_episode(t, f, rule) for t, f in show], rule) == groups

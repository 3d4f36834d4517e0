"""The scores of the identities benchmark, by hand."""

from __future__ import annotations

import pytest

from benchmarks.identities import (
    Material,
    b_cubed,
    data_folder,
    gather,
    ours,
    score,
    violations,
)
from caer_build.models.dlib_resnet import DlibResnet
from caer_build.records import FaceTrack
from caer_build.stages.embeddings import EmbeddingSettings, track_embedding
from caer_build.stages.identities import IdentitySettings


def track(track_id: str, start: int, end: int, n_detections: int = 5) -> FaceTrack:
    episode, shot = track_id.rsplit("-", 2)[0], track_id.rsplit("-", 1)[0]
    return FaceTrack(track_id, episode, shot, start, end, n_detections, 1.0, 99.0, 0.0, 99.0, 0.9)


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [
        ("112", "aab", (1, 1, 1)),
        # All in one: of a's two items 2/3, of b's one 1/3 is right.
        ("111", "aab", (5 / 9, 1, 5 / 7)),
        # All apart: of a's two items half is there.
        ("123", "aab", (1, 2 / 3, 4 / 5)),
        # 1: pure. 2: one a (1/3), two b (2/3 each). Recall: a 2/3, 2/3, 1/3, b 1, 1.
        ("11222", "aaabb", (11 / 15, 11 / 15, 11 / 15)),
    ],
)
def test_b_cubed(found: str, truth: str, expected: tuple[float, float, float]) -> None:
    assert b_cubed(found, truth) == pytest.approx(expected)


def test_b_cubed_needs_a_label_for_every_item() -> None:
    with pytest.raises(ValueError, match="as many"):
        b_cubed("11", "a")


def test_violations_are_pairs_on_screen_together() -> None:
    tracks = [
        track("e1-s0-a", 0, 10),
        track("e1-s0-b", 5, 15),
        track("e1-s0-c", 15, 20),
        track("e2-s0-a", 0, 10),
    ]
    everybody_one = {t.track_id: 1 for t in tracks}
    assert violations(tracks, everybody_one) == 1
    assert violations(tracks, everybody_one | {"e1-s0-b": 2}) == 0


def test_a_shot_counts_once_by_its_longest_track_and_without_one_as_alone() -> None:
    first, second = "lobby.s01e01", "lobby.s01e02"
    tracks = [
        track(f"{first}-s0-a", 0, 10),
        track(f"{first}-s0-b", 0, 10, n_detections=2),
        track(f"{second}-s0-a", 0, 10),
    ]
    people = {f"{first}-s0": "Ann", f"{second}-s0": "Ann", f"{second}-s1": "Bo"}
    person_of = {f"{first}-s0-a": 1, f"{first}-s0-b": 2, f"{second}-s0-a": 1}
    found = score(Material(tracks, {}, people), person_of)
    assert found == {
        "b_cubed_f": 1.0,
        "b_cubed_precision": 1.0,
        "b_cubed_recall": 1.0,
        "cannot_link_violations": 0,
        "persons_across": 1.0,
    }
    apart = score(Material(tracks, {}, people), person_of | {f"{second}-s0-a": 3})
    assert apart["persons_across"] == 0.0
    assert apart["b_cubed_recall"] == pytest.approx(2 / 3)


@pytest.mark.slow
def test_the_people_of_both_episodes_are_told_apart_and_found_again() -> None:
    if not (data_folder() / "episodes").is_dir():
        pytest.skip(f"no test data: {data_folder()} is absent (set CAER_TEST_DATA)")
    material = gather(data_folder(), EmbeddingSettings())
    embedder = DlibResnet()
    embeddings = {
        track_id: track_embedding(track_id, embedder.version, embedder.embed(chips))
        for track_id, chips in material.chips.items()
    }
    found = score(material, ours(material, embeddings, IdentitySettings()))
    assert found["b_cubed_f"] >= 0.95
    assert found["cannot_link_violations"] == 0
    assert found["persons_across"] == 1.0

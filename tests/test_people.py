"""Deciding about persons, with a workspace written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caer_build import overrides, people
from caer_build.errors import CaerError
from caer_build.naming import MERGED_BY_FACE, person_id_of
from caer_build.records import Clip, Identity, Person, TrackBox
from caer_build.store import Workspace
from caer_build.tables import read_published
from tests.building import caer
from tests.toy_workspace import Toy, clip, episode, shot, track

SHOTS = [shot(50 * n, 50 * n + 50) for n in range(4)]
TRACKS = [track(s) for s in SHOTS]
OTHER = "z.s01e01-s000000-t00"
A, B, C, D = (person_id_of(t.track_id) for t in TRACKS)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """Persons A (two tracks, those of A and D), B and C; D was found to be A; Z is of a show of
    its own."""
    toy = Toy([episode()], SHOTS, TRACKS)
    for one, face, person in zip(SHOTS, TRACKS, (A, B, C, A), strict=True):
        toy.boxes += [
            TrackBox(face.track_id, f, 0.0, 0.0, 9.0, 9.0, False)
            for f in range(one.start_frame, one.end_frame)
        ]
        toy.identities.append(Identity(face.track_id, face.episode_id, person, 0.1))
        toy.clips.append(clip(one, face, person_id=person))
    for person, face in zip((A, B, C), TRACKS, strict=False):
        toy.persons.append(Person(person, "toy", face.track_id, None, None, None))
    toy.persons.append(Person(D, "toy", TRACKS[3].track_id, None, A, MERGED_BY_FACE))
    toy.persons.append(Person(person_id_of(OTHER), "z", OTHER, None, None, None))
    return toy.write(tmp_path / "work")


def noted(work: Workspace) -> list[tuple[str, str | None]]:
    return [(o.action, o.target) for o in overrides.load(work)]


def test_a_name_is_anchored_at_the_founder(work: Workspace) -> None:
    people.decide(work, "name", B, "Bo", None)
    found = overrides.load_anchors(work)
    assert {(a.number, a.person_id, a.track_id) for a in found} == {(0, B, TRACKS[1].track_id)}
    assert [a.frame for a in found] == [55, 65, 75, 85, 95]
    assert (found[0].x1, found[0].x2) == (0.0, 9.0)


def test_a_merge_is_anchored_at_both_founders(work: Workspace) -> None:
    people.decide(work, "merge", B, C, None)
    found = {(a.person_id, a.track_id) for a in overrides.load_anchors(work)}
    assert found == {(B, TRACKS[1].track_id), (C, TRACKS[2].track_id)}


@pytest.mark.parametrize("named", [A, D])
def test_a_deletion_is_anchored_at_every_track(work: Workspace, named: str) -> None:
    people.decide(work, "delete", named, None, None)
    found = {(a.person_id, a.track_id) for a in overrides.load_anchors(work)}
    assert found == {(named, TRACKS[0].track_id), (named, TRACKS[3].track_id)}


def test_circles_are_refused_and_nothing_is_noted(work: Workspace) -> None:
    people.decide(work, "merge", A, B, None)
    people.decide(work, "merge", B, C, None)
    for person, into in ((C, A), (C, B), (B, A)):
        with pytest.raises(CaerError, match="was merged into"):
            people.decide(work, "merge", person, into, None)
    with pytest.raises(CaerError, match="into itself"):
        people.decide(work, "merge", A, A, None)
    assert noted(work) == [("merge", A), ("merge", B)]
    assert {a.number for a in overrides.load_anchors(work)} == {0, 1}


def test_who_was_merged_by_faces_can_be_merged_the_other_way(work: Workspace) -> None:
    people.decide(work, "merge", A, D, None)
    assert noted(work) == [("merge", A)]


def test_merges_across_shows_are_refused(work: Workspace) -> None:
    with pytest.raises(CaerError, match="of toy, z"):
        people.decide(work, "merge", A, person_id_of(OTHER), None)


def test_the_last_decision_of_its_kind_is_taken_back(work: Workspace) -> None:
    people.decide(work, "name", A, "Ann", None)
    overrides.add(work, "reject", "toy.s01e01-s000000-t00-000000", None, None)
    people.decide(work, "delete", B, None, None)
    overrides.add(work, "keep", "toy.s01e01-s000050-t00-000050", None, None)
    assert overrides.in_words(overrides.take_back(work, overrides.ABOUT_PERSONS)) == f"delete {B}"
    assert {a.number for a in overrides.load_anchors(work)} == {0}
    assert overrides.take_back(work, overrides.ABOUT_CLIPS).action == "keep"
    # Numbers are not given twice, or anchors would be taken for those of another decision.
    people.decide(work, "name", B, "Bo", None)
    assert [o.number for o in overrides.load(work)] == [0, 1, 2]
    overrides.take_back(work, overrides.ABOUT_PERSONS)
    overrides.take_back(work, overrides.ABOUT_PERSONS)
    with pytest.raises(CaerError, match="Nothing was decided"):
        overrides.take_back(work, overrides.ABOUT_PERSONS)
    assert noted(work) == [("reject", "toy.s01e01-s000000-t00-000000")]
    assert overrides.load_anchors(work) == []


def test_the_command_line_says_what_it_takes_back(work: Workspace) -> None:
    caer("person", "name", work.root, A, "Ann")
    caer("clip", "reject", work.root, "toy.s01e01-s000000-t00-000000")
    assert f"name {A} 'Ann'" in caer("person", "undo", work.root).stdout
    assert "reject toy.s01e01-s000000-t00-000000" in caer("clip", "undo", work.root).stdout
    failed = caer("clip", "undo", work.root, check=False)
    assert (failed.returncode, "Nothing was decided" in failed.stderr) == (1, True)


def test_the_roll_for_programs(work: Workspace) -> None:
    found = json.loads(caer("person", "list", work.root, "--json").stdout)
    assert found["without_effect"] == []
    assert found["persons"][0] == {
        "person_id": A, "name": None, "n_tracks": 2, "n_clips": 2, "note": ""
    }  # fmt: skip
    assert {p["person_id"]: p["note"] for p in found["persons"]}[D].startswith(f"merged into {A}")


def test_nothing_is_decided_twice(work: Workspace) -> None:
    assert "Noted" in caer("person", "delete", work.root, A).stdout
    assert "decided already" in caer("person", "delete", work.root, A, "--because", "again").stdout
    assert noted(work) == [("delete", A)]
    assert f"delete {A}" in caer("person", "undo", work.root).stdout
    assert noted(work) == []
    # Another name is another decision; taken back, the first one holds again.
    for name in ("Ann", "Ann", "Anne"):
        caer("person", "name", work.root, A, name)
    assert noted(work) == [("name", A), ("name", A)]


def test_decisions_are_listed(work: Workspace) -> None:
    assert "Nothing was decided" in caer("person", "decisions", work.root).stdout
    caer("person", "merge", work.root, A, B, "--because", "a wig")
    said = caer("person", "decisions", work.root).stdout
    assert said.splitlines() == [f"merge {A} into {B} (a wig)"]
    [row] = json.loads(caer("person", "decisions", work.root, "--json").stdout)
    assert (row["action"], row["target"], row["value"]) == ("merge", A, B)
    clip_id = next(iter(read_published(work, Clip))).clip_id
    for action in ("keep", "reject", "reject"):
        caer("clip", action, work.root, clip_id)
    assert caer("clip", "decisions", work.root).stdout.splitlines() == [
        f"keep {clip_id}", f"reject {clip_id}",
    ]  # fmt: skip

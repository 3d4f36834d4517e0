"""What ``caer explain`` says about ids of a workspace written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from caer_build import overrides
from caer_build.errors import CaerError
from caer_build.records import (
    CountedVote,
    Identity,
    Label,
    LabelStatus,
    Person,
    SplitAssignment,
    Still,
)
from caer_build.report.explanation import explain
from caer_build.store import Workspace
from caer_build.tables import save
from tests.toy_workspace import Toy, clip, episode, shot, track

FIRST = shot(0, 100)
SECOND = shot(100, 300, transition_in="dissolve", transition_end_frame=112)
THIRD = shot(300, 320)
FACE, OTHER = track(SECOND, 0), track(SECOND, 1, start_frame=150, end_frame=200, yaw=None)
KEPT, BLURRED = clip(FIRST, track(FIRST), person_id="toy-a"), clip(SECOND, FACE, person_id="toy-b")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three shots: a kept clip, a blurred and small face beside another one, nobody."""
    home = track(FIRST)
    toy = Toy(
        episodes=[episode(n_frames=320)],
        shots=[FIRST, SECOND, THIRD],
        tracks=[home, FACE, OTHER],
        identities=[
            Identity(home.track_id, "toy.s01e01", "toy-a", 0.1),
            Identity(FACE.track_id, "toy.s01e01", "toy-b", 0.25),
            Identity(OTHER.track_id, "toy.s01e01", "toy-a", 0.3),
        ],
        persons=[
            Person("toy-a", "toy", home.track_id, "Ross", None, None),
            Person("toy-b", "toy", FACE.track_id, None, None, None),
            Person("toy-c", "toy", "gone", None, "toy-a", "merged by hand"),
        ],
        clips=[
            KEPT,
            replace(BLURRED, sharpness=6.25, face_height_px=30.0, reject_reason="ambiguous_small"),
            replace(clip(THIRD), reject_reason="too_short"),
        ],
    )
    work = toy.write(tmp_path / "work", failed=["toy.s01e02"])
    overrides.add(work, "reject", "toy.s01e01-s000999-t00-000999", None, "of no concern")
    return work


def test_a_rejected_clip_names_score_threshold_and_remedy(workspace: Workspace) -> None:
    lines = explain(workspace, BLURRED.clip_id).splitlines()
    assert lines[0] == f"Clip {BLURRED.clip_id}: rejected (ambiguous_small)"
    assert lines[1] == "  The face height is 30 px; it must be at least 40 px."
    text = "\n".join(lines)
    small = next(line for line in lines if "face height  " in line)
    assert small.split()[0] == "NO"
    assert small.endswith("30 px       at least 40 px  <- the reason: ambiguous_small")
    assert "NO  sharpness" in text
    assert text.count("<- the reason") == 1
    assert "--set screening.min_face_px=30 --set screening.min_sharpness=6.25" in text
    assert "toy-b, at a cosine distance of 0.250 from that person's mean face" in text
    assert f"  {OTHER.track_id}: frames 150 to 199 (50), 6.00 to 8.00 s" in text
    assert "head turn unknown" in text
    assert "entered by a dissolve over its first 12 frames (score 0.97)" in text
    assert "toy.s01e01.mp4 (no longer there)" in text
    assert "cutting     not there" in text
    assert "of no concern" not in text


def test_a_kept_clip_says_what_would_reject_it(workspace: Workspace) -> None:
    text = explain(workspace, KEPT.clip_id)
    assert "Kept: it passes every threshold." in text
    assert "Rejected if screening.min_face_px were above 90 px" in text
    assert "Rejected if screening.max_yaw were below 10°" in text
    assert "min_seen_share were" not in text
    overrides.add(workspace, "reject", KEPT.clip_id, None, "a mask")
    assert f"reject {KEPT.clip_id}: a mask" in explain(workspace, KEPT.clip_id)


def test_a_clip_kept_by_hand_is_not_credited_to_the_screen(tmp_path: Path) -> None:
    home = track(FIRST)
    kept = replace(clip(FIRST, home), sharpness=3.0)
    toy = Toy(episodes=[episode(n_frames=100)], shots=[FIRST], tracks=[home], clips=[kept])
    work = toy.write(tmp_path / "work")
    overrides.add(work, "keep", kept.clip_id, None, "good enough")
    text = explain(work, kept.clip_id)
    assert "Kept by hand, against the thresholds: good enough." in text
    assert "<- not the reason, decided by hand: ambiguous_blurred" in text
    assert "Rejected if" not in text


def test_a_shot_without_a_face_shows_its_tests(workspace: Workspace) -> None:
    text = explain(workspace, THIRD.shot_id)
    assert text.splitlines()[1] == "  0 faces followed, 1 candidate, 0 kept."
    assert "NO  length" in text
    assert "NO  a face" in text
    assert "sharpness" not in text


def test_a_track_tells_its_person_and_company(workspace: Workspace) -> None:
    text = explain(workspace, FACE.track_id)
    assert "10 detections, seen 100 % of it, face 90 px high, sharpness 80.0" in text
    assert f"On screen with (so other persons)\n  {OTHER.track_id}" in text


def test_persons(workspace: Workspace) -> None:
    text = explain(workspace, "toy-a")
    assert text.splitlines()[:2] == [
        'Person toy-a "Ross"',
        "  2 tracks in 1 episode, 1 clip kept of 1.",
    ]
    assert "toy-c: merged by hand" in text
    assert "Turned out to be toy-a: merged by hand." in explain(workspace, "toy-c")


def test_episodes(workspace: Workspace) -> None:
    text = explain(workspace, "toy.s01e01")
    assert "1 of 3 candidates kept." in text
    assert "-1     face too small (ambiguous_small), 1 left" in text
    assert "320 frames, 12.80 s, 640x360, 25 fps, sound aac" in text
    failed = explain(workspace, "toy.s01e02")
    assert "ingest: toy.s01e02.mp4 is empty (0 bytes). Copy or download it again." in failed


def test_an_unknown_id_brings_up_those_that_look_like_it(workspace: Workspace) -> None:
    with pytest.raises(CaerError, match=r"is called toy\.s01e01-s00010\.") as caught:
        explain(workspace, "toy.s01e01-s00010")
    assert SECOND.shot_id in caught.value.remedy
    with pytest.raises(CaerError) as caught:
        explain(workspace, "ross")
    assert "toy-a" in caught.value.remedy
    with pytest.raises(CaerError, match="is called §§"):
        explain(workspace, "§§")


def label(status: LabelStatus, emotion: str | None) -> Label:
    shares = (0.0, 0.0, 0.0, 0.5, 0.0, 0.5, 0.0)
    return Label(KEPT.clip_id, emotion, status, 2, 1, 0.5, *shares)


def test_what_became_of_a_clip_after_the_build(workspace: Workspace) -> None:
    before = explain(workspace, KEPT.clip_id)
    assert "Votes" not in before
    save(workspace, Label, [label("adjudicated", "Happy")], {"rule": "majority"})
    save(
        workspace,
        CountedVote,
        [
            CountedVote(KEPT.clip_id, "p1", "vote", "Sad", None, 1, 3),
            CountedVote(KEPT.clip_id, "p2", "vote", None, "broken", None, 3),
            CountedVote(BLURRED.clip_id, "p3", "vote", "Fear", None, 1, 3),
        ],
        {},
    )
    text = explain(workspace, KEPT.clip_id)
    assert "Label\n  Happy, by adjudication\n  1 of 2 answers agree, mean confidence 0.5\n" in text
    assert "soft label: Happy 0.5, Sad 0.5" in text
    assert "Votes\n  p1: Sad, confidence 0.5\n  p2: broken\n\n" in text
    assert "Split" not in text
    facts = {"by": "show", "ratio": [0.8, 0.1, 0.1], "seed": 0}
    stands = SplitAssignment(KEPT.clip_id, "test", "toy", None)
    other = SplitAssignment(BLURRED.clip_id, None, "toy", "it shows people of two splits")
    save(workspace, SplitAssignment, [stands, other], facts)
    still = Still(f"{KEPT.clip_id}-f0003", KEPT.clip_id, 3, True, 9.0, "0" * 16)
    another = Still(f"{BLURRED.clip_id}-f0009", BLURRED.clip_id, 9, True, 9.0, "0" * 16)
    save(workspace, Still, [still, another], {})
    text = explain(workspace, KEPT.clip_id)
    assert "Split\n  test; split by show, 80/10/10, seed 0\n  in the group toy with 1 other" in text
    assert f"Stills\n  {KEPT.clip_id}-f0003: frame 3 of the clip\n\n" in text
    left_out = explain(workspace, BLURRED.clip_id)
    assert "Split\n  left out: it shows people of two splits\n  group toy" in left_out
    assert "Votes\n  p3: Fear" in left_out
    assert "\nLabel" not in left_out


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("tie", "None by the rule paper: no emotion was chosen by enough"),
        ("low_confidence", "not sure enough"),
        ("broken", "most as broken"),
        ("cannot_tell", "nobody can tell"),
        ("incomplete", "answers are missing"),
    ],
)
def test_why_a_clip_has_no_label(workspace: Workspace, status: LabelStatus, said: str) -> None:
    save(workspace, Label, [label(status, None)], {"rule": "paper"})
    assert said in explain(workspace, KEPT.clip_id)

"""A person is deleted from a real episode, and stays so whatever is built after that."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from caer_build import overrides, people, upkeep
from caer_build.store import Workspace
from tests.building import build, caer, caer_apart, digests
from tests.media import remux

QUICK = ("--recipe", "quick")
# Under quick's scorer this person is seen in the shots that begin at 513 and 632; under transnetv2
# the second one begins at 633, and the shot of the person who is named at 1092.
DELETED = "lobby.s01e02-s000513-t00-p"
TRACKS = ("lobby.s01e02-s000513-t00", "lobby.s01e02-s000632-t00")
NAMED, NAMED_LATER = "lobby.s01e02-s001091-t00-p", "lobby.s01e02-s001092-t00-p"


def table(work: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(work / "tables" / f"{name}.parquet")


def roll(work: Path) -> dict[str, str | None]:
    workspace = Workspace.open(work)
    assert people.without_effect(workspace) == []
    return {entry.person_id: entry.name for entry in people.roll(workspace)}


def assert_gone(work: Path, spans: list[tuple[int, int]]) -> None:
    """Of what stands in these frames there is one row a clip, and nothing else."""
    clips = table(work, "clips")
    for first, last in spans:
        inside = clips[(clips.start_frame >= first - 5) & (clips.end_frame <= last + 5)]
        assert len(inside) == 1
        assert inside.reject_reason.tolist() == ["person_deleted"]
        scores = ["person_id", "seen_share", "face_height_px", "sharpness", "yaw", "file"]
        assert inside[scores].isna().all(axis=None)
        for name, column in (("detections", "frame"), ("track_boxes", "frame")):
            frames = table(work, name)[column]
            assert not frames.between(first + 1, last - 2).any(), name
    gone = set(clips[clips.reject_reason == "person_deleted"].track_id)
    for name in ("tracks", "embeddings", "identities", "clip_boxes", "track_boxes"):
        assert not gone & set(table(work, name).track_id), name
    kept = clips[clips.reject_reason.isna()]
    assert {p.name for p in (work / "clips").iterdir()} == {f"{c}.mp4" for c in kept.clip_id}
    pieces = {p.name for p in work.glob("stages/cutting/*/pieces/*")}
    assert len(pieces) == len(kept)
    assert upkeep.verify(Workspace.open(work), repair=False).broken == []


def test_a_deleted_person_stays_deleted(data: Path, tmp_path: Path) -> None:
    work, episode = tmp_path / "work", data / "episodes" / "lobby.s01e02.mp4"
    build(work, episode, options=QUICK)
    clips = table(work, "clips")
    theirs = clips[clips.person_id == DELETED]
    assert tuple(theirs.track_id) == TRACKS
    assert theirs.reject_reason.isna().all()
    spans = list(zip(theirs.start_frame, theirs.end_frame, strict=True))
    caer("report", work)

    caer("person", "delete", work, DELETED, "--because", "withdrew consent")
    caer("person", "name", work, NAMED, "Zoe")
    assert not (work / "report.html").exists()
    labelling = work / "annotation"
    labelling.mkdir()
    totals = build(work, episode, options=QUICK)
    assert totals["warnings"] == [
        "Clips of a deleted person may be among those that are labelled. "
        f"Withdraw them: caer annotate init {work}"
    ]
    labelling.rmdir()
    assert totals["clips_rejected"]["person_deleted"] == 2
    assert_gone(work, spans)
    assert DELETED not in roll(work)
    assert roll(work)[NAMED] == "Zoe"
    settled = digests(work)
    build(work, episode, options=QUICK)
    assert digests(work) == settled

    # Other crops are embedded, nobody is found to be anybody, and the shots begin elsewhere.
    apart = ("embeddings.chips=4", "identities.episode_distance=0.01", "shots.scorer=transnetv2")
    options = [*QUICK, *(word for value in apart for word in ("--set", value))]
    totals = build(work, episode, options=options)
    assert (totals["failed"], totals["warnings"]) == ([], [])
    assert_gone(work, spans)
    assert "lobby.s01e02-s000633-t00" in set(table(work, "clips").track_id)
    assert not [person for person in roll(work) if "-s000513-" in person or "-s00063" in person]
    assert roll(work)[NAMED_LATER] == "Zoe"

    # A decision that cannot be obeyed: users keep what they have, and can take it back.
    settled = digests(work)
    workspace = Workspace.open(work)
    persons = sorted(roll(work))[:2]
    overrides.add(workspace, "merge", persons[0], persons[1], None)
    overrides.add(workspace, "merge", persons[1], persons[0], None)
    failed = caer_apart("build", episode, "-o", work, "--json", *options, check=False)
    assert failed.returncode == 1
    assert "those of the build before" in json.loads(failed.stdout)["warnings"][0]
    assert digests(work) == settled
    assert f"merge {persons[1]}" in caer("person", "undo", work).stdout
    assert f"merge {persons[0]}" in caer("person", "undo", work).stdout
    build(work, episode, options=options)
    assert digests(work) == settled


def test_decisions_survive_other_settings_and_an_added_episode(
    data: Path, brief_episode: Path, tmp_path: Path
) -> None:
    work, options = tmp_path / "work", [*QUICK, "--show", "lobby"]
    build(work, brief_episode, options=options)
    clips = table(work, "clips")
    kept = clips[clips.reject_reason.isna()].sort_values("start_frame")
    gone, survivor = kept.person_id.unique()[:2]
    rejected = kept.clip_id.iloc[-1]
    tracks = set(clips[clips.person_id.isin([gone, survivor])].track_id)
    caer("person", "merge", work, gone, survivor)
    caer("person", "name", work, survivor, "Ann")
    caer("clip", "reject", work, rejected, "--because", "credits over the face")

    def hold() -> None:
        people_of = table(work, "identities").set_index("track_id").person_id
        together = people_of[people_of.index.isin(tracks)]
        assert len(together) == len(tracks)
        assert together.nunique() == 1
        assert roll(work)[together.iloc[0]] == "Ann"
        row = table(work, "clips").set_index("clip_id").loc[rejected]
        assert row.reject_reason == "by_hand"

    build(work, brief_episode, options=options)
    hold()
    apart = ("screening.min_face_px=20", "tracks.smoothing_s=0.1")
    options += [word for value in apart for word in ("--set", value)]
    build(work, brief_episode, options=options)
    hold()
    pieces = {f: f.stat().st_mtime_ns for f in work.glob("stages/cutting/*/pieces/*/clip.mp4")}
    earlier = remux(data / "episodes" / "lobby.s01e01.mp4", tmp_path / "earlier.mp4", "-t", "12")
    build(work, earlier, options=options)
    hold()
    assert all(f.stat().st_mtime_ns == t for f, t in pieces.items())

"""`caer verify --clips`: every clip decoded again, and wrong ones found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from caer_build.media.clipfile import ClipCodec
from caer_build.media.cut import CutRequest, cut_clips
from caer_build.store import sha256_of
from tests.building import build, caer
from tests.scanned import Scanned, scan


@pytest.fixture(scope="module")
def built(brief_episode: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace of the brief episode, and the episode, in a folder that may be moved."""
    episode = tmp_path_factory.mktemp("inspected") / brief_episode.name
    shutil.copyfile(brief_episode, episode)
    work = episode.parent / "work"
    build(work, episode, options=("--recipe", "quick"))
    return work, episode


@pytest.fixture
def work(built: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(built[0], tmp_path / "work"))


def kept_in(work: Path) -> pd.DataFrame:
    clips = pd.read_parquet(work / "tables" / "clips.parquet")
    return clips[clips.reject_reason.isna()].sort_values("clip_id")


def verified(work: Path) -> tuple[int, dict[str, Any]]:
    ran = caer("verify", work, "--clips", "--json", check=False)
    return ran.returncode, json.loads(ran.stdout)


def put_in_place(work: Path, clip_id: str, footage: Scanned, start: int, end: int) -> None:
    """Other frames of the source in the place of a clip, and in its row."""
    out = work / "clips" / f"{clip_id}.mp4"
    out.unlink()
    request = CutRequest(footage.wanted(start, end), out)
    list(cut_clips(footage.path, footage.headers, [request], ClipCodec()))
    table = work / "tables" / "clips.parquet"
    clips = pd.read_parquet(table)
    clips.loc[clips.clip_id == clip_id, "file_sha256"] = sha256_of(out)
    clips.to_parquet(table)


def test_clips_of_a_build_are_right(built: tuple[Path, Path]) -> None:
    work, _ = built
    ran = caer("verify", work, "--clips")
    assert f"{len(kept_in(work))} clips decoded, 0 wrong." in ran.stdout
    assert verified(work)[1]["alone"] == []


def test_clips_that_are_not_what_was_cut_are_found(work: Path, built: tuple[Path, Path]) -> None:
    one, other, third = kept_in(work).clip_id[:3]
    with (work / "clips" / f"{one}.mp4").open("ab") as file:
        file.write(b"x")
    (work / "clips" / f"{other}.mp4").unlink()
    code, said = verified(work)
    assert code == 1
    assert set(said["wrong"]) == {one, other}
    assert "is not the file that was cut" in said["wrong"][one]
    assert "its file is missing" in said["wrong"][other]
    ran = caer("verify", work, "--clips", check=False)
    assert f"wrong: {one}" in ran.stdout
    assert third not in ran.stdout


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ((0, -1), "expected {n} frames, found {fewer}"),
        ((1, 1), "expected frame {first} of the source as its first one"),
    ],
    ids=["a frame short", "a frame late"],
)
def test_clips_of_other_frames_are_found(
    work: Path, built: tuple[Path, Path], moved: tuple[int, int], said: str
) -> None:
    """By a single frame, though their digest is that of their row."""
    footage = scan(built[1])
    rows = kept_in(work)
    for row in rows.itertuples():
        put_in_place(
            work, row.clip_id, footage, row.start_frame + moved[0], row.end_frame + moved[1]
        )
    code, found = verified(work)
    assert code == 1
    # Where a picture stands still, the frame beside it is the same.
    assert len(found["wrong"]) >= len(rows) - 1
    for row in rows.itertuples():
        if row.clip_id in found["wrong"]:
            values = {"n": row.n_frames, "fewer": row.n_frames - 1, "first": row.start_frame}
            assert said.format(**values) in found["wrong"][row.clip_id]


def test_without_its_source_a_clip_is_looked_at_alone(built: tuple[Path, Path]) -> None:
    work, episode = built
    away = episode.rename(episode.with_name("away.mp4"))
    try:
        code, said = verified(work)
        ran = caer("verify", work, "--clips")
    finally:
        away.rename(episode)
    assert code == 0
    assert said["wrong"] == {}
    assert sorted(said["alone"]) == list(kept_in(work).clip_id)
    assert "could not be held against their source" in ran.stdout

"""A folder that mixes every kind of bad file with good episodes builds the good ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from caer_build.store import sha256_of
from tests.building import caer, caer_apart
from tests.media_kinds import KINDS


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("mixed")
    files = {}
    for name, kind in KINDS.items():
        own = folder / "".join(c if c.isalnum() else "-" for c in name)
        own.mkdir()
        files[name] = kind.make(own)
    work = tmp_path_factory.mktemp("work") / "work"
    # Absent paths are refused before any work, and folders are looked into: not tested here.
    files = {name: f for name, f in files.items() if f.exists() and not f.is_dir()}
    given = [str(f) for f in files.values()]
    # The names begin with a dash where that is the kind, so that options must end before them.
    done = caer_apart("build", "-o", work, "--recipe", "quick", "--json", "--", *given, check=False)
    assert done.returncode == 1, done.stderr
    return work, files, json.loads(done.stdout)


def test_every_bad_file_is_refused_with_its_reason(
    mixed: tuple[Path, dict[str, Path], dict[str, Any]],
) -> None:
    _, files, totals = mixed
    for name, file in files.items():
        refused = KINDS[name].refused
        if refused is not None:
            # A pipe's message names its whole path, the others the file.
            own = [f["message"] for f in totals["failed"] if file.name in f["message"]]
            expected = "a pipe or device" if name == "pipe" else refused
            assert any(expected in message for message in own), (name, own)
    assert all(f["remedy"] for f in totals["failed"])
    assert {f["error"] for f in totals["failed"]} <= {"ProbeError", "DecodeError"}


def test_every_good_file_is_built(
    mixed: tuple[Path, dict[str, Path], dict[str, Any]],
) -> None:
    work, files, totals = mixed
    episodes = pd.read_parquet(work / "tables" / "episodes.parquet")
    by_content = {row.source_sha256: row for row in episodes.itertuples()}
    for name, kind in KINDS.items():
        if kind.refused is None:
            row = by_content[sha256_of(files[name])]
            assert (row.width, row.height) == kind.size, name
            if kind.truncated is not None:
                assert row.truncated == kind.truncated, name
                said = f"{row.source_name} breaks off or is damaged" in " ".join(totals["warnings"])
                assert said == kind.truncated, name
            if kind.numbers:
                assert row.frame_count == len(kind.numbers), name
    # Some kinds are other names for one content: one episode.
    good = {sha256_of(f) for name, f in files.items() if KINDS[name].refused is None}
    assert totals["episodes"] == len(good) == len(episodes)


def test_a_folder_of_good_and_bad_files_builds_the_good(
    brief_episode: Path, tmp_path: Path
) -> None:
    """A real episode among everything that is refused or damaged: found, built, its clips cut."""
    folder = tmp_path / "episodes"
    for name, kind in KINDS.items():
        if kind.refused is not None or kind.truncated:
            own = folder / "".join(c if c.isalnum() else "-" for c in name)
            own.mkdir(parents=True)
            kind.make(own)
    shutil.copy(brief_episode, folder / "Lobby.S01E02.mp4")
    work = tmp_path / "work"
    done = caer_apart("build", folder, "-o", work, "--recipe", "quick", "--json", check=False)
    assert done.returncode == 1, done.stderr
    totals = json.loads(done.stdout)
    assert len(totals["failed"]) >= 8
    assert all(f["remedy"] for f in totals["failed"])
    assert "Traceback" not in done.stderr
    kept = pd.read_parquet(work / "tables" / "clips.parquet").query("reject_reason.isna()")
    assert kept.episode_id.tolist() == ["lobby.s01e02"] * 3
    for file in kept.file:
        assert (work / file).stat().st_size > 0
    truncated = pd.read_parquet(work / "tables" / "episodes.parquet").truncated
    assert truncated.sum() == sum(bool(kind.truncated) for kind in KINDS.values())


def test_status_names_each_failure(
    mixed: tuple[Path, dict[str, Path], dict[str, Any]],
) -> None:
    work, _, totals = mixed
    states = json.loads(caer("status", work, "--json").stdout)
    failed = {unit for unit, stages in states.items() if "failed" in stages.values()}
    assert failed == {f["unit"] for f in totals["failed"]}
    said = caer("status", work).stdout
    assert all(f["message"] in said for f in totals["failed"])


def test_the_real_odd_files_are_built(data: Path, tmp_path: Path) -> None:
    """Variable rate, a rotation flag, MP3 in MP4: a face in one half only gives tracks there."""
    work = tmp_path / "work"
    totals = json.loads(
        caer_apart("build", data / "media", "-o", work, "--recipe", "quick", "--json").stdout
    )
    assert totals["episodes"] == len(list((data / "media").glob("*.m*")))
    assert totals["failed"] == []
    tracks = pd.read_parquet(work / "tables" / "tracks.parquet")
    episodes = pd.read_parquet(work / "tables" / "episodes.parquet").set_index("episode_id")
    half = episodes.frame_count["face_noface"] / 2
    first, second = (tracks[tracks.episode_id == e] for e in ("face_noface", "noface_face"))
    assert len(first) > 0
    assert len(second) > 0
    assert first.start_frame.min() < half
    assert second.end_frame.max() > half
    assert episodes.rotation["rotated_flag"] == 270 or episodes.rotation["rotated_flag"] == 90
    assert episodes.variable_rate["face_noface"]
    tracks_per_file = tracks.groupby("episode_id").size()
    assert tracks_per_file["single_face"] >= 1

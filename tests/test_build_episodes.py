"""Episodes taken out and back in, and a build that is told to stop early."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.building import build, caer, caer_apart, digests

FIRST, SECOND = "lobby.s01e01", "lobby.s01e02"


@pytest.fixture
def work(lobby: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A finished workspace of both episodes that may be written into."""
    return Path(shutil.copytree(lobby[0], tmp_path / "work"))


def persons_of(work: Path, episode_id: str) -> dict[str, str]:
    """track_id -> person_id of an episode's tracks."""
    rows = pd.read_parquet(work / "tables" / "identities.parquet")
    rows = rows[rows["track_id"].str.startswith(f"{episode_id}-")]
    return dict(zip(rows["track_id"], rows["person_id"], strict=True))


def test_a_shorter_build_leaves_what_is_still_true(data: Path, work: Path) -> None:
    before = digests(work)
    build(work, data / "episodes", options=["--until", "shots"])
    assert digests(work) == before
    assert "done" in json.loads(caer("status", work, "--json").stdout)[FIRST].values()
    assert "0 results" in caer("clean", work, "--dry-run").stdout


def test_a_shorter_build_withdraws_what_is_no_longer_true(data: Path, work: Path) -> None:
    build(
        work, data / "episodes", options=["--until", "tracks", "--set", "tracks.min_detections=4"]
    )
    assert not list((work / "clips").iterdir())
    assert pd.read_parquet(work / "tables" / "clips.parquet").empty
    assert not pd.read_parquet(work / "tables" / "tracks.parquet").empty


def test_a_removed_episode_is_passed_over_and_restoring_it_brings_its_names_back(
    data: Path, work: Path
) -> None:
    names = persons_of(work, FIRST), persons_of(work, SECOND)
    clips = sorted(f.name for f in (work / "clips").iterdir())
    caer("episode", "remove", work, FIRST)
    done = caer_apart("build", data / "episodes", "-o", work, "--json")
    assert f"is {FIRST}, which was removed: passed over" in done.stderr
    assert json.loads(done.stdout)["episodes"] == 1
    assert {f.name.split("-")[0] for f in (work / "clips").iterdir()} == {SECOND}
    assert not persons_of(work, FIRST)
    assert caer("episode", "list", work).stdout.splitlines()[-1] == f"{FIRST}  (removed)"

    caer("episode", "restore", work, FIRST)
    build(work, data / "episodes")
    assert (persons_of(work, FIRST), persons_of(work, SECOND)) == names
    assert sorted(f.name for f in (work / "clips").iterdir()) == clips


def test_a_removed_episodes_results_go_when_the_workspace_is_cleaned(
    data: Path, work: Path
) -> None:
    caer("episode", "remove", work, FIRST)
    build(work, data / "episodes")
    caer("clean", work)
    assert not list(work.glob(f"stages/*/{FIRST}/**/manifest.json"))
    assert list(work.glob(f"stages/*/{SECOND}/**/manifest.json"))


def test_an_unknown_episode_is_refused_by_its_name(work: Path) -> None:
    refused = caer("episode", "remove", work, "lobby.s01e09", check=False)
    assert refused.returncode == 1
    assert "lobby.s01e09" in refused.stderr
    assert SECOND in refused.stderr
    assert caer("episode", "restore", work, FIRST, check=False).returncode == 1

"""Stopped at any moment, in any order, at any time: the end is the same to the byte."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.building import build, caer, digests
from tests.media import remux

QUICK = ("--recipe", "quick")


@pytest.fixture(scope="module")
def episodes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("episodes")
    for name in ("lobby.s01e01.mp4", "lobby.s01e02.mp4"):
        shutil.copy(data / "episodes" / name, folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(lobby: tuple[Path, dict[str, Any]]) -> tuple[dict[str, str], float]:
    """The digests of an undisturbed build, and the seconds it took."""
    return digests(lobby[0]), lobby[1]["seconds"]


def kill_after(seconds: float, work: Path, episodes: Path) -> None:
    """Start a build and end it with SIGKILL; its workers must end by themselves."""
    command = [sys.executable, "-m", "caer_build.cli", "build", str(episodes), "-o", str(work)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def manifests(work: Path) -> dict[Path, int]:
    """Every result that is whole and has its name, and when it was finished."""
    found = work.glob("stages/**/manifest.json")
    return {f: f.stat().st_mtime_ns for f in found if not f.parent.name.startswith(".draft-")}


def killed_at_random_moments(
    count: int, seed: int, episodes: Path, undisturbed: tuple[dict[str, str], float], work: Path
) -> None:
    expected, seconds = undisturbed
    moments = random.Random(seed)
    done: dict[Path, int] = {}
    for _ in range(count):
        # What is done stays done, so moments are drawn from less and less of the whole.
        kill_after(moments.uniform(0.3, max(2.0, seconds / 2)), work, episodes)
        done |= manifests(work)
    totals = build(work, episodes)
    # Nothing that was whole was made again: at most the pieces in flight are repeated.
    assert done.items() <= manifests(work).items()
    assert totals["failed"] == []
    assert digests(work) == expected
    assert not list(work.glob("stages/**/.draft-*"))


def test_killed_three_times(brief_episode: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    seconds = build(whole, brief_episode)["seconds"]
    undisturbed = digests(whole), seconds
    killed_at_random_moments(3, 1, brief_episode, undisturbed, tmp_path / "work")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_thirty_moments(
    episodes: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    for part in range(6):
        work = tmp_path / f"work{part}"
        killed_at_random_moments(5, 100 + part, episodes, undisturbed, work)
        shutil.rmtree(work)


def test_moved_sources_and_one_threshold(brief_episode: Path, tmp_path: Path) -> None:
    """A moved source is known by content; a threshold re-runs only what depends on it."""
    work, moved = tmp_path / "work", tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copy(brief_episode, moved)
    build(work, moved / brief_episode.name, options=QUICK)
    before = manifests(work)
    (moved / brief_episode.name).rename(moved / "renamed.mp4")
    build(work, moved / "renamed.mp4", options=QUICK)
    assert manifests(work) == before
    names = {json.loads(f.read_text())["unit"] for f in before}
    assert "renamed" not in names
    build(work, moved / "renamed.mp4", options=[*QUICK, "--set", "screening.min_face_px=200"])
    fresh = set(manifests(work)) - set(before)
    assert {json.loads(f.read_text())["stage"] for f in fresh} <= {"screening", "cutting"}


def test_an_added_episode_renames_nobody_and_encodes_nothing_again(
    data: Path, brief_episode: Path, tmp_path: Path
) -> None:
    import pandas as pd

    work = tmp_path / "work"
    # The first seconds of one, and another that shows some of its people.
    build(work, brief_episode, options=[*QUICK, "--show", "lobby"])
    old = pd.read_parquet(work / "tables" / "identities.parquet").set_index("track_id").person_id
    pieces = {f: f.stat().st_mtime_ns for f in work.glob("stages/cutting/*/pieces/*/clip.mp4")}
    assert pieces
    earlier = data / "episodes" / "lobby.s01e01.mp4"
    build(work, remux(earlier, tmp_path / "a.mp4", "-t", "12"), options=[*QUICK, "--show", "lobby"])
    new = pd.read_parquet(work / "tables" / "identities.parquet").set_index("track_id").person_id
    assert new[old.index].tolist() == old.tolist()
    assert all(f.stat().st_mtime_ns == t for f, t in pieces.items())
    assert set(new) & set(old) == set(old)


def test_a_second_build_waits_for_the_first(brief_episode: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    command = [sys.executable, "-m", "caer_build.cli", "build", str(brief_episode)]
    command += ["-o", str(work), *QUICK]
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [p.communicate(timeout=600)[1] for p in pair]
    assert [p.returncode for p in pair] == [0, 0]
    assert sum("is in use by process" in text for text in said) == 1
    assert len(digests(work)) > 10


def test_interrupted_by_hand_ends_with_130(episodes: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    # Tests that a script runs in the background ignore SIGINT, and would hand that on.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "caer_build.cli"]
    command += ["build", str(episodes), "-o", str(work)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (work / "recipe.json").exists() and process.poll() is None:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Run the same command again" in said
    status = json.loads(caer("status", work, "--json").stdout)
    assert set(status) == {"lobby.s01e01", "lobby.s01e02", "lobby"}

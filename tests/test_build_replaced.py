"""A source that is replaced by another file is never taken for itself, whenever that happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.building import build, caer_apart, digests

QUICK = ("--recipe", "quick")
OTHER_CLIPS = (*QUICK, "--set", "cutting.crf=24")


@pytest.fixture
def place(data: Path, brief_episode: Path, tmp_path: Path) -> Path:
    """An episode in a folder; another one, of which it might be replaced, lies outside."""
    (tmp_path / "v").mkdir()
    shutil.copy(brief_episode, tmp_path / "v" / "a.mp4")
    shutil.copy(data / "media" / "single_face.mp4", tmp_path / "other.mp4")
    return tmp_path / "v" / "a.mp4"


def failed(work: Path, *given: Path, options: tuple[str, ...]) -> dict[str, Any]:
    done = caer_apart("build", *given, "-o", work, "--json", *options, check=False)
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_no_clip_is_cut_from_the_file_that_came_instead(place: Path, tmp_path: Path) -> None:
    work, other = tmp_path / "work", tmp_path / "other.mp4"
    build(work, place, options=QUICK)
    before = set(work.glob("stages/cutting/**/manifest.json"))
    shutil.copy(other, place)
    # Not even where only another file is given.
    (failure,) = failed(work, other, options=OTHER_CLIPS)["failed"]
    assert (failure["unit"], failure["stage"]) == ("a", "cutting")
    assert failure["message"].startswith(f"The source of a is no longer at {place}")
    failed(work, place, options=OTHER_CLIPS)
    of_a = {f for f in work.glob("stages/cutting/a/**/manifest.json") if f not in before}
    assert of_a == set()


def test_a_source_that_is_replaced_during_the_build_fails(place: Path, tmp_path: Path) -> None:
    work, whole = tmp_path / "work", tmp_path / "whole"
    first = tmp_path / "kept" / place.name
    first.parent.mkdir()
    shutil.copy(place, first)
    command = [sys.executable, "-m", "caer_build.cli", "build", str(place), "-o", str(work), *QUICK]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not list(work.glob("stages/scan/a/.draft-*")) and process.poll() is None:
        time.sleep(0.02)
    # As a download does it: the old file is still open where it is read.
    shutil.copy(tmp_path / "other.mp4", tmp_path / "v" / "part")
    os.replace(tmp_path / "v" / "part", place)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "The source of a is no longer at" in said.replace("\n", " ")
    assert not list(work.glob("stages/scan/a/*/manifest.json"))
    # The first file again, from elsewhere: the same as if nothing had happened.
    build(work, first, options=QUICK)
    first.replace(place)
    build(whole, place, options=QUICK)
    assert digests(work) == digests(whole)


def test_a_workspace_among_the_sources_is_not_looked_into(place: Path) -> None:
    work = place.parent / "work"
    build(work, place.parent, options=QUICK)
    before = digests(work)
    done = caer_apart("build", place.parent, "-o", work, *QUICK)
    assert f"Passed over workspaces, whose clips are no episodes: {work}" in done.stderr
    assert digests(work) == before
    done = caer_apart("build", work / "clips", "-o", work, *QUICK, check=False)
    assert done.returncode == 1
    assert "lies in the workspace" in done.stderr

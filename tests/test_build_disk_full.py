"""A disk that fills up: said plainly, nothing half-written, and the next build goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.building import build, caer_apart, digests

QUICK = ("--recipe", "quick")


def _mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk_is_said_and_the_build_goes_on(
    brief_episode: Path, small_disk: Path, tmp_path: Path
) -> None:
    episode, work = brief_episode, small_disk / "work"
    # In the scan, in the cutting, and in the cutting again.
    for size in ("400k", "900k", "1200k"):
        _mount("-o", f"remount,size={size}", str(small_disk))
        done = caer_apart("build", episode, "-o", work, *QUICK, check=False)
        assert done.returncode == 1, done.stderr
        assert "is full" in done.stderr
        assert "Free some space" in done.stderr
        assert "Traceback" not in done.stderr
    _mount("-o", "remount,size=200M", str(small_disk))
    assert build(work, episode, options=QUICK)["failed"] == []
    elsewhere = tmp_path / "work"
    build(elsewhere, episode, options=QUICK)
    assert digests(work) == digests(elsewhere)

"""Ray gives what local processes give, to the byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.building import build, digests

pytest.importorskip("ray", reason="the extra ray is not installed: pip install 'caer-build[ray]'")
pytestmark = pytest.mark.slow

FAILS = """
from caer_build.engines import RayEngine
from caer_build.errors import DecodeError

def fail(tell):
    raise DecodeError("no frame", "copy it again")

engine = RayEngine(1)
try:
    engine.submit(fail, tag="f").result(600)
except DecodeError as error:
    print(error.message, "/", error.remedy)
engine.close(kill=False)
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes longer to start Ray than the 30 s that it gives itself."""
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "600")


def test_the_same_bytes_as_local(data: Path, tmp_path: Path) -> None:
    episode = data / "episodes" / "lobby.s01e02.mp4"
    for engine in ("local", "ray"):
        options = ["--recipe", "quick", "--engine", engine]
        assert build(tmp_path / engine, episode, options=options)["failed"] == []
    assert digests(tmp_path / "ray") == digests(tmp_path / "local")


def test_errors_come_back_with_their_remedy() -> None:
    done = subprocess.run([sys.executable, "-c", FAILS], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "no frame / copy it again"

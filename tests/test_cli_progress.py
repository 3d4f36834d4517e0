"""What the command line says to the person who waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caer_build import pipeline, sources
from caer_build.store import Workspace
from caer_build.summary import summarise

SCRIPT = "from caer_build.cli.progress import command; print(command())"


def named(cwd: Path, program: Path, path: str) -> str:
    """How a program that lies there names itself to its user."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_command_is_named_as_it_can_be_typed(tmp_path: Path) -> None:
    here = tmp_path / "here"
    assert named(here.parent, here / ".venv/bin/caer", "/nowhere") == "here/.venv/bin/caer"
    assert named(here, here / ".venv/bin/caer", "/nowhere") == ".venv/bin/caer"
    assert named(here, tmp_path / "a b/caer", "/nowhere") == f"'{tmp_path}/a b/caer'"
    assert named(here, here / "other.py", "/nowhere") == f"{sys.executable} -m caer_build.cli"
    (here / ".venv/bin/caer").chmod(0o755)
    assert named(here, here / ".venv/bin/caer", str(here / ".venv/bin")) == "caer"


def test_seconds_are_those_that_the_user_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the files and loading the program takes time, too."""
    monkeypatch.setattr("caer_build.BEGAN_S", time.perf_counter() - 100)
    workspace = Workspace.create(tmp_path / "work")
    assert sources.register(workspace).sources == ()
    outcome = pipeline.Outcome(results={}, failures=[], seconds=1.0)
    assert 100 <= summarise(workspace, outcome)["seconds"] < 110

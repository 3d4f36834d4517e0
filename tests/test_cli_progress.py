"""What the command line says to the person who waits."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from caer_build import pipeline, sources
from caer_build.cli import progress
from caer_build.cli.progress import Bars
from caer_build.errors import CaerError
from caer_build.stage import Source
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


def drawn(width: int, draw: Callable[[Bars], None], n_units: int | None) -> str:
    """What stands on a terminal at the end."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with (
        patch.object(progress, "_err", console),
        Bars(n_units) as bars,
    ):
        draw(bars)
        bars._progress.refresh()
        with console.capture() as captured:
            console.print(bars._progress.get_renderable())
    return captured.get()


def test_there_is_a_bar_for_each_unit_and_one_for_all() -> None:
    def build(bars: Bars) -> None:
        bars.started("scan", "film")
        bars.finished("scan", "film", None)
        bars.finished("ingest", "other", None)
        bars.failed("scan", "other", CaerError("no frame"))
        bars.started("cutting", "film")
        bars.progressed("cutting", "film", 7, 20)

    lines = drawn(100, build, n_units=12).splitlines()
    assert any("all" in line and "25%" in line and "3 of 12" in line for line in lines)
    assert any("film cutting" in line and "35%" in line for line in lines)
    assert not any(" all" in line for line in drawn(100, build, n_units=None).splitlines())


def test_the_units_of_a_build_are_counted(tmp_path: Path) -> None:
    one, two = (Source(name, "show", None, k, tmp_path / name, name) for k, name in enumerate("ab"))
    of_shows = sum(stage.scope == "show" for stage in pipeline.STAGES)
    of_episodes = len(pipeline.STAGES) - of_shows
    assert pipeline.count_units([one, two], None) == 2 * of_episodes + of_shows
    assert pipeline.count_units([one, two], "scan") == 4


def test_seconds_are_those_that_the_user_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the files and loading the program takes time, too."""
    monkeypatch.setattr("caer_build.BEGAN_S", time.perf_counter() - 100)
    workspace = Workspace.create(tmp_path / "work")
    assert sources.register(workspace).sources == ()
    outcome = pipeline.Outcome(results={}, failures=[], seconds=1.0)
    assert 100 <= summarise(workspace, outcome)["seconds"] < 110

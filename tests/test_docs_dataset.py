"""Every command that the documentation of the data set shows, on the two real episodes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.building import caer
from tests.conftest import REPOSITORY
from tests.test_docs import BLOCK, provide_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_EXPORTED = re.compile(r" -o (\S+)")


def commands(text: str) -> list[str]:
    """The lines of its console blocks that begin with a prompt."""
    shown = [block for kind, block in BLOCK.findall(text) if kind == "console"]
    return [line[2:] for block in shown for line in block.splitlines() if line.startswith("$ ")]


def pages() -> dict[str, list[str]]:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    section = readme.split("## Make the data set")[1].split("\n## ")[0]
    guide = (REPOSITORY / "docs" / "dataset.md").read_text("utf-8")
    return {"README.md": commands(section), "dataset.md": commands(guide)}


def provide_files(place: Path, voted: Path, data: Path) -> None:
    """What the commands name and do not make themselves."""
    shutil.copytree(voted, place / "work")
    shutil.copy(voted.parent / "votes.csv", place)
    (place / "episodes").symlink_to(data / "episodes")
    (place / "ferplus_votes.csv").symlink_to(data / "votes" / "ferplus_votes.csv")
    (place / "tabulatedVotes.csv").symlink_to(data / "votes" / "cremad_tabulated_votes.csv")
    boxes = place / "lists" / "train.txt"
    boxes.parent.mkdir()
    boxes.write_text("Anger/0001.png,0,304,120,382,219\n")
    caer("label", place / "work")
    # The way that is chosen leaks nothing: nobody meets a refusal who goes by the pages.
    caer("split", place / "work")
    caer("stills", place / "work")
    caer("export", place / "work", "-o", place / "their" / "CAER-S", "--format", "caer-s")


@pytest.mark.parametrize("page", ["README.md", "dataset.md"])
def test_every_example_runs(page: str, voted: Path, data: Path, tmp_path: Path) -> None:
    programs, place = tmp_path / "bin", tmp_path / "place"
    programs.mkdir()
    place.mkdir()
    provide_command(programs, short=False)
    provide_files(place, voted, data)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    lines = pages()[page]
    assert len(lines) > 5
    for line in lines:
        command = line
        exported = _EXPORTED.search(command)
        if exported:
            # The pages show several ways to the same place.
            shutil.rmtree(place / exported[1], ignore_errors=True)
        words = shlex.split(command, comments=True)
        if words[:2] == ["caer", "split"] and len(words) > 3:
            # Clips that stand do not move to another way.
            command = command.partition("#")[0] + " --anew"
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=place,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{page}: {line}\n{done.stdout}{done.stderr}"

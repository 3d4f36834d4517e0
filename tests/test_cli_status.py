"""Looking at a workspace: no id is cut, and nothing is written where nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caer_build import upkeep
from caer_build.cli.standing_table import table
from caer_build.records import Person
from caer_build.store import Workspace
from tests.building import caer
from tests.toy_workspace import Toy, add_episode

STAGES = ("ingest", "scan", "shots", "tracks", "embeddings", "clips", "screening", "cutting")
LONG = "a-show-with-a-very-long-name-indeed.s01e02-before-the-break"


@pytest.mark.parametrize("width", [None, 200, 80, 40])
def test_an_id_is_never_cut(width: int | None) -> None:
    states = {(stage, LONG): "done" for stage in STAGES}
    lines = [line.plain for line in table("episode", STAGES, states, width)]
    assert any(line.startswith(f"{LONG}  ") for line in lines)


def test_where_there_is_room_stages_and_states_are_words() -> None:
    states = {("ingest", "a.s01e01"): "done", ("scan", "a.s01e01"): "failed"}
    for width in (None, 80):
        lines = [line.plain for line in table("episode", STAGES[:3], states, width)]
        assert [line.split() for line in lines] == [
            ["episode", "ingest", "scan", "shots"],
            ["a.s01e01", "done", "failed", "missing"],
        ]


def test_where_there_is_none_they_are_signs_that_are_explained() -> None:
    states = {(stage, "lobby.s01e01"): "done" for stage in STAGES}
    states["cutting", "lobby.s01e01"] = "stale"
    head, row, legend = (line.plain for line in table("episode", STAGES, states, 60))
    assert head == "episode       1 2 3 4 5 6 7 8"
    assert row == "lobby.s01e01  ✓ ✓ ✓ ✓ ✓ ✓ ✓ ~"
    assert "8 cutting" in legend
    assert "~ stale" in legend
    assert "· missing" in legend


def test_into_a_pipe_nothing_is_cut_or_broken(tmp_path: Path) -> None:
    toy = Toy()
    add_episode(toy, LONG, 2)
    toy.persons.append(Person(f"toy-{LONG}-someone-else", "toy", "t", "A name", None, None))
    toy.write(tmp_path / "work")
    lines = caer("status", tmp_path / "work").stdout.splitlines()
    assert lines[0].split() == ["episode", *STAGES]
    assert lines[1].split() == [LONG, *["missing"] * len(STAGES)]
    assert f"toy-{LONG}-someone-else" in caer("person", "list", tmp_path / "work").stdout


def test_json_has_a_unit_by_stage(tmp_path: Path) -> None:
    toy = Toy()
    add_episode(toy, "toy.s01e01", 1)
    toy.write(tmp_path / "work")
    states = json.loads(caer("status", tmp_path / "work", "--json").stdout)
    assert states["toy.s01e01"]["scan"] == "missing"


def finished(workspace: Workspace, key: str) -> Path:
    with workspace.draft("scan", "toy.s01e01", key) as draft:
        (draft.folder / "table.txt").write_text("whole")
        return draft.commit({}).folder


def everything(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*")}


def test_verifying_writes_nothing_and_waits_for_nobody(tmp_path: Path) -> None:
    """So that it works on a disk that cannot be written, and beside a build."""
    toy = Toy()
    add_episode(toy, "toy.s01e01", 1)
    workspace = toy.write(tmp_path / "work")
    finished(workspace, "k1")
    before = everything(workspace.root)
    said = caer("verify", workspace.root)
    assert "1 result read, 0 broken" in said.stdout
    assert "Reading every file" in said.stderr
    caer("clean", workspace.root, "--dry-run")
    assert everything(workspace.root) == before
    with workspace.locked(print):
        assert caer("verify", workspace.root).returncode == 0


def test_a_result_in_the_making_is_not_broken(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "work")
    broken = finished(workspace, "k1")
    (broken / "table.txt").write_text("other")
    with workspace.draft("scan", "toy.s01e01", "k2") as draft:
        (draft.folder / "manifest.json").write_text("{")
        found = upkeep.verify(workspace, repair=False)
    assert (found.n_results, found.broken) == (1, ["stages/scan/toy.s01e01/k1"])

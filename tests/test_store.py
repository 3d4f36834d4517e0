"""The store: whole or absent, whatever stops a run."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from caer_build.errors import IntegrityError, StoreError
from caer_build.store import Workspace, write_atomically


def put(workspace: Workspace, key: str = "k1", data: bytes = b"abc") -> None:
    with workspace.draft("scan", "e1", key) as draft:
        (draft.folder / "a.bin").write_bytes(data)
        (draft.folder / "b.parquet").write_bytes(data[::-1])
        draft.facts["n"] = 3
        draft.commit({"stage": "scan", "unit": "e1"})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "work")


def test_a_committed_result_is_found_with_its_facts(workspace: Workspace) -> None:
    assert workspace.find("scan", "e1", "k1") is None
    put(workspace)
    found = workspace.find("scan", "e1", "k1")
    assert found is not None
    assert (found.key, found.facts["n"]) == ("k1", 3)
    assert found.path("a.bin").read_bytes() == b"abc"
    assert workspace.keys("scan", "e1") == ["k1"]


def test_what_is_not_committed_leaves_nothing(workspace: Workspace) -> None:
    with pytest.raises(RuntimeError), workspace.draft("scan", "e1", "k1") as draft:
        (draft.folder / "a.bin").write_bytes(b"abc")
        raise RuntimeError
    assert workspace.find("scan", "e1", "k1") is None
    assert not list((workspace.root / "stages").rglob("a.bin"))


def test_a_draft_of_a_killed_run_is_swept(workspace: Workspace) -> None:
    left = workspace.unit_folder("scan", "e1") / ".draft-k1"
    left.mkdir(parents=True)
    (left / "a.bin").write_bytes(b"half")
    workspace.sweep()
    assert not left.exists()


@pytest.mark.parametrize("name", ["a.bin", "b.parquet"])
def test_a_shorter_file_is_not_done(workspace: Workspace, name: str) -> None:
    put(workspace)
    (workspace.unit_folder("scan", "e1") / "k1" / name).write_bytes(b"ab")
    assert workspace.find("scan", "e1", "k1") is None


def test_a_changed_table_is_not_done_and_a_changed_array_is_refused(workspace: Workspace) -> None:
    put(workspace)
    folder = workspace.unit_folder("scan", "e1") / "k1"
    (folder / "a.bin").write_bytes(b"xyz")
    found = workspace.find("scan", "e1", "k1")
    assert found is not None
    with pytest.raises(IntegrityError, match="manifest"):
        found.path("a.bin")
    assert workspace.find("scan", "e1", "k1", every_digest=True) is None
    (folder / "b.parquet").write_bytes(b"xyz")
    assert workspace.find("scan", "e1", "k1") is None


def test_a_result_is_replaced_when_made_again(workspace: Workspace) -> None:
    put(workspace)
    put(workspace, data=b"new")
    found = workspace.find("scan", "e1", "k1")
    assert found is not None
    assert found.path("a.bin").read_bytes() == b"new"


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match="no workspace"):
        Workspace.create(tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        Workspace.create(tmp_path / "thesis.tex")
    with pytest.raises(StoreError, match="no workspace"):
        Workspace.open(tmp_path)


def test_a_workspace_that_is_just_being_made_is_one(tmp_path: Path) -> None:
    # What another process is about to rename into place, or was killed over.
    (tmp_path / ".workspace.json.4711").write_text("{")
    assert Workspace.create(tmp_path) == Workspace.open(tmp_path)


def _make_many(parent: Path, start: Barrier) -> None:
    for n in range(100):
        start.wait(60)
        Workspace.create(parent / str(n))


def test_two_make_a_workspace_at_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    pair = [spawn.Process(target=_make_many, args=(tmp_path, start)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join()
    assert [process.exitcode for process in pair] == [0, 0]


@pytest.mark.parametrize("name", ["/dev/null", "/dev/null/work", "/proc/work", "/" + "a" * 300])
def test_where_no_folder_can_be_is_said(name: str) -> None:
    with pytest.raises(StoreError, match=f"Cannot write to {name}: "):
        Workspace.create(Path(name))


def test_a_newer_format_is_refused(workspace: Workspace) -> None:
    (workspace.root / "workspace.json").write_text('{"format": 99}')
    with pytest.raises(StoreError, match="format 99"):
        Workspace.open(workspace.root)


def test_a_full_disk_says_so(workspace: Workspace) -> None:
    # /dev/full answers every write as a full disk does.
    target = workspace.root / "x"
    with pytest.raises(StoreError, match="full"):
        os.symlink("/dev/full", workspace.root / f".x.{os.getpid()}")
        write_atomically(target, b"data" * 10000)
    assert not target.exists()


HOLD = """
import sys, time
from pathlib import Path
from caer_build.store import Workspace
with Workspace.open(Path(sys.argv[1])).locked(print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_says_who_holds_and_death_releases(workspace: Workspace) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(workspace.root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    said: list[str] = []
    with (
        pytest.raises(StoreError, match=f"process {holder.pid}"),
        workspace.locked(said.append, patience_s=0.2),
    ):
        pass
    assert str(holder.pid) in said[0]
    holder.kill()
    holder.wait()
    with workspace.locked(said.append, patience_s=20):
        pass
    assert len(said) == 1

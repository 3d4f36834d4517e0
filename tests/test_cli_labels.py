"""``caer label`` on toy workspaces: its two tables are of one another, whoever works beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from caer_build.records import CountedVote
from caer_build.store import sha256_of
from caer_build.tables import facts_of, read_published, save
from tests.building import caer
from tests.toy_labels import labelled_toy


@pytest.mark.parametrize("command", ["split", "stills", "export"])
def test_votes_that_are_not_those_of_the_labels_are_refused(command: str, tmp_path: Path) -> None:
    workspace = labelled_toy(tmp_path / "work", ["aabbcc"])
    caer("split", workspace.root)
    votes = read_published(workspace, CountedVote)
    facts = facts_of(workspace, CountedVote)
    save(workspace, CountedVote, votes[1:], {**facts, "answers_sha256": "of another run"})
    out = ("-o", tmp_path / "CAER") if command == "export" else ()
    refused = caer(command, workspace.root, *out, check=False)
    assert refused.returncode == 1
    assert "are not those that its labels were made of" in refused.stderr
    assert "Run `caer label` again" in refused.stderr


@pytest.mark.parametrize("command", ["label", "split"])
def test_they_wait_for_who_holds_the_workspace(command: str, tmp_path: Path) -> None:
    workspace = labelled_toy(tmp_path / "work", ["aabbcc"])
    caer("split", workspace.root)
    table = workspace.tables / ("labels.parquet" if command == "label" else "splits.parquet")
    options = {
        "label": ("--votes", tmp_path / "votes.csv", "--rule", "majority"),
        "split": ("--by", "clip", "--anew"),
    }[command]
    words = [sys.executable, "-m", "caer_build.cli", command, workspace.root, *options]
    before = sha256_of(table)
    with workspace.locked(lambda _: None):
        waiting = subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        assert "waiting for it to finish" in waiting.stderr.readline()
        assert sha256_of(table) == before
    assert waiting.wait(60) == 0
    assert sha256_of(table) != before

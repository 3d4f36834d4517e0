"""``caer annotate import`` and ``export`` on a small project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from caer_build.annotation.database import Database
from caer_build.annotation.vote_files import write_csv
from caer_build.annotation.whereabouts import database_url
from caer_build.cli.annotate_votes import export_votes, import_votes
from caer_build.errors import CaerError
from caer_build.store import Workspace
from tests.annotating import frozen, make_project
from tests.voting import vote

CLIPS = [frozen(k) for k in range(30)]
IDS = [clip.clip_id for clip in CLIPS]

Caer = Callable[..., Result]


@pytest.fixture
def caer() -> Caer:
    """Runs a command; errors that were foreseen are raised."""
    app = typer.Typer()
    app.command("import")(import_votes)
    app.command("export")(export_votes)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with a project of nobody's votes."""
    workspace = Workspace.create(tmp_path / "work")
    database = Database(database_url(workspace, None))
    make_project(database, clips=CLIPS, n_people=0)
    database.close()
    return workspace.root


def test_votes_come_in_and_go_out(work: Path, tmp_path: Path, caer: Caer) -> None:
    given = tmp_path / "given.csv"
    votes = [vote(IDS[0], who) for who in ("ann", "bob", "cy", "dee")]
    with given.open("wb") as opened:
        write_csv(opened, votes)
    dry = caer("import", work, given, "--dry-run")
    assert dry.exit_code == 0
    assert "A dry run: nothing was kept." in dry.stdout
    done = caer("import", work, given)
    assert "4 votes found: 3 taken, 0 were there already, 1 refused; 3 new people." in done.stdout
    assert f"{given}, line 5: The clip has the answers of 3 people" in done.stderr
    again = json.loads(caer("import", work, given, "--json").stdout)
    assert (again["n_taken"], again["n_known"], again["n_refused"]) == (0, 3, 1)
    assert again["refusals"][0]["place"] == "line 5"
    out = tmp_path / "new folder" / "out.json"
    told = caer("export", work, out, "--latest")
    assert f"3 votes of 3 people on 1 clips: {out}, {out.with_suffix('.xml')}" in told.stdout
    exported = json.loads(
        caer("export", work, tmp_path / "votes", "--format", "csv", "--json").stdout
    )
    assert exported == {
        "files": [str(tmp_path / "votes")], "n_votes": 3, "n_clips": 1, "n_people": 3,
        "n_withdrawn": 0,
    }  # fmt: skip


def test_many_refusals_are_not_all_printed(work: Path, tmp_path: Path, caer: Caer) -> None:
    given = tmp_path / "given.csv"
    with given.open("wb") as opened:
        write_csv(opened, [vote(f"nowhere-{k}", "ann") for k in range(30)])
    done = caer("import", work, given)
    assert done.stderr.count("no clip nowhere") == 20
    assert "and 10 more" in done.stderr


def test_what_cannot_be(work: Path, tmp_path: Path, caer: Caer) -> None:
    with pytest.raises(CaerError, match="There is no file"):
        caer("import", work, tmp_path / "none.csv")
    with pytest.raises(CaerError, match="expected one of csv"):
        caer("export", work, tmp_path / "votes.xlsx")
    with pytest.raises(CaerError):
        caer("export", tmp_path / "no-workspace", tmp_path / "votes.csv")
    assert list(tmp_path.glob("*votes*")) == []

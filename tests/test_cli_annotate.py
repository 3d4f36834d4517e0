"""``caer annotate init|invite|status`` on the command line, as the person who runs a project."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.office import Office
from caer_build.annotation.whereabouts import database_url
from caer_build.arrow import from_table, to_table
from caer_build.records import Clip
from caer_build.store import Workspace
from tests.building import caer
from tests.serving import built

LINK = re.compile(r"http://127\.0\.0\.1:8501/join/\S{32}")


def rebuilt(workspace: Workspace, n_clips: int) -> None:
    """What another build with more, or fewer, clips leaves in the same place."""
    other = built(workspace.root.parent / f"again-{n_clips}", n_clips)
    for file in (*other.root.glob("tables/*"), *other.root.glob("clips/*")):
        target = workspace.root / file.relative_to(other.root)
        target.unlink(missing_ok=True)
        target.write_bytes(file.read_bytes())


def frozen_clips(workspace: Workspace) -> dict[str, tuple[str, int, bytes]]:
    database = Database(database_url(workspace, None))
    with database.reading() as connection:
        query = select(t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.position)
        found = {
            row.clip_id: (
                row.public_id,
                row.position,
                (workspace.root / "annotation" / "clips" / f"{row.public_id}.mp4").read_bytes(),
            )
            for row in connection.execute(query)
        }
    database.close()
    return found


def test_init_freezes_and_a_second_one_only_adds(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 3)
    first = caer("annotate", "init", workspace.root, "--set", "title=Pilot")
    assert "3 clips came in" in first.stdout
    assert LINK.search(first.stdout)
    before = frozen_clips(workspace)
    assert sorted(position for _, position, _ in before.values()) == [0, 1, 2]
    assert not any("toy" in public_id for public_id, _, _ in before.values())
    rebuilt(workspace, 5)
    stray = workspace.root / "annotation" / "clips" / "interrupted.mp4"
    stray.write_bytes(b"half")
    second = caer("annotate", "init", workspace.root)
    assert "The project had 3 clips; 2 clips came in." in second.stdout
    after = frozen_clips(workspace)
    assert {clip_id: after[clip_id] for clip_id in before} == before
    assert sorted(position for _, position, _ in after.values()) == [0, 1, 2, 3, 4]
    assert not stray.exists()
    rebuilt(workspace, 1)
    third = caer("annotate", "init", workspace.root)
    assert "0 clips came in" in third.stdout
    assert "4 of its clips are not kept by the build any more; they stay." in third.stdout
    assert frozen_clips(workspace) == after


def test_gold_from_a_table(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 3)
    caer("annotate", "init", workspace.root)
    first, second, _ = sorted(frozen_clips(workspace))
    table = tmp_path / "gold.csv"
    table.write_text(
        f"clip_id,emotion,reason,use\n{first},Fear,wide eyes,practice\n{second},Sad,slow,\n"
    )
    done = caer("annotate", "gold", workspace.root, table)
    assert "2 clips are gold: 1 check, 1 practice." in done.stdout
    assert "gold clips  2" in caer("annotate", "status", workspace.root).stdout
    counts = json.loads(caer("annotate", "gold", workspace.root, table, "--json").stdout)
    assert counts == {"check": 1, "practice": 1, "example": 0}


def test_clips_of_a_deleted_person_are_withdrawn(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 3)
    caer("annotate", "init", workspace.root)
    before = frozen_clips(workspace)
    table = workspace.tables / "clips.parquet"
    as_built = table.read_bytes()
    clips = from_table(Clip, pq.read_table(table))
    gone = clips[1].clip_id
    clips[1] = replace(
        clips[1], reject_reason="person_deleted", person_id=None, file=None, file_sha256=None
    )
    pq.write_table(to_table(Clip, clips), table)
    told = caer("annotate", "status", workspace.root).stderr
    assert "1 clips of deleted persons are still labelled here." in told
    done = caer("annotate", "init", workspace.root).stdout
    assert "The project had 3 clips; 0 clips came in." in done
    assert "1 clips of deleted persons were withdrawn" in done
    assert "they stay" not in done
    files = {file.name for file in (workspace.root / "annotation" / "clips").iterdir()}
    assert files == {f"{before[c][0]}.mp4" for c in before if c != gone}
    status = caer("annotate", "status", workspace.root)
    assert "still labelled" not in status.stderr
    assert "clips       2: " in status.stdout
    assert "withdrawn   1 clips" in status.stdout
    # A file that an interrupted withdrawal left goes, and another build does not bring it back.
    left = workspace.root / "annotation" / "clips" / f"{before[gone][0]}.mp4"
    left.write_bytes(b"x")
    half = left.with_name(f".{left.name}")
    half.write_bytes(b"x")
    table.write_bytes(as_built)
    again = caer("annotate", "init", workspace.root).stdout
    assert "The project had 2 clips; 0 clips came in." in again
    assert "withdrawn" not in again
    assert not left.exists()
    assert not half.exists()


def test_a_link_is_taken_back(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 1)
    caer("annotate", "init", workspace.root)
    for _ in range(2):
        caer("annotate", "invite", workspace.root, "--for", "Ada")
    wrong = caer("annotate", "revoke", workspace.root, "--for", "Eve", check=False)
    assert wrong.returncode == 1
    assert "found 'the first manager', 'Ada', 'Ada'" in wrong.stderr
    assert caer("annotate", "revoke", workspace.root, "--for", "Ada").stdout.startswith("2 links")
    again = caer("annotate", "revoke", workspace.root, "--for", "Ada", check=False)
    assert again.returncode == 1
    found = json.loads(caer("annotate", "status", workspace.root, "--json").stdout)
    assert found["waiting"] == 1


def test_settings_hold_and_all_problems_are_named_at_once(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 1)
    wrong = caer(
        "annotate", "init", workspace.root, "--set", "votes_per_clip=0", "--set", "colour=red",
        "--set", "confidence_steps=7", check=False,
    )  # fmt: skip
    assert wrong.returncode == 2
    assert "votes_per_clip" in wrong.stderr
    assert "colour" in wrong.stderr
    caer("annotate", "init", workspace.root, "--set", "confidence_steps=11", "--set", "seed=7")
    database = Database(database_url(workspace, None))
    assert (Office(database).settings.confidence_steps, Office(database).settings.seed) == (11, 7)
    database.close()
    again = caer("annotate", "init", workspace.root, "--set", "seed=8", check=False)
    assert again.returncode == 2
    assert "settings already" in again.stderr


def test_status_and_invite(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 2)
    early = caer("annotate", "status", workspace.root, check=False)
    assert early.returncode == 1
    assert "caer annotate init WORK" in early.stderr
    caer("annotate", "init", workspace.root, "--base-url", "https://label.lab.org/")
    link = caer("annotate", "invite", workspace.root, "--for", "Ada").stdout.strip()
    assert link.startswith("https://label.lab.org/join/")
    odd = caer("annotate", "invite", workspace.root, "--for", "x", "--role", "king", check=False)
    assert odd.returncode == 1
    found = json.loads(caer("annotate", "status", workspace.root, "--json").stdout)
    assert found["clips"] == 2
    assert found["votes_needed"] == 6
    assert found["waiting"] == 2
    assert found["people"] == {}
    shown = caer("annotate", "status", workspace.root).stdout
    assert "votes       0 of 6 (0.0%)" in shown


def test_options_that_cannot_be_right_are_refused(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 1)
    caer("annotate", "init", workspace.root)
    wrong = {
        ("--trust-header", "X-Remote-User"): "would let anybody be anybody",
        ("--trusted-proxy", "nowhere"): "is no address",
        ("--base-url", "label.lab.org"): "expected https://HOST",
        ("--base-url", "https://lab.org/label"): "expected https://HOST",
    }
    for options, said in wrong.items():
        done = caer("annotate", "serve", workspace.root, *options, check=False)
        assert done.returncode == 2, options
        assert said in done.stderr
    again = caer("annotate", "invite", workspace.root, "--for", "Ada")
    assert "127.0.0.1:8501" in again.stdout, "what was refused is not remembered"


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    workspace = built(tmp_path / "work", 1)
    caer("annotate", "init", workspace.root)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = caer("annotate", "serve", workspace.root, "--port", port, check=False)
    assert done.returncode == 1
    assert f"Nothing can listen on 127.0.0.1, port {port}: Address already in use." in done.stderr
    assert "Labelling at" not in done.stdout


def test_a_password_is_never_written_down(
    tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = built(tmp_path / "work", 1)
    database = Database(postgresql)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE cli_test")
    database.close()
    url = make_url(postgresql).set(database="cli_test", password="hunter2")
    caer(
        "annotate", "init", workspace.root, "--db",
        url.render_as_string(hide_password=False) + "?sslpassword=hunter3",
    )  # fmt: skip
    for file in (workspace.root / "annotation").rglob("*"):
        assert not file.is_file() or b"hunter" not in file.read_bytes()
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert json.loads(caer("annotate", "status", workspace.root, "--json").stdout)["clips"] == 1
    assert not (workspace.root / "annotation" / "votes.sqlite").exists()

"""Names: what they may be, how they compare, and people who join at the same moment."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import invite, join, say_shows
from caer_build.annotation.database import Database
from caer_build.annotation.passwords import hashed
from caer_build.annotation.signing_in import Attempt, sign_in
from caer_build.annotation.texts import checked_languages, checked_name, checked_reason, folded
from caer_build.errors import CaerError, VoteError
from tests.annotating import Project, make_project

PASSWORD = "correct horse battery"
_HASH = hashed(PASSWORD)


def joined(project: Project, name: str) -> int:
    with project.database.writing() as connection:
        token = invite(connection, "annotator", "", None, project.clock())
        return join(connection, token, name, project.clock(), password_hash=_HASH)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Émile", "émile"), ("ÄNNE", "änne"), ("Çağlar", "ÇAĞLAR"), ("Groß", "GROSS"),
        ("Jos\u00e9", "Jose\u0301"), ("Søren", " sØREN "), ("李娜", "李娜"), ("Ольга", "ОЛЬГА"),
    ],
)  # fmt: skip
def test_a_name_is_found_whatever_its_case(database: Database, name: str, typed: str) -> None:
    """SQLite by itself knows the case of A to Z only."""
    project = make_project(database, n_clips=1, n_people=0)
    me = joined(project, name)
    assert sign_in(database, Attempt(typed, "192.0.2.1"), PASSWORD, project.clock()) == me
    with pytest.raises(VoteError, match="name is taken"):
        joined(project, typed)


@pytest.mark.parametrize(
    "name", ["Ada", "Anne-Marie O'Neill", "Dr. Jürgen Müller, jr.", "R2 (pilot)", "Nguyễn Thị Ánh"]
)
def test_people_may_be_called_so(name: str) -> None:
    assert checked_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "x" * 81,
        "<b>Ada</b>",
        "'; DROP TABLE vote; --",
        "a\nb",
        "{{ 7 }}",
        'say "x"',
        "a\\b",
    ],
)
def test_nobody_is_called_so(name: str) -> None:
    with pytest.raises(VoteError):
        checked_name(name)


def test_languages_and_reasons() -> None:
    assert checked_languages(" German,  Français (C1),\n中文 ") == "German, Français (C1), 中文"
    assert checked_reason("It's cut off; the last word is missing - 2 s.") != ""
    for languages in ("", "German; DROP TABLE x", "<script>", "x" * 201):
        with pytest.raises(VoteError):
            checked_languages(languages)
    for reason in ("<img src=x>", "a\0b", "x" * 501):
        with pytest.raises(VoteError):
            checked_reason(reason)
    assert folded("Ǆ") == folded("ǆ")


def test_only_shows_of_the_project_are_known(database: Database) -> None:
    project = make_project(database, n_clips=1)
    me, now = project.people[0], project.clock()
    with database.writing() as connection:
        say_shows(connection, me, {"lobby": True}, now)
        say_shows(connection, me, {"lobby": False}, now)  # sent twice: the first one stands
    with pytest.raises(VoteError, match="no show"), database.writing() as connection:
        say_shows(connection, me, {"' OR 1=1 --": True}, now)
    with database.reading() as connection:
        assert [row.knows for row in connection.execute(select(t.knows_show))] == [True]


def test_people_who_join_at_the_same_moment(database: Database) -> None:
    """Each has another alias; of two who want one name, one is told."""
    project = make_project(database, n_clips=1, n_people=0)
    names = [*(f"Person {k}" for k in range(10)), "Ada", "ADA"]
    with database.writing() as connection:
        tokens = [invite(connection, "annotator", "", None, project.clock()) for _ in names]
    ready, said = threading.Barrier(len(names)), []

    def come_in(token: str, name: str) -> None:
        ready.wait()
        try:
            with database.writing() as connection:
                join(connection, token, name, project.clock(), password_hash=_HASH)
        except Exception as error:  # noqa: BLE001  (what it is, is looked at below)
            said.append(error)

    threads = [threading.Thread(target=come_in, args=p) for p in zip(tokens, names, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        aliases = connection.scalars(select(t.annotator.c.alias).order_by(t.annotator.c.alias))
        assert list(aliases) == [f"a{k:03d}" for k in range(1, 12)]
    assert [str(error) for error in said if isinstance(error, CaerError)] == [
        "This name is taken. Choose another one."
    ]
    assert len(said) == 1

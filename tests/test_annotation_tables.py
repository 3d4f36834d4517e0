"""The migrations make the tables that the code declares, on either database."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from caer_build.annotation.project import raise_votes
from caer_build.annotation.upgrading import upgrade
from caer_build.errors import StoreError
from tests.annotating import answer_to, make_project


def test_migrations_and_declarations_agree(database: Database) -> None:
    with database.writing() as connection:
        upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


def test_what_is_there_survives_an_upgrade(database: Database) -> None:
    """From the first version: people keep their names, and open errands run out."""
    with database.writing() as connection:
        upgrade(connection, "0001")
        for name, password in (("Émile", "x"), ("ÉMILE", "x"), ("imported: Émile", None)):
            connection.execute(
                text("INSERT INTO annotator (alias, name, role, password_hash, created_at) "
                     "VALUES (:name, :name, 'annotator', :password, 0)"),
                {"name": name, "password": password},
            )  # fmt: skip
        upgrade(connection)
        rows = connection.execute(
            select(t.annotator.c.name, t.annotator.c.name_key).order_by(t.annotator.c.annotator_id)
        ).all()
        second = connection.scalar(
            select(t.annotator.c.annotator_id).where(t.annotator.c.name == "ÉMILE")
        )
    assert [tuple(row) for row in rows] == [
        ("Émile", "émile"), ("ÉMILE", f"émile {second}"), ("imported: Émile", None),
    ]  # fmt: skip
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(
            insert(t.annotator).values(alias="z", name="éMILE", role="annotator", created_at=0)
        )


def test_a_clip_has_no_more_slots_than_it_needs(database: Database) -> None:
    """A fourth vote needs a fourth slot, and the database makes none by itself."""
    project = make_project(database, n_clips=1, n_people=4)
    for person in project.people[:3]:
        project.office.answer(person, answer_to(project.office.leases(person)[0]))
    with database.reading() as connection:
        clip_id = connection.scalar(select(t.clip.c.clip_id)) or ""
    fourth = {"clip_id": clip_id, "slot": 4, "annotator_id": project.people[3], "answered": True}
    with pytest.raises(IntegrityError, match="no more slots"), database.writing() as connection:
        connection.execute(insert(t.slot).values(**fourth))
    with pytest.raises(IntegrityError, match="no more slots"), database.writing() as connection:
        connection.execute(update(t.slot).where(t.slot.c.slot == 3).values(slot=4))
    with pytest.raises(IntegrityError, match="needs fewer"), database.writing() as connection:
        connection.execute(update(t.clip).values(n_slots=2))
    with database.writing() as connection:
        assert raise_votes(connection, [clip_id], 4) == 1
    assert len(project.office.leases(project.people[3])) == 1


def test_upgrading_again_changes_nothing(database: Database) -> None:
    for _ in range(2):
        with database.writing() as connection:
            upgrade(connection)
    with database.writing() as connection:
        connection.execute(insert(t.setting).values(key="kept", value="1"))
        upgrade(connection)
    with database.reading() as connection:
        assert connection.scalar(select(t.setting.c.value)) == "1"


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.writing() as connection:
        upgrade(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="does not fit this version"), database.writing() as c:
        upgrade(c)


@pytest.mark.parametrize("url", ["votes.sqlite", "mysql://host/votes", "sqlite+nope:///x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="expected sqlite:///FILE"):
        Database(url)


def test_sqlite_survives_a_loss_of_power(tmp_path: Path) -> None:
    """What SQLite's documentation asks for: a write-ahead log that is synced at every commit."""
    database = Database(sqlite_url(tmp_path / "votes.sqlite"))
    with database.reading() as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 20_000,
    }  # fmt: skip

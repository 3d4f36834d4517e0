"""The migrations make the tables that the code declares, on either database."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from caer_build.annotation.upgrading import upgrade
from caer_build.errors import StoreError


def test_migrations_and_declarations_agree(database: Database) -> None:
    with database.writing() as connection:
        upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []


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

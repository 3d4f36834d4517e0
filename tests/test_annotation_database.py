"""PostgreSQL that goes away and comes back."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, select, text

from caer_build.annotation import database as module
from caer_build.annotation.database import Database
from caer_build.errors import StoreError


def cut_off(url: str) -> None:
    """Ends all other connections, as a restart of the server does."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(text(f"{ended} WHERE {others}"))
    engine.dispose()


def works(database: Database) -> bool:
    with database.reading() as connection:
        return connection.scalar(select(1)) == 1


def test_after_a_rest_a_connection_is_made_anew(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RESTED_S", 0.0)
    database = Database(postgresql)
    assert works(database)
    cut_off(postgresql)
    assert works(database), "whoever comes first after a night notices nothing"
    database.close()


def test_in_the_middle_of_work_one_request_is_told_so(postgresql: str) -> None:
    database = Database(postgresql)
    assert works(database)
    cut_off(postgresql)
    with pytest.raises(StoreError, match="cannot be reached"):
        works(database)
    assert works(database), "and the same again succeeds"
    database.close()

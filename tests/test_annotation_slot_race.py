"""PostgreSQL: two people after the same place of a clip at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, select, text
from sqlalchemy.engine import make_url

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.leasing import Desk, Lease, take_slot
from tests.annotating import Project, make_project
from tests.chaos.checker import faults_of_books

_LOOK = "UPDATE clip SET n_open"
_GATE = 71


@pytest.fixture
def postgresql_database(postgresql: str) -> Iterator[Database]:
    """An empty database on PostgreSQL."""
    server = make_url(postgresql)
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE slot_race"))
    opened = Database(server.set(database="slot_race").render_as_string(hide_password=False))
    yield opened
    opened.close()
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE slot_race"))
    engine.dispose()


def a_desk(project: Project, annotator_id: int) -> Desk:
    return Desk(project.office.settings, "secret", annotator_id, project.clock())


def the_slots(connection: Connection, clip_id: str) -> list[int | None]:
    rows = connection.scalars(
        select(t.slot.c.annotator_id).where(t.slot.c.clip_id == clip_id).order_by(t.slot.c.slot)
    )
    return list(rows)


def wait_until_it_waits(thread: threading.Thread, connection: Connection) -> None:
    """For the gate, in the middle of a statement that has begun."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    while not connection.scalar(waiting):
        assert thread.is_alive(), "it never came to the gate"


@pytest.mark.parametrize("n_places", [1, 2])
def test_a_place_that_went_between_look_and_lock_is_not_taken(
    postgresql_database: Database, n_places: int
) -> None:
    database = postgresql_database
    project = make_project(database, n_clips=1, n_people=2, votes_per_clip=n_places)
    quick, slow = project.people
    with database.reading() as connection:
        clip_id = connection.scalar(select(t.clip.c.clip_id)) or ""

    taken: list[Lease | None] = []

    def take_slowly() -> None:
        """Its look has begun, and sees the clip as it was then, when the other takes a place."""
        with database.writing() as connection:

            @event.listens_for(connection, "before_cursor_execute", retval=True)
            def _stop_at_the_gate(
                _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
            ) -> tuple[str, Any]:
                if statement.startswith(_LOOK):
                    gate = f"WHERE pg_advisory_xact_lock({_GATE}) IS NOT NULL AND "
                    statement = statement.replace("WHERE ", gate, 1)
                return statement, parameters

            taken.append(take_slot(connection, a_desk(project, slow), clip_id))

    with database.engine.connect() as gate, database.engine.connect() as looker:
        gate.execute(text(f"SELECT pg_advisory_lock({_GATE})"))
        gate.commit()
        thread = threading.Thread(target=take_slowly)
        thread.start()
        wait_until_it_waits(thread, looker)
        with database.writing() as connection:
            first = take_slot(connection, a_desk(project, quick), clip_id)
        gate.execute(text(f"SELECT pg_advisory_unlock({_GATE})"))
        gate.commit()
        thread.join()

    assert first is not None
    [second] = taken
    assert (second is not None) == (n_places == 2), "it looks again, and takes another or none"
    with database.reading() as connection:
        assert the_slots(connection, clip_id) == [quick, slow][:n_places]
        assert faults_of_books(connection) == []


def test_nobody_waits_for_a_clip_that_somebody_is_taking(postgresql_database: Database) -> None:
    database = postgresql_database
    project = make_project(database, n_clips=1, n_people=2)
    quick, slow = project.people
    with database.reading() as connection:
        clip_id = connection.scalar(select(t.clip.c.clip_id)) or ""
    with database.writing() as one, database.writing() as other:
        other.execute(text("SET LOCAL lock_timeout = '10s'"))  # to fail, not to hang
        assert take_slot(one, a_desk(project, quick), clip_id) is not None
        assert take_slot(other, a_desk(project, slow), clip_id) is None

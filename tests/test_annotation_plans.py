"""An answer reads no table whole, and asks the database few things: in a large project, or with
PostgreSQL a network away, everybody who answers would be held up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import event, update

from caer_build.annotation import sessions
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from tests.annotating import answer_to, make_project

_WHOLE = re.compile(r"SCAN (clip|slot|errand|declined|vote|annotator|session|event)\b")


def test_an_answer_and_the_next_clip_are_few_statements(database: Database) -> None:
    """To PostgreSQL each of them is a way there and back. Beginning and ending the transaction
    are two more; the session, and what the page is told, three."""
    project = make_project(database, n_clips=200, n_people=6)
    counted: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            counted.append(statement)

    leases = {person: project.office.leases(person) for person in project.people}
    event.listen(database.engine, "before_cursor_execute", note)
    for number in range(120):
        person = project.people[number % 6]
        outcome = project.office.answer(person, answer_to(leases[person][0]))
        leases[person] = outcome.leases
    event.remove(database.engine, "before_cursor_execute", note)
    assert len(counted) / 120 <= 11


def test_no_table_is_read_whole_for_an_answer(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "votes.sqlite"))
    project = make_project(
        database, n_clips=60, n_people=3, gold_share=0.3, repeat_share=0.3, repeat_after=2
    )
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked[statement] = parameters

    with database.writing() as connection:
        connection.execute(
            update(t.clip)
            .where(t.clip.c.position % 10 == 0)
            .values(gold_emotion="Happy", gold_reason="she laughs")
        )
        tokens = [sessions.open_session(connection, p, project.clock()) for p in project.people]
    event.listen(database.engine, "before_cursor_execute", note)
    for _ in range(10):
        for person, token in zip(project.people, tokens, strict=True):
            project.clock.pass_s(5)
            sessions.visit(database, token, project.clock())
            project.office.answer(person, answer_to(project.office.leases(person)[0]))
    event.remove(database.engine, "before_cursor_execute", note)

    with database.reading() as connection:
        rows = {
            statement: connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            ).all()
            for statement, parameters in asked.items()
            if statement.startswith(("SELECT", "UPDATE", "INSERT"))
        }
        purposes = set(connection.scalars(t.vote.select().with_only_columns(t.vote.c.purpose)))
    database.close()
    assert purposes == {"vote", "gold", "repeat"}, "all kinds were looked for"
    whole = {s: [row[3] for row in found] for s, found in rows.items()}
    assert {s: plan for s, plan in whole.items() if any(map(_WHOLE.match, plan))} == {}

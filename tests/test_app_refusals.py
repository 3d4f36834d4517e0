"""The log of refusals: a flood is counted, and no count is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from annotator_app.place import Place
from annotator_app.web import refusals as module
from annotator_app.web.refusals import AGAIN_MS, Refusals
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from caer_build.store import Workspace
from tests.annotating import Project, make_project

ADDRESS = "198.51.100.7"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(Database(sqlite_url(tmp_path / "votes.sqlite")), n_clips=1, n_people=1)


@pytest.fixture
def refusals(project: Project, tmp_path: Path) -> Refusals:
    return Refusals(Place(Workspace.create(tmp_path / "work"), project.office))


def lines(project: Project) -> list[str]:
    with project.database.reading() as connection:
        rows = connection.execute(select(t.event).order_by(t.event.c.event_id)).all()
    assert all(row.address for row in rows)
    return [row.detail for row in rows]


def during(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_what_comes_again_is_counted_and_written_when_time_is_over(
    project: Project, refusals: Refusals
) -> None:
    async def flood() -> None:
        for _ in range(8):
            await refusals.note("GET /x: no", ADDRESS)
        await refusals.write_counts(AGAIN_MS)

    during(flood)
    assert lines(project) == ["GET /x: no"]
    project.clock.ms += AGAIN_MS
    during(lambda: refusals.write_counts(AGAIN_MS))
    assert lines(project) == ["GET /x: no", "GET /x: no (7 times more)"]
    during(lambda: refusals.write_counts(AGAIN_MS))
    assert len(lines(project)) == 2, "once"


def test_what_comes_once_more_later_says_how_often_it_came_before(
    project: Project, refusals: Refusals
) -> None:
    async def twice() -> None:
        for _ in range(3):
            await refusals.note("GET /x: no", ADDRESS)

    during(twice)
    project.clock.ms += AGAIN_MS
    during(twice)
    assert lines(project) == ["GET /x: no", "GET /x: no (2 times more before)"]


def test_a_server_that_stops_writes_what_it_has_counted(
    project: Project, refusals: Refusals
) -> None:
    async def serve() -> None:
        async with refusals.kept():
            for _ in range(4):
                await refusals.note("GET /x: no", ADDRESS)

    during(serve)
    assert lines(project) == ["GET /x: no", "GET /x: no (3 times more)"]


def test_what_is_forgotten_over_others_is_written_first(
    project: Project, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)

    async def many() -> None:
        for what in ("a", "a", "a", "b", "c"):
            await refusals.note(what, ADDRESS)

    during(many)
    assert lines(project) == ["a", "b", "c", "a (2 times more)"]


def test_an_address_that_floods_with_ever_other_things(
    project: Project, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_room", module.Buckets(burst=3, per_s=0.0))

    async def serve() -> None:
        async with refusals.kept():
            for number in range(10):
                await refusals.note(f"GET /{number}: no", ADDRESS)

    during(serve)
    assert lines(project) == [
        "GET /0: no", "GET /1: no", "GET /2: no", "7 other requests, of which nothing was written",
    ]  # fmt: skip


def test_a_database_that_is_away_stops_nobody(project: Project, refusals: Refusals) -> None:
    with project.database.writing() as connection:
        t.event.drop(connection)
    during(lambda: refusals.note("GET /x: no", ADDRESS))

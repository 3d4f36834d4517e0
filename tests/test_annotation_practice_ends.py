"""A qualification round whose clips go away meanwhile: nobody stays behind in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from caer_build.annotation import gold
from caer_build.annotation import tables as t
from caer_build.annotation.accounts import account
from caer_build.annotation.database import Database
from caer_build.annotation.leasing import Lease
from caer_build.annotation.review import find_clip
from caer_build.annotation.viewing import practice_is_failed
from caer_build.annotation.withdrawal import withdraw
from tests.annotating import Project, answer_to, make_project


def practising(database: Database, n_practice: int) -> tuple[Project, int, int]:
    """A project whose round has two clips; its manager, and somebody who has to practise."""
    project = make_project(database, n_clips=8, n_people=0, practice_clips=2)
    manager, me = project.add_person(role="manager"), project.add_person(qualified=False)
    with database.writing() as connection:
        for number in range(n_practice):
            clip_id = find_clip(connection, f"p{number:05d}") or ""
            gold.mark_gold(connection, clip_id, "Fear", "wide eyes", by=manager, now_ms=1)
            gold.set_use(connection, clip_id, "practice", manager, 1)
    return project, manager, me


def withdrawn(project: Project, _manager: int, lease: Lease) -> None:
    with project.database.writing() as connection:
        assert withdraw(connection, lease.clip_id, project.clock())


def no_practice_any_more(project: Project, manager: int, lease: Lease) -> None:
    with project.database.writing() as connection:
        gold.set_use(connection, lease.clip_id, "check", manager, project.clock())


def passed_on(project: Project, _manager: int, lease: Lease) -> None:
    me = project.people[1]
    project.office.decline(me, lease.public_id, lease.ticket)


@pytest.mark.parametrize("lose", [withdrawn, no_practice_any_more, passed_on])
def test_who_loses_the_last_practice_clip_goes_on(
    database: Database, lose: Callable[[Project, int, Lease], None]
) -> None:
    project, manager, me = practising(database, n_practice=2)
    first, second = project.office.leases(me)
    outcome = project.office.answer(me, answer_to(first, "Fear"))
    assert outcome.feedback is not None
    assert outcome.feedback.passed is None, "one is to come"
    lose(project, manager, second)
    leases = project.office.leases(me)
    assert [lease.purpose for lease in leases] == ["vote", "vote"]
    with database.reading() as connection:
        assert account(connection, me).qualified
        detail = connection.scalar(
            select(t.event.c.detail).where(t.event.c.kind == "practice_cut_short")
        )
    assert detail == "no practice clip was left after 1 of 2"


def test_a_round_of_which_nothing_is_left_is_skipped(database: Database) -> None:
    project, manager, me = practising(database, n_practice=1)
    [only] = project.office.leases(me)
    withdrawn(project, manager, only)
    assert [lease.purpose for lease in project.office.leases(me)] == ["vote", "vote"]


def test_what_was_answered_before_decides(database: Database) -> None:
    project, manager, me = practising(database, n_practice=2)
    first, second = project.office.leases(me)
    project.office.answer(me, answer_to(first, "Sad"))
    withdrawn(project, manager, second)
    assert project.office.leases(me) == (), "the only answer was not the expected one"
    with database.reading() as connection:
        assert not account(connection, me).qualified
        assert practice_is_failed(connection, me), "the page says whom to talk to"


def test_a_clip_that_comes_instead_is_practised_on_first(database: Database) -> None:
    project, manager, me = practising(database, n_practice=3)
    held = project.office.leases(me)
    for lease in held:
        withdrawn(project, manager, lease)
    [other] = project.office.leases(me)
    assert other.purpose == "practice"
    with database.reading() as connection:
        assert not account(connection, me).qualified

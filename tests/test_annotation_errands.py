"""Errands: gold, repeats and ties are held as votes are, and answered by their own ticket."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import Account, account
from caer_build.annotation.adjudication import TIES
from caer_build.annotation.database import Database
from caer_build.annotation.leasing import Lease
from caer_build.annotation.viewing import watchable
from caer_build.errors import DuplicateVote, LeaseLost, NotAllowed
from tests.annotating import Project, answer_to, make_project

LEASE_S = 300


def made(database: Database, **shares: object) -> tuple[Project, int]:
    """One person, who is given much that does not count."""
    project = make_project(database, n_clips=60, n_people=1, lease_s=LEASE_S, **shares)
    with database.writing() as connection:
        connection.execute(
            update(t.clip)
            .where(t.clip.c.position < 20)
            .values(gold_emotion="Happy", gold_reason="she laughs")
        )
    return project, project.people[0]


def until(project: Project, me: int, purpose: str) -> tuple[Lease, dict[str, Lease]]:
    """Works until such a clip is held; it, and what was answered before, by clip_id."""
    before: dict[str, Lease] = {}
    for _ in range(200):
        leases = project.office.leases(me)
        found = [lease for lease in leases if lease.purpose == purpose]
        if found and (purpose != "repeat" or found[0].clip_id in before):
            return found[0], before
        before[leases[0].clip_id] = leases[0]
        project.office.answer(me, answer_to(leases[0], "Sad"))
        project.clock.pass_s(6)
    raise AssertionError(f"no {purpose} came up")


def who(project: Project, me: int) -> Account:
    with project.database.reading() as connection:
        return account(connection, me)


def may_see(project: Project, me: int, name: str) -> bool:
    with project.database.reading() as connection:
        return watchable(connection, who(project, me), name, project.clock()) is not None


def test_a_repeat_is_answered_by_its_own_ticket_only(database: Database) -> None:
    project, me = made(database, repeat_share=0.5, repeat_after=2)
    repeat, before = until(project, me, "repeat")
    first = before[repeat.clip_id]
    assert repeat.public_id != first.public_id
    with pytest.raises(DuplicateVote, match="answered this clip already"):
        project.office.answer(me, answer_to(first, "Fear"))
    for crossed in (
        replace(repeat, ticket=first.ticket), replace(first, ticket=repeat.ticket),
    ):  # fmt: skip
        with pytest.raises(NotAllowed, match="not given to you"):
            project.office.answer(me, answer_to(crossed, "Fear"))
    assert project.office.answer(me, answer_to(repeat, "Fear")).receipt.purpose == "repeat"
    reopened = project.office.reopen(me)
    assert reopened is not None
    assert reopened[0].public_id == repeat.public_id
    again = project.office.answer(
        me, answer_to(reopened[0], "Sad", revises=reopened[1]["request_id"])
    )
    assert (again.receipt.purpose, again.receipt.revision) == ("repeat", 2)


def test_the_name_of_a_repeat_is_for_its_own_person(database: Database) -> None:
    project, me = made(database, repeat_share=0.5, repeat_after=2)
    repeat, _ = until(project, me, "repeat")
    other, boss = project.add_person(), project.add_person(role="manager")
    assert may_see(project, me, repeat.public_id)
    assert not may_see(project, other, repeat.public_id)
    assert not may_see(project, boss, repeat.public_id)


@pytest.mark.parametrize("purpose", ["vote", "gold", "repeat"])
def test_all_kinds_run_out_alike(database: Database, purpose: str) -> None:
    """What is shown after a long break says nothing of what it is for."""
    project, me = made(database, gold_share=0.3, repeat_share=0.3, repeat_after=2)
    lease, _ = until(project, me, purpose)
    assert may_see(project, me, lease.public_id)
    project.clock.pass_s(LEASE_S - 1)
    project.office.renew(me)
    project.clock.pass_s(LEASE_S - 1)
    assert may_see(project, me, lease.public_id)
    assert lease in project.office.leases(me)
    project.clock.pass_s(LEASE_S + 1)
    assert not may_see(project, me, lease.public_id)
    assert lease.ticket not in {held.ticket for held in project.office.leases(me)}
    project.office.renew(me)
    assert lease.ticket not in {held.ticket for held in project.office.leases(me)}
    taken = project.office.answer(me, answer_to(lease)).receipt
    assert taken.purpose == purpose, "a late answer is taken, for nobody else has it"
    assert may_see(project, me, lease.public_id), "undo shows it again"


def test_practice_waits(database: Database) -> None:
    project, _ = made(database, practice_clips=2)
    with database.writing() as connection:
        connection.execute(update(t.clip).where(t.clip.c.position < 5).values(is_practice=True))
    me = project.add_person(qualified=False)
    before = project.office.leases(me)
    project.clock.pass_s(10 * LEASE_S)
    assert project.office.leases(me) == before
    assert may_see(project, me, before[0].public_id)


def tied(database: Database) -> tuple[Project, int, int]:
    """A tie, and two adjudicators."""
    project = make_project(database, n_clips=1, lease_s=LEASE_S)
    for person, emotion in zip(project.people, ("Sad", "Fear", "Anger"), strict=True):
        project.office.answer(person, answer_to(project.office.leases(person)[0], emotion))
    return project, project.add_person(role="adjudicator"), project.add_person(role="adjudicator")


def test_a_tie_is_kept_while_its_page_is_open(database: Database) -> None:
    project, first, second = tied(database)
    lease = project.office.dispute(first, TIES)
    assert lease is not None
    for _ in range(5):
        project.clock.pass_s(LEASE_S * 0.75)
        project.office.renew(first)
        assert project.office.dispute(second, TIES) is None
    project.clock.pass_s(5)
    project.office.decide(first, answer_to(lease, "Fear"))


def test_a_tie_is_decided_once(database: Database) -> None:
    project, first, second = tied(database)
    mine = project.office.dispute(first, TIES)
    assert mine is not None
    project.clock.pass_s(LEASE_S + 1)
    assert project.office.dispute(first, TIES) == mine, "nobody else has it yet"
    theirs = project.office.dispute(second, TIES)
    assert theirs is not None
    assert theirs.clip_id == mine.clip_id
    assert project.office.dispute(first, TIES) is None
    project.office.renew(first)
    assert not may_see(project, first, mine.public_id)
    for _ in range(2):  # while the second one is at it, and after they have decided
        with pytest.raises(LeaseLost, match="given to another adjudicator"):
            project.office.decide(first, answer_to(mine, "Sad"))
        project.clock.pass_s(5)
        if not n_decided(project):
            project.office.decide(second, answer_to(theirs, "Fear"))
    assert n_decided(project) == 1
    assert project.office.dispute(first, TIES) is None


def n_decided(project: Project) -> int:
    with project.database.reading() as connection:
        query = select(func.count()).where(t.vote.c.purpose == "adjudication")
        return connection.scalar(query) or 0

"""What a page says of itself is believed only as far as the server's own clock allows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from caer_build.annotation import suspicion
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.working_time import worked
from caer_build.errors import DuplicateVote, NotAllowed
from tests.annotating import Project, answer_to, frozen, make_project

_LENGTH_S = 4


def slow_project(database: Database, n_people: int = 1, **settings: object) -> Project:
    """Clips of four seconds."""
    clips = [replace(frozen(k), length_ms=_LENGTH_S * 1000) for k in range(40)]
    return make_project(database, clips=clips, n_people=n_people, **settings)


def test_no_answer_comes_before_the_clip_can_have_been_heard(database: Database) -> None:
    project = slow_project(database)
    [me] = project.people
    lease = project.office.leases(me)[0]
    project.clock.pass_s(_LENGTH_S / 2)
    hasty = answer_to(lease, shown_ms=60_000, play_count=9)
    with pytest.raises(NotAllowed, match="Less time has passed"):
        project.office.answer(me, hasty)
    project.clock.pass_s(_LENGTH_S / 2)
    assert project.office.answer(me, hasty).receipt.revision == 1, "a moment later it is taken"


def test_the_next_clip_is_not_heard_while_the_last_one_is(database: Database) -> None:
    """It was given out long ago, to load; but it is shown when the one before is answered."""
    project = slow_project(database)
    [me] = project.people
    first, second = project.office.leases(me)
    project.clock.pass_s(60)
    project.office.answer(me, answer_to(first))
    project.clock.pass_s(1)
    with pytest.raises(NotAllowed, match="Less time has passed"):
        project.office.answer(me, answer_to(second))
    project.clock.pass_s(_LENGTH_S)
    project.office.answer(me, answer_to(second))


def test_who_answers_in_another_window_is_told_so_and_not_to_wait(database: Database) -> None:
    project = slow_project(database)
    [me] = project.people
    lease = project.office.leases(me)[0]
    project.clock.pass_s(5)
    project.office.answer(me, answer_to(lease, "Sad"))
    with pytest.raises(DuplicateVote, match="answered this clip already"):
        project.office.answer(me, answer_to(lease, "Fear"))


def test_a_minute_of_answers_is_a_minute(database: Database) -> None:
    """Whoever sends as fast as they can, and says that each clip was shown for five minutes."""
    project = slow_project(database)
    [me] = project.people
    began = project.clock()
    while project.clock() < began + 60_000:
        lease = project.office.leases(me)[0]
        try:
            far = answer_to(lease, shown_ms=290_000, waited_ms=280_000)
            project.office.answer(me, far)
        except NotAllowed:
            project.clock.pass_s(0.25)
    with database.reading() as connection:
        votes = connection.execute(select(t.vote).order_by(t.vote.c.vote_id)).all()
        [day] = worked(connection, 0, project.clock() + 1)
    assert 10 <= len(votes) <= 60 / (_LENGTH_S * 0.95 - 0.25) + 1
    assert all(v.shown_at >= began and v.answered_at >= v.shown_at for v in votes)
    assert day.worked_ms <= 60_000


def test_who_was_offline_keeps_the_times(database: Database) -> None:
    """The answer waited in the browser: it counts from when it was given."""
    project = slow_project(database)
    [me] = project.people
    lease = project.office.leases(me)[0]
    project.clock.pass_s(600)
    project.office.answer(me, answer_to(lease, shown_ms=9000, waited_ms=500_000))
    with database.reading() as connection:
        vote = connection.execute(select(t.vote)).one()
    assert vote.received_at - vote.answered_at == 500_000
    assert vote.answered_at - vote.shown_at == 9000


def test_honest_turns_are_not_held_up(database: Database) -> None:
    """Undo in the middle of a clip that was heard already; a tie in another tab meanwhile."""
    project = slow_project(database, n_people=1)
    [me] = project.people
    first, second = project.office.leases(me)
    project.clock.pass_s(5)
    project.office.answer(me, answer_to(first, "Sad"))
    project.clock.pass_s(5)  # the second one is heard
    reopened = project.office.reopen(me)
    assert reopened is not None
    change = answer_to(reopened[0], "Fear", revises=reopened[1]["request_id"])
    project.office.answer(me, change)
    project.office.answer(me, answer_to(second))
    third = project.office.leases(me)[0]
    project.clock.pass_s(1)
    broken = answer_to(third, None, flag="broken", reason="no sound", heard=False)
    project.office.answer(me, broken)


def test_an_adjudicator_hears_the_clip_too(database: Database) -> None:
    project = slow_project(database, n_people=3, votes_per_clip=3)
    for person, emotion in zip(project.people, ("Sad", "Fear", "Anger"), strict=True):
        while leases := project.office.leases(person):
            project.clock.pass_s(5)
            project.office.answer(person, answer_to(leases[0], emotion))
    judge = project.add_person(role="adjudicator")
    lease = project.office.dispute(judge, ("tie",))
    assert lease is not None
    with pytest.raises(NotAllowed, match="Less time has passed"):
        project.office.decide(judge, answer_to(lease, "Fear"))
    project.clock.pass_s(_LENGTH_S)
    assert project.office.decide(judge, answer_to(lease, "Fear")).purpose == "adjudication"


def test_the_sign_of_haste_goes_by_the_servers_times_too(database: Database) -> None:
    """Just late enough to be taken, and said to have been shown for a minute."""
    project = slow_project(database)
    [me] = project.people
    project.office.leases(me)
    for emotion in ("Sad", "Happy", "Fear", "Sad", "Anger"):
        project.clock.pass_s(_LENGTH_S * 0.9)
        lease = project.office.leases(me)[0]
        project.office.answer(me, answer_to(lease, emotion, shown_ms=60_000))
    with database.reading() as connection:
        [sign] = suspicion.signs(connection)
    assert sign.kind == "too_fast"
    assert sign.evidence == "5 of the last 5 answers came before the clip was over."

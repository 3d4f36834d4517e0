"""What managers and adjudicators decide: gold, practice, roles, ties; and signs to look at."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from caer_build.annotation import adjudication, gold, staff, suspicion
from caer_build.annotation import tables as t
from caer_build.annotation.adjudication import DISPUTED, TIES
from caer_build.annotation.database import Database
from caer_build.annotation.leasing import Desk
from caer_build.annotation.review import ask_for_more, clips_by_status, find_clip
from caer_build.annotation.suspicion import Checked, Recent
from caer_build.errors import LeaseLost, NotAllowed, VoteError
from tests.annotating import Project, answer_to, make_project


def clip_id_of(project: Project, public_id: str) -> str:
    with project.database.reading() as connection:
        found = find_clip(connection, public_id)
    assert found is not None
    return found


def mark(project: Project, manager: int, number: int, practice: bool = False) -> str:
    """Makes a clip gold: it shows fear."""
    clip_id = clip_id_of(project, f"p{number:05d}")
    with project.database.writing() as connection:
        now = project.clock()
        gold.mark_gold(connection, clip_id, "Fear", "wide eyes", by=manager, now_ms=now)
        if practice:
            gold.set_use(connection, clip_id, "practice", manager, now)
    return clip_id


def test_a_manager_marks_gold_with_a_reason(database: Database) -> None:
    project = make_project(database, n_clips=2)
    manager = project.add_person(role="manager")
    clip_id = mark(project, manager, 1)
    with database.reading() as connection:
        [found] = gold.gold_clips(connection)
    assert (found.clip_id, found.emotion, found.reason) == (clip_id, "Fear", "wide eyes")
    assert (found.use, found.by) == ("check", "Person 4")
    with database.writing() as connection:
        gold.unmark_gold(connection, clip_id, manager, 0)
        assert gold.gold_clips(connection) == []
        kinds = connection.scalars(select(t.event.c.kind)).all()
    assert list(kinds) == ["gold", "gold_ended"]


@pytest.mark.parametrize(
    ("emotion", "reason", "clip", "said"),
    [
        ("Joy", "why", "p00000", "Expected one of"),
        ("Fear", "  ", "p00000", "needs a reason"),
        ("Fear", "x" * 501, "p00000", "needs a reason"),
        ("Fear", "why", "none", "no clip"),
    ],
)
def test_what_cannot_be_gold(
    database: Database, emotion: str, reason: str, clip: str, said: str
) -> None:
    project = make_project(database, n_clips=1)
    manager = project.add_person(role="manager")
    clip_id = clip if clip == "none" else clip_id_of(project, clip)
    with pytest.raises(VoteError, match=said), database.writing() as connection:
        gold.mark_gold(connection, clip_id, emotion, reason, by=manager, now_ms=0)


def test_only_managers_decide(database: Database) -> None:
    project = make_project(database, n_clips=1)
    me, other = project.people[:2]
    adjudicator = project.add_person(role="adjudicator")
    clip_id = clip_id_of(project, "p00000")
    for by in (me, adjudicator):
        for decide in (
            lambda c, by=by: gold.mark_gold(c, clip_id, "Sad", "why", by=by, now_ms=0),
            lambda c, by=by: gold.unmark_gold(c, clip_id, by, 0),
            lambda c, by=by: gold.set_use(c, clip_id, "practice", by, 0),
            lambda c, by=by: staff.set_role(c, other, "manager", by, 0),
            lambda c, by=by: staff.pass_practice(c, other, by, 0),
            lambda c, by=by: staff.practise_again(c, other, by, 0),
            lambda c, by=by: staff.let_go(c, other, by, 0),
        ):
            with pytest.raises(NotAllowed, match="Only a manager"), database.writing() as c:
                decide(c)


def test_gold_keeps_the_votes_it_has(database: Database) -> None:
    project = make_project(database, n_clips=1)
    manager = project.add_person(role="manager")
    me = project.people[0]
    project.office.answer(me, answer_to(project.office.leases(me)[0], "Sad"))
    mark(project, manager, 0)
    with database.reading() as connection:
        assert connection.scalar(select(t.vote.c.emotion)) == "Sad"


def practised(project: Project, person: int, *emotions: str) -> list[object]:
    """Answers practice clips; what was said about passing."""
    said: list[object] = []
    for emotion in emotions:
        [lease] = project.office.leases(person)[:1]
        outcome = project.office.answer(person, answer_to(lease, emotion))
        assert outcome.feedback is not None
        said.append(outcome.feedback.passed)
    return said


def test_another_round_of_practice(database: Database) -> None:
    project = make_project(database, n_clips=8, n_people=0, practice_clips=2)
    manager, me = project.add_person(role="manager"), project.add_person(qualified=False)
    for number in range(4):
        mark(project, manager, number, practice=True)
    assert practised(project, me, "Sad", "Sad") == [None, False]
    assert project.office.leases(me) == ()
    project.clock.pass_s(60)
    with database.writing() as connection:
        assert staff.practise_again(connection, me, manager, project.clock()) == 2
    assert practised(project, me, "Sad", "Fear") == [None, False]
    project.clock.pass_s(60)
    with pytest.raises(VoteError, match="seen all practice clips"), database.writing() as c:
        staff.practise_again(c, me, manager, project.clock())
    with database.writing() as connection:
        staff.pass_practice(connection, me, manager, project.clock())
    leases = project.office.leases(me)
    assert {lease.purpose for lease in leases} == {"vote"}


def test_a_shorter_second_round_can_be_passed(database: Database) -> None:
    project = make_project(database, n_clips=8, n_people=0, practice_clips=2)
    manager, me = project.add_person(role="manager"), project.add_person(qualified=False)
    for number in range(3):
        mark(project, manager, number, practice=True)
    assert practised(project, me, "Sad", "Fear") == [None, False]
    project.clock.pass_s(60)
    with database.writing() as connection:
        assert staff.practise_again(connection, me, manager, project.clock()) == 1
    assert practised(project, me, "Fear") == [True]


def test_an_answer_from_practice_that_ended_never_counts(database: Database) -> None:
    project = make_project(database, n_clips=3, n_people=0, practice_clips=2)
    manager, me = project.add_person(role="manager"), project.add_person(qualified=False)
    clip_id = mark(project, manager, 0, practice=True)
    [lease] = project.office.leases(me)
    with database.writing() as connection:
        gold.unmark_gold(connection, clip_id, manager, project.clock())
    with pytest.raises(LeaseLost, match="taken out of your practice"):
        project.office.answer(me, answer_to(lease))
    with database.reading() as connection:
        assert connection.execute(select(t.vote)).first() is None


def test_roles(database: Database) -> None:
    project = make_project(database, n_people=2)
    first, second = project.people
    manager = project.add_person(role="manager")
    project.office.leases(first)
    with database.writing() as connection:
        staff.set_role(connection, first, "manager", manager, 0)
        held = select(t.slot).where(t.slot.c.annotator_id == first)
        assert connection.execute(held).first() is None
    with pytest.raises(NotAllowed, match="sees the votes"):
        project.office.leases(first)
    for role in ("annotator", "adjudicator"):
        with pytest.raises(NotAllowed, match="has seen the votes"), database.writing() as c:
            staff.set_role(c, first, role, manager, 0)
    with pytest.raises(VoteError, match="Expected a role"), database.writing() as c:
        staff.set_role(c, second, "owner", manager, 0)


def test_the_last_manager_stays(database: Database) -> None:
    project = make_project(database, n_people=1)
    manager = project.add_person(role="manager")
    with pytest.raises(NotAllowed, match="keeps one manager"), database.writing() as c:
        staff.let_go(c, manager, manager, 0)
    other = project.add_person(role="manager")
    with database.writing() as connection:
        staff.let_go(connection, manager, other, 0)
    with pytest.raises(NotAllowed, match="no more"), database.writing() as c:
        staff.let_go(c, other, manager, 0)


def tied_project(database: Database, n_clips: int = 1) -> tuple[Project, int]:
    """Clips of which three people said three things, and an adjudicator."""
    project = make_project(database, n_clips=n_clips)
    for person, emotion in zip(project.people, ("Sad", "Fear", "Anger"), strict=True):
        while leases := project.office.leases(person):
            project.office.answer(person, answer_to(leases[0], emotion))
    return project, project.add_person(role="adjudicator")


def test_a_tie_is_decided_before_the_votes_are_seen(database: Database) -> None:
    project, judge = tied_project(database)
    with database.reading() as connection:
        assert adjudication.decided(connection, judge) == []
    assert project.office.n_disputes(judge, TIES) == 1
    lease = project.office.dispute(judge, TIES)
    assert lease is not None
    assert project.office.dispute(judge, TIES) == lease  # asked for again
    receipt = project.office.decide(judge, answer_to(lease, "Fear", confidence_step=4))
    assert (receipt.purpose, receipt.revision) == ("adjudication", 1)
    assert project.office.dispute(judge, TIES) is None
    with database.reading() as connection:
        [found] = adjudication.decided(connection, judge)
        [tie] = clips_by_status(connection, ["tie"])  # the votes are what they were
        assert adjudication.decided(connection, project.people[0]) == []
    assert (found.clip_id, found.emotion) == (lease.clip_id, "Fear")
    assert sorted(str(v.emotion) for v in found.votes) == ["Anger", "Fear", "Sad"]
    assert tie.consensus.n_answers == 3


def test_who_voted_does_not_decide(database: Database) -> None:
    project, _ = tied_project(database)
    voter = project.people[0]
    with pytest.raises(NotAllowed, match="adjudicators"):
        project.office.dispute(voter, TIES)
    manager = project.add_person(role="manager")
    with pytest.raises(NotAllowed, match="adjudicators"):
        project.office.dispute(manager, TIES)
    with database.writing() as connection:
        staff.set_role(connection, voter, "adjudicator", manager, 0)
    assert project.office.dispute(voter, TIES) is None
    assert project.office.n_disputes(voter, TIES) == 0


def test_two_adjudicators_are_not_at_one_clip(database: Database) -> None:
    project, first = tied_project(database, n_clips=2)
    second = project.add_person(role="adjudicator")
    mine, theirs = project.office.dispute(first, TIES), project.office.dispute(second, TIES)
    assert mine is not None
    assert theirs is not None
    assert mine.clip_id != theirs.clip_id
    # The first walks away; after a lease's time the clip goes to the second.
    project.office.decide(second, answer_to(theirs))
    assert project.office.dispute(second, TIES) is None
    project.clock.pass_s(project.office.settings.lease_s + 1)
    again = project.office.dispute(second, TIES)
    assert again is not None
    assert again.clip_id == mine.clip_id


def test_an_adjudicator_may_pass_a_clip_on(database: Database) -> None:
    project, judge = tied_project(database)
    lease = project.office.dispute(judge, TIES)
    assert lease is not None
    project.office.leave_dispute(judge, lease.public_id, lease.ticket)
    assert project.office.dispute(judge, TIES) is None
    other = project.add_person(role="adjudicator")
    assert project.office.dispute(other, TIES) is not None


def test_an_adjudicator_never_votes_on_what_they_decided(database: Database) -> None:
    project, judge = tied_project(database)
    lease = project.office.dispute(judge, TIES)
    assert lease is not None
    with database.writing() as connection:
        assert ask_for_more(connection, [lease.clip_id], 5) == 1
    assert project.office.leases(judge) == ()
    project.office.decide(judge, answer_to(lease))
    assert project.office.leases(judge) == ()
    with pytest.raises(VoteError, match="at most 25"), database.writing() as connection:
        ask_for_more(connection, [lease.clip_id], 26)


def test_unsure_clips_only_when_wanted(database: Database) -> None:
    project = make_project(database, n_clips=1)
    for person in project.people:
        lease = project.office.leases(person)[0]
        project.office.answer(person, answer_to(lease, "Sad", confidence_step=1))
    judge = project.add_person(role="adjudicator")
    assert project.office.dispute(judge, TIES) is None
    assert project.office.dispute(judge, DISPUTED) is not None


def test_gold_from_adjudication(database: Database) -> None:
    project, judge = tied_project(database)
    manager = project.add_person(role="manager")
    lease = project.office.dispute(judge, TIES)
    assert lease is not None
    make = (lease.clip_id, "the voice says it", manager, project.clock())
    with pytest.raises(VoteError, match="No adjudicator"), database.writing() as connection:
        adjudication.make_gold(connection, *make)
    project.office.decide(judge, answer_to(lease, "Fear"))
    with database.writing() as connection:
        adjudication.make_gold(connection, *make)
        [found] = gold.gold_clips(connection)
    assert (found.emotion, found.reason) == ("Fear", "the voice says it")


def recent(
    emotion: str = "Sad", step: int = 3, shown_ms: int = 4000, flag: str | None = None
) -> Recent:
    return Recent("clip", None if flag else emotion, flag, None if flag else step, shown_ms, 3000)


def test_faster_than_the_clip_lasts() -> None:
    slow, fast = recent(), recent(shown_ms=2999)
    assert suspicion.too_fast([slow] * 50 + [fast] * 2) is None
    assert suspicion.too_fast([recent(shown_ms=10, flag="broken")] * 50) is None
    found = suspicion.too_fast([slow] * 47 + [fast] * 3)
    assert found is not None
    assert found[0] == "3 of the last 50 answers came before the clip was over."


def test_always_the_same_key() -> None:
    mixed = [recent(emotion, step) for step in range(5) for emotion in ("Sad", "Happy")]
    assert suspicion.one_key(mixed * 5 + [recent()] * 14) is None
    found = suspicion.one_key([*mixed, *[recent()] * 15, *mixed])
    assert found is not None
    assert found[0] == "15 answers in a row were Sad, always with the same confidence."
    neutral = [recent("Neutral", step % 5) for step in range(36)]
    assert suspicion.one_key(neutral + [recent("Sad")] * 3) is None  # 39 are too few to say
    often = suspicion.one_key([*neutral, recent("Sad"), *[recent("Happy")] * 3])
    assert often is not None
    assert often[0] == "36 of the last 40 emotions were Neutral."


def test_against_gold() -> None:
    right, wrong = Checked("clip", "Sad", "Sad"), Checked("other", None, "Sad")
    assert suspicion.against_gold([wrong] * 4) is None
    assert suspicion.against_gold([right] * 3 + [wrong] * 3) is None
    found = suspicion.against_gold([right] * 2 + [wrong] * 3)
    assert found == ("2 of 5 gold clips were answered as expected.", ("other",) * 3)


def test_signs_come_from_the_latest_answers(database: Database) -> None:
    project = make_project(database, n_clips=30, n_people=2, repeat_share=0.0)
    first, second = project.people
    for number in range(20):
        project.clock.pass_s(5)
        mine, theirs = project.office.leases(first)[0], project.office.leases(second)[0]
        project.office.answer(first, answer_to(mine, "Neutral", shown_ms=40))
        said = ("Sad", "Happy", "Fear")[number % 3]
        project.office.answer(second, answer_to(theirs, said))
    with database.reading() as connection:
        found = suspicion.signs(connection)
        [newest, *_] = suspicion.recent_answers(connection, first)
    assert [(s.annotator_id, s.kind) for s in found] == [(first, "too_fast"), (first, "one_key")]
    assert all(len(s.clip_ids) == 5 for s in found)
    assert (newest.clip_id, newest.shown_ms, newest.length_ms) == (mine.clip_id, 40, 80)
    with database.writing() as connection:
        connection.execute(
            update(t.annotator).where(t.annotator.c.annotator_id == first).values(retired_at=1)
        )
        assert suspicion.signs(connection) == []


def test_a_tie_that_is_gone_is_not_given(database: Database) -> None:
    project, first = tied_project(database)
    second = project.add_person(role="adjudicator")
    lease = project.office.dispute(first, TIES)
    assert lease is not None
    desk = Desk(project.office.settings, "secret", second, project.clock())
    with database.writing() as connection:
        # It was free when the second one looked for it.
        assert adjudication.take_dispute(connection, desk, lease.clip_id) is None
        assert adjudication.held_dispute(connection, desk) is None

"""Answers: taken exactly when the slot is theirs or open, once, and never overwritten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from caer_build.annotation import tables as t
from caer_build.annotation.answers import Answer
from caer_build.annotation.database import Database
from caer_build.annotation.tickets import issue
from caer_build.errors import DuplicateVote, LeaseLost, NotAllowed, VoteError
from tests.annotating import Project, answer_to, make_project


def votes_of(project: Project, **where: object) -> list[t.AnyRow]:
    """Rows of votes, oldest first."""
    query = select(t.vote).order_by(t.vote.c.vote_id)
    for column, value in where.items():
        query = query.where(t.vote.c[column] == value)
    with project.database.reading() as connection:
        return list(connection.execute(query))


def test_three_people_label_a_clip_and_nobody_else(database: Database) -> None:
    project = make_project(database, n_clips=1, n_people=4)
    for person in project.people[:3]:
        [lease] = project.office.leases(person)
        outcome = project.office.answer(person, answer_to(lease, "Sad"))
        assert (outcome.receipt.purpose, outcome.leases) == ("vote", ())
    assert project.office.leases(project.people[3]) == ()
    rows = votes_of(project)
    assert [r.annotator_id for r in rows] == project.people[:3]
    assert {r.slot for r in rows} == {1, 2, 3}
    assert {r.emotion for r in rows} == {"Sad"}


def test_the_same_request_is_taken_once(database: Database) -> None:
    project = make_project(database)
    me = project.people[0]
    answer = answer_to(project.office.leases(me)[0])
    first, again = project.office.answer(me, answer), project.office.answer(me, answer)
    assert first.receipt == again.receipt
    assert len(votes_of(project)) == 1
    with pytest.raises(DuplicateVote, match="another answer"):
        project.office.answer(me, replace(answer, emotion="Fear"))


def test_another_window_cannot_answer_again(database: Database) -> None:
    project = make_project(database)
    me = project.people[0]
    lease = project.office.leases(me)[0]
    assert project.office.leases(me)[0] == lease  # two windows, one lease
    project.office.answer(me, answer_to(lease))
    with pytest.raises(DuplicateVote, match="answered this clip already"):
        project.office.answer(me, answer_to(lease, "Anger"))


def test_a_late_answer_is_taken_while_nobody_else_has_the_clip(database: Database) -> None:
    project = make_project(database, n_clips=1, n_people=2, votes_per_clip=1)
    me, other = project.people
    [lease] = project.office.leases(me)
    project.clock.pass_s(10_000)
    assert project.office.answer(me, answer_to(lease)).receipt.purpose == "vote"
    assert project.office.leases(other) == ()


def test_a_late_answer_is_taken_when_the_slot_is_open_again(database: Database) -> None:
    project = make_project(database, n_clips=1, n_people=2, votes_per_clip=2)
    me, other = project.people
    [lease] = project.office.leases(me)
    project.clock.pass_s(10_000)
    project.office.leases(other)  # gives back what ran out
    with database.reading() as connection:
        held = connection.scalars(select(t.slot.c.annotator_id)).all()
    assert set(held) == {None, other}
    project.office.answer(me, answer_to(lease))
    assert [r.annotator_id for r in votes_of(project)] == [me]


def test_a_late_answer_is_refused_when_somebody_has_the_clip(database: Database) -> None:
    project = make_project(database, n_clips=1, n_people=2, votes_per_clip=1)
    me, other = project.people
    [lease] = project.office.leases(me)
    project.clock.pass_s(10_000)
    assert len(project.office.leases(other)) == 1
    with pytest.raises(LeaseLost, match="given to somebody else"):
        project.office.answer(me, answer_to(lease))
    assert votes_of(project) == []
    with database.reading() as connection:
        assert connection.scalar(select(t.event.c.kind)) == "lease_lost"


def test_renewing_keeps_a_clip(database: Database) -> None:
    project = make_project(database, n_clips=1, n_people=2, votes_per_clip=1)
    me, other = project.people
    [lease] = project.office.leases(me)
    for _ in range(5):
        project.clock.pass_s(200)
        project.office.renew(me)
    assert project.office.leases(other) == ()
    project.office.answer(me, answer_to(lease))


def test_tickets_cannot_be_made_up(database: Database) -> None:
    project = make_project(database, n_clips=4)
    me, other = project.people[:2]
    mine, theirs = project.office.leases(me)[0], project.office.leases(other)[0]
    forged = [
        answer_to(replace(mine, ticket="0" * 48)),
        answer_to(replace(mine, ticket="")),
        answer_to(replace(mine, ticket=theirs.ticket)),
        answer_to(theirs),
        answer_to(replace(mine, public_id="p00003", ticket=issue("guess", me, "p00003", 0))),
        answer_to(replace(mine, public_id="'; DROP TABLE vote; --")),
    ]
    for answer in forged:
        with pytest.raises(NotAllowed, match="not given to you"):
            project.office.answer(me, answer)
    assert votes_of(project) == []
    with database.reading() as connection:
        kinds = connection.scalars(select(t.event.c.kind)).all()
    assert list(kinds) == ["refused"] * len(forged)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"emotion": "Joy"}, "Expected one of Anger"),
        ({"emotion": None}, "Choose one of the emotions"),
        ({"flag": "cannot_tell"}, "Choose one of the emotions"),
        ({"emotion": None, "confidence_step": None, "flag": "broken"}, "needs a reason"),
        ({"reason": "no sound"}, "needs a reason"),
        ({"confidence_step": None}, "how sure"),
        ({"shown_ms": -1}, "milliseconds"),
        ({"play_count": -1}, "counted from 0"),
        ({"speed": 300}, "50 to 150"),
        ({"request_id": "x"}, "8 to 64 letters"),
    ],
)
def test_what_is_no_answer(changes: dict[str, object], said: str) -> None:
    from caer_build.annotation.leasing import Lease

    lease = Lease("t", "c", "p", "vote", 0)
    with pytest.raises(VoteError, match=said):
        answer_to(lease, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"confidence_step": 5}, "5 steps"),
        ({"heard": False}, "once to its end at normal speed"),
        ({"audio_on": False}, "Turn the sound on"),
    ],
)
def test_what_cannot_be_sent_yet(database: Database, changes: dict[str, object], said: str) -> None:
    project = make_project(database)
    me = project.people[0]
    lease = project.office.leases(me)[0]
    with pytest.raises(VoteError, match=said):
        project.office.answer(me, replace(answer_to(lease), **changes))  # type: ignore[arg-type]
    broken: Answer = answer_to(
        lease, None, flag="broken", reason="no picture", heard=False, audio_on=False
    )
    project.office.answer(me, broken)
    assert [(r.flag, r.reason) for r in votes_of(project)] == [("broken", "no picture")]


def test_undo_is_a_revision_and_keeps_the_old_row(database: Database) -> None:
    project = make_project(database)
    me = project.people[0]
    project.office.answer(me, answer_to(project.office.leases(me)[0], "Fear"))
    held_before = project.office.leases(me)
    reopened = project.office.reopen(me)
    assert reopened is not None
    lease, said = reopened
    assert (said["emotion"], said["confidence_step"]) == ("Fear", 3)
    change = answer_to(lease, "Surprise", revises=said["request_id"])
    assert project.office.answer(me, change).leases == held_before
    rows = votes_of(project)
    assert [(r.revision, r.emotion, r.slot) for r in rows] == [(1, "Fear", 1), (2, "Surprise", 1)]
    with pytest.raises(DuplicateVote, match="another window"):
        project.office.answer(me, answer_to(lease, "Anger", revises=said["request_id"]))
    again = project.office.reopen(me)
    assert again is not None
    assert again[1]["emotion"] == "Surprise"


def test_only_own_answers_are_revised(database: Database) -> None:
    project = make_project(database, n_clips=1)
    me, other = project.people[:2]
    [lease] = project.office.leases(me)
    mine = answer_to(lease)
    project.office.answer(me, mine)
    [theirs] = project.office.leases(other)
    with pytest.raises(NotAllowed, match="own answers"):
        project.office.answer(other, answer_to(theirs, revises=mine.request_id))


def test_rather_not_gives_the_clip_to_others_without_a_mark(database: Database) -> None:
    project = make_project(database, n_clips=1, n_people=2, votes_per_clip=1)
    me, other = project.people
    [lease] = project.office.leases(me)
    assert project.office.decline(me, lease.public_id, lease.ticket) == ()
    assert project.office.decline(me, lease.public_id, lease.ticket) == ()  # sent twice
    assert project.office.leases(me) == ()
    assert len(project.office.leases(other)) == 1
    assert votes_of(project) == []
    with database.reading() as connection:
        assert connection.execute(select(t.event)).first() is None


def test_the_database_itself_refuses_what_must_not_be(database: Database) -> None:
    project = make_project(database, n_clips=2, n_people=4)
    me = project.people[0]
    project.office.answer(me, answer_to(project.office.leases(me)[0]))
    [row] = votes_of(project)
    base = dict(row._mapping)
    del base["vote_id"]
    unclaimed = base | {"request_id": "another-1", "annotator_id": project.people[3]}
    doubled = base | {"request_id": "another-2"}
    both = base | {"request_id": "another-3", "revision": 2, "flag": "broken"}
    slotless = base | {"request_id": "another-4", "revision": 2, "slot": None}
    for values in (unclaimed, doubled, both, slotless):
        with pytest.raises(IntegrityError), database.writing() as connection:
            connection.execute(insert(t.vote).values(**values))
    second = {"clip_id": row.clip_id, "slot": 2}
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(
            update(t.slot).filter_by(**second).values(annotator_id=me, answered=True, ticket="x")
        )
    for statement in (update(t.vote).values(emotion="Fear"), delete(t.vote)):
        with pytest.raises(DatabaseError, match="only ever added"), database.writing() as c:
            c.execute(statement)
    assert votes_of(project) == [row]


def test_a_raised_number_opens_more_slots(database: Database) -> None:
    from caer_build.annotation.project import raise_votes

    project = make_project(database, n_clips=1, n_people=5)
    for person in project.people[:3]:
        project.office.answer(person, answer_to(project.office.leases(person)[0]))
    assert project.office.leases(project.people[3]) == ()
    [clip_id] = {r.clip_id for r in votes_of(project)}
    with database.writing() as connection:
        assert raise_votes(connection, [clip_id], 5) == 1
        assert raise_votes(connection, [clip_id], 4) == 0
    for person in project.people[3:]:
        project.office.answer(person, answer_to(project.office.leases(person)[0]))
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(t.slot)) == 5
        assert connection.scalar(select(t.clip.c.n_open)) == 0


def test_pairs_are_counted(database: Database) -> None:
    project = make_project(database, n_clips=2)
    for person in project.people:
        for _ in range(2):
            project.office.answer(person, answer_to(project.office.leases(person)[0]))
    with database.reading() as connection:
        rows = connection.execute(select(t.pair)).all()
    assert sorted(tuple(r) for r in rows) == [(1, 2, 2), (1, 3, 2), (2, 3, 2)]

"""Clips that are withdrawn because a person was deleted: what goes, what stays, and who is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from caer_build import overrides
from caer_build.annotation import gold, oversight
from caer_build.annotation import tables as t
from caer_build.annotation.accounts import account
from caer_build.annotation.adjudication import TIES
from caer_build.annotation.database import Database
from caer_build.annotation.interchange import export_votes, import_votes
from caer_build.annotation.ledger import aliases, recorded_votes
from caer_build.annotation.overview import overview
from caer_build.annotation.project import raise_votes
from caer_build.annotation.review import clips_by_status, dossier, find_clip
from caer_build.annotation.standing import funnel, standing_of
from caer_build.annotation.suspicion import recent_answers
from caer_build.annotation.viewing import tasks, watchable
from caer_build.annotation.vote_files import write_jsonl
from caer_build.annotation.withdrawal import to_withdraw, withdraw
from caer_build.arrow import to_table
from caer_build.dataset.ballots import ballots_of_project
from caer_build.errors import LeaseLost, VoteError
from caer_build.records import Clip, TrackBox
from caer_build.store import Workspace
from tests.annotating import Project, answer_to, frozen, make_project
from tests.chaos.checker import faults_of_books
from tests.toy_workspace import Toy, add_episode
from tests.voting import vote


def take_out(project: Project, clip_id: str) -> None:
    with project.database.writing() as connection:
        assert withdraw(connection, clip_id, project.clock())


def the_clip(project: Project, clip_id: str) -> t.AnyRow:
    with project.database.reading() as connection:
        return connection.execute(select(t.clip).where(t.clip.c.clip_id == clip_id)).one()


def assert_books_are_right(project: Project) -> None:
    with project.database.reading() as connection:
        assert faults_of_books(connection) == []


def test_who_has_the_clip_is_told_and_goes_on(database: Database) -> None:
    project = make_project(database, n_clips=4, n_people=2)
    me, other = project.people
    first, second = project.office.leases(me)
    take_out(project, first.clip_id)
    with database.reading() as connection:
        assert tasks(connection, [first])[0].boxes == [], "a page that asks this moment gets no box"
    with pytest.raises(LeaseLost, match="taken out of the project"):
        project.office.answer(me, answer_to(first))
    assert project.office.decline(me, first.public_id, first.ticket)[0] == second
    assert first.clip_id not in {lease.clip_id for lease in project.office.leases(me)}
    given = set()
    while leases := project.office.leases(other):
        given.add(leases[0].clip_id)
        project.office.answer(other, answer_to(leases[0]))
    assert len(given) == 3
    assert first.clip_id not in given
    row = the_clip(project, first.clip_id)
    assert (row.person_id, row.faces, row.n_slots, row.n_open) == (None, b"", 0, 0)
    assert_books_are_right(project)
    with database.writing() as connection:
        assert not withdraw(connection, first.clip_id, 1), "once"
        assert not withdraw(connection, "no-such-clip", 1)
    assert the_clip(project, first.clip_id).withdrawn_at == row.withdrawn_at


def test_votes_stay_and_count_nowhere(database: Database, tmp_path: Path) -> None:
    project = make_project(database, n_clips=2)
    manager = project.add_person(role="manager")
    said = {"p00000": ("Happy", "Happy", "Sad"), "p00001": ("Happy", "Sad", "Fear")}
    for number, person in enumerate(project.people[:3]):
        while leases := project.office.leases(person):
            lease = leases[0]
            project.office.answer(person, answer_to(lease, said[lease.public_id][number]))
    with database.reading() as connection:
        tied = find_clip(connection, "p00001") or ""
        before = recorded_votes(connection, aliases(connection))
    judge = project.add_person(role="adjudicator")
    lease = project.office.dispute(judge, TIES)
    assert lease is not None
    take_out(project, tied)
    with pytest.raises(LeaseLost, match="taken out of the project"):
        project.office.decide(judge, answer_to(lease))
    assert project.office.dispute(judge, TIES) is None
    with database.reading() as connection:
        rows = connection.execute(select(t.vote).where(t.vote.c.clip_id == tied)).all()
        assert sorted(str(row.emotion) for row in rows) == ["Fear", "Happy", "Sad"]
        progress = oversight.progress(connection)
        assert (progress.clips, progress.n_answers, progress.n_needed) == ({(3, 3): 1}, 3, 3)
        assert {status: n for status, n in funnel(connection).items() if n} == {"label": 1}
        assert standing_of(connection, [tied]) == {}
        assert tied not in {ballot.clip_id for ballot in ballots_of_project(connection)}
        assert clips_by_status(connection, ["tie"]) == []
        votes = recorded_votes(connection, aliases(connection))
        assert votes == [v for v in before if v.clip_id != tied]
        people = oversight.people(connection, 0)
        assert [p.n_votes for p in people[:3]] == [1, 1, 1]
        assert [p.n_today for p in people[:3]] == [2, 2, 2], "the work was done"
        assert sum(h.n_votes for h in oversight.by_hour(connection, 0)) == 6
        assert len(recent_answers(connection, project.people[0])) == 1
        assert find_clip(connection, "p00001") is None
        with pytest.raises(VoteError, match="no clip"):
            dossier(connection, tied)
        for person in (manager, project.people[0]):
            who = account(connection, person)
            assert watchable(connection, who, "p00001", project.clock()) is None
        found = overview(connection, project.clock())
    assert (found.clips, found.votes, found.withdrawn) == (1, 3, 1)
    written = export_votes(database, tmp_path / "votes.csv")
    assert (written.n_votes, written.n_clips, written.n_withdrawn) == (3, 1, 3)
    assert tied not in (tmp_path / "votes.csv").read_text()
    assert_books_are_right(project)


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet"])
def test_every_format_leaves_them_out(database: Database, tmp_path: Path, ending: str) -> None:
    project = make_project(database, n_clips=1)
    me = project.people[0]
    lease = project.office.leases(me)[0]
    project.office.answer(me, answer_to(lease))
    take_out(project, lease.clip_id)
    file = tmp_path / f"votes.{ending}"
    assert export_votes(database, file).n_votes == 0
    assert lease.clip_id.encode() not in file.read_bytes()


def test_an_answer_that_stands_is_not_taken_back_by_its_clip(database: Database) -> None:
    """Sent once more because the reply was lost: it has its receipt; a change of it is refused."""
    project = make_project(database, n_clips=3, n_people=1)
    me = project.people[0]
    early, lease = project.office.leases(me)
    project.office.answer(me, answer_to(early))
    answer = answer_to(lease, "Fear")
    receipt = project.office.answer(me, answer).receipt
    assert project.office.reopen(me) is not None
    take_out(project, lease.clip_id)
    assert project.office.answer(me, answer).receipt == receipt
    assert project.office.reopen(me) is None, "an undo would be of that answer"
    with pytest.raises(LeaseLost, match="taken out of the project"):
        project.office.answer(me, answer_to(lease, "Sad", revises=answer.request_id))


def test_gold_and_practice_go(database: Database) -> None:
    project = make_project(database, n_clips=8, n_people=0, practice_clips=2)
    manager, me = project.add_person(role="manager"), project.add_person(qualified=False)
    with database.writing() as connection:
        for number in range(4):
            clip_id = find_clip(connection, f"p{number:05d}") or ""
            gold.mark_gold(connection, clip_id, "Fear", "wide eyes", by=manager, now_ms=1)
            gold.set_use(connection, clip_id, "practice", manager, 1)
    held = project.office.leases(me)
    outcome = project.office.answer(me, answer_to(held[0], "Fear"))
    take_out(project, held[0].clip_id)  # answered
    take_out(project, outcome.leases[0].clip_id)  # on the screen
    with database.reading() as connection:
        assert len(gold.gold_clips(connection)) == 2
    for _ in range(2):
        last = project.office.answer(me, answer_to(project.office.leases(me)[0], "Fear"))
    assert last.feedback is not None
    assert (last.feedback.n_done, last.feedback.passed) == (2, True), "a whole round of others"
    for decide in (
        lambda c: gold.mark_gold(c, held[0].clip_id, "Fear", "why", by=manager, now_ms=1),
        lambda c: raise_votes(c, [held[0].clip_id], 9),
    ):
        with pytest.raises(VoteError, match="no clip"), database.writing() as connection:
            decide(connection)
    assert_books_are_right(project)


def test_no_repeat_of_it_comes(database: Database) -> None:
    project = make_project(database, n_clips=20, n_people=1, repeat_share=0.5, repeat_after=1)
    me = project.people[0]
    n_gone = 0
    while leases := project.office.leases(me):
        again = [lease for lease in leases if lease.purpose == "repeat"]
        for lease in again:
            take_out(project, lease.clip_id)
            n_gone += 1
        assert not set(again) & set(project.office.leases(me))
        if now := project.office.leases(me):
            project.office.answer(me, answer_to(now[0]))
    assert n_gone
    with database.reading() as connection:
        gone = select(t.clip.c.clip_id).where(t.clip.c.withdrawn_at.is_not(None))
        answered = select(t.vote).where(t.vote.c.purpose == "repeat", t.vote.c.clip_id.in_(gone))
        assert connection.execute(answered).first() is None
    assert_books_are_right(project)


def test_votes_for_it_are_not_taken_in(database: Database, tmp_path: Path) -> None:
    clip = frozen(0)
    project = make_project(database, clips=[clip], n_people=0)
    known, late = vote(clip.clip_id, "ann"), vote(clip.clip_id, "bob")
    file = tmp_path / "votes.jsonl"
    with file.open("wb") as opened:
        write_jsonl(opened, [known])
    assert import_votes(database, [file], 1).n_taken == 1
    take_out(project, clip.clip_id)
    with file.open("wb") as opened:
        write_jsonl(opened, [known, late])
    found = import_votes(database, [file], 1)
    assert (found.n_known, found.n_taken) == (1, 0)
    assert [r.reason for r in found.refusals] == [
        "The clip was withdrawn: a person in it was deleted."
    ]
    assert_books_are_right(project)


def test_the_database_itself_keeps_it_so(database: Database) -> None:
    project = make_project(database, n_clips=2, n_people=2)
    me, other = project.people
    lease = project.office.leases(me)[0]
    project.office.answer(me, answer_to(lease))
    take_out(project, lease.clip_id)
    with database.reading() as connection:
        row = dict(connection.execute(select(t.vote)).one()._mapping)
    del row["vote_id"]
    changed = row | {"request_id": "another-request", "revision": 2}
    errand = {
        "clip_id": lease.clip_id, "annotator_id": other, "purpose": "gold", "ticket": "x",
        "leased_at": 1,
    }  # fmt: skip
    for table, values in ((t.vote, changed), (t.errand, errand)):
        with pytest.raises(DatabaseError, match="withdrawn"), database.writing() as connection:
            connection.execute(insert(table).values(**values))
    back: list[dict[str, object]] = [
        {"person_id": "somebody"}, {"faces": b"x"}, {"gold_emotion": "Sad", "gold_reason": "x"},
        {"n_slots": 2, "n_open": 1},
    ]  # fmt: skip
    for values in back:
        with pytest.raises(IntegrityError), database.writing() as connection:
            here = t.clip.c.clip_id == lease.clip_id
            connection.execute(update(t.clip).where(here).values(**values))


@pytest.fixture
def toy() -> Toy:
    """An episode of three shots with one kept clip of one and the same person in each."""
    made = Toy()
    add_episode(made, "toy.s01e01", 3)
    made.clips[:] = [
        replace(c, file=f"clips/{c.clip_id}.mp4", file_sha256="1" * 64) for c in made.clips
    ]
    return made


def project_of(toy: Toy, database: Database) -> Project:
    """A project with the clips of a toy, their targets where the toy's boxes are."""
    clips = [
        replace(
            frozen(number), clip_id=c.clip_id, episode_id=c.episode_id, shot_id=c.shot_id,
            person_id=c.person_id, start_frame=c.start_frame, end_frame=c.start_frame + 2,
        )
        for number, c in enumerate(toy.clips)
    ]  # fmt: skip
    return make_project(database, clips=clips, n_people=0)


def without(clip: Clip) -> Clip:
    """A clip's row once its person is deleted."""
    return replace(
        clip, reject_reason="person_deleted", person_id=None, file=None, file_sha256=None
    )


def test_what_the_build_says_is_deleted(toy: Toy, database: Database, tmp_path: Path) -> None:
    project_of(toy, database)
    workspace = toy.write(tmp_path / "work")
    assert to_withdraw(workspace, database) == {}
    first, second, third = toy.clips
    toy.clips[:] = [
        without(first),
        replace(second, reject_reason="by_hand", file=None, file_sha256=None),
        third,
    ]
    pq.write_table(to_table(Clip, toy.clips), workspace.tables / "clips.parquet")
    assert to_withdraw(workspace, database) == {first.clip_id: "p00000"}


def test_a_decision_takes_effect_with_the_build(
    toy: Toy, database: Database, tmp_path: Path
) -> None:
    """And then for all clips that were frozen for that person, whatever they are called now."""
    project_of(toy, database)
    workspace = toy.write(tmp_path / "work")
    person = str(toy.clips[0].person_id)
    overrides.add(workspace, "delete", person, None, "asked")
    assert to_withdraw(workspace, database) == {}
    pq.write_table(to_table(Clip, []), workspace.tables / "clips.parquet")
    assert len(to_withdraw(workspace, database)) == 3


def boxes_at(workspace: Workspace, track: str, left: float) -> None:
    rows = [TrackBox(track, f, left, 2.0, left + 10.0, 12.0, False) for f in range(10)]
    pq.write_table(to_table(TrackBox, rows), workspace.tables / "track_boxes.parquet")


@pytest.mark.parametrize(
    ("there", "goes"),
    [
        # Who stays stands where the target stood, beside it, or in another episode.
        (("toy.s01e01-s000003-t07", 1.0), False),
        (("toy.s01e01-s000003-t07", 30.0), True),
        (("toy.s01e02-s000003-t07", 1.0), True),
    ],
)
def test_other_settings_give_other_ids(
    toy: Toy, database: Database, tmp_path: Path, there: tuple[str, float], goes: bool
) -> None:
    """The deleted person's clips begin elsewhere now, so they are told by time and place."""
    project_of(toy, database)
    workspace = toy.write(tmp_path / "work")
    first = toy.clips[0]
    later = without(
        replace(first, clip_id="toy.s01e01-s000001-t00-000001", start_frame=1, n_frames=49)
    )
    pq.write_table(to_table(Clip, [later]), workspace.tables / "clips.parquet")
    boxes_at(workspace, *there)
    assert to_withdraw(workspace, database) == ({first.clip_id: "p00000"} if goes else {})

"""Gold from the first day: clips that nobody answered, what they are used for, a table of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from caer_build.annotation import accounts, gold, oversight, practice
from caer_build.annotation import tables as t
from caer_build.annotation.accounts import account
from caer_build.annotation.database import Database
from caer_build.annotation.gold_files import mark_from_csv
from caer_build.annotation.review import find_clip, untouched
from caer_build.annotation.viewing import watchable
from caer_build.annotation.withdrawal import withdraw
from caer_build.errors import CaerError, SchemaError, VoteError
from tests.annotating import Project, answer_to, make_project


def clip_ids(project: Project) -> list[str]:
    """By position."""
    with project.database.reading() as connection:
        return list(connection.scalars(select(t.clip.c.clip_id).order_by(t.clip.c.position)))


def make(project: Project, number: int, use: str) -> str:
    """Makes the clip at a position gold: it shows fear."""
    clip_id, now = clip_ids(project)[number], project.clock()
    with project.database.writing() as connection:
        gold.mark_gold(connection, clip_id, "Fear", "wide eyes", by=None, now_ms=now)
        gold.set_use(connection, clip_id, use, None, now)
    return clip_id


def newcomer(project: Project, name: str) -> int:
    """Somebody who joins by a link."""
    with project.database.writing() as connection:
        token = accounts.invite(connection, "annotator", name, None, project.clock())
        return accounts.join(connection, token, name, project.clock(), subject=name)


def test_clips_that_nobody_answered_stand_in_the_order_of_their_positions(
    database: Database,
) -> None:
    project = make_project(database, n_clips=6, n_people=1)
    lease = project.office.leases(project.people[0])[0]
    project.office.answer(project.people[0], answer_to(lease))
    ids = clip_ids(project)
    with database.writing() as connection:
        withdraw(connection, ids[5], project.clock())
    expected = [clip_id for clip_id in ids[:5] if clip_id != lease.clip_id]
    with database.reading() as connection:
        listed = untouched(connection, limit=2)
        rest = untouched(connection, listed[-1].clip_id)
    assert [clip.clip_id for clip in (*listed, *rest)] == expected
    assert {clip.consensus.status for clip in rest} == {"incomplete"}


def test_who_joined_before_there_was_practice_practises_unless_they_have_begun(
    database: Database,
) -> None:
    project = make_project(database, n_clips=8, n_people=0, practice_clips=1)
    begun, waiting = newcomer(project, "Bea"), newcomer(project, "Ada")
    project.office.leases(begun)
    project.clock.pass_s(60)
    practised_on = make(project, 0, "practice")
    with database.reading() as connection:
        assert account(connection, begun).qualified
        assert not account(connection, waiting).qualified
        assert practice.n_untried(connection) == 1
        people = {p.name: p.is_untried for p in oversight.people(connection, 0)}
    assert people == {"Bea": True, "Ada": False}
    [lease] = project.office.leases(waiting)
    assert (lease.purpose, lease.clip_id) == ("practice", practised_on)
    outcome = project.office.answer(waiting, answer_to(lease, "Fear"))
    assert outcome.feedback is not None
    assert outcome.feedback.passed
    project.clock.pass_s(60)
    make(project, 1, "practice")
    with database.reading() as connection:
        assert account(connection, waiting).qualified, "who passed has passed"


def test_an_example_is_everybodys_to_watch_and_nobodys_to_answer(database: Database) -> None:
    project = make_project(database, n_clips=4, n_people=1, gold_share=0.5, practice_clips=1)
    me = project.people[0]
    shown = make(project, 0, "example")
    with database.reading() as connection:
        [clip] = gold.gold_clips(connection)
        stranger, member = account(connection, me), newcomer_who_agreed(project)
        assert (clip.clip_id, clip.use) == (shown, "example")
        now = project.clock()
        hidden = watchable(connection, stranger, clip.public_id, now)
        assert hidden is None, "has not agreed to anything"
        assert watchable(connection, member, clip.public_id, now) == clip.public_id
        stuck = oversight.stuck(connection)
    assert shown in {clip.clip_id for clip in stuck}
    given = set()
    while leases := project.office.leases(me):
        given.add(leases[0].clip_id)
        project.office.answer(me, answer_to(leases[0]))
    assert given == set(clip_ids(project)) - {shown}
    with database.writing() as connection:
        gold.set_use(connection, shown, "check", None, project.clock())
    assert [lease.clip_id for lease in project.office.leases(me)] == [shown]


def newcomer_who_agreed(project: Project) -> accounts.Account:
    with project.database.writing() as connection:
        row = connection.execute(
            t.annotator.insert()
            .values(
                alias="a900", name="Cleo", role="annotator", created_at=1, consented_at=1,
                consent_sha256="3" * 64,
            )
            .returning(t.annotator.c.annotator_id)
        )  # fmt: skip
        return account(connection, row.scalar_one())


@pytest.mark.parametrize("end", ["no gold", "withdrawn"])
def test_an_example_that_is_none_any_more(database: Database, end: str) -> None:
    project = make_project(database, n_clips=2, n_people=0)
    manager = project.add_person(role="manager")
    shown = make(project, 0, "example")
    with database.writing() as connection:
        if end == "no gold":
            gold.unmark_gold(connection, shown, manager, project.clock())
        else:
            withdraw(connection, shown, project.clock())
    with database.reading() as connection:
        assert gold.gold_clips(connection) == []
        assert connection.execute(select(t.example)).all() == []


def written(folder: Path, *lines: str) -> Path:
    file = folder / "gold.csv"
    file.write_text("\n".join(lines), "utf-8")
    return file


def test_a_table_of_gold(database: Database, tmp_path: Path) -> None:
    project = make_project(database, n_clips=4, n_people=0)
    first, second, third, _ = clip_ids(project)
    file = written(
        tmp_path, "clip_id,emotion,reason,use", f"{first},Fear,wide eyes,practice",
        'p00001,Sad,"slow, and low",', f"{third},Happy,laughs,example",
    )  # fmt: skip
    with database.writing() as connection:
        counts = mark_from_csv(connection, file, project.clock())
        again = mark_from_csv(connection, file, project.clock())
    assert counts == again == {"practice": 1, "check": 1, "example": 1}
    with database.reading() as connection:
        found = [(c.clip_id, c.emotion, c.reason, c.use) for c in gold.gold_clips(connection)]
    assert sorted(found) == sorted([
        (first, "Fear", "wide eyes", "practice"), (second, "Sad", "slow, and low", "check"),
        (third, "Happy", "laughs", "example"),
    ])  # fmt: skip


def test_a_table_with_faults_marks_nothing_and_tells_all_of_them(
    database: Database, tmp_path: Path
) -> None:
    project = make_project(database, n_clips=2, n_people=0)
    file = written(
        tmp_path, "clip_id,emotion,reason,use", "p00000,Fear,wide eyes,", "p00000,Sad,slow,",
        "p00001,Joy,laughs,", "p00001,Happy,,", "p00001,Happy,laughs,guide", "p00009,Happy,why,",
    )  # fmt: skip
    with pytest.raises(VoteError) as raised, database.writing() as connection:
        mark_from_csv(connection, file, project.clock())
    for line, said in (
        (3, "twice"), (4, "Expected one of"), (5, "needs a reason"), (6, "Expected a use of"),
        (7, "no clip 'p00009'"),
    ):  # fmt: skip
        assert any(
            part.startswith(f"line {line}: ") and said in part
            for part in str(raised.value).split("\n")
        )
    with database.reading() as connection:
        assert find_clip(connection, "p00000") is not None
        assert gold.gold_clips(connection) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("clip_id,emotion",), "expected the columns clip_id, emotion, reason"),
        (("clip_id,emotion,reason,why",), "expected the columns"),
        (("clip_id,emotion,reason", "p00000,Fear"), "line 2: expected 3 cells"),
        (("clip_id,emotion,reason", "p00000,Fear,wide,eyes"), "line 2: expected 3 cells"),
    ],
)
def test_what_is_no_table_of_gold(
    database: Database, tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    project = make_project(database, n_clips=1, n_people=0)
    with pytest.raises(SchemaError, match=said), database.writing() as connection:
        mark_from_csv(connection, written(tmp_path, *lines), project.clock())


def test_a_table_that_is_not_there(database: Database, tmp_path: Path) -> None:
    make_project(database, n_clips=1, n_people=0)
    with pytest.raises(CaerError, match="cannot be read"), database.writing() as connection:
        mark_from_csv(connection, tmp_path / "none.csv", 0)

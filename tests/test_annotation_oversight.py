"""What managers count, against numbers that were worked out by hand, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import date
from fractions import Fraction
from pathlib import Path

from sqlalchemy import insert, select, update

from caer_build.annotation import oversight
from caer_build.annotation import tables as t
from caer_build.annotation.consensus import STATUSES, paper_rule
from caer_build.annotation.database import Database
from caer_build.annotation.ledger import aliases, recorded_votes
from caer_build.annotation.oversight import DAY_MS, HOUR_MS, Flagged, HourOfWork, PassedOn, Stuck
from caer_build.annotation.project import raise_votes
from caer_build.annotation.review import clips_by_status, dossier, find_clip
from caer_build.annotation.revisions import latest
from caer_build.annotation.standing import funnel, with_status
from caer_build.annotation.working_time import Worked, worked
from caer_build.records import Vote
from tests.annotating import Project, answer_to, make_project
from tests.annotating_busy import busy_project

LABELLED, TIED, UNSURE, UNCLEAR, BROKEN, BEGUN, UNTOUCHED = (f"p{k:05d}" for k in range(7))


def small_project(database: Database) -> Project:
    """Seven clips: a label, a tie, one too unsure, one unclear, one broken, one begun, one new."""
    project = make_project(database, n_clips=7)
    said: dict[str, list[tuple[str | None, dict[str, object]]]] = {
        LABELLED: [("Happy", {}), ("Happy", {}), ("Fear", {"confidence_step": 0})],
        TIED: [("Happy", {}), ("Sad", {}), ("Fear", {})],
        UNSURE: [("Sad", {"confidence_step": 1}), ("Sad", {"confidence_step": 1}),
                 ("Sad", {"confidence_step": 3})],
        UNCLEAR: [(None, {"flag": "cannot_tell"}), (None, {"flag": "cannot_tell"}), ("Sad", {})],
        BROKEN: [(None, {"flag": "broken", "reason": "no sound"}),
                 (None, {"flag": "broken", "reason": "no picture"}), ("Sad", {})],
        BEGUN: [("Anger", {}), (None, {"flag": "cannot_tell"})],
    }  # fmt: skip
    for number, person in enumerate(project.people):
        while leases := project.office.leases(person):
            lease = leases[0]
            answers = said.get(lease.public_id, [])
            if number >= len(answers):
                project.office.decline(person, lease.public_id, lease.ticket)
                continue
            emotion, changes = answers[number]
            project.office.answer(person, answer_to(lease, emotion, **changes))
    return project


def clip_id_of(project: Project, public_id: str) -> str:
    with project.database.reading() as connection:
        found = find_clip(connection, public_id)
    assert found is not None
    return found


def test_clips_by_the_answers_they_have(database: Database) -> None:
    project = make_project(database, n_clips=4)
    first, second = project.people[:2]
    for _ in range(3):
        project.office.answer(first, answer_to(project.office.leases(first)[0]))
    project.office.answer(second, answer_to(project.office.leases(second)[0]))
    with database.reading() as connection:
        given = Counter(connection.scalars(select(t.vote.c.clip_id)).all())
        found = oversight.progress(connection)
    by_given = Counter(given.values())
    expected = {(3, k): n for k, n in by_given.items()} | {(3, 0): 4 - len(given)}
    assert found.clips == {kind: n for kind, n in expected.items() if n}
    assert found.n_leased == 1 + 2  # the first has one clip left, the second holds two
    assert (found.n_clips, found.n_complete) == (4, 0)
    assert (found.n_needed, found.n_answers, found.n_left) == (12, 4, 8)


def test_a_change_of_mind_is_no_further_answer(database: Database) -> None:
    project = make_project(database, n_clips=1, votes_per_clip=1)
    me = project.people[0]
    project.office.answer(me, answer_to(project.office.leases(me)[0], "Fear"))
    reopened = project.office.reopen(me)
    assert reopened is not None
    project.office.answer(me, answer_to(reopened[0], "Sad", revises=reopened[1]["request_id"]))
    hour = project.clock() // HOUR_MS * HOUR_MS
    with database.reading() as connection:
        assert oversight.progress(connection).clips == {(1, 1): 1}
        assert oversight.by_hour(connection, 0) == [HourOfWork(hour, me, 1)]
        [standing] = with_status(connection, STATUSES)
        counts = funnel(connection)
    assert standing.consensus.emotion == "Sad"
    assert counts == dict.fromkeys(STATUSES, 0) | {"label": 1}


def test_the_funnel_and_its_lists(database: Database) -> None:
    small_project(database)
    expected = {
        "label": [LABELLED], "tie": [TIED], "low_confidence": [UNSURE],
        "cannot_tell": [UNCLEAR], "broken": [BROKEN], "incomplete": [BEGUN],
    }  # fmt: skip
    with database.reading() as connection:
        counts = funnel(connection)
        lists = {
            status: [c.public_id for c in clips_by_status(connection, [status])]
            for status in STATUSES
        }
    assert lists == expected
    # The clip that nobody has answered is in the funnel, and in no list.
    assert counts == {s: len(clips) for s, clips in expected.items()} | {"incomplete": 2}


def test_a_raised_number_waits_for_more_answers(database: Database) -> None:
    tied = clip_id_of(small_project(database), TIED)
    with database.writing() as connection:
        raise_votes(connection, [tied], 5)
    with database.reading() as connection:
        counts = funnel(connection)
        assert list(with_status(connection, ["tie"])) == []
        begun = [s.clip_id for s in with_status(connection, ["incomplete"])]
    assert (counts["tie"], counts["incomplete"]) == (0, 3)
    assert tied in begun


def test_an_answer_on_another_scale_is_counted_exactly(database: Database) -> None:
    project = small_project(database)
    clip_id, another = clip_id_of(project, LABELLED), project.add_person()
    place = {"clip_id": clip_id, "slot": 4}
    with database.writing() as connection:
        raise_votes(connection, [clip_id], 4)
        connection.execute(
            update(t.slot).filter_by(**place).values(annotator_id=another, answered=True)
        )
        connection.execute(
            insert(t.vote).values(
                **place, annotator_id=another, request_id="imported-1", purpose="vote",
                revision=1, emotion="Happy", confidence_step=4, confidence_steps=11, shown_at=1,
                answered_at=2, received_at=3, play_count=1, speed=100, audio_on=True,
            )
        )  # fmt: skip
    with database.reading() as connection:
        counts = funnel(connection)
        unsure = [s.consensus for s in with_status(connection, ["low_confidence"])]
    # Three of four say Happy; the mean of 0.75, 0.75, 0 and 0.4 is below a half.
    assert (counts["label"], counts["low_confidence"]) == (0, 2)
    assert Fraction(19, 40) in {found.mean_confidence for found in unsure}


def test_a_busy_project_is_counted_like_the_rule_does(database: Database, data: Path) -> None:
    project = busy_project(database, data / "votes" / "ferplus_votes.csv", n_clips=120)
    with database.reading() as connection:
        votes = recorded_votes(connection, aliases(connection))
        counts = funnel(connection)
        listed = Counter(s.consensus.status for s in with_status(connection, STATUSES))
        by_given = oversight.progress(connection).clips
        people = oversight.people(connection, 0)
        hours = worked(connection, 0, project.clock())
    counted = [v for v in latest(votes) if v.purpose == "vote"]
    of_clip: dict[str, list[Vote]] = {}
    for vote in counted:
        of_clip.setdefault(vote.clip_id, []).append(vote)
    rule = Counter(paper_rule(answers, 3).status for answers in of_clip.values())
    assert listed == rule
    rule["incomplete"] += 120 - len(of_clip)
    assert counts == {status: rule[status] for status in STATUSES}
    given = Counter(len(of_clip[c]) for c in of_clip)
    given[0] = 120 - len(of_clip)
    assert by_given == {(3, k): n for k, n in sorted(given.items()) if n}
    assert sum(p.n_votes for p in people) == len(counted)
    assert sum(w.n_answers for w in hours) == len(votes)


def test_who_did_what(database: Database) -> None:
    project = make_project(database, n_clips=3, n_people=2)
    first, second = project.people
    yesterday = project.clock()
    project.office.answer(first, answer_to(project.office.leases(first)[0]))
    project.clock.pass_s(DAY_MS / 1000)
    project.office.answer(first, answer_to(project.office.leases(first)[0]))
    lease = project.office.leases(second)[0]
    project.office.decline(second, lease.public_id, lease.ticket)
    with database.reading() as connection:
        one, two = oversight.people(connection, yesterday + 1)
        passed_on = oversight.passed_on(connection)
    assert (one.n_votes, one.n_today, one.n_held) == (2, 1, 1)
    assert one.last_at == yesterday + DAY_MS
    assert (two.n_votes, two.n_today, two.last_at) == (0, 0, None)
    assert passed_on == [PassedOn(lease.clip_id, lease.public_id, 1)]


def test_time_left() -> None:
    now = 10 * DAY_MS
    hours = [HourOfWork(now - 2 * DAY_MS, 1, 30), HourOfWork(now - HOUR_MS, 2, 20)]
    assert oversight.days_left(100, hours, now) == 100 / (50 / 2)
    # Fifty answers within the last hour are a day's work until the day is over.
    assert oversight.days_left(100, hours[1:], now) == 100 / 20
    assert oversight.days_left(100, [], now) is None


def test_unclear_and_broken_clips_with_their_reasons(database: Database) -> None:
    project = small_project(database)
    ids = {name: clip_id_of(project, name) for name in (UNCLEAR, BROKEN, BEGUN)}
    with database.reading() as connection:
        unclear = oversight.flagged(connection, "cannot_tell")
        broken = oversight.flagged(connection, "broken")
    assert unclear == [
        Flagged(ids[UNCLEAR], UNCLEAR, 2, 3, ()),
        Flagged(ids[BEGUN], BEGUN, 1, 2, ()),
    ]
    assert broken == [Flagged(ids[BROKEN], BROKEN, 2, 3, ("no picture", "no sound"))]


def test_clips_that_cannot_be_finished(database: Database) -> None:
    project = small_project(database)
    # The third person passed on one clip of which two places are taken, and all on the new one.
    with database.reading() as connection:
        found = oversight.stuck(connection)
        n_people = oversight.n_workers(connection)
    assert n_people == 3
    begun, new = (clip_id_of(project, name) for name in (BEGUN, UNTOUCHED))
    assert found == [Stuck(begun, BEGUN, 1, 0, False), Stuck(new, UNTOUCHED, 3, 0, False)]
    for _ in range(2):
        project.add_person()
    project.add_person(role="manager")
    with database.reading() as connection:
        assert oversight.stuck(connection) == [Stuck(new, UNTOUCHED, 3, 2, False)]


def test_with_too_few_people_nothing_can_be_finished(database: Database) -> None:
    make_project(database, n_clips=2, n_people=2)
    with database.reading() as connection:
        found = oversight.stuck(connection)
        assert len(oversight.stuck(connection, limit=1)) == 1
    assert [(s.n_open, s.n_free) for s in found] == [(3, 2), (3, 2)]


def answer_after(project: Project, person: int, seconds: float, shown_s: float) -> None:
    project.clock.pass_s(seconds - shown_s)
    lease = project.office.leases(person)[0]
    project.clock.pass_s(shown_s)
    project.office.answer(person, answer_to(lease, shown_ms=round(shown_s * 1000)))


def test_hours_leave_pauses_out(database: Database) -> None:
    project = make_project(database, n_clips=20, n_people=2)
    first, second = project.people
    project.clock.ms = 1_700_006_400_000  # midnight, UTC, of 2023-11-15
    answer_after(project, first, 3600, 10)  # 10 s: the first answer counts its clip
    answer_after(project, first, 20, 15)  # 20 s since the one before
    answer_after(project, first, 300, 4)  # 300 s: no pause yet
    answer_after(project, first, 301, 7)  # a pause: 7 s
    answer_after(project, first, 4000, 3900)  # the clip stayed on the screen: 300 s
    answer_after(project, second, 5, 3)
    day = date(2023, 11, 15)
    until = project.clock() + 1
    with database.reading() as connection:
        found = worked(connection, 0, until)
        assert found == [Worked(first, day, 637_000, 5), Worked(second, day, 3_000, 1)]
        # A span that begins in the middle knows the answer before it.
        begun = 1_700_006_400_000 + 3_620_000
        assert worked(connection, begun, until)[0] == Worked(first, day, 627_000, 4)
        # Ten hours further west it is the day before.
        west = worked(connection, 0, until, -10 * HOUR_MS)
    assert {w.day for w in west} == {date(2023, 11, 14)}


def test_gold_repeats_and_changes_are_work_too(database: Database) -> None:
    project = make_project(database, n_clips=3, n_people=1)
    me = project.people[0]
    answer_after(project, me, 100, 4)
    reopened = project.office.reopen(me)
    assert reopened is not None
    project.clock.pass_s(9)
    change = answer_to(reopened[0], "Sad", revises=reopened[1]["request_id"], shown_ms=9000)
    project.office.answer(me, change)
    with database.reading() as connection:
        [found] = worked(connection, 0, project.clock() + 1)
    assert (found.worked_ms, found.n_answers) == (13_000, 2)


def test_one_clip_with_everything_that_was_said(database: Database) -> None:
    project = small_project(database)
    me = project.people[0]
    reopened = project.office.reopen(me)
    assert reopened is not None
    last, said = reopened
    project.office.answer(me, answer_to(last, "Surprise", revises=said["request_id"]))
    with database.reading() as connection:
        found = dossier(connection, last.clip_id)
    mine = [s for s in found.said if s.name == "Person 1"]
    assert [(s.revision, s.is_standing) for s in mine] == [(1, False), (2, True)]
    assert mine[1].emotion == "Surprise"
    assert found.film.boxes == [[1.0, 2.0, 11.0, 12.0], None]
    assert found.film.times_ms == [0, 40]

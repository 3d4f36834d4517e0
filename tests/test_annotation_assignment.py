"""Who gets which clip: two at most, none twice, evenly, no shot twice in a row."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import retire
from caer_build.annotation.choosing import Candidate, ranked
from caer_build.annotation.database import Database
from tests.annotating import Project, answer_to, frozen, make_project


def work_through(project: Project, seed: int = 0) -> dict[int, list[str]]:
    """Everybody answers in a random turn until nothing is left; the clips of each, in order."""
    random, seen = Random(seed), {person: [] for person in project.people}
    waiting = set(project.people)
    while waiting:
        person = random.choice(sorted(waiting))
        leases = project.office.leases(person)
        if not leases:
            waiting.discard(person)
            continue
        seen[person].append(leases[0].clip_id)
        project.office.answer(person, answer_to(leases[0], random.choice(["Sad", "Happy"])))
        project.clock.pass_s(6)
    return seen


def test_every_clip_gets_exactly_three_different_people(database: Database) -> None:
    project = make_project(database, n_clips=40, n_people=5)
    seen = work_through(project)
    per_clip = Counter(clip for clips in seen.values() for clip in clips)
    assert set(per_clip.values()) == {3}
    assert len(per_clip) == 40
    assert all(len(set(clips)) == len(clips) for clips in seen.values())
    with database.reading() as connection:
        assert connection.scalar(select(func.sum(t.clip.c.n_open))) == 0


def test_two_leases_at_most_and_the_same_until_answered(database: Database) -> None:
    project = make_project(database)
    me = project.people[0]
    first = project.office.leases(me)
    assert len(first) == 2
    assert project.office.leases(me) == first
    after = project.office.answer(me, answer_to(first[0])).leases
    assert len(after) == 2
    assert after[0] == first[1]


def test_pairs_level_out_and_orders_differ(database: Database) -> None:
    project = make_project(database, n_clips=200, n_people=6)
    seen = work_through(project)
    with database.reading() as connection:
        met = {(r.first, r.second): r.n_clips for r in connection.execute(select(t.pair))}
    assert set(met) == set(combinations(project.people, 2))
    # 600 answers make 600 pairs: 40 for each of 15.
    assert min(met.values()) >= 25
    assert max(met.values()) <= 55
    common = set(seen[1]) & set(seen[2])
    assert [c for c in seen[1] if c in common] != [c for c in seen[2] if c in common]


def test_no_two_clips_of_a_shot_in_a_row(database: Database) -> None:
    clips = [frozen(number, shot=number // 4) for number in range(80)]
    project = make_project(database, clips=clips)
    for order in work_through(project).values():
        shots = [clip.split("-t")[0] for clip in order]
        assert not any(a == b for a, b in pairwise(shots[:-8]))


def test_a_fast_person_does_not_run_dry(database: Database) -> None:
    """The window of open clips is full of what they have done; the search goes on behind it."""
    project = make_project(database, n_clips=300, n_people=2)
    fast = project.people[0]
    for _ in range(300):
        project.office.answer(fast, answer_to(project.office.leases(fast)[0]))
    assert project.office.leases(fast) == ()
    assert len(project.office.leases(project.people[1])) == 2


def test_clips_that_came_back_are_found(database: Database) -> None:
    project = make_project(database, n_clips=30, n_people=2, votes_per_clip=1)
    me, other = project.people
    kept_back = project.office.leases(other)
    for _ in range(28):
        project.office.answer(me, answer_to(project.office.leases(me)[0]))
    assert project.office.leases(me) == ()
    project.clock.pass_s(1000)
    assert {x.clip_id for x in project.office.leases(me)} == {x.clip_id for x in kept_back}


def test_a_retired_person_gives_back_leases_and_keeps_answers(database: Database) -> None:
    project = make_project(database, n_clips=5, n_people=2)
    me = project.people[0]
    project.office.answer(me, answer_to(project.office.leases(me)[0]))
    with database.writing() as connection:
        retire(connection, me, None, project.clock())
    with database.reading() as connection:
        mine = connection.execute(select(t.slot).where(t.slot.c.annotator_id == me)).all()
        open_slots = connection.scalar(select(func.sum(t.clip.c.n_open)))
    assert [row.answered for row in mine] == [True]
    assert open_slots == 14


def mark_gold(project: Project, n: int, practice: bool = False) -> None:
    """Makes the first clips gold: all are Happy."""
    with project.database.writing() as connection:
        connection.execute(
            update(t.clip)
            .where(t.clip.c.position < n)
            .values(gold_emotion="Happy", gold_reason="she laughs", is_practice=practice)
        )


def test_gold_comes_unseen_and_never_counts(database: Database) -> None:
    project = make_project(database, n_clips=60, n_people=3, gold_share=0.3)
    mark_gold(project, 10)
    work_through(project)
    with database.reading() as connection:
        rows = connection.execute(select(t.vote)).all()
    gold = [r for r in rows if r.purpose == "gold"]
    assert 6 <= len(gold) <= 30
    assert all(r.slot is None for r in gold)
    for person in project.people:
        mine = [r.clip_id for r in rows if r.annotator_id == person]
        assert len(set(mine)) == len(mine)  # nobody sees a gold clip again as another


def test_repeats_show_ones_own_clips_after_a_while(database: Database) -> None:
    project = make_project(database, n_clips=60, n_people=3, repeat_share=0.3, repeat_after=10)
    work_through(project)
    with database.reading() as connection:
        rows = connection.execute(select(t.vote).order_by(t.vote.c.vote_id)).all()
    repeats = [r for r in rows if r.purpose == "repeat"]
    assert len(repeats) >= 10
    for repeat in repeats:
        mine = [r for r in rows if r.annotator_id == repeat.annotator_id and r.purpose == "vote"]
        before = [r.clip_id for r in mine if r.vote_id < repeat.vote_id]
        # Two leases lie between choosing and answering.
        assert before.index(repeat.clip_id) <= len(before) - 10


def test_practice_comes_first_with_feedback(database: Database) -> None:
    project = make_project(database, n_clips=20, n_people=0, practice_clips=3)
    mark_gold(project, 5, practice=True)
    me = project.add_person(qualified=False)
    told = []
    for emotion in ("Happy", "Sad", "Happy"):
        leases = project.office.leases(me)
        assert {x.purpose for x in leases} == {"practice"}
        told.append(project.office.answer(me, answer_to(leases[0], emotion)))
    feedback = [o.feedback for o in told if o.feedback is not None]
    assert [f.right for f in feedback] == [True, False, True]
    assert [(f.n_done, f.n_all, f.passed) for f in feedback] == [
        (1, 3, None), (2, 3, None), (3, 3, True),
    ]  # fmt: skip
    assert feedback[1].reason == "she laughs"
    assert {x.purpose for x in told[-1].leases} == {"vote"}


def test_a_failed_round_ends_and_gives_nothing_that_counts(database: Database) -> None:
    project = make_project(database, n_clips=20, n_people=0, practice_clips=2)
    mark_gold(project, 5, practice=True)
    me = project.add_person(qualified=False)
    for _ in range(2):
        outcome = project.office.answer(me, answer_to(project.office.leases(me)[0], "Fear"))
    assert outcome.feedback is not None
    assert outcome.feedback.passed is False
    assert project.office.leases(me) == ()


candidates = st.lists(
    st.builds(
        Candidate,
        st.uuids().map(str),
        st.sampled_from("abc"),
        st.lists(st.integers(1, 5), max_size=2, unique=True).map(tuple),
    ),
    max_size=12,
)


@given(candidates, st.dictionaries(st.integers(1, 5), st.integers(0, 9)), st.integers())
def test_ranking_puts_another_shot_first_then_what_is_nearly_done(
    found: list[Candidate], met: dict[int, int], seed: int
) -> None:
    order = ranked(found, met, "a", Random(seed))
    assert sorted(order, key=id) == sorted(found, key=id)
    assert order == ranked(found, met, "a", Random(seed))
    costs = [
        (c.shot_id == "a", -len(c.others), sum(met.get(o, 0) for o in c.others)) for c in order
    ]
    assert costs == sorted(costs)

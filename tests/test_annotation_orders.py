"""Orders: everybody's own, clips finished nevertheless, and never one shot twice in a row."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from sqlalchemy import func, insert, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from tests.annotating import Project, answer_to, frozen, make_project

_CLIPS, _PEOPLE = 600, 6


def work(project: Project, n_answers: int, seed: int = 1) -> dict[int, list[str]]:
    """People answer in random turns; the clips of each, in their order."""
    random, seen = Random(seed), {person: [] for person in project.people}
    for _ in range(n_answers):
        person = random.choice(project.people)
        leases = project.office.leases(person)
        if leases:
            seen[person].append(leases[0].clip_id)
            project.office.answer(person, answer_to(leases[0]))
            project.clock.pass_s(6)
    return seen


def rank_correlations(seen: dict[int, list[str]]) -> list[float]:
    """Spearman's, of every two people over the clips that both have seen."""
    found = []
    for one, other in combinations(seen.values(), 2):
        places = {clip: k for k, clip in enumerate(other)}
        ranks = [places[clip] for clip in one if clip in places]
        found.append(float(np.corrcoef(range(len(ranks)), np.argsort(np.argsort(ranks)))[0, 1]))
    return found


def shares(project: Project) -> tuple[float, float]:
    """Of the clips: begun and not finished, and finished."""
    with project.database.reading() as connection:
        begun = connection.scalar(
            select(func.count()).where(t.clip.c.n_open > 0, t.clip.c.n_open < t.clip.c.n_slots)
        )
        done = connection.scalar(select(func.count()).where(t.clip.c.n_open == 0))
    return (begun or 0) / _CLIPS, (done or 0) / _CLIPS


@pytest.fixture
def quick_database(tmp_path: Path) -> Database:
    return Database(sqlite_url(tmp_path / "votes.sqlite"))


def test_orders_differ_and_clips_are_finished(quick_database: Database) -> None:
    """At half the answers. Both at once cannot be had in full: people who come to a clip at
    different times leave it begun in between, the longer the less alike their orders are."""
    project = make_project(quick_database, n_clips=_CLIPS, n_people=_PEOPLE)
    correlations = rank_correlations(work(project, _CLIPS * 3 // 2))
    begun, done = shares(project)
    assert len(correlations) == 15
    assert np.mean(correlations) < 0.5
    assert begun < 0.45
    assert done > 0.3, "half at most could be"
    with quick_database.reading() as connection:
        pairs = [row.n_clips for row in connection.execute(select(t.pair))]
    assert max(pairs) <= 1.3 * min(pairs), "pairs level out all the same"


def test_few_begun_clips_are_a_matter_of_a_setting(quick_database: Database) -> None:
    project = make_project(
        quick_database, n_clips=_CLIPS, n_people=_PEOPLE, begun_share=0.05
    )  # fmt: skip
    work(project, _CLIPS * 3 // 4)
    begun, done = shares(project)
    assert begun < 0.1
    assert done > 0.2, "a quarter could be"


def test_the_first_clips_are_finished_within_the_first_hour(quick_database: Database) -> None:
    project = make_project(quick_database, n_clips=_CLIPS, n_people=_PEOPLE)
    work(project, 100)
    assert shares(project)[1] * _CLIPS >= 3


def test_what_the_guide_shows_is_given_to_nobody(database: Database) -> None:
    """Nor what somebody passed on, or had on an errand: wherever the look begins."""
    project = make_project(database, n_clips=30, n_people=2)
    with database.writing() as connection:
        shown = connection.scalars(select(t.clip.c.clip_id).where(t.clip.c.position % 2 == 0)).all()
        connection.execute(insert(t.example), [{"clip_id": clip_id} for clip_id in shown])
    first = project.office.leases(project.people[0])[0]
    project.office.decline(project.people[0], first.public_id, first.ticket)
    seen = work(project, 80)
    assert [len(set(order)) for order in seen.values()] == [14, 15]
    assert not set(shown) & {clip for order in seen.values() for clip in order}
    assert first.clip_id not in seen[project.people[0]]


@pytest.mark.parametrize("shares_of", [{"gold_share": 0.3}, {"repeat_share": 0.3}])
def test_gold_and_repeats_are_of_other_shots_too(
    database: Database, shares_of: dict[str, float]
) -> None:
    """Clips of few shots, and much that does not count: by chance there would be dozens."""
    clips = [frozen(number, shot=number // 12) for number in range(96)]
    project = make_project(database, clips=clips, n_people=2, repeat_after=2, **shares_of)
    with database.writing() as connection:
        connection.execute(
            update(t.clip)
            .where(t.clip.c.position % 4 == 0)
            .values(gold_emotion="Happy", gold_reason="she laughs")
        )
    for order in work(project, 90).values():
        shots = [clip.split("-t")[0] for clip in order]
        assert len(shots) > 30
        assert not any(a == b for a, b in pairwise(shots))
    with database.reading() as connection:
        purposes = set(connection.scalars(select(t.vote.c.purpose)))
    assert len(purposes) == 2


def test_practice_is_of_other_shots_while_there_are_any(database: Database) -> None:
    clips = [frozen(number, shot=min(number, 5)) for number in range(10)]
    project = make_project(database, clips=clips, n_people=0, practice_clips=10)
    with database.writing() as connection:
        connection.execute(
            update(t.clip).values(gold_emotion="Happy", gold_reason="why", is_practice=True)
        )
    me = project.add_person(qualified=False)
    seen = []
    while leases := project.office.leases(me):
        seen.append(leases[0].shot_id)
        project.office.answer(me, answer_to(leases[0], "Happy"))
    assert len(seen) == 10, "a round goes on, were all that is left of one shot"
    # Five of them are of one shot: they come in turn with the others, or behind them.
    first_again = next(k for k, (a, b) in enumerate(pairwise(seen)) if a == b)
    assert set(seen[first_again:]) == {seen[first_again]}

"""The sign "faster than the clips last" is about first answers, whatever was changed later."""

from __future__ import annotations

from caer_build.annotation import suspicion
from caer_build.annotation.database import Database
from tests.annotating import answer_to, make_project

_CLIP_MS = 80
"""how long the clips of :func:`tests.annotating.frozen` are"""


def test_who_looks_again_and_changes_an_answer_quickly_is_not_hasty(database: Database) -> None:
    project = make_project(database, n_clips=6, n_people=1, gold_share=0.0, repeat_share=0.0)
    [me] = project.people
    for _ in range(4):
        lease = project.office.leases(me)[0]
        project.clock.pass_s(1)
        first = answer_to(lease, "Sad", shown_ms=5 * _CLIP_MS)
        project.office.answer(me, first)
        project.clock.pass_s(1)
        revised = answer_to(lease, "Fear", shown_ms=_CLIP_MS // 2, revises=first.request_id)
        project.office.answer(me, revised)
    with database.reading() as connection:
        assert [sign.kind for sign in suspicion.signs(connection)] == []
        recent = suspicion.recent_answers(connection, me)
    assert [one.shown_ms for one in recent] == [400] * 4


def test_a_long_look_afterwards_does_not_hide_a_hasty_answer(database: Database) -> None:
    project = make_project(database, n_clips=6, n_people=1, gold_share=0.0, repeat_share=0.0)
    [me] = project.people
    for _ in range(3):
        lease = project.office.leases(me)[0]
        project.clock.pass_s(1)
        first = answer_to(lease, "Sad", shown_ms=_CLIP_MS - 1)
        project.office.answer(me, first)
        project.clock.pass_s(10)
        revised = answer_to(lease, "Fear", shown_ms=60 * _CLIP_MS, revises=first.request_id)
        project.office.answer(me, revised)
    with database.reading() as connection:
        [sign] = suspicion.signs(connection)
    assert (sign.annotator_id, sign.kind) == (me, "too_fast")
    assert sign.evidence == "3 of the last 3 answers came before the clip was over."

"""Whoever reads every reply cannot tell what a clip is shown for, nor what others have answered."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from caer_build.annotation import tables as t
from tests.serving import Served, answer_body, make_workspace, serving

_ANSWERS = 30
"""with the other requests for each, fewer than a person may send in a minute"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A third of what comes up is gold, another third repeats."""
    workspace = make_workspace(
        tmp_path_factory.mktemp("blind") / "work", n_clips=60, gold_share=0.3, repeat_share=0.3,
        repeat_after=2,
    )  # fmt: skip
    with serving(workspace) as running:
        with running.database.writing() as connection:
            connection.execute(
                update(t.clip)
                .where(t.clip.c.position < 20)
                .values(gold_emotion="Happy", gold_reason="she laughs")
            )
        yield running


def shape(said: Any) -> Any:
    """What a reply looks like, whatever stands in it."""
    if isinstance(said, dict):
        return {name: shape(value) for name, value in said.items()}
    if isinstance(said, list):
        return [shape(value) for value in said[:2]]
    return re.sub("[0-9a-f]", "x", said) if isinstance(said, str) else type(said).__name__


def test_all_kinds_of_clips_look_alike(served: Served) -> None:
    ada = served.member("Ada")
    me = served.annotator_id("Ada")
    seen, replies, renewals = [], defaultdict(list), set()
    task = ada.work()["tasks"][0]
    for _ in range(_ANSWERS):
        purpose = purpose_of(served, me, task["ticket"])
        renewed = ada.post("/api/renew", {})
        renewals.add((renewed.text, tuple(sorted(set(renewed.headers) - {"date"}))))
        clip = ada.get(task["src"])
        assert clip.headers["etag"] == f'"{task["clip"]}"'
        seen.append(task["clip"])
        taken = ada.post("/api/answer", answer_body(task))
        assert taken.status_code == 200, taken.text
        after = taken.json()
        undone = ada.get("/api/last").json()
        assert undone["task"]["clip"] == task["clip"], "undo calls it as it was called"
        assert ada.get(undone["task"]["src"]).content == clip.content
        replies[purpose].append([shape(task), shape(after), shape(undone), after["can_undo"]])
        task = after["tasks"][0]
    assert set(replies) == {"vote", "gold", "repeat"}
    assert len(set(seen)) == len(seen), "a repeat has a name that was not there before"
    assert len(renewals) == 1
    kinds = {str(reply) for replies_of_kind in replies.values() for reply in replies_of_kind}
    assert len(kinds) == 1


def purpose_of(served: Served, annotator_id: int, ticket: str) -> str:
    with served.database.reading() as connection:
        errand = select(t.errand.c.purpose).where(t.errand.c.ticket == ticket)
        return str(connection.scalar(errand) or "vote")


def test_no_number_counts_what_others_answer(served: Served) -> None:
    bea, cleo = served.member("Bea"), served.member("Cleo")

    def numbers() -> set[int]:
        """All numbers that Bea is told, but for times and places in her clip."""
        said = [bea.work(), bea.get("/api/last").json()]
        found: set[int] = set()
        for reply in said:
            found |= set(_numbers(reply, besides=("times_ms", "boxes")))
        return found

    bea.post("/api/answer", answer_body(bea.work()["tasks"][0]))
    before = numbers()
    for _ in range(30):
        cleo.post("/api/answer", answer_body(cleo.work()["tasks"][0]))
    assert numbers() == before


def _numbers(said: Any, besides: tuple[str, ...]) -> Iterator[int]:
    if isinstance(said, dict):
        for name, value in said.items():
            if name not in besides:
                yield from _numbers(value, besides)
    elif isinstance(said, list):
        for value in said:
            yield from _numbers(value, besides)
    elif isinstance(said, int):
        yield said

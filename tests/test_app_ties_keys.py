"""An adjudicator decides ties with the keyboard alone, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import tables as t
from tests.player_seat import WIDE, Seat, chromium
from tests.serving import Served, answer_body, make_workspace, serving

_SRC = "(part('video-a').hidden ? part('video-b') : part('video-a')).getAttribute('src')"
_TWO_QUESTIONS = "() => document.querySelectorAll('[role=radiogroup]').length === 2"
"""and none of an earlier run is left"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three clips of which three people said three things."""
    root = tmp_path_factory.mktemp("ties") / "work"
    with serving(make_workspace(root, n_clips=3)) as running:
        for name, emotion in (("Bea", "Happy"), ("Cleo", "Surprise"), ("Dan", "Fear")):
            member = running.member(name)
            while tasks := member.work()["tasks"]:
                assert member.post("/api/answer", answer_body(tasks[0], emotion=emotion)).is_success
        yield running


def test_ties_are_decided_by_keys(served: Served) -> None:
    with chromium() as browser:
        token = served.member("Yusuf Demir", "adjudicator").token
        made = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
        made.set_default_timeout(20_000)
        made.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": served.base_url}])
        judge = Seat(made.new_page(), served.base_url)
        judge.page.goto(f"{judge.url}/adjudicate")

        def says(words: str) -> None:
            judge.page.get_by_text(words).first.wait_for()

        def until_another_clip(before: str) -> str:
            """Keys that are pressed before it is there are meant for the one before."""
            judge.until(f"{_SRC} && {_SRC} !== {before!r}")
            return str(shown.get_attribute("src"))

        says("2 others wait for you")
        shown = judge.page.locator("video:not([hidden])")
        first = until_another_clip("")
        says("Play the clip once to its end")
        judge.press("ArrowUp", "7", "d")  # two choices at once, and neither is lost
        says("Ready to send.")
        judge.page.wait_for_function(_TWO_QUESTIONS)
        assert chosen(judge) == ["Surprise", "About as likely right as wrong."]
        judge.press("2")  # another emotion keeps how sure one is
        judge.page.get_by_role("radio", name="Disgust", checked=True).wait_for()
        judge.page.wait_for_function(_TWO_QUESTIONS)
        judge.page.get_by_text("Anger", exact=True).click()  # and a click leaves the keys alone
        judge.press("6", "g", "Enter")
        says("1 others wait for you")
        second = until_another_clip(first)

        judge.press("ArrowUp", "x")
        says("Ready to send.")
        judge.press("Enter")
        says("0 others wait for you")
        until_another_clip(second)

        judge.press("n")
        says("Press N once more")
        judge.press("n")
        says("Nothing waits for you")
        assert judge.complaints == []
    assert decisions(served) == [("Sad", 4, None), (None, None, "cannot_tell")]
    with served.database.reading() as connection:
        assert len(connection.execute(select(t.declined)).all()) == 1


def chosen(judge: Seat) -> list[str]:
    marked: Any = judge.page.locator("label:has(input[type=radio]:checked)")
    return [str(text) for text in marked.all_inner_texts()]


def decisions(served: Served) -> list[tuple[str | None, int | None, str | None]]:
    said = (t.vote.c.emotion, t.vote.c.confidence_step, t.vote.c.flag)
    query = select(*said).where(t.vote.c.purpose == "adjudication").order_by(t.vote.c.vote_id)
    with served.database.reading() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]

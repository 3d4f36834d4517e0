"""Adjudicators decide ties at the player, before they are told what others said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import tables as t
from tests.player_seat import COUNT_TONES, PATIENCE_MS, WIDE, Seat, is_lost, passes
from tests.serving import Browser, Served, answer_body, make_workspace, serving

SAID = {"Bea": "Happy", "Cleo": "Surprise", "Dan": "Fear"}
N_CLIPS = 4


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Clips of which three people said three things."""
    with serving(make_workspace(tmp_path / "work", n_clips=N_CLIPS)) as running:
        for name, emotion in SAID.items():
            member = running.member(name)
            while tasks := member.work()["tasks"]:
                assert member.post("/api/answer", answer_body(tasks[0], emotion=emotion)).is_success
        yield running


def seat_of(browser: Any, member: Browser) -> Seat:
    made = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    made.add_init_script(COUNT_TONES)
    made.set_default_timeout(PATIENCE_MS)
    made.add_cookies([{"name": SESSION_COOKIE, "value": member.token, "url": member.base_url}])
    return Seat(made.new_page(), f"{member.base_url}/adjudicate")


def decisions(served: Served) -> list[t.AnyRow]:
    query = select(t.vote).where(t.vote.c.purpose == "adjudication").order_by(t.vote.c.vote_id)
    with served.database.reading() as connection:
        return list(connection.execute(query))


def go_on(seat: Seat) -> None:
    """Past what others said; the second press of a double one is not meant for it."""
    seat.until_view("notice")
    seat.page.wait_for_timeout(500)
    seat.press("Enter")


def test_ties_are_decided_by_keys(browser: Any, served: Served) -> None:
    judge = seat_of(browser, served.member("Yusuf Demir", "adjudicator")).open()
    frames: list[object] = []

    def note(frame: object) -> None:
        frames.append(frame)

    judge.page.on("websocket", lambda socket: socket.on("framesent", note))
    judge.page.reload()
    judge.until_view("answer")
    assert f"{N_CLIPS - 1} others wait" in judge.text("counts")
    assert judge.part("undo").is_hidden()
    first = judge.clip
    judge.until("!part('video-a').paused || !part('cover').hidden")
    judge.page.wait_for_timeout(1000)
    frames.clear()
    judge.press("ArrowUp", "7", "d", "2")
    assert judge.chosen == ["Disgust", "About as likely right as wrong."]
    judge.until_heard()
    assert frames == [], "no key makes the page run again"
    judge.press("Equal", "ArrowUp")  # once more, faster
    judge.until("part('played').dataset.share > 0.9")
    judge.until("part('played').dataset.share < 0.5")
    assert "Happy" not in judge.page.content()
    judge.press("Enter")
    judge.until_view("notice")
    told = judge.text("notice-text")
    for emotion in SAID.values():
        assert f"{emotion}, “I am fairly sure”." in told
    assert not any(name in told for name in SAID)
    judge.page.get_by_text("What you decided, and what others had said").wait_for()
    go_on(judge)
    judge.until_view("answer")
    assert judge.clip != first
    judge.press("x")
    judge.until_heard()
    judge.press("Enter")
    go_on(judge)
    judge.until_view("answer")
    judge.press("n")
    judge.part("dialog-decline").wait_for()
    judge.press("Enter")
    judge.until_says("status", "Passed on")
    judge.until_says("counts", "0 others wait")
    judge.press("m")
    judge.part("dialog-broken").wait_for()
    judge.press("2", "Enter")
    go_on(judge)
    judge.until_title("Nothing waits for you")
    assert judge.complaints == []
    one, two, three = decisions(served)
    assert (one.emotion, one.confidence_step, two.flag, three.flag) == (
        "Disgust", 2, "cannot_tell", "broken",
    )  # fmt: skip
    # As it was, not as it should be.
    assert (one.speed, one.play_count, one.audio_on) == (125, 2, True)
    assert (two.speed, three.play_count) == (100, 0)
    with served.database.reading() as connection:
        assert len(connection.execute(select(t.declined)).all()) == 1


def test_a_decision_in_progress_outlives_a_reload(browser: Any, served: Served) -> None:
    judge = seat_of(browser, served.member("Yusuf Demir", "adjudicator"))
    wire = judge.wire("**/api/ties/answer")
    judge.open()
    clip = judge.clip
    judge.press("6", "g", "v")
    judge.page.reload()
    judge.until_view("answer")
    assert (judge.clip, judge.chosen) == (clip, ["Sad", "I am certain."])
    judge.page.get_by_role("link", name="Label clips").click()
    judge.until_title("Nothing left")
    judge.page.get_by_role("link", name="Ties").click()
    judge.until_view("answer")
    assert (judge.clip, judge.chosen) == (clip, ["Sad", "I am certain."])
    assert "the sound on" in judge.text("missing")
    judge.press("v", "ArrowUp")
    judge.until_heard()
    wire.fate = is_lost
    judge.press("Enter")
    judge.until_says("status", "Not saved yet")
    judge.page.on("dialog", lambda dialog: dialog.accept())
    wire.fate = passes
    judge.page.reload()
    judge.until_view("answer")
    assert judge.clip != clip
    [row] = decisions(served)
    assert (row.emotion, row.confidence_step) == ("Sad", 4)


def test_nothing_of_others_comes_before_ones_own_decision(served: Served) -> None:
    judge = served.member("Yusuf Demir", "adjudicator")
    found = judge.get("/api/ties/work").json()
    assert set(found) >= {"tasks", "n_waiting", "state"}
    assert "Surprise" not in str({k: v for k, v in found.items() if k != "emotions"})
    [task] = found["tasks"]
    told = judge.post("/api/ties/answer", answer_body(task, emotion="Sad")).json()
    assert sorted(given["emotion"] for given in told["others"]) == sorted(SAID.values())
    assert all(set(given) == {"emotion", "flag", "confidence_step", "confidence_steps"}
               for given in told["others"])  # fmt: skip
    [row] = decisions(served)
    # Having been told, nobody changes it.
    changed = answer_body(task, emotion="Happy", revises=row.request_id)
    for path in ("/api/ties/answer", "/api/answer"):
        refused = judge.post(path, changed)
        assert refused.status_code == 403
        assert "your answer stands" in refused.json()["error"]
    assert len(decisions(served)) == 1


def test_only_adjudicators_decide_and_label_answers_tell_nothing(served: Served) -> None:
    with served.database.writing() as connection:
        connection.execute(t.annotator.update().values(qualified_at=1))
        clip_id = connection.scalar(select(t.clip.c.clip_id).limit(1))
        connection.execute(
            t.clip.update().where(t.clip.c.clip_id == clip_id).values(n_slots=4, n_open=1)
        )
        connection.execute(t.slot.insert().values(clip_id=clip_id, slot=4))
    annotator = served.member("Eve")
    [task] = annotator.work()["tasks"]
    assert annotator.get("/api/ties/work").status_code == 403
    assert annotator.post("/api/ties/answer", answer_body(task)).status_code == 403
    assert annotator.post("/api/disputes/decline", {"clip": "x", "ticket": "y"}).status_code == 403
    assert any("Ties are decided by adjudicators" in event for event in served.events())
    assert served.browser().get("/api/ties/work").status_code == 401
    with served.database.writing() as connection:
        connection.execute(
            t.annotator.update().where(t.annotator.c.name == "Eve").values(role="adjudicator")
        )
    told = annotator.post("/api/ties/answer", answer_body(task)).json()
    assert told["others"] == [], "that was a vote, and no decision"

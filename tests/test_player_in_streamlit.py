"""The player where it lives: in Streamlit's page, behind the real server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import tables as t
from tests.media import RATE
from tests.player_seat import COUNT_TONES, PATIENCE_MS, WIDE, Seat
from tests.serving import Served, make_workspace, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a small project; 11 steps take the most room."""
    root = tmp_path_factory.mktemp("streamlit") / "work"
    with serving(make_workspace(root, n_clips=8, confidence_steps=11)) as running:
        yield running


def seat_of(browser: Any, served: Served, name: str, **context: Any) -> Seat:
    context = {"viewport": {"width": WIDE[0], "height": WIDE[1]}, **context}
    made = browser.new_context(**context)
    made.add_init_script(COUNT_TONES)
    made.set_default_timeout(PATIENCE_MS)
    token = served.member(name).token
    made.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": served.base_url}])
    return Seat(made.new_page(), served.base_url)


def test_a_key_costs_no_run_of_the_page(browser: Any, served: Served) -> None:
    seat = seat_of(browser, served, "Ada")
    frames: list[object] = []

    def note(frame: object) -> None:
        frames.append(frame)

    seat.page.on("websocket", lambda socket: socket.on("framesent", note))
    seat.open()
    n_frames = 0
    while n_frames == 0 or n_frames < len(frames):  # until Streamlit has nothing more to say
        n_frames = len(frames)
        seat.page.wait_for_timeout(1000)
    frames.clear()
    first = seat.label("2", "Semicolon")
    second = seat.label("5", "Quote")
    assert first != second
    seat.press("u")
    seat.until_says("banner", "changing")
    seat.press("a", "Enter")
    seat.until("part('banner').hidden")
    seat.press("m")
    seat.part("dialog-broken").wait_for()
    seat.part("reason-text").focus()
    seat.page.keyboard.type("cracked record")  # C and R are commands of Streamlit
    seat.press("Enter")
    seat.until("part('counts').textContent.includes('in all 3')")
    assert frames == []
    assert seat.page.get_by_text("Clear caches").count() == 0
    with served.database.reading() as connection:
        rows = connection.execute(select(t.vote).order_by(t.vote.c.vote_id)).all()
    assert [(r.emotion, r.confidence_step, r.reason) for r in rows] == [
        ("Disgust", 9, None),
        ("Neutral", 10, None),
        ("Neutral", 0, None),
        (None, None, "cracked record"),
    ]
    assert seat.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_of_it_is_in_sight(browser: Any, served: Served, tmp_path: Path, theme: str) -> None:
    seat = seat_of(browser, served, f"Bea {theme}", color_scheme=theme).open()
    main = "document.querySelector('[data-testid=stMain]')"
    seat.page.wait_for_function(f"() => {main}.scrollHeight <= {WIDE[1]}")
    seat.page.screenshot(path=tmp_path / "work.png")
    for name in ("stage", "send", "undo", "sound"):
        box = seat.part(name).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= WIDE[1]
        assert box["x"] + box["width"] <= WIDE[0]
    shown = seat.part("player").evaluate("e => getComputedStyle(e).backgroundColor")
    assert (shown == "rgb(255, 255, 255)") == (theme == "light")


STOPWATCH = """() => {
    window.began = [];
    const part = (name) => {
        const hosts = [...document.querySelectorAll("*")].map((e) => e.shadowRoot);
        const root = hosts.find((r) => r?.querySelector("[data-part=player]"));
        return root?.querySelector(`[data-part=${name}]`);
    };
    let seen = null;
    const look = () => {
        const front = ["video-a", "video-b"].map(part).find((video) => video && !video.hidden);
        const plays = front && !front.paused && front.currentTime > 0;
        if (plays && front.dataset.src !== seen) {
            seen = front.dataset.src;
            window.began.push(performance.now());
        }
        requestAnimationFrame(look);
    };
    look();
}"""
"""notes when a clip begins to play that was not on the screen before (ms)"""
SENT = """performance.getEntriesByType("resource")
    .filter((entry) => entry.name.endsWith("/api/answer")).map((entry) => entry.startTime)"""


def test_the_next_clip_is_there_and_four_seconds_take_six(browser: Any, tmp_path: Path) -> None:
    n_clips = 6
    workspace = make_workspace(tmp_path / "work", n_clips=n_clips, n_frames=4 * RATE)
    with serving(workspace) as running:
        seat = seat_of(browser, running, "Dana").open()
        seat.page.evaluate(STOPWATCH)
        seat.press("ArrowUp")
        for number in range(n_clips):
            seat.label(str(number % 7 + 1), "d")
        seat.until_title("Nothing left")
        began, sent = seat.page.evaluate("window.began"), seat.page.evaluate(SENT)
    assert len(began) == len(sent) == n_clips
    waits = [after - before for before, after in zip(sent, began[1:], strict=False)]
    whole = [after - before for before, after in pairwise(began)]
    assert median(waits) < 1000
    assert median(whole) < 6000


def test_other_pages_and_back(browser: Any, served: Served, tmp_path: Path) -> None:
    seat = seat_of(browser, served, "Cleo").open()
    clip = seat.clip
    seat.press("6", "d")
    seat.page.get_by_role("link", name="Guide").click()
    seat.page.get_by_role("heading", name="The seven emotions").wait_for()
    seat.page.screenshot(path=tmp_path / "guide.png")
    for name in ("Anger", "Surprise", "The rules", "How sure you are", "The keys"):
        expect(seat.page.get_by_role("heading", name=name)).to_have_count(1)
    seat.press("4", "Enter")  # of no meaning here
    seat.page.get_by_role("link", name="Label clips").click()
    seat.until_view("answer")
    assert (seat.clip, seat.chosen) == (clip, ["Sad", "Very unsure."])
    seat.until_heard()
    seat.press("Enter")
    seat.until_says("status", "Saved")
    assert seat.complaints == []

"""How long a clip is kept: as long as its page is open, and no longer than the lease after that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caer_build.annotation.office import now_ms
from tests.player_seat import Seat
from tests.player_server import bench

LEASE_S = 30
ONE_CLIP: dict[str, Any] = {"lengths": (20,), "votes_per_clip": 1, "lease_s": LEASE_S}


class Ahead:
    """The server's clock: it goes on as clocks do, and can be put forward."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ms

    def pass_s(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


def take_a_clip(seat: Seat) -> None:
    """Looks once more for something to do, and goes through the sound check."""
    seat.press("Enter")
    seat.until_title("Sound check")
    seat.press("Enter")
    seat.until_title("How many tones")
    seat.press(str(seat.page.evaluate("window.tones")))
    seat.until_view("answer")


def test_an_open_page_keeps_its_clip(browser: Any, tmp_path: Path) -> None:
    clock = Ahead()
    with bench(tmp_path, clock=clock, **ONE_CLIP) as served:
        served.add_person()
        seat = Seat.at(browser, served).open()
        for _ in range(2):
            clock.pass_s(LEASE_S - 10)  # twice that is more than a lease
            with seat.page.expect_response("**/api/renew") as renewed:
                pass
            assert renewed.value.json() == {}
        other = Seat.at(browser, served, person=1)
        other.page.goto(other.url)
        other.until_title("Nothing left")
        seat.label("2", "s")
        assert [v.annotator_id for v in served.votes()] == [served.people[0]]


HIDDEN = """() => {
    Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_page_in_another_tab_keeps_its_clip(browser: Any, tmp_path: Path) -> None:
    clock = Ahead()
    with bench(tmp_path, clock=clock, **ONE_CLIP) as served:
        seat = Seat.at(browser, served).open()
        seat.page.evaluate(HIDDEN)
        clock.pass_s(LEASE_S - 10)
        with seat.page.expect_response("**/api/renew") as renewed:
            pass
        assert renewed.value.ok


def test_somebody_at_the_sound_check_keeps_the_clips(browser: Any, tmp_path: Path) -> None:
    clock = Ahead()
    with bench(tmp_path, clock=clock, **ONE_CLIP) as served:
        seat = Seat.at(browser, served)
        seat.page.goto(seat.url)
        seat.until_title("Sound check")
        with seat.page.expect_response("**/api/renew") as renewed:
            pass
        assert renewed.value.ok


def test_a_closed_page_gives_its_clip_back(browser: Any, tmp_path: Path) -> None:
    clock = Ahead()
    with bench(tmp_path, clock=clock, **ONE_CLIP) as served:
        served.add_person()
        seat, other = Seat.at(browser, served).open(), Seat.at(browser, served, person=1)
        clip = seat.clip
        other.page.goto(other.url)
        other.until_title("Nothing left")
        seat.page.close()
        clock.pass_s(LEASE_S + 1)
        take_a_clip(other)
        assert other.clip == clip
        other.label("2", "s")
        assert [v.annotator_id for v in served.votes()] == [served.people[1]]


def test_an_answer_that_comes_too_late_stays_in_sight(browser: Any, tmp_path: Path) -> None:
    clock = Ahead()
    with bench(tmp_path, clock=clock, **ONE_CLIP) as served:
        served.add_person()
        seat, other = Seat.at(browser, served).open(), Seat.at(browser, served, person=1)
        seat.press("6", "g")
        seat.until_heard()
        seat.page.context.set_offline(True)  # the lid of the laptop is closed
        clock.pass_s(LEASE_S + 1)
        other.open()
        seat.page.context.set_offline(False)
        seat.press("Enter")
        seat.until_view("notice")
        assert "given to somebody else" in seat.text("notice-title")
        assert "You had chosen: Sad, “I am certain”." in seat.text("notice-text")
        seat.page.screenshot(path=tmp_path / "too-late.png")
        other.label("2", "s")
        assert [v.emotion for v in served.votes()] == ["Disgust"]


def test_somebody_who_comes_back_too_late_is_told(browser: Any, tmp_path: Path) -> None:
    clock = Ahead()
    with bench(tmp_path, clock=clock, **ONE_CLIP) as served:
        served.add_person()
        seat, other = Seat.at(browser, served).open(), Seat.at(browser, served, person=1)
        seat.press("6", "g")
        seat.page.goto("about:blank")
        clock.pass_s(LEASE_S + 1)
        other.open().label("2", "s")
        seat.page.goto(seat.url)
        seat.until_title("not yours any more")
        assert "Sad, “I am certain”." in seat.text("page-text")
        seat.page.screenshot(path=tmp_path / "came-back.png")
        seat.press("Enter")
        seat.until_title("Nothing left")
        seat.page.reload()
        seat.until_title("Nothing left")
        assert [v.emotion for v in served.votes()] == ["Disgust"]

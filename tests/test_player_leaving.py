"""Signing out with answers that have not arrived: they are sent first, or kept and spoken of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caer_build.annotation import tables as t
from tests.player_seat import Seat, Wire, is_lost, passes
from tests.player_server import Bench, bench


def is_signed_in(seat: Seat) -> bool:
    return bool(seat.page.context.request.get(f"{door(seat)}/api/work").ok)


def door(seat: Seat) -> str:
    return seat.url.removesuffix("/bench")


def answer_in_vain(browser: Any, served: Bench) -> tuple[Seat, Wire]:
    """Somebody who has sent an answer that did not get through."""
    seat = Seat.at(browser, served)
    wire = seat.wire("**/api/answer")
    seat.open()
    seat.press("6", "g")
    seat.until_heard()
    wire.fate = is_lost
    seat.press("Enter")
    seat.until_says("status", "Not saved yet")
    seat.page.on("dialog", lambda dialog: dialog.accept())
    return seat, wire


def press_sign_out(seat: Seat) -> None:
    """As the account page does."""
    seat.page.evaluate("window.location.assign('/sign-out')")
    seat.page.wait_for_url("**/sign-*")


def said_of(served: Bench) -> list[tuple[int, str]]:
    return [(v.annotator_id, v.emotion) for v in served.votes()]


def test_with_nothing_under_way_it_takes_one_press(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        complaints: list[str] = []
        seat.page.on("console", lambda m: complaints.append(m.text) if "Policy" in m.text else None)
        seat.page.goto(f"{door(seat)}/sign-out")  # as a link from elsewhere would
        seat.page.get_by_role("heading", name="Sign out?").wait_for()
        seat.page.wait_for_timeout(300)
        assert is_signed_in(seat)
        seat.page.get_by_role("link", name="Go on working").wait_for()
        seat.page.goto(seat.url)
        seat.until_view("answer")
        press_sign_out(seat)
        seat.page.wait_for_url("**/sign-in")
        assert not is_signed_in(seat)
        assert complaints == []
        assert seat.complaints == []


def test_what_has_not_arrived_is_sent_before(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat, wire = answer_in_vain(browser, served)
        press_sign_out(seat)
        words = seat.page.get_by_text("One answer did not reach the server.")
        words.wait_for()
        seat.page.screenshot(path=tmp_path / "sign-out-waiting.png")
        assert is_signed_in(seat)
        assert served.votes() == []
        wire.fate = passes
        seat.page.get_by_role("button", name="Try again").click()
        seat.page.wait_for_url("**/sign-in")
        assert not is_signed_in(seat)
        assert said_of(served) == [(served.people[0], "Sad")]
        served.sign_in(seat.page.context, 0)
        seat.page.goto(seat.url)
        seat.until_title("Sound check")
        assert len(served.votes()) == 1, "sent once"
        assert seat.complaints == []


def test_it_waits_in_the_browser_for_its_own_person(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        served.add_person()
        seat, wire = answer_in_vain(browser, served)
        press_sign_out(seat)
        seat.page.get_by_text("It stays in this browser").wait_for()
        seat.page.get_by_role("button", name="Sign out").click()
        seat.page.wait_for_url("**/sign-in")
        assert not is_signed_in(seat)
        wire.fate = passes
        served.sign_in(seat.page.context, 1)
        seat.page.goto(seat.url)
        seat.until_title("Sound check")
        assert served.votes() == [], "nobody else's session takes it"
        press_sign_out(seat)
        seat.page.wait_for_url("**/sign-in")
        served.sign_in(seat.page.context, 0)
        seat.page.goto(seat.url)
        seat.until_says("status", "Saved")
        assert said_of(served) == [(served.people[0], "Sad")]


def test_what_is_not_taken_any_more_is_said(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, votes_per_clip=1) as served:
        served.add_person()
        seat, wire = answer_in_vain(browser, served)
        with served.office.database.writing() as connection:
            held = t.slot.c.annotator_id == served.people[0]
            connection.execute(t.slot.update().where(held).values(annotator_id=served.people[1]))
        seat.page.goto("about:blank")
        wire.fate = passes
        seat.page.goto(f"{door(seat)}/sign-out")
        seat.page.get_by_text("given to somebody else").wait_for()
        assert "(Sad)" in seat.page.locator("[data-part=words]").inner_text()
        seat.page.get_by_role("button", name="Sign out").click()
        seat.page.wait_for_url("**/sign-in")
        assert served.votes() == []

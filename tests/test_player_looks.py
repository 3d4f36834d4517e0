"""How the player looks: every state, light and dark, on a small laptop and on a phone.

Pictures of all states are left in the test's own folder, to be looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.accessibility import faults
from tests.player_seat import PHONE, WIDE, Seat, passes
from tests.player_server import bench

PRACTICE = [("Happy", "She laughs, and her voice rises at the end of each sentence.")]


@pytest.mark.parametrize(
    ("theme", "size"),
    [
        pytest.param("light", WIDE, id="light-wide"),
        pytest.param("dark", PHONE, id="dark-phone", marks=pytest.mark.slow),
        pytest.param("dark", WIDE, id="dark-wide", marks=pytest.mark.slow),
        pytest.param("light", PHONE, id="light-phone", marks=pytest.mark.slow),
    ],
)
def test_every_state(browser: Any, tmp_path: Path, theme: str, size: tuple[int, int]) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with bench(
        tmp_path / "work", lengths=(40,) * 4, practice=PRACTICE, practice_share=0.0
    ) as served:
        seat = Seat.at(browser, served, size=size, color_scheme=theme)
        seat.url += f"?theme={theme}"
        wire = seat.wire("**/api/answer")

        def look(name: str) -> None:
            seat.page.screenshot(path=pictures / f"{name}.png")
            assert faults(seat.page) == [], name
            width, height = seat.page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
            )
            assert width <= size[0], name
            if size == WIDE:
                assert height <= size[1], name

        seat.page.goto(seat.url)
        seat.until_title("Sound check")
        look("sound-check")
        seat.press("Enter")
        seat.until_title("How many tones")
        look("sound-count")
        seat.press("0")
        seat.until_title("Not quite")
        look("sound-wrong")
        before = seat.page.evaluate("window.tones")
        seat.press("Enter")
        seat.until_title("How many tones")
        seat.press(str(seat.page.evaluate("window.tones") - before))
        seat.until_view("answer")
        seat.page.wait_for_timeout(400)
        look("practice")
        seat.press("1", "Enter")
        look("missing")
        seat.press("d")
        seat.until_heard()
        look("ready")
        seat.press("Enter")
        seat.until_view("notice")
        look("practice-feedback")
        seat.page.wait_for_timeout(400)
        seat.press("Enter")
        seat.until_view("answer")
        seat.press("?")
        seat.part("dialog-help").wait_for()
        look("help")
        seat.press("Escape")
        seat.press("m")
        seat.part("dialog-broken").wait_for()
        seat.press("4")
        look("broken")
        seat.press("Escape")
        seat.press("n")
        seat.part("dialog-decline").wait_for()
        look("rather-not")
        seat.press("Escape")
        seat.part("dialog-decline").wait_for(state="hidden")
        seat.press("4", "f")
        seat.until_heard()
        served.stop()
        seat.press("Enter")
        seat.until_says("status", "Not saved yet")
        look("offline")
        served.start()
        seat.until_says("status", "Saved")
        seat.page.wait_for_timeout(300)
        look("sent")
        seat.press("u")
        seat.until_says("banner", "changing")
        look("undo")
        seat.press("Escape")
        seat.press("x")
        seat.until_heard()
        look("cannot-tell")
        wire.fate = _lose_lease
        seat.press("Enter")
        seat.until_view("notice")
        look("lease-lost")
        wire.fate = passes
        seat.page.wait_for_timeout(400)
        seat.press("Enter")
        seat.page.evaluate("""() => {
            const kept = JSON.parse(sessionStorage.getItem("caer.session"));
            kept.worked_ms = 46 * 60000;
            sessionStorage.setItem("caer.session", JSON.stringify(kept));
        }""")
        seat.label()
        seat.part("dialog-break").wait_for()
        look("break")
        seat.press("Enter")
        seat.until_title("good break")
        look("off-duty")
        seat.press("Enter")
        seat.until_view("answer")
        seat.label()
        seat.until_title("Nothing left")
        look("nothing-left")
        assert seat.complaints == []


def _lose_lease(route: Any) -> None:
    """As the server refuses; that it does is shown elsewhere."""
    work = route.request.frame.evaluate("fetch('/api/work').then((r) => r.json())")
    route.fulfill(
        status=409,
        json=work
        | {
            "kind": "lease_lost",
            "error": "This clip waited for you too long and was given to somebody else, so your "
            "answer could not be taken.",
            "remedy": "Go on with the next clip.",
        },
    )


def test_with_tab_and_enter_alone(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20,)) as served:
        seat = Seat.at(browser, served).open()
        seen = []
        for _ in range(30):
            seat.press("Tab")
            label = seat.page.evaluate(
                "document.querySelector('#host').shadowRoot.activeElement?.textContent ?? ''"
            )
            seen.append(label.strip().split("\n")[0])
            if "Sad" in label or "I am certain" in label:
                seat.press("Enter")
        assert seat.chosen == ["Sad", "I am certain."]
        seat.until_heard()
        seat.part("send").focus()
        seat.press("Enter")
        seat.until_title("Nothing left")
        assert [v.emotion for v in served.votes()] == ["Sad"]


def test_with_the_mouse_and_with_fingers(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20, 20)) as served:
        seat = Seat.at(browser, served).open()
        seat.page.get_by_role("button", name="Surprise", exact=True).click()
        seat.page.get_by_role("button", name="I am fairly sure.").click()
        seat.until_heard()
        seat.press("Enter")  # a click does not take the keys away
        seat.until_says("status", "Saved")
    with bench(tmp_path / "phone", lengths=(20,)) as served:
        seat = Seat.at(browser, served, size=PHONE, has_touch=True, is_mobile=True)
        seat.page.goto(seat.url)
        seat.page.get_by_role("button", name="Play the tones").tap()
        seat.until_title("How many tones")
        tones = str(seat.page.evaluate("window.tones"))
        seat.page.get_by_role("button", name=tones, exact=True).tap()
        seat.until_view("answer")
        seat.page.get_by_role("button", name="Fear", exact=True).tap()
        seat.page.get_by_role("button", name="I am guessing.").tap()
        seat.until_heard()
        seat.part("send").tap()
        seat.until_title("Nothing left")
        assert [v.emotion for v in served.votes()] == ["Fear"]

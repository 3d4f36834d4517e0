"""Somebody who sits before the player, in a real browser, and mostly uses the keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from annotator_app.tokens import SESSION_COOKIE
from tests.player_server import Bench

WIDE, PHONE = (1366, 768), (390, 844)
PATIENCE_MS = 60_000
"""how long a page may take on a machine that is busy with something else"""
_LOOK_EVERY_MS = 50
COUNT_TONES = """window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) { window.tones += 1; start.apply(this, at); };"""
_FINDING = """() => {
    const hosts = [...document.querySelectorAll("*")].filter((e) => e.shadowRoot);
    const roots = hosts.map((e) => e.shadowRoot);
    const root = roots.find((r) => r.querySelector("[data-part=player]"));
    if (!root) return false;
    const part = (name) => root.querySelector(`[data-part=${name}]`);
    return %s;
}"""
_ALL = "part('player').innerText"


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium that lets nothing sound before a click or a key."""
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as p:
        browser = launch(p.chromium, "document-user-activation-required")
        yield browser
        browser.close()


def launch(kind: Any, autoplay: str) -> Any:
    """Starts Chromium with a policy on what plays by itself."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return kind.launch(
        executable_path=program,
        args=["--no-sandbox", "--disable-gpu", f"--autoplay-policy={autoplay}"],
    )


def passes(route: Any) -> None:
    route.continue_()


def is_lost(route: Any) -> None:
    route.abort()


class Wire:
    """What becomes of a window's requests for one path.

    It is laid before the page is opened: while a page lives, a request can slip past an
    interception that is just being switched on.

    Attributes:
        fate: what is done with a request; at first it passes.
    """

    def __init__(self, page: Any, path: str) -> None:
        self.fate: Callable[[Any], None] = passes
        page.route(path, self._carry)

    def _carry(self, route: Any) -> None:
        self.fate(route)


class Seat:
    """A window of somebody's browser.

    Attributes:
        complaints: errors that scripts of the page threw.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @classmethod
    def at(
        cls, browser: Any, bench: Bench, person: int = 0, size: tuple[int, int] = WIDE,
        **context: Any,
    ) -> Seat:  # fmt: skip
        """A window with the person's session, the page not opened yet."""
        made = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
        made.add_init_script(COUNT_TONES)
        made.set_default_timeout(PATIENCE_MS)
        made.add_cookies(
            [{"name": SESSION_COOKIE, "value": bench.tokens[person], "url": bench.url}]
        )
        return cls(made.new_page(), bench.url)

    def beside(self) -> Seat:
        """Another window of the same browser."""
        return Seat(self.page.context.new_page(), self.url)

    def open(self, sound_check: bool = True) -> Seat:
        """Opens the page, and goes through the sound check."""
        self.page.goto(self.url)
        if sound_check:
            self.check_sound()
        return self

    def check_sound(self) -> None:
        """Goes through the sound check, to the first clip."""
        self.until_title("Sound check")
        self.press("Enter")
        self.until_title("How many tones")
        self.press(str(self.page.evaluate("window.tones")))
        self.until_view("answer")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wire(self, path: str) -> Wire:
        """What carries the requests of this window for a path; to be asked for before it opens."""
        return Wire(self.page, path)

    def part(self, name: str) -> Any:
        """An element of the player."""
        return self.page.locator(f"[data-part={name}]")

    def text(self, name: str) -> str:
        return str(self.part(name).inner_text())

    def until(self, condition: str) -> None:
        """Waits for an expression of JavaScript, in which ``part(name)`` gives elements."""
        from playwright.sync_api import TimeoutError as WaitedInVain

        try:
            self.page.wait_for_function(_FINDING % condition, polling=_LOOK_EVERY_MS)
        except WaitedInVain as error:
            error.add_note(f"{self.page.url} shows: {self.page.evaluate(_FINDING % _ALL)}")
            raise

    def until_view(self, name: str) -> None:
        self.until(f"part('player').dataset.view === '{name}'")

    def until_title(self, text: str) -> None:
        self.until(f"part('page-title').textContent.includes({text!r})")

    def until_says(self, name: str, text: str) -> None:
        self.until(f"part({name!r}).textContent.includes({text!r})")

    def until_heard(self) -> None:
        """Waits until the clip has been played to its end."""
        self.until("!/played|one play/.test(part('missing').textContent)")

    @property
    def clip(self) -> str:
        """The public id of the clip on the screen."""
        return str(self.page.locator("video:not([hidden])").get_attribute("data-src")).split("/")[
            -1
        ][: -len(".mp4")]

    @property
    def chosen(self) -> list[str]:
        """The labels of what is chosen."""
        found = self.page.locator(":is(.emotions, .answer .steps) [aria-pressed=true]")
        return [str(button.get_attribute("aria-label")) for button in found.all()]

    def label(self, emotion: str = "4", step: str = "d") -> str:
        """Answers the clip by keyboard, and waits until it is taken; the clip's public id."""
        self.until_view("answer")
        clip = self.clip
        self.press(emotion, step)
        self.until_heard()
        self.press("Enter")
        self.until_says("status", "Saved")
        return clip

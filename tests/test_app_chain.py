"""The whole chain in a real browser on the real server: from the manager's link to the votes.

It leaves pictures of all pages in the test's own folder, to be looked at.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import tables as t
from tests.building import caer
from tests.player_seat import COUNT_TONES, PATIENCE_MS, PHONE, WIDE, Seat
from tests.serving import PASSWORD, Served, built, free_port, serving

MANAGER = "Ines Albrecht"
N_CLIPS = 10
THEMES = ("dark", "light")
LINK = re.compile(r"http://\S+/join/\S+")


@dataclass
class Camera:
    """Takes the pictures."""

    folder: Path
    taken: set[str] = field(default_factory=set)

    def look(self, page: Any, name: str, sizes: Sequence[tuple[int, int]] = (WIDE,)) -> None:
        """A page as it is, in all themes; the first time only."""
        if name in self.taken:
            return
        self.taken.add(name)
        for size in sizes:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                page.wait_for_timeout(250)
                which = "phone" if size == PHONE else "wide"
                page.screenshot(path=self.folder / f"{name}-{which}-{theme}.png")
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def window(browser: Any, served: Served) -> Seat:
    """A browser of somebody's own, without cookies."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    context.add_init_script(COUNT_TONES)
    context.set_default_timeout(PATIENCE_MS)
    return Seat(context.new_page(), served.base_url)


def go(seat: Seat, page: str, heading: str) -> None:
    """To a page, by the navigation at the top."""
    seat.page.get_by_role("link", name=page, exact=True).click()
    seat.page.get_by_role("heading", name=heading, exact=True).first.wait_for()
    # Streamlit says that it works; tables and plots come last.
    seat.page.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')"
    )


def join(seat: Seat, link: str, name: str, camera: Camera) -> None:
    seat.page.goto(link)
    camera.look(seat.page, "join")
    seat.page.get_by_label("Name").fill(name)
    seat.page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    seat.page.get_by_label("The same password again").fill(PASSWORD)
    seat.page.get_by_role("button", name="Join").click()


def invite(manager: Seat, name: str) -> str:
    """The link that the page shows."""
    manager.page.get_by_role("textbox", name="For whom").fill(name)
    manager.page.get_by_role("button", name="Make a link").click()
    made = manager.page.get_by_test_id("stCode").filter(has_text=f"For {name}\n")
    found = LINK.search(made.inner_text())
    assert found is not None
    return found[0]


def begin(seat: Seat, link: str, name: str, camera: Camera) -> None:
    """From the link to the first clip."""
    join(seat, link, name, camera)
    seat.page.wait_for_url("**/welcome")
    camera.look(seat.page, "welcome", [WIDE, PHONE])
    seat.page.get_by_label("I have read this").check()
    seat.page.get_by_label("Languages").fill("English, German")
    seat.page.get_by_label("I have not").check()
    seat.page.get_by_role("button", name="Go on").click()
    seat.page.wait_for_url("**/guide")
    seat.page.get_by_role("heading", name="The keys").wait_for()
    camera.look(seat.page, "guide", [WIDE, PHONE])
    seat.page.get_by_role("link", name="Label clips").click()
    seat.until_title("Sound check")
    camera.look(seat.page, "sound-check")
    seat.press("Enter")
    seat.until_title("How many tones")
    seat.press(str(seat.page.evaluate("window.tones")))
    seat.until_view("answer")


@dataclass
class Opinion:
    """What one person presses for each clip: mostly what the others do."""

    person: int
    clips: Sequence[str]

    def keys(self, clip: str) -> tuple[str, str]:
        """On the first clip all differ, on the second one does."""
        number = self.clips.index(clip)
        away = self.person if number == 0 else int(number == 1 and self.person == 1)
        return str((number + away) % 7 + 1), "dfg"[number % 3]


def choose(seat: Seat, opinion: Opinion) -> str:
    seat.until_view("answer")
    clip = seat.clip
    seat.press(*opinion.keys(clip))
    return clip


def send(seat: Seat) -> None:
    seat.until_heard()
    seat.press("Enter")
    seat.until_says("status", "Saved")


def undo(seat: Seat) -> None:
    """The last answer again: less sure of it."""
    seat.press("u")
    seat.until_says("banner", "changing")
    seat.press("a", "Enter")
    seat.until("part('banner').hidden && part('player').dataset.view !== 'page'")


def reload(seat: Seat) -> None:
    """In the middle of an answer; it is still there, and the clip too."""
    before = (seat.clip, seat.chosen)
    seat.page.reload()
    seat.until_view("answer")
    assert (seat.clip, seat.chosen) == before


def answer_in_a_second_tab(seat: Seat, opinion: Opinion) -> None:
    """The clip of the first tab; there it is not taken twice."""
    clip = choose(seat, opinion)
    other = seat.beside().open(sound_check=False)
    other.until_view("answer")
    assert other.clip == clip
    choose(other, opinion)
    send(other)
    other.page.close()
    seat.page.bring_to_front()
    seat.until_heard()
    seat.press("Enter")
    seat.until_view("notice")
    assert "answered this clip already" in seat.text("notice-title")
    seat.page.wait_for_timeout(500)
    seat.press("Enter")


def sign_out(seat: Seat, served: Served, camera: Camera) -> None:
    """By the page *Account*; the cookie is worth nothing afterwards."""
    cookies = {c["name"]: c["value"] for c in seat.page.context.cookies()}
    old = served.browser(Cookie=f"{SESSION_COOKIE}={cookies[SESSION_COOKIE]}")
    assert old.get("/account").status_code == 200
    seat.page.get_by_role("link", name="Account").click()
    seat.page.get_by_role("button", name="Sign out").wait_for()
    camera.look(seat.page, "account")
    seat.page.get_by_role("button", name="Sign out").click()
    seat.page.wait_for_url("**/sign-in")
    camera.look(seat.page, "sign-in")
    assert old.get("/api/work").status_code == 401
    assert old.get("/").headers["location"] == "/sign-in"
    seat.page.go_back()
    seat.page.wait_for_url("**/sign-in")


def label_everything(seats: Sequence[Seat], opinions: Sequence[Opinion], camera: Camera) -> None:
    """All at once, a clip each in turn; the first makes the detours."""
    first = seats[0]
    for number in range(len(opinions[0].clips)):
        working = list(zip(seats, opinions, strict=True))
        if number == 2:
            answer_in_a_second_tab(*working.pop(0))
        for seat, opinion in working:
            choose(seat, opinion)
        if number == 1:
            reload(first)
            first.until_heard()
            camera.look(first.page, "annotate", [WIDE, PHONE])
            first.press("?")
            first.part("dialog-help").wait_for()
            camera.look(first.page, "help")
            first.press("Escape")
        for seat, _ in working:
            send(seat)
        if number == 0:
            undo(first)
    for seat in seats:
        seat.until_title("Nothing left")


def exported(manager: Seat, file: Path) -> list[dict[str, str]]:
    """The rows of the file that the page *Export* gives."""
    manager.page.get_by_text("Leave out answers that were changed").click()
    link = manager.page.get_by_role("link", name="votes.csv")
    # The link opens a page of its own, which is gone before the file could be caught.
    manager.page.wait_for_function(
        """() => {
            const links = [...document.querySelectorAll("a[href*='votes.csv?latest=1']")];
            links.forEach((link) => link.removeAttribute("target"));
            return links.length > 0;
        }"""
    )
    with manager.page.expect_download() as download:
        link.click()
    download.value.save_as(file)
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_from_the_first_link_to_the_votes(browser: Any, tmp_path: Path) -> None:
    names = ["Ada", "Bo", "Cleo"]
    camera = Camera(tmp_path / "pictures")
    camera.folder.mkdir()
    port = free_port()
    workspace = built(tmp_path / "work", N_CLIPS)
    made = caer(
        "annotate", "init", workspace.root, "--base-url", f"http://127.0.0.1:{port}",
        "--set", "title=Pilot study", "--set", "gold_share=0", "--set", "repeat_share=0",
    )  # fmt: skip
    link = LINK.search(made.stdout)
    assert link is not None
    with serving(workspace, port=port) as served:
        manager = window(browser, served)
        join(manager, link[0], MANAGER, camera)
        manager.page.get_by_role("heading", name="Pilot study").wait_for()
        go(manager, "People", "People")
        links = [invite(manager, name) for name in names]
        assert len({link[0], *links}) == len(names) + 1
        camera.look(manager.page, "people-inviting")
        seats = [window(browser, served) for _ in names]
        for seat, mine, name in zip(seats, links, names, strict=True):
            begin(seat, mine, name, camera)
        with served.database.reading() as connection:
            clips = list(connection.scalars(select(t.clip.c.public_id)))
        opinions = [Opinion(k, clips) for k in range(len(names))]
        label_everything(seats, opinions, camera)
        camera.look(seats[0].page, "finished")
        sign_out(seats[0], served, camera)

        go(manager, "Progress", "Pilot study")
        camera.look(manager.page, "progress")
        go(manager, "Agreement", "Agreement")
        alpha = manager.page.get_by_test_id("stMetric").filter(has_text="Krippendorff's alpha")
        assert 0.5 < float(alpha.get_by_test_id("stMetricValue").inner_text()) < 1
        camera.look(manager.page, "agreement")
        go(manager, "Clips", "Clips")
        camera.look(manager.page, "review")
        go(manager, "Ties", "Ties")
        camera.look(manager.page, "ties")
        go(manager, "People", "People")
        camera.look(manager.page, "people")
        go(manager, "Export", "Export")
        camera.look(manager.page, "export")
        rows = exported(manager, tmp_path / "votes.csv")
        sign_out(manager, served, camera)

    assert len(rows) == N_CLIPS * len(names)
    people_of: dict[str, set[str]] = {}
    for row in rows:
        people_of.setdefault(row["clip_id"], set()).add(row["annotator_id"])
    assert len(people_of) == N_CLIPS
    assert all(len(people) == len(names) for people in people_of.values())
    assert sorted({row["revision"] for row in rows}) == ["1", "2"], "one was changed"
    told = (tmp_path / "votes.csv").read_text()
    assert not any(name in told for name in (MANAGER, *names))
    assert all(seat.complaints == [] for seat in (manager, *seats))

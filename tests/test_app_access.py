"""Every page that people see, in light and dark: WCAG 2.2 AA as far as a machine can tell.

The player, with all its states, is looked at in test_player_looks.py. Pictures of all pages are
left in the test's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import accounts, sessions
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.freezing import media_file, media_folder
from caer_build.annotation.office import now_ms
from caer_build.annotation.whereabouts import database_url, remember
from caer_build.store import Workspace
from tests.accessibility import faults, unseen_focus
from tests.annotating_busy import busy_project
from tests.player_seat import COUNT_TONES, PATIENCE_MS, WIDE, Seat
from tests.serving import Served, clip_files, serving

MANAGER, JUDGE, ANNOTATOR, NEWCOMER, STRANGER = (
    "Dr. Ines Albrecht", "Yusuf Demir", "Aiko Tanaka", "Gil Adeyemi", "",
)  # fmt: skip
PAGES = [
    (STRANGER, "sign-in"), (STRANGER, "join/{invitation}"), (STRANGER, "join/nowhere"),
    (NEWCOMER, "welcome"), (ANNOTATOR, "guide"), (ANNOTATOR, "account"), (ANNOTATOR, "sign-out"),
    (ANNOTATOR, ""), (JUDGE, "adjudicate"), (MANAGER, ""), (MANAGER, "agreement"),
    (MANAGER, "review"), (MANAGER, "review?clip={clip}"), (MANAGER, "adjudicate"),
    (MANAGER, "people"), (MANAGER, "export"),
]  # fmt: skip
IDLE = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    return !app || (app.dataset.testScriptState === "notRunning"
        && document.querySelector("[data-testid=stMainBlockContainer] *")
        && !document.querySelector("[data-testid=stStatusWidget], [data-testid=stSkeleton]"));
}"""


@pytest.fixture(scope="module")
def served(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A project in the middle of its work, whose clips can be watched."""
    workspace = Workspace.create(tmp_path_factory.mktemp("access") / "work")
    database = Database(database_url(workspace, None))
    busy_project(database, data / "votes" / "ferplus_votes.csv", n_clips=90, now_ms=now_ms())
    files = clip_files(workspace.root / "made", 4)
    media_folder(workspace).mkdir(parents=True)
    with database.writing() as connection:
        for number, public_id in enumerate(connection.scalars(select(t.clip.c.public_id))):
            media_file(workspace, public_id).hardlink_to(files[number % len(files)])
        is_check = t.clip.c.gold_emotion.is_not(None) & ~t.clip.c.is_practice
        shown = connection.scalars(select(t.clip.c.clip_id).where(is_check).limit(2)).all()
        connection.execute(insert(t.example), [{"clip_id": clip_id} for clip_id in shown])
        token = accounts.invite(connection, "annotator", "", None, now_ms())
        accounts.join(connection, token, NEWCOMER, now_ms(), subject=NEWCOMER)
    database.close()
    remember(workspace, None, None)
    with serving(workspace) as running:
        yield running


def page_of(browser: Any, served: Served, name: str) -> Any:
    made = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    made.add_init_script(COUNT_TONES)
    made.set_default_timeout(PATIENCE_MS)
    if name:
        with served.database.writing() as connection:
            token = sessions.open_session(connection, served.annotator_id(name), now_ms())
        made.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": served.base_url}])
    return made.new_page()


@pytest.mark.parametrize(("name", "path"), PAGES, ids=lambda part: part or "home")
def test_a_page(browser: Any, served: Served, tmp_path: Path, name: str, path: str) -> None:
    page = page_of(browser, served, name)
    with served.database.reading() as connection:
        gold = select(t.clip.c.public_id).where(t.clip.c.gold_emotion.is_not(None)).limit(1)
        clip = connection.scalar(gold)
    page.goto(f"{served.base_url}/{path.format(invitation=served.invitation(), clip=clip)}")
    page.wait_for_function(IDLE)
    if (name, path) in {(ANNOTATOR, ""), (JUDGE, "adjudicate")}:
        Seat(page, served.base_url).check_sound()
    elif path == "guide":
        page.get_by_role("radio", name="1", exact=True).click()
        Seat(page, served.base_url).until("part('video-a').readyState >= 1")
    page.wait_for_timeout(500)
    found = {}
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_timeout(400)
        page.wait_for_function(IDLE)
        page.screenshot(path=tmp_path / f"{theme}.png")
        found[theme] = faults(page)
    assert found == {"dark": [], "light": []}
    assert unseen_focus(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= WIDE[0]


PLANTED = """<body style="background: #fff"><p style="color: #999">Pale words</p>
<button style="width: 60px; height: 20px; outline: none">Low</button>
<button style="width: 40px; height: 40px"></button>
<a href="#there" style="display: block; width: 90px; height: 30px; outline: none">Silent</a>
</body>"""


def test_what_is_wrong_is_found(browser: Any) -> None:
    page = browser.new_page()
    page.set_content(PLANTED)
    found = [fault.split(" {")[0] for fault in faults(page)]
    assert found[0].startswith("pale: 2.8")
    assert found[0].endswith("Pale words")
    assert found[1:] == [
        "small: Low",
        'nameless: <button style="width: 40px; height: 40px"></button>',
    ]
    assert [fault.split(":")[1] for fault in unseen_focus(page)] == [" Low", " Silent"]

"""Pages that are empty on the first day, with what stands on them later, in a real browser.

Pictures are left in the test's own folder, to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import gold
from caer_build.annotation import tables as t
from caer_build.annotation.office import now_ms
from tests.player_seat import COUNT_TONES, PATIENCE_MS, WIDE, Seat
from tests.serving import Browser, Served, answer_body, make_workspace, serving

REASONS = (
    ("Happy", "She laughs, and her voice rises at the end of each sentence."),
    ("Sad", "He smiles, but looks at the floor; his voice is slow and gives way at the end."),
    ("Neutral", "She reads out an address."),
    ("Anger", "The jaw is set, the words are clipped. That he speaks softly does not change it."),
)
SAID = ("Happy", "Sad", "Disgust", None)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A project whose last clips are a practice set."""
    workspace = make_workspace(tmp_path_factory.mktemp("looks") / "work", n_clips=10)
    with serving(workspace) as running:
        running.member("Ines Albrecht", "manager")
        manager = running.annotator_id("Ines Albrecht")
        with running.database.writing() as connection:
            query = select(t.clip.c.clip_id).order_by(t.clip.c.position.desc())
            clips = connection.scalars(query.limit(len(REASONS))).all()
            for clip_id, (emotion, reason) in zip(clips, REASONS, strict=True):
                gold.mark_gold(connection, clip_id, emotion, reason, by=manager, now_ms=now_ms())
                gold.set_use(connection, clip_id, "practice", manager, now_ms())
        yield running


def practise(member: Browser) -> None:
    """Goes through the practice round; the answers are those of SAID, in some order."""
    for emotion in SAID:
        task = member.work()["tasks"][0]
        said: dict[str, object] = {"emotion": emotion}
        if emotion is None:
            said |= {"flag": "cannot_tell", "confidence_step": None}
        assert member.post("/api/answer", answer_body(task, **said)).status_code == 200


def seat_of(browser: Any, member: Browser) -> Seat:
    made = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    made.add_init_script(COUNT_TONES)
    made.set_default_timeout(PATIENCE_MS)
    made.add_cookies([{"name": SESSION_COOKIE, "value": member.token, "url": member.base_url}])
    return Seat(made.new_page(), member.base_url)


def look(seat: Seat, folder: Path, name: str) -> None:
    for theme in ("dark", "light"):
        seat.page.emulate_media(color_scheme=theme)
        seat.page.wait_for_timeout(400)
        seat.page.screenshot(path=folder / f"{name}-{theme}.png")


def test_the_guide_keeps_practice_clips(browser: Any, served: Served, tmp_path: Path) -> None:
    member = served.member("Ada")
    practise(member)
    seat = seat_of(browser, member)
    seat.page.goto(f"{seat.url}/guide")
    heading = seat.page.get_by_role("heading", name="Your practice clips")
    heading.wait_for()
    seat.page.get_by_role("radio", name="2", exact=True).click()
    seat.until("part('video-a').readyState >= 1 && !part('face').hidden")
    for emotion, reason in REASONS:
        expect(seat.page.get_by_text(f"Expected: {emotion}")).to_have_count(1)
        expect(seat.page.get_by_text(reason)).to_have_count(1)
    heading.scroll_into_view_if_needed()
    look(seat, tmp_path, "guide-practice")


def test_the_guide_shows_examples(browser: Any, served: Served, tmp_path: Path) -> None:
    manager = served.annotator_id("Ines Albrecht")
    with served.database.writing() as connection:
        query = select(t.clip.c.clip_id, t.clip.c.public_id).order_by(t.clip.c.position).limit(2)
        clips = connection.execute(query).all()
        for clip in clips:
            gold.mark_gold(connection, clip.clip_id, "Fear", "The voice is thin.", by=manager,
                           now_ms=now_ms())  # fmt: skip
            gold.set_use(connection, clip.clip_id, "example", manager, now_ms())
    seat = seat_of(browser, served.member("Gil"))
    seat.page.goto(f"{seat.url}/guide")
    seat.page.get_by_role("heading", name="Examples").wait_for()
    assert seat.page.locator("video").count() == 0, "nothing plays by itself"
    seat.page.get_by_role("radio", name="Fear 2").click()
    seat.until("part('video-a').readyState >= 1 && !part('face').hidden")
    assert clips[1].public_id in str(seat.page.locator("video").first.get_attribute("src"))
    expect(seat.page.get_by_text("The voice is thin.")).to_have_count(1)
    look(seat, tmp_path, "guide-example")
    with served.database.writing() as connection:
        for clip in clips:
            gold.unmark_gold(connection, clip.clip_id, manager, now_ms())


@pytest.mark.slow
def test_ties_are_decided_and_made_gold(browser: Any, served: Served, tmp_path: Path) -> None:
    for name, emotion in (("Bea", "Happy"), ("Cleo", "Surprise"), ("Dan", "Fear")):
        member = served.member(name)
        with served.database.writing() as connection:
            mine = t.annotator.c.name == name
            connection.execute(t.annotator.update().where(mine).values(qualified_at=now_ms()))
        while tasks := member.work()["tasks"]:
            assert member.post("/api/answer", answer_body(tasks[0], emotion=emotion)).is_success
    judge = seat_of(browser, served.member("Yusuf Demir", "adjudicator"))
    for number in range(2):
        judge.page.goto(f"{judge.url}/adjudicate")
        if number == 0:
            judge.check_sound()
        judge.until_view("answer")
        if number == 0:
            look(judge, tmp_path, "ties-judge")
        judge.press("ArrowUp", "7", "f")
        judge.until_heard()
        judge.press("Enter")
        judge.until_view("notice")
        if number == 0:
            look(judge, tmp_path, "ties-others")
        judge.page.get_by_text("What you decided, and what others had said").wait_for()
    look(judge, tmp_path, "ties-judged")
    boss = seat_of(browser, served.member("Dr. Boss", "manager"))
    boss.page.goto(f"{boss.url}/adjudicate")
    table = boss.page.get_by_test_id("stDataFrame")
    table.wait_for()
    boss.page.wait_for_timeout(800)
    look(boss, tmp_path, "ties-manager")
    box = table.bounding_box()
    boss.page.mouse.click(box["x"] + 15, box["y"] + 52)
    boss.page.get_by_role("button", name="Make it gold: Surprise").wait_for()
    look(boss, tmp_path, "ties-manager-row")
    boss.page.get_by_role("button", name="Make it gold: Surprise").click()
    boss.page.get_by_text("The clip is gold.").wait_for()
    with served.database.reading() as connection:
        found = [g for g in gold.gold_clips(connection) if g.use == "check"]
    assert [g.emotion for g in found] == ["Surprise"]

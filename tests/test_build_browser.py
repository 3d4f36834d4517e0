"""Clips and report in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

PLAY = """async (video) => {
    video.muted = false;
    await video.play();
    await new Promise((done, fail) => {
        video.ontimeupdate = () => video.currentTime > 0.2 && done();
        video.onerror = () => fail(video.error.message);
        setTimeout(() => fail("stuck at " + video.currentTime), 20000);
    });
    return {
        width: video.videoWidth, height: video.videoHeight, length_s: video.duration,
        sound: video.webkitAudioDecodedByteCount, frames: video.webkitDecodedFrameCount,
    };
}"""


@pytest.fixture
def page(browser: Any) -> Any:
    """A page of headless Chromium."""
    return browser.new_page(viewport={"width": 1366, "height": 768})


def test_every_kept_clip_plays_with_sound(
    page: Any, lobby: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    work = lobby[0]
    clips = pd.read_parquet(work / "tables" / "clips.parquet").query("reject_reason.isna()")
    episodes = pd.read_parquet(work / "tables" / "episodes.parquet").set_index("episode_id")
    html = tmp_path / "player.html"
    html.write_text("<!doctype html><video id=v></video>")
    page.goto(html.as_uri())
    for clip in clips.itertuples():
        page.evaluate("(src) => { v.src = src }", (work / clip.file).as_uri())
        seen = page.eval_on_selector("#v", PLAY)
        episode = episodes.loc[clip.episode_id]
        assert (seen["width"], seen["height"]) == (episode.width, episode.height), clip.clip_id
        assert seen["sound"] > 0, clip.clip_id
        assert seen["length_s"] == pytest.approx(clip.end_pts_s - clip.start_pts_s, abs=0.05)


def test_the_report_opens_without_an_error(
    page: Any, lobby: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from tests.building import caer

    report = tmp_path / "report.html"
    caer("report", lobby[0], "-o", report)
    said: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    # One file: nothing is fetched but itself and what it carries.
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file")] == [report.as_uri()]
    text = page.inner_text("body").lower()
    for word in ("funnel", "persons", "kept", "group", "no face"):
        assert word in text
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366


def test_a_folded_timeline_is_drawn_when_it_is_opened(page: Any, tmp_path: Path) -> None:
    from caer_build.report.build_report import MAX_OPEN, write_report
    from tests.test_report_build import add_episode
    from tests.toy_workspace import Toy

    toy = Toy()
    for number in range(MAX_OPEN + 2):
        add_episode(toy, f"toy.s01e{number:02d}", 4, person="toy-p0")
    report = write_report(toy.write(tmp_path / "work"), tmp_path / "report.html")
    page.goto(report.as_uri())
    folded = page.locator("details.folded").nth(1)
    assert folded.locator(".timeline").count() == 0
    folded.locator("summary").first.click()
    folded.locator("svg[role=img]").wait_for()
    assert folded.locator("rect.kept").count() == 4
    width = "box => box.getBoundingClientRect().width"
    before = folded.locator(".drawing").evaluate(width)
    folded.locator('[data-zoom="2"]').click()
    assert folded.locator(".drawing").evaluate(width) == pytest.approx(2 * before, rel=0.01)
    folded.locator("summary").first.click()
    folded.locator("summary").first.click()
    assert folded.locator(".timeline").count() == 1


def test_the_page_on_a_data_set_opens_without_an_error(page: Any, tmp_path: Path) -> None:
    from caer_build.dataset.exporting import export
    from caer_build.dataset.figures import figures
    from caer_build.dataset.layouts.choice import layout_of
    from caer_build.dataset.reading import read_dataset
    from caer_build.report.dataset_report import write_dataset_report
    from tests.exporting import toy_catalogue

    (tmp_path / "clips").mkdir()
    evil = {"name": "<img src=x onerror=alert(1)>"}
    catalogue = toy_catalogue(tmp_path / "clips").stating(evil)
    export(catalogue, tmp_path / "CAER", layout_of("caer"), lambda *_: None)
    report = write_dataset_report(figures(read_dataset(tmp_path / "CAER")), tmp_path)
    said: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.inner_text("h1") == evil["name"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    # A bar is as long as its count: of Anger there are two clips in train, of Sad one.
    widths = page.eval_on_selector_all(
        "#categories rect.split-train", "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    assert max(widths) > 300
    assert sorted(widths)[-1] == pytest.approx(2 * sorted(widths)[-2], rel=0.01)

"""The player in a real browser: clips labelled by keyboard, what is asked for before, undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotator_app.tokens import session_mark
from tests.media import RATE
from tests.player_seat import Seat, launch
from tests.player_server import SIZE, Bench, bench, face_box

TELL_REFUSED_PLAYS = """const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
    const started = play.call(this);
    started.catch((error) => console.info(`play: ${error.name}`));
    return started;
};"""
CLOCK_THAT_STANDS = """const now = performance.now.bind(performance);
performance.now = () => window.standing ?? now();"""
TELL_OF_NO_FRAME = """
HTMLVideoElement.prototype.requestVideoFrameCallback = () => 0;"""
PLAYED = """() => Object.values({ ...localStorage, ...sessionStorage })
    .some((kept) => /"plays":[1-9]/.test(kept))"""
"""whether a clip was played to its end in whatever way, by the draft of its answer"""


def restored(served: Bench) -> str:
    """As in a window that the browser brought back: sound was checked, but no key pressed yet."""
    return f'localStorage.setItem("caer.sound", "{session_mark(served.tokens[0])}");'


def said(bench_: Bench) -> list[tuple[object, ...]]:
    return [(v.emotion, v.flag, v.confidence_step, v.revision) for v in bench_.votes()]


def test_clips_are_labelled_by_keyboard_alone(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20,) * 4) as served:
        seat = Seat.at(browser, served).open()
        assert "Still missing" in seat.text("missing")
        clips = [seat.label(str(k), "asdf"[k - 1]) for k in range(1, 5)]
        seat.until_title("Nothing left")
        assert "Today 4 · in all 4" in seat.text("counts")
        assert len(set(clips)) == 4
        assert said(served) == [
            ("Anger", None, 0, 1), ("Disgust", None, 1, 1), ("Fear", None, 2, 1),
            ("Happy", None, 3, 1),
        ]  # fmt: skip
        for vote in served.votes():
            assert (vote.audio_on, vote.speed) == (True, 100)
            assert vote.received_at >= vote.answered_at > vote.shown_at
            assert vote.play_count >= 1
        assert seat.complaints == []


def test_what_is_missing_is_said_and_nothing_is_sent(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(60, 20)) as served:
        seat = Seat.at(browser, served).open()
        seat.press("Space", "Enter")  # it stands, so that it is not heard meanwhile
        line = seat.text("spoken")
        for phrase in ("played to its end", "an emotion (1–7)"):
            assert phrase in line
        seat.press("3", "Enter")
        assert "how sure you are (A–G)" in seat.text("spoken")
        seat.press("g", "v", "Enter")
        assert "the sound on (V)" in seat.text("spoken")
        seat.press("v", "Equal", "Space")
        seat.page.wait_for_function(PLAYED)  # too fast
        seat.press("Enter")
        assert "one play at normal speed (0)" in seat.text("spoken")
        assert served.votes() == []
        seat.press("0", "ArrowUp")
        seat.until_heard()
        seat.press("Enter")
        seat.until_says("status", "Saved")
        assert said(served) == [("Fear", None, 4, 1)]


def test_a_frame_at_a_time_and_the_box_on_the_face(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20,)) as served:
        seat = Seat.at(browser, served).open()
        seat.press("Space", "ArrowUp", "Space")
        for step in range(1, 6):
            seat.press("ArrowRight")
            seat.until(f"Math.abs(part('video-a').currentTime - {(step + 0.5) / RATE}) < .01")
            left, top, right, bottom = face_box(step)
            percent = 100 * left / SIZE[0]
            seat.until(f"Math.abs(parseFloat(part('face').style.left) - {percent}) < .05")
            shown = seat.part("face").bounding_box()
            stage = seat.part("stage").bounding_box()
            assert shown is not None
            assert stage is not None
            scale = stage["width"] / SIZE[0]
            assert shown["width"] == pytest.approx((right - left) * scale, abs=1)
            assert shown["y"] - stage["y"] == pytest.approx(top * scale, abs=1)
            assert shown["height"] == pytest.approx((bottom - top) * scale, abs=1)
        seat.press("ArrowLeft")
        seat.until(f"Math.abs(part('video-a').currentTime - {4.5 / RATE}) < .01")
        seat.press("b")
        assert seat.part("face").is_hidden()
        seat.press("b")
        assert seat.part("face").is_visible()
        # Frames one by one are no play.
        assert "played to its end" in seat.text("missing")


def test_the_box_is_on_the_face_of_a_frame_that_the_browser_never_told_of(
    browser: Any, tmp_path: Path
) -> None:
    """On a busy machine a frame is shown while the one before is being told of."""
    with bench(tmp_path, lengths=(20,)) as served:
        seat = Seat.at(browser, served)
        seat.page.add_init_script(TELL_OF_NO_FRAME)
        seat.open()
        seat.press("Space", "ArrowUp", "Space", "ArrowRight", "ArrowRight")
        seat.until(f"Math.abs(part('video-a').currentTime - {2.5 / RATE}) < .01")
        percent = 100 * face_box(2)[0] / SIZE[0]
        seat.until(f"Math.abs(parseFloat(part('face').style.left) - {percent}) < .05")


def test_undo_changes_the_last_answer(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        first = seat.label("1", "a")
        seat.until(f"!part('video-a').dataset.src.includes('{first}') || part('video-a').hidden")
        second = seat.clip
        seat.press("5", "u")
        seat.until_says("banner", "changing your last answer")
        assert (seat.clip, seat.chosen) == (first, ["Anger", "I am guessing."])
        seat.press("Escape")
        seat.until("part('banner').hidden")
        assert (seat.clip, seat.chosen) == (second, ["Neutral"])
        seat.press("u")
        seat.until_says("banner", "changing your last answer")
        seat.press("7", "Enter")
        seat.until_says("status", "Saved")
        seat.until("part('banner').hidden")
        assert (seat.clip, seat.chosen) == (second, ["Neutral"])
        assert said(served) == [("Anger", None, 0, 1), ("Surprise", None, 0, 2)]
        seat.press("s")
        seat.until_heard()
        seat.press("Enter")
        seat.until("part('counts').textContent.includes('in all 2')")


def test_cannot_tell_broken_and_rather_not(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20, 20, 20)) as served:
        seat = Seat.at(browser, served).open()
        seat.press("4", "x")
        assert seat.chosen == ["Cannot tell"]
        seat.until_heard()
        seat.press("Enter")
        seat.until_says("status", "Saved")
        seat.press("m")
        seat.part("dialog-broken").wait_for()
        seat.press("Enter")
        seat.until_says("reason-missing", "Choose a reason")
        seat.press("2")
        seat.part("reason-text").fill("crackles")
        seat.press("Enter")
        seat.until("part('counts').textContent.includes('in all 2')")
        seat.press("n")
        seat.part("dialog-decline").wait_for()
        seat.press("Escape")
        seat.part("dialog-decline").wait_for(state="hidden")
        seat.press("n")
        seat.part("dialog-decline").wait_for()
        seat.press("Enter")
        seat.until_title("Nothing left")
        votes = served.votes()
        assert [(v.emotion, v.flag, v.reason) for v in votes] == [
            (None, "cannot_tell", None),
            (None, "broken", "The sound is missing or damaged. crackles"),
        ]


def test_a_clip_without_sound_needs_none(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20,), silent=(0,)) as served:
        seat = Seat.at(browser, served).open()
        seat.press("v")
        seat.label("6", "s")
        assert [(v.emotion, v.audio_on) for v in served.votes()] == [("Sad", False)]


def test_enter_twice_is_one_answer(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20, 20)) as served:
        seat = Seat.at(browser, served).open()
        seat.press("1", "a")
        seat.until_heard()
        seat.press("Enter", "Enter", "Enter")
        seat.until("part('counts').textContent.includes('in all 1')")
        seat.page.wait_for_timeout(300)
        assert len(served.votes()) == 1
        seat.until_view("answer")


def test_practice_tells_what_was_expected(browser: Any, tmp_path: Path) -> None:
    reasons = [("Happy", "She laughs, and her voice rises."), ("Sad", "A <b>low</b> voice.")]
    with bench(tmp_path, practice=reasons, practice_share=0.5) as served:
        seat = Seat.at(browser, served)
        seat.page.add_init_script(CLOCK_THAT_STANDS)
        seat.open()
        assert "Practice" in seat.text("banner")
        expected = {"p00000": "Happy", "p00001": "Sad"}
        for number in range(2):
            clip = seat.clip
            seat.press("4", "d")
            seat.until_heard()
            seat.page.evaluate("window.standing = performance.now()")
            seat.press("Enter")
            seat.until_view("notice")
            seat.press("Enter")  # the second press of a double one is not for the notice
            seat.page.evaluate("window.standing = undefined")
            right = expected[clip] == "Happy"
            assert seat.text("notice-tag") == ("As expected" if right else "Not as expected")
            assert expected[clip] in seat.text("notice-title")
            text = seat.text("notice-text")
            assert dict(reasons)[expected[clip]] in text
            assert f"Practice clip {number + 1} of 2" in text
            seat.page.wait_for_timeout(500)
            seat.press("Enter")
            seat.until_view("answer")
        assert seat.part("banner").is_hidden()
        seat.label()
        assert {v.purpose for v in served.votes()} == {"practice", "vote"}
        assert seat.complaints == []


def test_practice_that_was_not_passed(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, practice=[("Sad", "Tears.")], practice_share=1.0) as served:
        seat = Seat.at(browser, served).open()
        seat.press("4", "d")
        seat.until_heard()
        seat.press("Enter")
        seat.until_view("notice")
        seat.page.wait_for_timeout(500)
        seat.press("Enter")
        seat.until_title("practice round is over")


def test_a_wrong_count_of_tones_is_not_taken(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served)
        seat.page.goto(seat.url)
        seat.until_title("Sound check")
        seat.press("Enter")
        seat.until_title("How many tones")
        seat.press("0")
        seat.until_title("Not quite")
        before = seat.page.evaluate("window.tones")
        seat.press("Enter")
        seat.until_title("How many tones")
        seat.press(str(seat.page.evaluate("window.tones") - before))
        seat.until_view("answer")


def test_sound_is_checked_once_a_session(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        seat.page.reload()
        seat.until_view("answer")
        other = seat.beside().open(sound_check=False)
        other.until_view("answer")
        other.page.close()
        served.sign_in(seat.page.context, 0)  # perhaps elsewhere, with other headphones
        seat.page.reload()
        seat.until_title("Sound check")


def test_sound_waits_for_a_key_where_the_browser_wants_one(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(40, 40)) as served:
        for act in ("key", "click"):
            seat = Seat.at(browser, served)
            seat.page.add_init_script(restored(served))
            seat.page.add_init_script(TELL_REFUSED_PLAYS)
            # What looks into the page counts as a click, so the page has to say when.
            with seat.page.expect_console_message(lambda m: m.text == "play: NotAllowedError"):
                seat.open(sound_check=False)
            seat.part("cover").wait_for()
            assert "with sound" in seat.text("cover-text")
            if act == "key":
                seat.press("2")  # a key that means something does that too
                seat.until("part('cover').hidden")
                assert seat.chosen == ["Disgust"]
            else:
                seat.part("stage").click()
            seat.until("part('cover').hidden && !part('video-a').paused")
            seat.until_heard()


def test_sound_comes_at_once_where_the_browser_lets_it(browser: Any, tmp_path: Path) -> None:
    free = launch(browser.browser_type, "no-user-gesture-required")
    with bench(tmp_path, lengths=(40, 40)) as served:
        seat = Seat.at(free, served)
        seat.page.add_init_script(restored(served))
        seat.open(sound_check=False)
        seat.until("part('player').dataset.view === 'answer' && !part('video-a').paused")
        assert seat.part("cover").is_hidden()
        seat.label()
    free.close()

"""Nothing is lost: reloads, servers that are away, two windows, leases and sessions that end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from caer_build.annotation import tables as t
from tests.player_seat import Seat, is_lost, passes
from tests.player_server import Bench, bench


def emotions(served: Bench) -> list[str]:
    return [v.emotion for v in served.votes()]


def test_a_reload_brings_everything_back(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        clip = seat.clip
        seat.press("3", "f")
        seat.until_heard()
        seat.page.reload()
        seat.until_view("answer")
        assert (seat.clip, seat.chosen) == (clip, ["Fear", "I am fairly sure."])
        assert seat.text("missing") == "Nothing is missing."
        seat.press("Enter")
        seat.until_says("status", "Saved")
        seat.press("u")
        seat.until_says("banner", "changing")
        seat.press("1")
        seat.page.reload()
        seat.until_says("banner", "changing")
        assert (seat.clip, seat.chosen) == (clip, ["Anger", "I am fairly sure."])
        seat.press("Enter")
        seat.until("part('banner').hidden")
        assert [(v.emotion, v.revision) for v in served.votes()] == [("Fear", 1), ("Anger", 2)]


def test_an_answer_waits_for_a_server_that_is_away(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        clip = seat.clip
        seat.press("6", "g")
        seat.until_heard()
        served.stop()
        seat.press("Enter")
        seat.until_says("status", "Not saved yet, trying again")
        assert seat.clip == clip  # the next one comes with the receipt
        seat.press("Enter", "1", "Enter")
        assert seat.chosen == ["Sad", "I am certain."]
        served.start()
        seat.until_says("status", "Saved")
        assert seat.clip != clip
        [vote] = served.votes()
        assert (vote.emotion, vote.confidence_step) == ("Sad", 4)
        assert vote.received_at > vote.answered_at


def test_an_answer_outlives_a_reload_and_a_closed_window(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served)
        wire = seat.wire("**/api/answer")
        seat.open()
        seat.press("6", "g")
        seat.until_heard()
        wire.fate = is_lost
        seat.press("Enter")
        seat.until_says("status", "Not saved yet")
        assert served.votes() == []
        asked: list[str] = []
        seat.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        seat.page.reload()
        assert asked == ["beforeunload"]
        seat.until_says("status", "Not saved yet")
        other = seat.beside()
        other.page.goto(seat.url)
        other.until_view("answer")
        assert emotions(served) == ["Sad"]
        wire.fate = passes
        seat.until_view("answer")
        assert emotions(served) == ["Sad"]


def test_a_lost_receipt_is_no_second_vote(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served)
        wire = seat.wire("**/api/answer")
        seat.open()
        sent: list[Any] = []

        def lose(route: Any) -> None:
            sent.append(route.request.post_data_json["request_id"])
            if len(sent) < 3:
                route.fetch()  # arrives, and what comes back is lost
                route.abort()
            else:
                route.continue_()

        wire.fate = lose
        seat.label("2", "a")
        assert len(sent) == 3
        assert len(set(sent)) == 1
        assert emotions(served) == ["Disgust"]


def test_two_windows_share_a_clip_and_it_is_answered_once(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        other = seat.beside().open(sound_check=False)
        other.until_view("answer")  # the sound was checked in this session
        clip = seat.clip
        assert other.clip == clip
        other.press("1", "a")
        other.until_heard()
        seat.page.bring_to_front()
        seat.label("4", "d")
        other.page.bring_to_front()
        other.press("Enter")
        other.until_view("notice")
        assert "answered this clip already" in other.text("notice-title")
        assert "Anger, “I am guessing”" in other.text("notice-text")
        other.page.wait_for_timeout(500)
        other.press("Enter")
        other.until_view("answer")
        assert other.clip != clip
        assert emotions(served) == ["Happy"]


def test_a_clip_that_somebody_else_has_now(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, votes_per_clip=1) as served:
        served.add_person()
        seat = Seat.at(browser, served).open()
        clip = seat.clip
        seat.press("5", "s")
        seat.until_heard()
        with served.office.database.writing() as connection:
            mine = t.slot.c.clip_id.in_(
                t.clip.select().with_only_columns(t.clip.c.clip_id).where(
                    t.clip.c.public_id == clip
                )
            )  # fmt: skip
            connection.execute(t.slot.update().where(mine).values(annotator_id=served.people[1]))
        seat.press("Enter")
        seat.until_view("notice")
        assert "given to somebody else" in seat.text("notice-title")
        assert "Neutral" in seat.text("notice-text")
        assert served.votes() == []
        seat.page.wait_for_timeout(500)
        seat.press("Enter")
        seat.until_view("answer")
        assert seat.clip != clip
        assert seat.chosen == []


def test_a_session_that_ends_in_mid_answer(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        seat.press("7", "a")
        seat.until_heard()
        with served.office.database.reading() as connection:
            kept = [dict(row._mapping) for row in connection.execute(t.session.select())]
        with served.office.database.writing() as connection:
            connection.execute(delete(t.session))
        seat.press("Enter")
        seat.until_title("signed out")
        assert "kept" in seat.text("page-text")
        assert served.votes() == []
        with served.office.database.writing() as connection:  # signs in again
            connection.execute(insert(t.session), kept)
        seat.page.goto(seat.url)
        seat.until_view("answer")
        assert emotions(served) == ["Surprise"]


def test_another_person_in_the_same_window_begins_afresh(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path, lengths=(20,)) as served:
        second = served.add_person()
        seat = Seat.at(browser, served)
        wire = seat.wire("**/api/answer")
        seat.open()
        seat.press("7", "a")
        seat.until_heard()
        wire.fate = is_lost
        seat.press("Enter")
        seat.until_says("status", "Not saved yet")
        wire.fate = passes
        seat.page.on("dialog", lambda dialog: dialog.accept())
        served.stop()
        cookie = {"name": "caer_session", "value": second, "url": seat.url}
        seat.page.context.add_cookies([cookie])
        served.start()
        seat.page.goto(seat.url)
        seat.until_title("Sound check")
        assert [v.annotator_id for v in served.votes()] in ([], [served.people[0]])


def test_going_back_and_forth_in_the_browser(browser: Any, tmp_path: Path) -> None:
    with bench(tmp_path) as served:
        seat = Seat.at(browser, served).open()
        clip = seat.clip
        seat.press("2", "d")
        seat.page.goto(seat.url.replace("/bench", "/player/main.js"))
        seat.page.go_back()
        seat.until_view("answer")
        assert (seat.clip, seat.chosen) == (clip, ["Disgust", "About as likely right as wrong."])

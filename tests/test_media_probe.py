"""What is read off headers, on made and on real files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from caer_build.errors import ProbeError
from caer_build.media.languages import same_language
from caer_build.media.probe import display_size, read_headers
from tests.media_kinds import KINDS


@pytest.mark.parametrize(
    ("stored", "aspect", "rotation", "shown"),
    [
        ((1280, 720), Fraction(1), 0, (1280, 720)),
        ((1280, 720), Fraction(1), 90, (720, 1280)),
        ((641, 361), Fraction(1), 0, (640, 360)),
        ((720, 576), Fraction(16, 11), 0, (1046, 576)),
        ((720, 480), Fraction(8, 9), 0, (720, 540)),
        ((720, 576), Fraction(16, 11), 270, (576, 1046)),
        ((1, 1), Fraction(1), 0, (2, 2)),
    ],
)
def test_display_size(
    stored: tuple[int, int], aspect: Fraction, rotation: int, shown: tuple[int, int]
) -> None:
    assert display_size(*stored, aspect, rotation) == shown


def test_the_default_audio_track_is_taken_or_the_language_asked_for(tmp_path: Path) -> None:
    path = KINDS["several audio tracks"].make(tmp_path)
    tracks = {asked: read_headers(path, asked).audio for asked in (None, "fr", "fra", "en-GB")}
    languages = {asked: track.language for asked, track in tracks.items() if track}
    assert languages == {None: "eng", "fr": "fre", "fra": "fre", "en-GB": "eng"}
    with pytest.raises(ProbeError, match=r"language 'de', only eng, fre"):
        read_headers(path, "de")


def test_a_file_whose_tracks_name_no_language_gives_its_default_track(tmp_path: Path) -> None:
    audio = read_headers(KINDS["MKV"].make(tmp_path), "de").audio
    assert audio is not None


@pytest.mark.parametrize(
    ("tag", "wanted", "same"),
    [("eng", "en", True), ("ger", "deu", True), ("zho", "zh-Hant", True), ("eng", "fr", False)],
)
def test_language_codes(tag: str, wanted: str, same: bool) -> None:
    assert same_language(tag, wanted) == same


def test_real_files(data: Path) -> None:
    turned = read_headers(data / "media" / "rotated_flag.mp4")
    assert (turned.rotation, turned.width, turned.height) == (90, 544, 1280)
    phone = read_headers(data / "media" / "face_noface.mov")
    assert (phone.video_codec, phone.video_stream, phone.frame_count_claimed) == ("hevc", 1, 169)
    mp3 = read_headers(data / "media" / "single_face.mp4")
    assert mp3.audio is not None
    assert mp3.audio.codec.startswith("mp3")
    film = read_headers(data / "episodes" / "lobby.s01e02.mp4")
    assert film.frame_rate == Fraction(24000, 1001)

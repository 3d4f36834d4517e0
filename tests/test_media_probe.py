"""What is read off headers, on made and on real files."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from caer_build.errors import ProbeError
from caer_build.media.decode import Decoder
from caer_build.media.languages import same_language
from caer_build.media.probe import display_size, read_headers
from caer_build.media.sound import SoundReader
from tests.media import run_ffmpeg
from tests.media_kinds import KINDS
from tests.scanned import scan


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


@pytest.mark.parametrize(
    ("name", "n_frames", "size"),
    [
        ("face_noface.mov", 169, (960, 540)),
        ("noface_face.mov", 169, (960, 540)),
        ("rotated_flag.mp4", 240, (544, 1280)),
        ("single_face.mp4", 72, (640, 360)),
    ],
)
def test_real_odd_files_are_decoded_whole_and_upright(
    name: str, n_frames: int, size: tuple[int, int], data: Path
) -> None:
    path = data / "media" / name
    headers = read_headers(path)
    with Decoder(path, headers) as decoder:
        shapes = {frame.bgr_full().shape for frame in decoder}
    assert decoder.report.n_frames == n_frames
    assert not decoder.report.truncated
    assert (headers.width, headers.height) == size
    assert shapes == {(size[1], size[0], 3)}


def test_mp3_arrives_in_a_clip(data: Path, tmp_path: Path) -> None:
    """What is heard in a clip is what ffmpeg's own decoder hears there."""
    path = data / "media" / "single_face.mp4"
    source = scan(path)
    [made] = source.cut(tmp_path, (20, 60))
    audio = read_headers(made.out).audio
    assert audio is not None
    assert audio.codec == "aac"
    wav = tmp_path / "whole.wav"
    run_ffmpeg("-i", str(path), "-vn", "-ac", "1", "-ar", str(audio.rate), str(wav))
    with wave.open(str(wav)) as file:
        whole = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    with SoundReader(made.out, audio) as reader:
        heard = reader.read(0.0, made.length_s).mean(axis=1)
    first = round((source.wanted(20, 60).start_s - source.headers.start_s) * audio.rate)
    assert np.abs(heard).max() > 0.002
    assert np.corrcoef(heard, whole[first : first + len(heard)])[0, 1] > 0.98


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

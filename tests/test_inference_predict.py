"""``caer predict``: everybody in a video over time, never across a cut, and drawn so."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from caer_build.caernet import compute
from caer_build.caernet.compute import Compute
from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.networks import build
from caer_build.caernet.runs import TrainedRun
from caer_build.caernet.windows import Windows
from caer_build.cli.main import app
from caer_build.cli.progress import Bars
from caer_build.errors import DeviceError
from caer_build.frames import Timeline
from caer_build.inference.moments import Course, Moment, Reader, as_csv, described
from caer_build.inference.overlay import COLOURS_RGB
from caer_build.inference.predicting import Options, files_in, predict_files
from caer_build.inference.sampling import samples_of_picture, samples_of_video
from caer_build.inference.watching import Watched
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.models.face_detectors import load
from caer_build.records import EMOTIONS, TrackBox
from tests.building import caer
from tests.media import RATE, number_in, run_ffmpeg, write_sound, write_video
from tests.trained import fresh_run

LARGE = StoreSettings(face_px=32)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def two_shots(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """41 frames of one man, a cut, 28 of another; 24000/1001 a second, with beeps."""
    file = tmp_path_factory.mktemp("video") / "two.mp4"
    beeps = write_sound(file.with_name("beeps.wav"), 2.9)
    run_ffmpeg(
        "-i", str(data / "episodes" / "lobby.s01e02.mp4"), "-i", str(beeps), "-map", "0:v", "-vf",
        "trim=start_frame=72:end_frame=141,setpts=PTS-STARTPTS,scale=480:270", "-map", "1:a",
        "-c:v", "libx264", "-crf", "14", "-preset", "ultrafast", str(file),
    )  # fmt: skip
    return file


def numbered_video(tmp_path: Path, n: int, tracks: dict[str, range]) -> Watched:
    """Numbered frames at 25 a second; every track has the box (8, 80) to (40, 112)."""
    file = write_video(tmp_path / "numbers.mp4", n=n)
    boxes = {
        name: tuple(TrackBox(name, frame, 8.0, 80.0, 40.0, 112.0, False) for frame in frames)
        for name, frames in tracks.items()
    }
    timeline = Timeline(np.arange(n) / RATE, n / RATE)
    return Watched(file, "numbers", timeline, 1, boxes, False)


def test_windows_of_a_person_by_hand(tmp_path: Path) -> None:
    """From frame 10 to 70, 2.4 s: 24 ticks, so [0, 16) and [8, 24)."""
    video = numbered_video(tmp_path, 75, {"a": range(10, 70), "b": range(20, 28)})
    samples = {"a": [], "b": []}  # type: ignore[var-annotated]
    for sample in samples_of_video(video, LARGE, Windows()):
        samples[sample.face].append(sample)
    long, short = samples["a"], samples["b"]
    assert [(s.start_s, s.end_s) for s in long] == [
        pytest.approx((0.4, 2.0)),
        pytest.approx((1.2, 2.8)),
    ]
    assert [s.frame for s in long] == [27, 47], "ticks 7 and 15, 0.7 and 1.5 s after frame 10"
    seen = [number_in(context) for context in long[0].contexts]
    assert seen == [10, 12, 15, 17, 20, 22, 25, 27, 30, 32, 35, 37, 40, 42, 45, 47]
    assert [number_in(context) for context in long[1].contexts] == [
        *seen[8:], 50, 52, 55, 57, 60, 62, 65, 67,
    ]  # fmt: skip
    assert long[0].faces.shape == (16, 32, 32, 3)
    # 0.32 s: four ticks, again and again.
    (one,) = short
    assert (one.start_s, one.end_s) == pytest.approx((0.8, 1.12))
    assert [number_in(context) for context in one.contexts] == [20, 22, 25, 27] * 4


def test_single_frames_of_a_person_by_hand(tmp_path: Path) -> None:
    video = numbered_video(tmp_path, 30, {"a": range(5, 18)})
    samples = list(samples_of_video(video, LARGE, None))
    assert [number_in(s.contexts) for s in samples] == [5, 7, 10, 12, 15, 17]
    assert [s.frame for s in samples] == [5, 7, 10, 12, 15, 17]
    assert [s.start_s for s in samples] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert samples[-1].end_s == pytest.approx(0.72), "where the track ends"
    # The face is hidden from its own context: 192 x 144 px become 171 x 128.
    hidden = samples[0].contexts[73:98, 9:34].reshape(-1, 3)
    assert (hidden == (124, 116, 104)).all()


def moment(start_s: float, end_s: float, emotion: int, weight: float = 0.25) -> Moment:
    said = tuple(float(k == emotion) for k in range(7))
    return Moment("a", start_s, end_s, 3, (1, 2, 3, 4), said, (weight, 1 - weight))


def test_what_is_said_of_a_time_by_hand() -> None:
    moments = [moment(1.0, 2.6, 3), moment(1.8, 3.4, 5, 0.75)]
    course = Course(moments)
    assert course.at(1.2).tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert course.at(2.0).tolist() == [0, 0, 0, 0.5, 0, 0.5, 0]
    assert course.at(0.5).tolist() == [0, 0, 0, 1, 0, 0, 0], "the nearest"
    assert course.at(9.0).tolist() == [0, 0, 0, 0, 0, 1, 0]
    (person,) = described(moments)
    assert person["p"]["Happy"] == person["p"]["Sad"] == 0.5
    assert (person["start_s"], person["end_s"], person["n_moments"]) == (1.0, 3.4, 2)
    assert person["face_weight"] == 0.5
    rows = list(csv.DictReader(as_csv({"x.mp4": moments}).splitlines()))
    assert [row["emotion"] for row in rows] == ["Happy", "Sad"]
    assert [rows[0][key] for key in ("file", "x1", "y2", "p_happy", "face_weight")] == [
        "x.mp4", "1.0", "4.0", "1.000000", "0.250000",
    ]  # fmt: skip


def test_a_picture_as_the_network_alone_says(fresh_runs: Path, data: Path, tmp_path: Path) -> None:
    picture = cv2.VideoCapture(str(data / "media" / "single_face.mp4")).read()[1]
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    run = TrainedRun.open(fresh_runs / "caer-net-s")
    detector = load("auto", None, 480)
    (sample,) = samples_of_picture(tmp_path / "a.png", detector, run.store, None)
    (said,) = Reader(run, torch.device("cpu"), Compute(precision="fp32")).moments([sample])
    x1, y1, x2, y2 = detector.detect(picture).boxes[0]
    assert said.box == pytest.approx((x1, y1, x2, y2), abs=0.01)
    network = run.network(torch.device("cpu"))
    mean, std = torch.tensor([124.0, 116.0, 104.0]), torch.tensor([58.4, 57.1, 57.4])
    face, context = (
        ((torch.from_numpy(p).float() - mean) / std).permute(2, 0, 1)[None]
        for p in (sample.faces, sample.contexts[:, 5:37])
    )
    with torch.no_grad():
        expected = network(face, context)
    assert said.probabilities == pytest.approx(torch.softmax(expected.logits, 1)[0].tolist())
    assert said.weights == pytest.approx(expected.fusion[0].tolist())


def test_a_device_that_computes_wrongly_says_nothing_of_anybody(
    fresh_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: this CPU is taken for one, and its convolutions for wrong."""
    run = TrainedRun.open(fresh_runs / "caer-net")
    asked: list[bool] = []

    def wrong(*_: Any, learns: bool) -> dict[str, str]:
        asked.append(learns)
        return {"face.0": "conv3d is wrong."}

    monkeypatch.setattr(compute, "wrong_convolutions", wrong)
    monkeypatch.setattr(compute, "placed", lambda network, *_: network)
    monkeypatch.setattr(TrainedRun, "network", lambda self, _: build(self.plan.architecture))
    with pytest.raises(DeviceError, match="conv3d is wrong"):
        Reader(run, torch.device("cuda"))
    assert asked == [False], "it is only asked, not trained"
    Reader(run, torch.device("cuda"), Compute(precision="fp32"))


def test_a_video_from_the_command_line(fresh_runs: Path, two_shots: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    out = tmp_path / "said"
    done = caer("predict", fresh_runs / "caer-net", two_shots, bad, tmp_path / "none.png", "-o",
                out, "--recipe", "quick", "--set", "compute.precision=fp32",
                check=False)  # fmt: skip
    assert done.returncode == 1
    assert "bad.mp4 is a text file" in done.stderr
    assert "none.png cannot be read as a picture" in done.stderr
    facts = json.loads((out / "predictions.json").read_text())
    assert sorted(Path(f["file"]).name for f in facts["failed"]) == ["bad.mp4", "none.png"]
    (video,) = facts["files"]
    assert (video["n_shots"], video["length_s"]) == (2, pytest.approx(2.878, abs=0.01))
    # 41 frames are 18 ticks, 28 are 12; nobody goes on over the cut at 1.710 s.
    assert [f["n_moments"] for f in video["faces"]] == [2, 1]
    assert video["faces"][0]["end_s"] == video["faces"][1]["start_s"] == 1.71
    rows = list(csv.DictReader((out / "predictions.csv").read_text().splitlines()))
    assert len(rows) == 3
    for row in rows:
        shares = [float(row[f"p_{emotion.lower()}"]) for emotion in EMOTIONS]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert row["emotion"] == EMOTIONS[int(np.argmax(shares))]
        assert float(row["face_weight"]) + float(row["context_weight"]) == pytest.approx(1)
    drawn_as_said(out / video["annotated"], two_shots, rows)


def drawn_as_said(drawn: Path, source: Path, rows: list[dict[str, str]]) -> None:
    """The box is there in its colour, all else is as it was, and so is the sound."""
    headers = read_headers(drawn)
    assert (headers.width, headers.height) == (480, 270 + 24)
    box = {int(row["frame"]): row for row in rows}
    pairs = []
    with Decoder(source, read_headers(source)) as one, Decoder(drawn, headers) as other:
        for before, after in zip(one, other, strict=True):
            assert after.pts_s - before.pts_s == pytest.approx(0, abs=1e-3)
            if before.ordinal in box:
                pairs.append((before.ordinal, before.bgr_full(), after.bgr_full()))
    assert len(pairs) == 3
    for frame, before, after in pairs:
        row = box[frame]
        left, top, bottom = (round(float(row[key])) for key in ("x1", "y1", "y2"))
        edge = after[(top + bottom) // 2, left].astype(int)
        assert np.abs(edge - COLOURS_RGB[row["emotion"]][::-1]).max() < 60
        untouched = np.abs(before[:, :60].astype(int) - after[:270, :60])
        assert untouched.mean() < 3
    sounds = []
    for file in (source, drawn):
        track = read_headers(file).audio
        assert track is not None
        with SoundReader(file, track) as reader:
            sounds.append(reader.read(0.0, 2.8)[:, 0])
    assert np.corrcoef(*sounds)[0, 1] > 0.9, "the beeps of every full second"


def test_pictures_and_folders(fresh_runs: Path, data: Path, tmp_path: Path) -> None:
    """Two pictures of one name in two folders; in the second there is nobody."""
    picture = cv2.VideoCapture(str(data / "media" / "single_face.mp4")).read()[1]
    for folder, pixels in (("a", picture), ("b", np.full_like(picture, 90))):
        (tmp_path / "in" / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "in" / folder / "x.png"), pixels)
    (tmp_path / "in" / "notes.txt").write_text("not meant")
    assert [f.name for f in files_in([tmp_path / "in"])] == ["x.png", "x.png"]
    found = predicted(fresh_runs / "caer-net-s", tmp_path / "in", tmp_path / "out", Options())
    one, other = found["files"]
    assert (len(one["faces"]), len(other["faces"])) == (1, 0)
    assert (one["annotated"], other["annotated"]) == ("x.png", "x-2.png")
    for name in ("x.png", "x-2.png"):
        assert cv2.imread(str(tmp_path / "out" / name)) is not None
    # A network of clips sees a picture sixteen times.
    tables = Options(annotate=False)
    again = predicted(fresh_runs / "caer-net", tmp_path / "in" / "a", tmp_path / "tables", tables)
    assert len(again["files"][0]["faces"]) == 1
    assert not (tmp_path / "tables" / "x.png").exists()


def predicted(run: Path, path: Path, out: Path, options: Options) -> dict[str, Any]:
    """What is written of the pictures in a folder."""
    predict_files(
        TrainedRun.open(run), files_in([path]), out, options, device=torch.device("cpu"),
        observer=Bars(), tell=lambda *_: None,
    )  # fmt: skip
    written: dict[str, Any] = json.loads((out / "predictions.json").read_text())
    return written


def test_without_a_folder_it_says_where_it_wrote(data: Path, tmp_path: Path) -> None:
    """Each file beside the run that was asked, another file elsewhere."""
    run = fresh_run(tmp_path / "run", "caer-net-s")
    reader = cv2.VideoCapture(str(data / "episodes" / "lobby.s01e02.mp4"))
    reader.set(cv2.CAP_PROP_POS_FRAMES, 260)
    _, picture = reader.read()
    for name in ("one.png", "two.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    folder = run / "predictions" / "one"
    said = CliRunner().invoke(app, ["predict", str(run), str(tmp_path / "one.png")])
    assert said.exit_code == 0, said.output
    assert f"Tables and pictures: {folder}" in said.stdout
    assert {file.name for file in folder.iterdir()} == {
        "predictions.csv", "predictions.json", "one.png"
    }  # fmt: skip
    both = ["predict", str(run), *(str(tmp_path / name) for name in ("one.png", "two.png"))]
    told = json.loads(CliRunner().invoke(app, [*both, "--json"]).stdout)
    assert told["folder"] == str(run / "predictions" / "one-and-1-more")
    assert (Path(told["folder"]) / "two.png").is_file()

"""paper.toml: faces followed in a second decode, and dlib needed by nobody else."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from benchmarks import synthetic_faces
from caer_build import pipeline, recipes
from caer_build.boxes import iou
from caer_build.errors import DecodeError, ModelMissing
from caer_build.frames import Span
from caer_build.media.probe import read_headers
from caer_build.media.replay import Replay
from caer_build.records import FaceDetection, FaceTrack, TrackEmbedding
from caer_build.stages.embeddings import EmbeddingSettings, choose_chips
from caer_build.stages.identities import IdentitySettings, group_episode
from tests.building import build, caer, digests
from tests.media import WIDTH, number_in, run_ffmpeg, write_video

SIZE = synthetic_faces.WIDTH, synthetic_faces.HEIGHT
CUT, N_FRAMES = 60, 110


def toy_frames(data: Path) -> tuple[list[np.ndarray], list[dict[str, np.ndarray]]]:
    """Two people who talk, a cut at frame 60, then the first of them coming nearer."""
    photos = synthetic_faces.photographs(data)
    talk = itertools.islice(synthetic_faces.frames(0, photos), CUT)
    near = itertools.islice(synthetic_faces.frames(5, photos), 60, 60 + N_FRAMES - CUT)
    pictures, boxes = zip(*talk, *near, strict=True)
    return list(pictures), list(boxes)


@pytest.fixture(scope="module")
def toy(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures, _ = toy_frames(data)
    path = tmp_path_factory.mktemp("toy") / "Toy.S01E01.mp4"
    run_ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", "25",
        "-i", "pipe:0", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18",
        "-pix_fmt", "yuv420p", "-threads", "1", str(path), given=np.stack(pictures).tobytes(),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def followed(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("dlib")
    work = tmp_path_factory.mktemp("followed") / "work"
    totals = build(work, toy, options=("--recipe", "paper", "--until", "identities"))
    # One of them to read the headers.
    assert totals["decoded_frames"] == N_FRAMES + 1
    assert 0 < totals["redecoded_frames"] <= N_FRAMES + 1
    return work


@pytest.fixture(scope="module")
def tables(followed: Path) -> dict[str, pd.DataFrame]:
    return {f.stem: pd.read_parquet(f) for f in (followed / "tables").glob("*.parquet")}


def facts(work: Path, stage: str) -> dict[str, object]:
    (manifest,) = (work / "stages" / stage).glob("*/*/manifest.json")
    told = json.loads(manifest.read_text())
    return {**told, **told.get("facts", {})}


def test_every_face_is_followed_where_it_really_is(
    data: Path, tables: dict[str, pd.DataFrame]
) -> None:
    tracks, boxes = tables["tracks"], tables["track_boxes"]
    assert len(tracks) >= 3
    _, truth = toy_frames(data)
    overlaps = []
    for frame, people in enumerate(truth):
        here = boxes[boxes.frame == frame][["x1", "y1", "x2", "y2"]].to_numpy()
        assert len(here) <= len(people)
        overlap = iou(here, np.stack(list(people.values())))
        overlaps += overlap.max(axis=0).tolist() if len(here) else [0.0] * len(people)
    # dlib's boxes are squares, those of the truth are higher than wide.
    assert np.mean(np.array(overlaps) > 0.5) > 0.95


def test_tracks_stay_in_their_shots_with_a_box_for_every_frame(
    tables: dict[str, pd.DataFrame],
) -> None:
    shots = tables["shots"].set_index("shot_id")
    assert CUT in set(shots.start_frame)
    for track in tables["tracks"].itertuples():
        shot = shots.loc[track.shot_id]
        assert shot.start_frame <= track.start_frame < track.end_frame <= shot.end_frame
        own = tables["track_boxes"].query("track_id == @track.track_id")
        assert own.frame.tolist() == list(range(track.start_frame, track.end_frame))
        assert (own.x1 >= 0).all()
        assert (own.y1 >= 0).all()
        assert (own.x2 <= SIZE[0]).all()
        assert (own.y2 <= SIZE[1]).all()
        assert track.n_detections == (~own.interpolated).sum()
        assert track.seen_share == 1.0


def test_a_detection_is_in_one_track_at_most(
    followed: Path, tables: dict[str, pd.DataFrame]
) -> None:
    (file,) = (followed / "stages" / "tracks").glob("*/*/track_detections.parquet")
    members = pd.read_parquet(file)
    found = Counter(zip(members.frame, members["index"], strict=True))
    assert max(found.values()) == 1
    assert set(found) <= set(
        zip(tables["detections"].frame, tables["detections"]["index"], strict=True)
    )


def test_who_comes_back_is_recognised_though_the_detector_gives_no_landmarks(
    tables: dict[str, pd.DataFrame],
) -> None:
    assert (tables["detections"].landmarks.map(len) == 0).all()
    both = tables["tracks"].merge(tables["identities"], on="track_id")
    assert both.person_id.nunique() == 2
    early, late = both[both.start_frame < CUT], both[both.start_frame >= CUT]
    assert set(late.person_id) < set(early.person_id)


def test_the_second_decode_is_counted_apart(followed: Path) -> None:
    assert facts(followed, "scan")["decoded_frames"] == N_FRAMES + 1
    assert 0 < int(str(facts(followed, "tracks")["redecoded_frames"])) <= N_FRAMES + 1


@pytest.mark.slow
def test_the_same_again_is_the_same_to_the_byte(followed: Path, toy: Path, tmp_path: Path) -> None:
    options = ("--recipe", "paper", "--until", "identities", "--workers", "1")
    build(tmp_path / "again", toy, options=options)
    assert digests(tmp_path / "again") == digests(followed)


def hidden_dlib(folder: Path) -> dict[str, str]:
    """An environment in whose processes dlib cannot be imported."""
    (folder / "dlib.py").write_text("raise ImportError('no dlib here')\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def build_without_dlib(
    recipe: str, toy: Path, folder: Path
) -> tuple[subprocess.CompletedProcess[str], Path]:
    work = folder / "work"
    command = [sys.executable, "-m", "caer_build.cli", "build", str(toy), "-o", str(work)]
    command += ["--recipe", recipe, "--until", "identities", "--json"]
    environment = hidden_dlib(folder)
    root = Path(__file__).parent.parent
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=root, timeout=900
    )
    return done, work


@pytest.mark.parametrize("recipe", ["caer", "quick"])
def test_the_other_recipes_do_without_dlib_and_decode_once(
    recipe: str, toy: Path, tmp_path: Path
) -> None:
    done, work = build_without_dlib(recipe, toy, tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tracks"] == 3
    told = facts(work, "tracks")
    assert told["source_sha256"] is None
    assert "redecoded_frames" not in told


def test_paper_says_what_it_needs(toy: Path, tmp_path: Path) -> None:
    done, work = build_without_dlib("paper", toy, tmp_path)
    assert done.returncode == 1
    assert "dlib" in done.stderr
    assert "pip install dlib-bin" in done.stderr
    assert not list(work.glob("stages/*"))


@pytest.mark.parametrize(
    ("recipe", "assignment"),
    [
        ("paper", "shots.scorer=paper"),
        ("caer", "tracks.method=forward-backward"),
        ("caer", "embeddings.alignment=dlib"),
    ],
)
def test_whatever_asks_for_dlib_is_checked_before_any_work(
    recipe: str, assignment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModelMissing) as caught:
        pipeline.check(recipes.load(pipeline.STAGES, recipe, [assignment]))
    assert "dlib-bin" in caught.value.remedy


@pytest.mark.parametrize(("name", "again"), [("caer", False), ("quick", False), ("paper", True)])
def test_only_paper_opens_the_source_for_its_tracks(name: str, again: bool) -> None:
    recipe = recipes.load(pipeline.STAGES, name)
    opening = {s.name for s in pipeline.STAGES if s.opens_source(recipe[s.name])}
    assert opening - {"tracks"} == {"ingest", "scan", "cutting"}
    assert ("tracks" in opening) is again


def test_replay_gives_the_frames_of_spans_and_counts_all_it_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "numbered.mp4", n=40)
    with Replay(path, read_headers(path), width=96) as replay:
        assert replay.size == (96, 72)
        for span in (Span(0, 3), Span(5, 9), Span(20, 21)):
            shown = list(replay.pictures(span))
            assert [frame for frame, _ in shown] == list(range(span.start, span.end))
            assert [number_in(picture) for _, picture in shown] == [frame for frame, _ in shown]
            assert {picture.shape for _, picture in shown} == {(72, 96, 3)}
        assert replay.n_frames == 21


def test_replay_refuses_to_go_back_and_to_make_frames_up(tmp_path: Path) -> None:
    path = write_video(tmp_path / "numbered.mp4", n=10)
    with Replay(path, read_headers(path), width=WIDTH) as replay:
        list(replay.pictures(Span(4, 6)))
        with pytest.raises(DecodeError, match="in order"):
            list(replay.pictures(Span(5, 7)))
        with pytest.raises(DecodeError, match="at least 12 frames"):
            list(replay.pictures(Span(6, 12)))


def test_two_on_screen_are_one_person_only_where_that_is_allowed() -> None:
    one = FaceTrack("e-s0-t00", "e", "e-s0", 0, 50, 10, 1.0, 90.0, None, 50.0, 0.9)
    other = replace(one, track_id="e-s0-t01")
    embeddings = {t.track_id: TrackEmbedding(t.track_id, "m", [1.0, 0.0], 5) for t in (one, other)}
    apart = group_episode([one, other], embeddings, IdentitySettings())
    joined = group_episode([one, other], embeddings, IdentitySettings(constrained=False))
    assert [p.tracks for p in apart] == [("e-s0-t00",), ("e-s0-t01",)]
    assert [p.tracks for p in joined] == [("e-s0-t00", "e-s0-t01")]


def test_faces_without_landmarks_are_embedded_only_by_dlibs_alignment() -> None:
    found = [FaceDetection("e", f, 0, 0, 0, 90, 90, 0.9, [], 50.0, None) for f in range(0, 40, 5)]
    assert choose_chips(found, EmbeddingSettings(chips=4)) == []
    chosen = choose_chips(found, EmbeddingSettings(chips=4, alignment="dlib"))
    assert chosen == [1, 3, 5, 7]


def test_dlibs_alignment_is_near_that_of_landmarks(data: Path) -> None:
    """Both lay the eyes of one photograph on the same place of the chip."""
    pytest.importorskip("dlib")
    from caer_build.models.alignment import align
    from caer_build.models.dlib_alignment import DlibAlignment
    from caer_build.models.dlib_hog import DlibHog
    from caer_build.models.face_embedders import load
    from caer_build.models.yuface import YuFace

    alignment, embedder = DlibAlignment(), load("dlib-resnet", None)
    photos = synthetic_faces.photographs(data)
    chips = []
    for photo in photos:
        picture = cv2.copyMakeBorder(photo, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        rgb = np.ascontiguousarray(picture[..., ::-1])
        hog, yuface = DlibHog(640).detect(picture), YuFace(640, 0.5).detect(picture)
        x1, y1, x2, y2 = (float(v) for v in hog.boxes[0])
        best = int(np.argmax(yuface.scores))
        chips += [alignment.align(rgb, (x1, y1, x2, y2)), align(rgb, yuface.landmarks[best])]
    cosine = embedder.embed(np.stack(chips)) @ embedder.embed(np.stack(chips)).T
    for k in range(len(photos)):
        assert cosine[2 * k, 2 * k + 1] > 0.7
        others = [cosine[2 * k, j] for j in range(len(chips)) if j // 2 != k]
        assert max(others) < 0.6


@pytest.mark.slow
def test_lobby_is_built_from_end_to_end(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    work = tmp_path / "work"
    totals = build(work, data / "episodes", options=("--recipe", "paper"))
    assert totals["failed"] == []
    assert totals["frames"] == 1606 + 1164
    assert totals["decoded_frames"] == totals["frames"] + totals["episodes"]
    tables = {f.stem: pd.read_parquet(f) for f in (work / "tables").glob("*.parquet")}
    both = tables["tracks"].merge(tables["shots"], on="shot_id", suffixes=("", "_shot"))
    assert len(both) == totals["tracks"] > 40
    assert (both.start_frame >= both.start_frame_shot).all()
    assert (both.end_frame <= both.end_frame_shot).all()
    n_boxes = tables["track_boxes"].groupby("track_id").frame.agg(["count", "min", "max"])
    tracks = tables["tracks"].set_index("track_id")
    assert (n_boxes["min"] == tracks.start_frame.loc[n_boxes.index]).all()
    assert (n_boxes["max"] + 1 == tracks.end_frame.loc[n_boxes.index]).all()
    assert (n_boxes["count"] == n_boxes["max"] - n_boxes["min"] + 1).all()
    for manifest in (work / "stages" / "tracks").glob("*/*/manifest.json"):
        assert '"redecoded_frames"' in manifest.read_text()
    assert totals["clips_kept"] > 0
    caer("verify", work)

"""Data sets without face boxes are given some: found once, kept, and those of the right person."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from caer_build import boxes as box_arithmetic
from caer_build.caernet.face_boxes import packed
from caer_build.caernet.footage import frames_of
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.errors import DatasetError
from caer_build.inference.finding_faces import SURELY, faces_of_item, target_of
from caer_build.inference.kept_faces import with_faces
from caer_build.models.face_detectors import load
from caer_build.records import Item
from tests.building import caer
from tests.released import CLIPS, NOBODY, released_clips
from tests.toy_stills import SMALL


@pytest.fixture(scope="module")
def released(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    episode = data / "episodes" / "lobby.s01e02.mp4"
    return released_clips(episode, tmp_path_factory.mktemp("set") / "CAER")


@pytest.fixture(scope="module")
def found(released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """The released clips with faces, and where these are kept; not to be written into."""
    place = tmp_path_factory.mktemp("kept")
    return with_faces(read_dataset(released), place, lambda *_: None), place


def test_everybody_has_a_face_in_every_sampled_frame(found: tuple[Dataset, Path]) -> None:
    dataset = found[0]
    assert dataset.layout == "caer"
    boxes = packed(dataset.faces())
    detector = load("auto", None, 480)
    with_somebody = [item for item in dataset.items if item.file != NOBODY]
    assert sorted(boxes) == sorted(item.item_id for item in with_somebody)
    for item in with_somebody:
        shown = list(frames_of(dataset.root, item))
        assert sum(s.n_ticks for s in shown) == 7, "16 frames at 24 a second"
        for picture in shown:
            target = boxes[item.item_id].at(picture.frame).target
            assert target is not None
            seen = detector.detect(picture.picture)
            best = seen.boxes[np.argmax(seen.scores)][None].astype(np.float64)
            assert box_arithmetic.iou(np.array([target]), best)[0, 0] > 0.7
    assert dataset.notes[-1].endswith("found none in 1 of 4 items.")


def test_faces_are_looked_for_once(
    found: tuple[Dataset, Path], released: Path, tmp_path: Path
) -> None:
    dataset, place = found
    (part,) = place.glob("faces-*/*.parquet")
    before = part.read_bytes(), part.stat().st_mtime_ns
    again = with_faces(read_dataset(released), place, lambda *_: None)
    assert (part.read_bytes(), part.stat().st_mtime_ns) == before
    assert [t.to_pylist() for t in again.faces()] == [t.to_pylist() for t in dataset.faces()]
    # What is broken, or was never finished, is made again; other files are another set.
    part.write_bytes(before[0][:-20])
    told: list[tuple[int, int]] = []
    with_faces(read_dataset(released), place, lambda *done: told.append(done))
    assert told == [(0, 4), (4, 4)]
    assert part.read_bytes() == before[0]
    other = released_clips_without_one(released, tmp_path / "CAER")
    with_faces(read_dataset(other), place, lambda *_: None)
    assert len(list(place.glob("faces-*"))) == 2


def released_clips_without_one(released: Path, root: Path) -> Path:
    for folder in [*CLIPS][:2]:
        (root / folder).mkdir(parents=True)
        (root / folder / "0001.avi").write_bytes((released / folder / "0001.avi").read_bytes())
    return root


def test_a_set_with_faces_keeps_its_own(found: tuple[Dataset, Path], tmp_path: Path) -> None:
    dataset = found[0]
    assert with_faces(dataset, tmp_path, lambda *_: None) is dataset
    assert not list(tmp_path.iterdir())


def test_stills_and_small_faces(data: Path, tmp_path: Path) -> None:
    """In a still a weak detection is taken where there is no other."""
    reader = cv2.VideoCapture(str(data / "media" / "single_face.mp4"))
    picture = reader.read()[1]
    cv2.imwrite(str(tmp_path / "clear.png"), picture)
    grey = np.full_like(picture, 128)
    cv2.imwrite(str(tmp_path / "nobody.png"), grey)
    detector = load("auto", None, 480)
    clear = faces_of_item(tmp_path, Item("a", "still", "clear.png", "train", "Happy"), detector)
    assert [(f.frame, f.face, f.is_target) for f in clear] == [(0, "t00", True)]
    # The same face out of focus is seen, but not surely.
    for sigma in range(2, 60):
        dim = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
        scores = detector.detect(dim).scores
        if len(scores) == 0 or scores.max() < SURELY.strong_score:
            break
    assert SURELY.weak_score <= scores.max()
    cv2.imwrite(str(tmp_path / "weak.png"), dim)
    weak = faces_of_item(tmp_path, Item("b", "still", "weak.png", "train", "Sad"), detector)
    assert sum(face.is_target for face in weak) == 1
    nobody = Item("c", "still", "nobody.png", "train", "Sad")
    assert faces_of_item(tmp_path, nobody, detector) == []


def test_whose_emotion_it_is_by_hand() -> None:
    """In 100 x 100 px: sums of area share times nearness to the middle."""

    def track(n: int, *box: float) -> np.ndarray:
        return np.array([box] * n, np.float64)

    middle = track(4, 40, 40, 60, 60)  # 4 x 0.04 x 1
    corner = track(4, 0, 0, 20, 20)  # 4 x 0.04 x 0.2
    large = track(4, 10, 40, 50, 80)  # 4 x 0.16 x 0.68
    brief = track(1, 10, 40, 50, 80)
    assert target_of({"corner": corner, "middle": middle}, (100, 100)) == "middle"
    assert target_of({"middle": middle, "large": large}, (100, 100)) == "large"
    assert target_of({"brief": brief, "middle": middle}, (100, 100)) == "middle"
    assert target_of({"first": middle, "second": middle}, (100, 100)) == "first"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "CAER-S" / "train" / "Sad"
    folder.mkdir(parents=True)
    (folder / "0001.png").write_bytes(b"no picture")
    dataset = read_dataset(tmp_path / "CAER-S")
    with pytest.raises(DatasetError, match=r"0001\.png cannot be read as a picture"):
        with_faces(dataset, tmp_path / "kept", lambda *_: None)
    assert not list((tmp_path / "kept").glob("*/*.parquet"))


def test_the_released_layout_is_trained_on_and_evaluated(released: Path, tmp_path: Path) -> None:
    """CAER-Net on four clips without boxes, from the command line; faces are looked for once."""
    run = tmp_path / "run"
    small = [f"--set={assignment}" for assignment in SMALL]
    done = caer("train", released, "-o", run, "--epochs", 1, "--json", *small)
    assert "faces are looked for, once" in done.stderr
    assert "found none in 1 of 4 items" in done.stderr
    said = json.loads((run / "run.json").read_text())
    assert said["plan"]["model"] == "caer-net"
    assert said["data"]["items"] == {"train": 2, "validation": 1, "test": 1}
    (part,) = tmp_path.glob("faces-*/*.parquet")
    made = part.stat().st_mtime_ns
    figures = json.loads(caer("evaluate", run, released, "--json").stdout)
    assert figures["n"] == 1
    assert "| CAER | test | 1 | accuracy |" in (run / "README.md").read_text()
    assert part.stat().st_mtime_ns == made

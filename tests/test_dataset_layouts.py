"""Hugging Face, WebDataset, COCO and Kinetics, read with the libraries of their users."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import datasets
import numpy as np
import pandas as pd
import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.exporting import export
from caer_build.dataset.layouts import telling
from caer_build.dataset.layouts.choice import layout_of
from caer_build.dataset.layouts.libraries import require_library
from caer_build.dataset.layouts.webdataset import key_of
from caer_build.dataset.metadata import read_rows
from caer_build.dataset.reading import read_dataset
from caer_build.errors import DatasetError, ModelMissing, RecipeError
from caer_build.records import EMOTIONS, Item, ItemFace
from tests.building import caer
from tests.exporting import clip_id, split_of, still_id, toy_catalogue
from tests.media import number_in

FORMS: dict[str, dict[str, Any]] = {
    "hf": {},
    "hf-stills": {"media": "stills"},
    "webdataset": {"shard_items": 3},
    "webdataset-stills": {"media": "stills"},
    "coco": {},
    "kinetics": {},
}
VOTES_OF_CLIP_2 = [
    {"annotator_id": "a", "purpose": "vote", "emotion": "Fear", "flag": None,
     "confidence_step": 3, "confidence_steps": 5},
    {"annotator_id": "b", "purpose": "vote", "emotion": "Fear", "flag": None,
     "confidence_step": 4, "confidence_steps": 5},
    {"annotator_id": "c", "purpose": "vote", "emotion": "Happy", "flag": None,
     "confidence_step": 1, "confidence_steps": 5},
]  # fmt: skip
SOFT_OF_CLIP_2 = [0, 0, 0.75, 0.25, 0, 0, 0]
FACES_OF_CLIP_2_IN_FRAME_2 = [
    {"face": "t00", "is_target": True, "box": [13, 5, 33, 29], "interpolated": True,
     "person_id": None},
    {"face": "t01", "is_target": False, "box": [60, 8, 72, 20], "interpolated": False,
     "person_id": "extra"},
]  # fmt: skip


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return toy_catalogue(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def exported(
    catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The folder of an export; not to be written into."""
    place = tmp_path_factory.mktemp("exported")

    def folder(form: str) -> Path:
        if not (place / form).exists():
            make(catalogue, place / form, form)
        return place / form

    return folder


def make(catalogue: Catalogue, out: Path, form: str) -> Path:
    layout = layout_of(form.partition("-")[0], **FORMS[form])
    export(catalogue, out, layout, lambda *_: None)
    return out


def number_of_picture(bgr: Any) -> int:
    return number_in(np.ascontiguousarray(np.asarray(bgr)[..., ::-1]))


def first_number(video: Path) -> int:
    reader = cv2.VideoCapture(str(video))
    picture = reader.read()[1]
    reader.release()
    return number_of_picture(picture)


def load(folder: Path, cache: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


def test_hugging_face_clips(exported: Callable[[str], Path], tmp_path: Path) -> None:
    found = load(exported("hf"), tmp_path).cast_column("video", datasets.Video(decode=False))
    assert {split: len(rows) for split, rows in found.items()} == {
        "train": 8, "validation": 2, "test": 2,
    }  # fmt: skip
    train = found["train"]
    assert train.features["label"] == datasets.ClassLabel(names=list(EMOTIONS))
    assert train["label"] == [0, 1, 2, 3, 4, 5, 6, 0]
    row = train[2]
    assert row["item_id"] == clip_id(2) == "toy.s01e01-s000020-t00-000020"
    file = Path(row["video"]["path"])
    assert file == exported("hf") / "data" / "train" / "Fear" / f"{clip_id(2)}.mp4"
    assert first_number(file) == 40
    assert (row["person_id"], row["episode_id"]) == ("p2", "toy.s01e01")
    assert (row["start_frame"], row["end_frame"]) == (20, 26)
    assert (row["start_s"], row["end_s"]) == (0.8, 1.04)
    assert (row["n_votes"], row["n_agreeing"], row["mean_confidence"]) == (3, 2, 2 / 3)
    assert row["soft_label"] == SOFT_OF_CLIP_2
    assert row["votes"] == VOTES_OF_CLIP_2
    assert row["target_boxes"] == [[12 + f / 2, 5, 32 + f / 2, 29] for f in range(6)]
    assert row["faces"][2] == FACES_OF_CLIP_2_IN_FRAME_2
    assert [len(faces) for faces in train[3]["faces"]] == [1] * 6
    assert found["test"]["label"] == [3, 4]


def test_hugging_face_stills(exported: Callable[[str], Path], tmp_path: Path) -> None:
    found = load(exported("hf-stills"), tmp_path)
    assert {split: len(rows) for split, rows in found.items()} == {
        "train": 9, "validation": 2, "test": 2,
    }  # fmt: skip
    row = found["train"].filter(lambda item_id: item_id == still_id(2), input_columns="item_id")[0]
    assert number_in(np.asarray(row["image"])) == 42
    assert found["train"].features["label"].int2str(row["label"]) == "Fear"
    assert (row["clip_id"], row["clip_frame"]) == (clip_id(2), 2)
    assert row["target_box"] == [13, 5, 33, 29]
    assert row["faces"] == FACES_OF_CLIP_2_IN_FRAME_2
    assert row["votes"] == VOTES_OF_CLIP_2


def test_a_folder_that_its_library_cannot_name_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "data [v1]" / "out"
    with pytest.raises(DatasetError, match=r"takes .* for a pattern of names"):
        make(toy_catalogue(tmp_path), place, "hf")
    assert not place.parent.exists(), "before any file is made"
    assert make(toy_catalogue(tmp_path), place, "coco").is_dir()
    with pytest.raises(DatasetError, match=r"webdataset is loaded, takes \{ \} in"):
        make(toy_catalogue(tmp_path), tmp_path / "{out}", "webdataset")


def test_hugging_face_without_a_split(tmp_path: Path) -> None:
    made = make(toy_catalogue(tmp_path, without=["validation"]), tmp_path / "out", "hf")
    assert sorted(load(made, tmp_path / "cache")) == ["test", "train"]


def test_webdataset_clips(exported: Callable[[str], Path], catalogue: Catalogue) -> None:
    folder = exported("webdataset")
    shards = sorted(file.name for file in folder.glob("*.tar"))
    assert shards == [
        "test-000000.tar", "train-000000.tar", "train-000001.tar", "train-000002.tar",
        "validation-000000.tar",
    ]  # fmt: skip
    urls = [str(folder / shard) for shard in shards if shard.startswith("train")]
    samples = {s["__key__"]: s for s in webdataset.WebDataset(urls, shardshuffle=False)}
    # Of two ids that only differ in a dot and an underscore the keys differ too.
    assert {"toy_s01e01-s000000-t00-000000", "toy~s01e01-s000000-t00-000000"} <= samples.keys()
    assert len(samples) == 8
    sample = samples["toy_s01e01-s000020-t00-000020"]
    assert sample["cls"] == b"2"
    assert sample["mp4"] == catalogue.clip_file(clip_id(2)).read_bytes()
    told = json.loads(sample["json"])
    assert (told["item_id"], told["emotion"], told["split"]) == (clip_id(2), "Fear", "train")
    assert told["soft_label"] == SOFT_OF_CLIP_2
    assert told["target_boxes"][2] == [13, 5, 33, 29]
    assert told["faces"][2] == FACES_OF_CLIP_2_IN_FRAME_2
    assert told["votes"] == VOTES_OF_CLIP_2
    index = json.loads((folder / "train.json").read_text())
    assert [(s["url"], s["nsamples"]) for s in index["shardlist"]] == [
        ("train-000000.tar", 3), ("train-000001.tar", 3), ("train-000002.tar", 2),
    ]  # fmt: skip
    assert index["shardlist"][2]["filesize"] == (folder / "train-000002.tar").stat().st_size
    items = pd.read_parquet(folder / "metadata" / "items.parquet").set_index("item_id")
    shard, member = items.file[clip_id(2)].split("/")
    with tarfile.open(folder / shard) as tar:
        assert tar.getmember(member).size == items.file_bytes[clip_id(2)]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}
    assert not (folder / "media").exists()


def test_webdataset_stills_are_mixed(exported: Callable[[str], Path]) -> None:
    folder = exported("webdataset-stills")
    reader = webdataset.WebDataset(str(folder / "train-{000000..000000}.tar"), shardshuffle=False)
    found = list(reader.decode("rgb8").to_tuple("__key__", "png", "cls"))
    assert len(found) == 9
    # In the order of a hash: neither by id nor by label.
    assert [number_in(picture) for _, picture, _ in found] != sorted(
        number_in(picture) for _, picture, _ in found
    )
    for _, picture, label in found:
        assert number_in(picture) // 20 % 7 == label


@given(st.text("ab._-0é", min_size=1))
def test_a_key_tells_its_id_and_holds_no_dot(item_id: str) -> None:
    key = key_of(item_id)
    assert "." not in key
    # There is a way back: no two ids have one key.
    assert key.replace("_", ".").replace("~", "_") == item_id


def test_faces_are_looked_up_for_some_items_at_a_time(
    exported: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two clips of six frames are more than ten.
    monkeypatch.setattr(telling, "_FRAMES_AT_ONCE", 10)
    items = read_rows(exported("hf"), Item)[:5]
    told = list(telling.each_with(exported("hf"), items, ItemFace))
    assert [item.item_id for item, _ in told] == [clip_id(k) for k in range(5)]
    assert [len(faces) for _, faces in told] == [12, 6, 12, 6, 12]


def read_coco(file: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(file))


def test_coco(exported: Callable[[str], Path]) -> None:
    folder = exported("coco")
    coco = read_coco(folder / "annotations" / "instances_train.json")
    categories = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    assert categories == {
        1: "Anger", 2: "Disgust", 3: "Fear", 4: "Happy", 5: "Neutral", 6: "Sad", 7: "Surprise",
        8: "face",
    }  # fmt: skip
    assert len(coco.getImgIds()) == 9
    # Two clips of Anger, of which one gives two stills.
    assert len(coco.getImgIds(catIds=coco.getCatIds(catNms=["Anger"]))) == 3
    [image] = coco.loadImgs(coco.getImgIds(catIds=coco.getCatIds(catNms=["Fear"])))
    picture = cv2.imread(str(folder / "images" / "train" / image["file_name"]))
    assert number_of_picture(picture) == 42
    assert (image["width"], image["height"]) == (96, 72)
    assert (image["item_id"], image["clip_id"]) == (still_id(2), clip_id(2))
    assert (image["emotion"], image["soft_label"]) == ("Fear", SOFT_OF_CLIP_2)
    assert image["votes"] == VOTES_OF_CLIP_2
    target, other = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
    assert (target["category_id"], target["bbox"], target["area"]) == (3, [13, 5, 20, 24], 480)
    assert (other["category_id"], other["bbox"], other["area"]) == (8, [60, 8, 12, 12], 144)
    assert (target["face"], target["is_target"], target["interpolated"]) == ("t00", True, True)
    assert (target["iscrowd"], other["iscrowd"]) == (0, 0)
    assert (target["person_id"], other["person_id"]) == (None, "extra")


def test_coco_boxes_are_what_its_evaluation_takes(exported: Callable[[str], Path]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = read_coco(exported("coco") / "annotations" / "instances_train.json")
        boxes = coco.loadAnns(coco.getAnnIds())
        guesses = [
            {k: box[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.9}
            for box in boxes
        ]
        evaluation = COCOeval(coco, coco.loadRes(guesses), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_coco_without_our_tables_is_read_as_anybodys(
    exported: Callable[[str], Path], tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(exported("coco"), tmp_path / "coco"))
    shutil.rmtree(bare / "metadata")
    found = read_dataset(bare)
    assert found.layout == "coco"
    assert {(i.split, i.emotion, i.width, i.height) for i in found.items} == {
        (split_of(k), EMOTIONS[k % 7], 96, 72) for k in range(12)
    }
    faces = [row for table in found.faces() for row in table.to_pylist()]
    still = next(i for i in found.items if i.split == "train" and i.emotion == "Fear")
    boxes = {f["is_target"]: (f["x1"], f["y1"], f["x2"], f["y2"])
             for f in faces if f["item_id"] == still.item_id}  # fmt: skip
    assert boxes == {True: (13, 5, 33, 29), False: (60, 8, 72, 20)}


def test_coco_ids_are_the_same_in_every_export(
    exported: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = read_coco(exported("coco") / "annotations" / "instances_test.json")
    fewer = make(toy_catalogue(tmp_path, without=["train"]), tmp_path / "out", "coco")
    assert not (fewer / "annotations" / "instances_train.json").exists()
    again = read_coco(fewer / "annotations" / "instances_test.json")
    assert again.getImgIds() == whole.getImgIds()
    assert again.getAnnIds() == whole.getAnnIds()
    assert all(0 < i < 2**53 for i in [*whole.getImgIds(), *whole.getAnnIds()])


def test_kinetics(exported: Callable[[str], Path]) -> None:
    folder = exported("kinetics")
    rows = pd.read_csv(folder / "validation.csv")
    assert list(rows.columns) == ["label", "youtube_id", "time_start", "time_end", "split"]
    assert rows.to_numpy().tolist() == [
        ["Disgust", "toy_s01e01-s000020-t00-000020", 0.8, 1.04, "validation"],
        ["Fear", "toy_s01e01-s000030-t00-000030", 1.2, 1.44, "validation"],
    ]
    listed = [line.split() for line in (folder / "lists" / "val.csv").read_text().splitlines()]
    assert listed == [
        ["videos/validation/Disgust/toy_s01e01-s000020-t00-000020_000000_000001.mp4", "1"],
        ["videos/validation/Fear/toy_s01e01-s000030-t00-000030_000001_000001.mp4", "2"],
    ]
    assert [first_number(folder / file) for file, _ in listed] == [160, 180]
    classes = json.loads((folder / "classes.json").read_text())
    assert (classes["Anger"], classes["Surprise"]) == (0, 6)
    assert (folder / "classes.txt").read_text().splitlines() == list(EMOTIONS)


@pytest.mark.parametrize("form", FORMS)
def test_made_twice_they_are_the_same_bytes(
    form: str, exported: Callable[[str], Path], catalogue: Catalogue, tmp_path: Path
) -> None:
    again = make(catalogue, tmp_path / "again", form)
    assert (again / "SHA256SUMS").read_text() == (exported(form) / "SHA256SUMS").read_text()


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("step", ["read back", "checksums"])
@pytest.mark.parametrize("form", FORMS)
def test_stopped_and_run_again_they_are_the_same_bytes(
    step: str, form: str, exported: Callable[[str], Path], catalogue: Catalogue, tmp_path: Path
) -> None:
    def stop(name: str, done: int, of: int) -> None:
        if name == step:
            raise Stopped

    layout = layout_of(form.partition("-")[0], **FORMS[form])
    with pytest.raises(Stopped):
        export(catalogue, tmp_path / "again", layout, stop)
    assert not (tmp_path / "again").exists()
    again = make(catalogue, tmp_path / "again", form)
    assert (again / "SHA256SUMS").read_text() == (exported(form) / "SHA256SUMS").read_text()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_damaged_is_not_read_back(form: str, catalogue: Catalogue, tmp_path: Path) -> None:
    folder = make(catalogue, tmp_path / "out", form)
    layout = layout_of(form.partition("-")[0], **FORMS[form])
    assert len(list(layout.read_back(folder))) == (12 if layout.kinds == ("clip",) else 13)
    if form.startswith("webdataset"):
        for shard in folder.glob("train-*.tar"):
            data = bytearray(shard.read_bytes())
            # The first member's content begins after its header.
            data[512:1536] = bytes(1024)
            shard.write_bytes(data)
    else:
        for file in (*folder.rglob("*.mp4"), *folder.rglob("*.png")):
            # It may be one file with the clip that was cut.
            file.unlink()
            file.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="OpenCV cannot read"):
        list(layout.read_back(folder))


@pytest.mark.parametrize(
    ("form", "file", "why"),
    [
        ("hf", f"data/train/Anger/{clip_id(7)}.mp4", "which is not there"),
        ("hf-stills", f"data/train/Anger/{still_id(7)}.png", "which is not there"),
        ("hf", "data/test/metadata.parquet", "datasets cannot read"),
        ("webdataset", "train-000001.tar", "webdataset cannot read .*train-000001.tar"),
        ("coco", f"images/train/{still_id(7)}.png", "which is not there"),
        ("coco", "annotations/instances_test.json", "pycocotools cannot read"),
        ("kinetics", "lists/train.csv", "pandas cannot read"),
        ("kinetics", f"videos/train/Anger/{clip_id(7)}_000000_000000.mp4", "OpenCV cannot read"),
    ],
)
def test_what_is_lost_or_torn_is_noticed(
    form: str, file: str, why: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = make(catalogue, tmp_path / "out", form)
    whole = (folder / file).read_bytes()
    (folder / file).unlink()
    if not file.endswith((".mp4", ".png")):
        (folder / file).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DatasetError, match=why):
        list(layout_of(form.partition("-")[0], **FORMS[form]).read_back(folder))


def test_labels_that_contradict_each_other_are_noticed(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = make(catalogue, tmp_path / "kinetics", "kinetics")
    listing = folder / "lists" / "test.csv"
    listing.write_text(listing.read_text().replace(".mp4 3", ".mp4 2"))
    with pytest.raises(DatasetError, match="differ at videos/test/Happy"):
        list(layout_of("kinetics").read_back(folder))
    folder = make(catalogue, tmp_path / "coco", "coco")
    place = folder / "annotations" / "instances_test.json"
    place.write_text(place.read_text().replace('"category_id": 4', '"category_id": 5'))
    emotions = [seen.emotion for seen in layout_of("coco").read_back(folder)]
    assert emotions[-2:] == ["Neutral", "Neutral"]


def test_what_cannot_be_had_is_refused(tmp_path: Path) -> None:
    for name, wrong, why in (
        ("coco", {"media": "clips"}, "coco is a format of stills"),
        ("kinetics", {"media": "stills"}, "kinetics is a format of clips"),
        ("media-free", {"media": "clips"}, "has clips and stills"),
        ("hf", {"media": "films"}, "clips or stills, found 'films'"),
        ("hf", {"shard_items": 5}, "hf has no shards"),
        ("hf", {"two_way": True}, "which hf does not have"),
        ("parquet", {}, "The formats are caer, caer-s, media-free, hf, webdataset, coco"),
    ):
        with pytest.raises(RecipeError, match=why):
            layout_of(name, **wrong)
    with pytest.raises(ModelMissing, match="read back with the package no_such_package"):
        require_library("hf", "no_such_package")
    said = caer(
        "export", tmp_path, "-o", tmp_path / "out", "--format", "coco", "--media", "clips",
        check=False,
    )  # fmt: skip
    assert (said.returncode, "coco is a format of stills" in said.stderr) == (2, True)

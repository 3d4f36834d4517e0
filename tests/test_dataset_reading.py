"""Data sets of all layouts become the same records; small folders, expected values by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from caer_build.dataset import metadata
from caer_build.dataset.reading import Dataset, VoteCounts, read_dataset
from caer_build.dataset.reading.names import emotion_of, split_of
from caer_build.errors import DatasetError, SchemaError
from caer_build.records import EMOTIONS, CountedVote, Item, ItemFace


def touch(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"not opened")
    return root


def rows(dataset: Dataset) -> list[tuple[Any, ...]]:
    return [(item.file, item.kind, item.split, item.emotion) for item in dataset.items]


def boxes(dataset: Dataset) -> list[tuple[Any, ...]]:
    faces = [row for table in dataset.faces() for row in table.to_pylist()]
    return [(f["item_id"], f["frame"], f["is_target"], f["x1"], f["y1"], f["x2"], f["y2"])
            for f in faces]  # fmt: skip


def note_on(dataset: Dataset, what: str) -> str:
    found = [note for note in dataset.notes if what in note]
    assert len(found) == 1, dataset.notes
    return found[0]


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("Anger", "Anger"), ("Angry", "Anger"), ("ANGRY", "Anger"), ("0_angry", "Anger"),
        ("Happiness", "Happy"), ("Suprise", "Surprise"), ("sadness", "Sad"),
        ("Disgusted", "Disgust"), ("Contempt", None), ("faces", None), ("3", None), ("", None),
    ],
)  # fmt: skip
def test_what_others_call_the_emotions(name: str, emotion: str | None) -> None:
    assert emotion_of(name) == emotion


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Train_AFEW", "train"), ("Val", "validation"),
        ("valid", "validation"), ("instances_val2017", "validation"), ("Testing", "test"),
        ("CAER-S", None), ("latest", None),
    ],
)  # fmt: skip
def test_what_others_call_the_splits(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_the_released_caer(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "CAER", "train/Anger/0001.avi", "validation/Happy/0001.avi", "test/Sad/0002.avi"
    )
    dataset = read_dataset(root)
    assert (dataset.root, dataset.layout, dataset.notes) == (root, "caer", ())
    assert rows(dataset) == [
        ("test/Sad/0002.avi", "clip", "test", "Sad"),
        ("train/Anger/0001.avi", "clip", "train", "Anger"),
        ("validation/Happy/0001.avi", "clip", "validation", "Happy"),
    ]
    item = dataset.items[0]
    assert (item.item_id, item.file_bytes, item.n_frames) == ("test/Sad/0002.avi", 10, None)
    assert (item.width, item.n_votes, item.person_id) == (None, None, None)
    assert not list(dataset.faces())
    assert dataset.votes().item_ids == ()


def test_a_copy_of_caer_s_that_spells_otherwise(tmp_path: Path) -> None:
    touch(
        tmp_path, "CAER-S/train/Angry/0001.png", "CAER-S/test/Anger/0001.PNG",
        "CAER-S/val/suprise/7.jpg",
    )  # fmt: skip
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "caer-s"
    assert rows(dataset) == [
        ("CAER-S/test/Anger/0001.PNG", "still", "test", "Anger"),
        ("CAER-S/train/Angry/0001.png", "still", "train", "Anger"),
        ("CAER-S/val/suprise/7.jpg", "still", "validation", "Surprise"),
    ]
    assert {item.n_frames for item in dataset.items} == {1}
    assert "train/Angry" in note_on(dataset, "read as Anger")
    assert "val/suprise" in note_on(dataset, "read as Surprise")


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    touch(
        tmp_path, "train/Sad/1.png", "train/Sad/.DS_Store", "train/Sad/._1.png",
        "train/Sad/notes.doc", "train/Sad/frames/1.png", "train/Contempt/1.png",
        "train/Contempt/2.png", "extra/a.png", "__MACOSX/train/Sad/._1.png",
    )  # fmt: skip
    (tmp_path / "train" / "Fear").mkdir()
    (tmp_path / "train" / "Sad" / "gone.png").symlink_to(tmp_path / "nothing.png")
    dataset = read_dataset(tmp_path)
    assert rows(dataset) == [("train/Sad/1.png", "still", "train", "Sad")]
    assert note_on(dataset, "none of the seven").startswith("2 files")
    assert note_on(dataset, "beside the splits").endswith(": extra.")
    assert "train/Sad/notes.doc" in note_on(dataset, "no picture or video")
    assert "train/Sad/frames" in note_on(dataset, "folders inside classes")
    assert "train/Fear" in note_on(dataset, "without a picture")
    assert "train/Sad/gone.png" in note_on(dataset, "links")
    assert len(dataset.notes) == 6


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "train/Sad/1.png")
    try:
        Path(os.fsdecode(bytes(tmp_path / "train" / "Sad") + b"/\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    dataset = read_dataset(tmp_path)
    assert len(dataset.items) == 1
    assert "\\udcff.png" in note_on(dataset, "not UTF-8")
    assert "\n".join(dataset.notes).encode("utf-8")


def test_classes_without_splits_and_one_split_alone(tmp_path: Path) -> None:
    touch(tmp_path, "all/Happy/1.mp4", "all/Fear/1.jpg")
    dataset = read_dataset(tmp_path / "all")
    assert (dataset.layout, {item.split for item in dataset.items}) == ("class-folders", {None})
    assert "no split" in dataset.notes[0]
    (tmp_path / "all").rename(tmp_path / "test")
    assert {item.split for item in read_dataset(tmp_path / "test").items} == {"test"}


def test_afew(tmp_path: Path) -> None:
    touch(
        tmp_path, "Train_AFEW/Angry/000143120.avi", "Val_AFEW/Happy/1.avi", "Test_AFEW/9.avi",
        "Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000143120/000.jpg",
    )  # fmt: skip
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "afew"
    assert rows(dataset) == [
        ("Test_AFEW/9.avi", "clip", "test", None),
        ("Train_AFEW/Angry/000143120.avi", "clip", "train", "Anger"),
        ("Val_AFEW/Happy/1.avi", "clip", "validation", "Happy"),
    ]
    assert "Test_AFEW" in note_on(dataset, "without an emotion")
    assert "Train_AFEW/AlignedFaces" in note_on(dataset, "aligned faces")


def caer_s(root: Path) -> Path:
    return touch(
        root, "train/Angry/0002.png", "train/Angry/0003.png", "train/Sad/0001.png",
        "test/Anger/0002.png",
    )  # fmt: skip


def test_box_lists_beside_the_pictures(tmp_path: Path) -> None:
    root = caer_s(tmp_path / "CAER-S")
    (root / "train.txt").write_text(
        "Angry/0002.png,0,304,120,382,219\nSad/0001.png,5,389,161,315,-7\nSad/0099.png,5,1,1,2,2\n"
    )
    (root / "test.txt").write_text("Anger/0002.png,0,0,0,0,0\nAnger/0002.png;0;1\n\n")
    dataset = read_dataset(root)
    assert dataset.layout == "caer-s"
    assert boxes(dataset) == [
        ("train/Angry/0002.png", 0, True, 304, 120, 382, 219),
        ("train/Sad/0001.png", 0, True, 315, -7, 389, 161),
    ]
    faces = [row for table in dataset.faces() for row in table.to_pylist()]
    assert {(f["face"], f["interpolated"]) for f in faces} == {("0", None)}
    assert "train.txt:3" in note_on(dataset, "not there")
    assert "test.txt:1" in note_on(dataset, "without a face")
    assert "test.txt:2" in note_on(dataset, "no boxes")
    assert note_on(dataset, "none of the box lists").startswith("1 items")


def test_box_lists_from_elsewhere(tmp_path: Path) -> None:
    root, lists = caer_s(tmp_path / "CAER-S"), tmp_path / "CAERS-Annotations"
    lists.mkdir()
    (lists / "train.txt").write_text("train/Angry/0002.png,0,1,2,30,40\n")
    (lists / "train").mkdir()
    (lists / "train" / "Angry.txt").write_text(
        "train/Angry/0002.png,0,1,2,30,40\ntrain/Angry/0003.png,0,5,6,70,80\n"
    )
    (lists / "test").mkdir()
    # The class is called as in the pictures of train; the emotion is what counts.
    (lists / "test" / "Angry.txt").write_text("test/Angry/0002.png,0,9,8,90,80\n")
    found = {
        ("train/Angry/0002.png", 0, True, 1, 2, 30, 40),
        ("train/Angry/0003.png", 0, True, 5, 6, 70, 80),
        ("test/Anger/0002.png", 0, True, 9, 8, 90, 80),
    }
    assert set(boxes(read_dataset(root, boxes=lists))) == found
    assert not boxes(read_dataset(root))
    alone = read_dataset(lists)
    assert alone.layout == "box-lists"
    assert {(i.item_id, i.file, i.split, i.emotion) for i in alone.items} == {
        ("train/Anger/0002.png", None, "train", "Anger"),
        ("train/Anger/0003.png", None, "train", "Anger"),
        ("test/Anger/0002.png", None, "test", "Anger"),
    }
    assert len(boxes(alone)) == 3
    assert "no files" in alone.notes[0]
    with pytest.raises(DatasetError, match="Expected lists of face boxes"):
        read_dataset(root, boxes=tmp_path / "gone")


def test_ncaer_s(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "NCAER-S", "images/train/Anger/a.jpg", "images/train/Anger/b.jpg",
        "images/val/Happy/c.jpg", "images/test/Sad/d.jpg",
    )  # fmt: skip
    for name, text in (
        ("train/Anger/a", "10,20,110,140"), ("train/Anger/b", "0,0,0,0"), ("val/Happy/c", "oops"),
    ):  # fmt: skip
        (root / "crop" / f"{name}.txt").parent.mkdir(parents=True, exist_ok=True)
        (root / "crop" / f"{name}.txt").write_text(text)
    for dataset, before in ((read_dataset(root), ""), (read_dataset(tmp_path), "NCAER-S/")):
        assert dataset.layout == "ncaer-s"
        assert (f"{before}images/val/Happy/c.jpg", "still", "validation", "Happy") in rows(dataset)
        assert len(dataset.items) == 4
        assert boxes(dataset) == [(f"{before}images/train/Anger/a.jpg", 0, True, 10, 20, 110, 140)]


FERPLUS = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,not_a_face"


def test_ferplus(tmp_path: Path) -> None:
    Image.new("L", (96, 96)).save(tmp_path / "ferplus_train_00.webp", lossless=True)
    Image.new("L", (96, 96)).save(tmp_path / "ferplus_train_01.webp", lossless=True)
    votes = ["0,6,0,0,2,0,0,0,2,0", "5,5,0,0,0,0,0,0,0,0", "0,0,0,0,0,0,0,9,1,0",
             "0,0,0,0,0,0,0,0,0,10", "0,0,0,10,0,0,0,0,0,0"]  # fmt: skip
    (tmp_path / "ferplus_train.csv").write_text("\n".join([FERPLUS, *votes]) + "\n")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "fer+"
    assert [i.emotion for i in dataset.items] == ["Happy", None, None, None, "Sad"]
    places = [(i.file, i.crop_x, i.crop_y, i.crop_width, i.crop_height) for i in dataset.items]
    assert places == [
        ("ferplus_train_00.webp", 0, 0, 48, 48), ("ferplus_train_00.webp", 48, 0, 48, 48),
        ("ferplus_train_00.webp", 0, 48, 48, 48), ("ferplus_train_00.webp", 48, 48, 48, 48),
        ("ferplus_train_01.webp", 0, 0, 48, 48),
    ]  # fmt: skip
    first, tied, _, nobody, _ = dataset.items
    assert (first.item_id, first.split, first.n_votes, first.n_agreeing) == (
        "ferplus_train-00000", "train", 10, 6,
    )  # fmt: skip
    assert (first.p_happy, first.p_anger, first.p_neutral) == (0.75, 0.25, 0.0)
    assert (tied.p_happy, tied.p_neutral, nobody.p_happy) == (0.5, 0.5, None)
    assert note_on(dataset, "without an emotion").startswith("3 faces")
    counts = dataset.votes()
    assert counts.categories == (*EMOTIONS, "contempt", "unknown", "not_a_face")
    assert counts.table[0].tolist() == [2, 0, 0, 6, 0, 0, 0, 0, 2, 0]
    assert counts.emotions().table.sum(axis=1).tolist() == [8, 10, 9, 0, 10]
    assert (counts.parts, len(counts.part("train").item_ids)) == (("train",) * 5, 5)


def test_ferplus_with_more_votes_than_faces_or_no_numbers(tmp_path: Path) -> None:
    Image.new("L", (48, 48)).save(tmp_path / "ferplus_test_00.png")
    rest = ",0" * 9 + "\n"
    (tmp_path / "ferplus_test.csv").write_text(f"{FERPLUS}\n3{rest}4{rest}")
    dataset = read_dataset(tmp_path)
    assert [item.split for item in dataset.items] == ["test"]
    assert "ferplus_test-00001" in note_on(dataset, "without a face")
    (tmp_path / "ferplus_test.csv").write_text(f"{FERPLUS}\nx{rest}")
    with pytest.raises(DatasetError, match="whole numbers"):
        read_dataset(tmp_path)


def test_the_real_ferplus(data: Path) -> None:
    dataset = read_dataset(data / "faces")
    n_of = {s: sum(i.split == s for i in dataset.items) for s in ("train", "validation", "test")}
    assert n_of == {"train": 28558, "validation": 3579, "test": 3573}
    assert len({item.item_id for item in dataset.items}) == 35710
    assert len({(item.file, item.crop_x, item.crop_y) for item in dataset.items}) == 35710
    # A face is a face: what is cut out at the last place is no padding.
    last = max((i for i in dataset.items if i.split == "test"), key=lambda i: i.item_id)
    with Image.open(dataset.root / str(last.file)) as mosaic:
        x, y = int(last.crop_x or 0), int(last.crop_y or 0)
        assert np.asarray(mosaic.crop((x, y, x + 48, y + 48))).std() > 5
    # Each but one face was given ten votes.
    assert dataset.votes().table.sum() == 35710 * 10 - 1


def coco(root: Path, name: str, content: dict[str, Any]) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))


def image(number: int, file: str, **more: str) -> dict[str, Any]:
    return {"id": number, "file_name": file, "width": 720, "height": 400, **more}


def box(number: int, of: int, category: int, *xywh: float) -> dict[str, Any]:
    return {"id": number, "image_id": of, "category_id": category, "bbox": list(xywh)}


CATEGORIES = [{"id": 1, "name": "angry"}, {"id": 4, "name": "Happy"}, {"id": 9, "name": "face"}]


def test_coco(tmp_path: Path) -> None:
    touch(tmp_path, "train2017/a.jpg", "images/b.jpg")
    coco(tmp_path, "annotations/instances_train2017.json", {
        "images": [image(1, "a.jpg"), image(2, "b.jpg"), image(3, "c.jpg", emotion="Sad")],
        "categories": CATEGORIES,
        "annotations": [
            box(10, 1, 1, 5, 6, 20, 30), box(11, 1, 9, 50, 60, 7, 8),
            box(12, 2, 1, 1, 1, 9, 9), box(13, 2, 4, 20, 20, 9, 9), box(14, 3, 9, 3, 3, 0, 5),
        ],
    })  # fmt: skip
    coco(tmp_path, "annotations/person_keypoints_train2017.json",
         {"images": [image(1, "a.jpg")], "categories": CATEGORIES, "annotations": []})  # fmt: skip
    coco(tmp_path, "package.json", {"name": "no annotations"})
    (tmp_path / "broken.json").write_text("{")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "coco"
    assert rows(dataset) == [
        ("train2017/a.jpg", "still", "train", "Anger"),
        ("images/b.jpg", "still", "train", None),
        (None, "still", "train", "Sad"),
    ]
    assert {(i.width, i.height) for i in dataset.items} == {(720, 400)}
    assert boxes(dataset) == [
        ("train/a.jpg", 0, True, 5, 6, 25, 36), ("train/a.jpg", 0, False, 50, 60, 57, 68),
        ("train/b.jpg", 0, False, 1, 1, 10, 10), ("train/b.jpg", 0, False, 20, 20, 29, 29),
    ]  # fmt: skip
    assert "train/b.jpg" in note_on(dataset, "several emotions")
    assert "train/c.jpg" in note_on(dataset, "not there")
    assert "train/c.jpg" in note_on(dataset, "without an area")
    assert "read once" in note_on(dataset, "earlier JSON")
    assert "face" in note_on(dataset, "other faces")


def test_coco_without_emotions_or_form(tmp_path: Path) -> None:
    """Boxes alone: the emotions are in the folders' names."""
    touch(tmp_path, "train/Sad/1.png")
    content: dict[str, Any] = {
        "images": [image(1, "train/Sad/1.png")], "categories": CATEGORIES,
        "annotations": [box(1, 1, 9, 1, 2, 3, 4)],
    }  # fmt: skip
    coco(tmp_path, "faces.json", content)
    assert read_dataset(tmp_path).layout == "caer-s"
    coco(tmp_path, "faces.json", content | {"annotations": [{"id": 1, "image_id": 1}]})
    with pytest.raises(DatasetError, match=r"faces\.json to be in COCO's form"):
        read_dataset(tmp_path)


FIRST, SECOND = "e-t00-000000", "e-t01-000050"


def ours(root: Path, facts: bool = True) -> Path:
    (root / "metadata").mkdir(parents=True)
    metadata.write_rows(root, Item, [
        Item(FIRST, "clip", "CAER/train/Sad/0001.avi", "train", "Sad", clip_id=FIRST),
        Item(SECOND, "clip", "CAER/test/Fear/0001.avi", "test", "Fear", clip_id=SECOND),
    ])  # fmt: skip
    metadata.write_rows(root, ItemFace, [
        ItemFace(FIRST, k, "e-t00", True, 1, 2, 3, 4, False) for k in range(3)
    ])  # fmt: skip
    metadata.write_rows(root, CountedVote, [
        CountedVote(FIRST, "p1", "vote", "Sad", None, 3, 5),
        CountedVote(FIRST, "p2", "vote", None, "cannot_tell", None, 5),
        CountedVote(FIRST, "p3", "adjudication", "Fear", None, 3, 5),
        CountedVote(SECOND, "p1", "vote", "Fear", None, 4, 5),
    ])  # fmt: skip
    if facts:
        (root / "dataset.json").write_text('{"layout": {"name": "caer"}}')
    return root


def test_ours(tmp_path: Path) -> None:
    dataset = read_dataset(ours(tmp_path / "CAER"))
    assert (dataset.layout, dataset.notes) == ("ours", ())
    assert dataset.facts == {"layout": {"name": "caer"}}
    assert [item.item_id for item in dataset.items] == [FIRST, SECOND]
    assert len(boxes(dataset)) == 3
    counts = dataset.votes()
    assert counts.item_ids == (FIRST, SECOND)
    assert counts.flags == {"cannot_tell", "broken"}
    assert counts.parts == ("train", "test")
    said = {(c, int(n)) for c, n in zip(counts.categories, counts.table[0], strict=True) if n}
    assert said == {("Sad", 1), ("cannot_tell", 1)}
    (tmp_path / "CAER" / "metadata" / "votes.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DatasetError, match="SHA256SUMS"):
        dataset.votes()


def test_ours_unfinished_or_of_another_version(tmp_path: Path) -> None:
    dataset = read_dataset(ours(tmp_path / "a", facts=False))
    assert "not finished" in dataset.notes[0]
    import pyarrow.parquet as pq

    place = tmp_path / "a" / "metadata" / "items.parquet"
    pq.write_table(pq.read_table(place).drop_columns(["show"]), place)
    with pytest.raises(DatasetError, match="has the columns"):
        read_dataset(tmp_path / "a")


@pytest.mark.parametrize(
    ("files", "found"),
    [((), "nothing in it"), (("a.doc", "b/c.doc"), "a.doc, b/"), (("Sad/1.doc",), "Sad/")],
)
def test_no_data_set(tmp_path: Path, files: Iterable[str], found: str) -> None:
    touch(tmp_path, *files)
    with pytest.raises(DatasetError) as refused:
        read_dataset(tmp_path)
    assert f"found {found}" in refused.value.message
    for layout in ("CAER-S", "FER+", "NCAER-S", "COCO", "caer export", "AFEW"):
        assert layout in refused.value.message


def test_several_data_sets_or_none_at_all(tmp_path: Path) -> None:
    touch(tmp_path, "CAER/train/Sad/1.avi", "CAER-S/train/Sad/1.png")
    with pytest.raises(DatasetError, match="found 2: CAER, CAER-S"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="found nothing"):
        read_dataset(tmp_path / "gone")
    with pytest.raises(DatasetError, match="found a file"):
        read_dataset(tmp_path / "CAER" / "train" / "Sad" / "1.avi")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"table": np.zeros((1, 3), np.int64)}, "a table"),
        ({"table": np.full((1, 2), -1)}, "a table"),
        ({"parts": ()}, "a part"),
        ({"flags": frozenset({"z"})}, "flags among"),
    ],
)
def test_votes_that_cannot_be(changes: dict[str, Any], expected: str) -> None:
    values: dict[str, Any] = {
        "item_ids": ("i",), "categories": ("x", "y"), "table": np.zeros((1, 2), np.int64),
    }  # fmt: skip
    with pytest.raises(SchemaError, match=expected):
        VoteCounts(**{**values, **changes})


def test_reading_asks_for_little() -> None:
    """The training code reads data sets on machines without the packages of the build."""
    code = (
        "import sys\n"
        "for name in 'av pydantic sqlalchemy typer filelock onnxruntime scipy streamlit'.split():\n"
        "    sys.modules[name] = None\n"
        "import caer_build.dataset.reading"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

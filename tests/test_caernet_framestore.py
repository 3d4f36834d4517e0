"""The frame store holds what the files show, is whole, and goes on where it was stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from caer_build.arrow import to_table
from caer_build.caernet import store_parts, storing
from caer_build.caernet.face_boxes import digest_of_boxes, packed
from caer_build.caernet.framestore import (
    BLANK,
    CONTEXT,
    FILES,
    INTERPOLATED,
    SEEN,
    STORE,
    FrameStore,
    StoreSettings,
    part_folder,
)
from caer_build.caernet.pictures import MEAN_BGR, context_of, face_crop
from caer_build.caernet.store_parts import Frame, write_part
from caer_build.caernet.storing import make_store, needs
from caer_build.caernet.windows import sampled
from caer_build.dataset.reading import Dataset
from caer_build.errors import DatasetError, IntegrityError, RecipeError, StoreError
from caer_build.media.times import frame_times_s
from caer_build.records import Item, ItemFace

SIZE = StoreSettings(face_px=32, context_width=43, context_height=32)
BOX, OTHER = (20.0, 10.0, 60.0, 50.0), (80.0, 10.0, 110.0, 40.0)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Six stills of 120 x 80 px; the target's face in all but the last, a second one in the first
    two."""
    root = tmp_path / "set"
    root.mkdir()
    items, faces = [], []
    for k in range(6):
        picture = np.random.default_rng(k).integers(0, 256, (80, 120, 3), np.uint8)
        cv2.imwrite(str(root / f"{k}.png"), picture)
        split = "train" if k < 4 else "test"
        items.append(Item(f"i{k}", "still", f"{k}.png", split, "Happy"))
        if k < 5:
            faces.append(ItemFace(f"i{k}", 0, "a", True, *BOX, False))
        if k < 2:
            faces.append(ItemFace(f"i{k}", 0, "b", False, *OTHER, False))
    return Dataset(root, "ours", tuple(items), faces=lambda: iter([to_table(ItemFace, faces)]))


def made(dataset: Dataset, folder: Path, settings: StoreSettings = SIZE) -> FrameStore:
    return make_store(dataset, folder, settings, lambda *_: None)


def test_it_holds_what_the_pictures_show(dataset: Dataset, tmp_path: Path) -> None:
    store = made(dataset, tmp_path / "store")
    assert store.items.item_id.tolist() == [f"i{k}" for k in range(6)]
    frames = np.arange(6)
    faces, contexts = store.faces(0, frames), store.contexts(0, frames)
    for k in range(5):
        picture = cv2.imread(str(dataset.root / f"{k}.png"))
        assert (faces[k] == face_crop(picture, BOX, 32)[:, :, ::-1]).all()
        assert (contexts[k] == context_of(picture, [BOX], (43, 32))[:, :, ::-1]).all()
    assert (faces[5] == MEAN_BGR[::-1]).all(), "no face: blank, and still there"
    assert store.face_states(0, frames).tolist() == [SEEN] * 5 + [BLANK]
    boxes = store.boxes(0, frames)
    assert boxes[:5].tolist() == [list(BOX)] * 5
    assert np.isnan(boxes[5]).all()
    assert (store.items.frame_width == 120).all()
    assert (store.items.frame_height == 80).all()


@pytest.mark.parametrize(
    ("hide", "hidden"), [("none", []), ("target", [BOX]), ("all", [BOX, OTHER])]
)
def test_faces_are_hidden_as_asked(
    dataset: Dataset, tmp_path: Path, hide: Any, hidden: list[Any]
) -> None:
    settings = replace(SIZE, hide=hide, fill="black")
    store = made(dataset, tmp_path / "store", settings)
    picture = cv2.imread(str(dataset.root / "0.png"))
    expected = context_of(picture, hidden, (43, 32), (0, 0, 0))[:, :, ::-1]
    assert (store.contexts(0, np.array([0]))[0] == expected).all()


def test_clips_are_sampled_and_boxes_follow(data: Path, tmp_path: Path) -> None:
    """The box moves with the frame, so a face shows which frame it was cut from; only every fifth
    was detected."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.mp4").symlink_to(data / "media" / "single_face.mp4")
    item = Item("a", "clip", "a.mp4", "train", "Happy")
    faces = [
        ItemFace("a", f, "t", True, f, 0.0, f + 64.0, 64.0, None if f == 0 else f % 5 > 0)
        for f in range(60)
    ]
    dataset = Dataset(
        tmp_path / "set", "ours", (item,), faces=lambda: iter([to_table(ItemFace, faces)])
    )
    store = made(dataset, tmp_path / "store")
    row = store.items.iloc[0]
    times = frame_times_s(data / "media" / "single_face.mp4")
    frames = sampled(times, times[-1] + times[-1] - times[-2])
    assert (row["first"], row.n_sampled) == (0, len(frames))
    reader = cv2.VideoCapture(str(tmp_path / "set" / "a.mp4"))
    pictures = [reader.read()[1] for _ in range(72)]
    for tick, frame in enumerate(frames):
        crop = face_crop(pictures[frame], (frame, 0, frame + 64, 64), 32)[:, :, ::-1]
        face = store.faces(0, np.array([tick]))[0]
        assert (face == (crop if frame < 60 else MEAN_BGR[::-1])).all()
    there = frames[frames < 60]
    boxes = store.boxes(0, np.arange(len(frames)))
    assert boxes[: len(there)].tolist() == [[f, 0, f + 64, 64] for f in there.tolist()]
    assert np.isnan(boxes[len(there) :]).all()
    states = [BLANK if f >= 60 else INTERPOLATED if f % 5 else SEEN for f in frames.tolist()]
    assert store.face_states(0, np.arange(len(frames))).tolist() == states
    assert {BLANK, SEEN, INTERPOLATED} == set(states)


def test_stopped_and_gone_on_with(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_PER_PART", 2)
    folder = tmp_path / "store"
    broken = dataset.root / "4.png"
    good = broken.read_bytes()
    broken.write_bytes(b"\0" * len(good))
    stat = broken.stat()
    with pytest.raises(DatasetError, match=r"4\.png cannot be read"):
        made(dataset, folder)
    with pytest.raises(IntegrityError, match="no finished frame store"):
        FrameStore.open(folder)
    kept = part_folder(folder, 0).stat().st_ino
    broken.write_bytes(good)
    os.utime(broken, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    store = made(dataset, folder)
    assert part_folder(folder, 0).stat().st_ino == kept, "what was whole was not made again"
    assert store.n_parts == 3
    assert store.items.item_id.tolist() == [f"i{k}" for k in range(6)]
    (part_folder(folder, 1) / "faces.u8").write_bytes(b"half")
    with pytest.raises(IntegrityError, match="Part 1"):
        FrameStore.open(folder)
    assert len(made(dataset, folder).items) == 6


def flip(file: Path) -> None:
    """One bit of the byte in the middle; the size stays."""
    held = bytearray(file.read_bytes())
    held[len(held) // 2] ^= 1
    file.write_bytes(held)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found(dataset: Dataset, tmp_path: Path, name: str) -> None:
    folder, said = tmp_path / "store", list[str]()
    made(dataset, folder)
    file = part_folder(folder, 0) / name
    right = file.read_bytes()
    flip(file)
    FrameStore.open(folder)
    made(dataset, folder)
    assert file.read_bytes() != right, "whoever opens it looks at sizes only"
    make_store(dataset, folder, SIZE, lambda *_: None, verify=True, say=said.append)
    assert file.read_bytes() == right
    assert said == ["store: 1 of 1 parts are not as they were written (0); they are made again."]
    # A store that was stopped is looked through when it goes on.
    flip(file)
    (folder / STORE).unlink()
    make_store(dataset, folder, SIZE, lambda *_: None, say=said.append)
    assert file.read_bytes() == right
    assert len(said) == 2
    make_store(dataset, folder, SIZE, lambda *_: None, verify=True, say=said.append)
    assert len(said) == 2, "nothing is said of what is whole"


def test_what_the_disk_does_not_give_back_is_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(file: Path) -> None:
        if file.name == CONTEXT:
            flip(file)

    monkeypatch.setattr(store_parts, "flush", failing)
    item = Item("a", "still", None, "train", "Happy")
    picture = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(IntegrityError, match="does not hold what was written"):
        write_part(tmp_path / "00000", [item],
                   lambda _: iter([Frame(picture, picture, None, (32, 32))]))  # fmt: skip
    assert not (tmp_path / "00000").exists()


def test_other_settings_or_files_begin_anew(dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    before = made(dataset, folder).contexts(0, np.array([0]))
    other = made(dataset, folder, replace(SIZE, hide="none"))
    assert (other.contexts(0, np.array([0])) != before).any()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    with pytest.raises(StoreError, match="is not empty"):
        made(dataset, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter").exists()


def test_what_it_needs_is_said_before(dataset: Dataset, tmp_path: Path) -> None:
    said = needs(dataset, tmp_path / "store", SIZE)
    assert said.n_frames == 6
    assert said.n_bytes == round(6 * (3 * (32 * 32 + 43 * 32) + 16 + 1) * 1.05)
    caer = Dataset(
        tmp_path, "caer", tuple(Item(str(k), "clip", None, "train", "Sad") for k in range(13_201))
    )
    assert 34e9 < needs(caer, tmp_path, StoreSettings()).n_bytes < 46e9
    for wrong in ({"hide": "some"}, {"fill": "red"}, {"face_px": 8}, {"margin": -1}):
        with pytest.raises(RecipeError, match="Expected"):
            StoreSettings(**wrong)


def test_a_data_set_without_labels_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    none = replace(dataset, items=tuple(replace(i, emotion=None) for i in dataset.items))
    with pytest.raises(DatasetError, match="no item with a label"):
        made(none, tmp_path / "store")


def test_boxes_are_found_by_item_and_frame_however_they_come() -> None:
    """Rows of an item lie in two tables and out of order; an item without any has nobody."""
    rows = [
        ItemFace("a", 5, "t", True, 1, 2, 3, 4, False),
        ItemFace("b", 0, "t", True, 9, 9, 19, 19, False),
        ItemFace("a", 2, "u", False, 5, 6, 7, 8, False),
        ItemFace("a", 2, "t", True, 11, 12, 13, 14, True),
    ]
    found = packed(to_table(ItemFace, some) for some in (rows[:3], rows[3:]))
    assert list(found) == ["a", "b"]
    assert found["a"].frames.tolist() == [2, 2, 5]
    assert found["a"].at(2) == ([11, 12, 13, 14], [[5, 6, 7, 8]], True)
    assert found["a"].at(3) == (None, [], False)
    assert found["b"].at(0) == ([9, 9, 19, 19], [], False)
    assert packed(iter(())) == {}
    again = packed([to_table(ItemFace, rows)])
    assert digest_of_boxes(again) == digest_of_boxes(found)
    moved = packed([to_table(ItemFace, [replace(rows[0], x1=0), *rows[1:]])])
    assert digest_of_boxes(moved) != digest_of_boxes(found)

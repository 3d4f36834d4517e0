"""The audit finds what was planted, and nothing where nothing is."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from caer_build.arrow import to_table
from caer_build.dataset.auditing.auditing import audit
from caer_build.dataset.auditing.findings import Audit, Finding
from caer_build.dataset.auditing.lineage import findings_by_ids
from caer_build.dataset.auditing.refusing import refuse_leaks, said_of
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, Item, ItemFace
from tests.building import caer
from tests.media import write_video

Picture = npt.NDArray[np.uint8]


def scene(number: int, width: int = 320, height: int = 180) -> Picture:
    """A picture like no other: soft blobs of colour."""
    small = np.random.default_rng(number).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def write(root: Path, split: str, emotion: str, name: str, picture: Picture) -> Path:
    file = root / split / emotion / name
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), picture)
    return file


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Two-way CAER-S: of each emotion two stills in train, one in test, all different."""
    root = tmp_path / "CAER-S"
    for k, emotion in enumerate(EMOTIONS):
        for number, split in enumerate(("train", "train", "test")):
            write(root, split, emotion, f"{number:04d}.png", scene(10 * k + number))
    return root


def looked(root: Path) -> Audit:
    return audit(read_dataset(root), 2, lambda *_: None)


def by_kind(found: Audit) -> dict[str, Finding]:
    return {finding.kind: finding for finding in found.findings}


def test_where_nothing_is_nothing_is_found(released: Path) -> None:
    found = looked(released)
    assert found.findings == ()
    assert (found.n_items, found.layout) == (21, "caer-s")
    assert found.counts == {
        "train": dict.fromkeys(EMOTIONS, 2),
        "test": dict.fromkeys(EMOTIONS, 1),
    }
    done = caer("audit", released)
    assert "No leak was found" in done.stdout


def test_what_was_planted_in_stills_is_found(released: Path) -> None:
    # A file of train in test under another emotion, and one of train coded anew and squeezed.
    copy = released / "test" / "Sad" / "0100.png"
    copy.write_bytes((released / "train" / "Happy" / "0000.png").read_bytes())
    squeezed = cv2.resize(scene(30), (224, 224), interpolation=cv2.INTER_AREA)
    write(released, "test", "Happy", "0101.jpg", squeezed)
    broken = released / "train" / "Fear" / "0001.png"
    broken.write_bytes(broken.read_bytes()[:-500])
    (released / "train" / "Fear" / "0002.png").touch()
    (released / "train" / "Fear" / "0003.png").write_text("not a picture")
    write(released, "train", "Fear", "0004.png", scene(99, 24, 24))
    done = caer("audit", released, "--json", check=False)
    assert done.returncode == 1
    found = {f["kind"]: f for f in json.loads(done.stdout)["findings"]}
    assert {kind for kind, f in found.items() if f["severity"] == "leak"} == {
        "same_file", "near_duplicate",
    }  # fmt: skip
    assert found["same_file"]["examples"] == ["train/Happy/0000.png and test/Sad/0100.png"]
    assert found["near_duplicate"]["examples"] == ["train/Happy/0000.png and test/Happy/0101.jpg"]
    assert found["label_conflict"]["examples"] == [
        "train/Happy/0000.png and test/Sad/0100.png",
        "test/Happy/0101.jpg and test/Sad/0100.png",
    ]
    assert found["unreadable"]["examples"] == [
        "train/Fear/0001.png breaks off",
        "train/Fear/0002.png is empty (0 bytes)",
        "train/Fear/0003.png is no picture that OpenCV can read",
    ]
    assert found["tiny"]["examples"] == ["train/Fear/0004.png: 24x24 px"]
    assert found["sizes"]["examples"] == [
        "21 of 320x180 px",
        "1 of 224x224 px",
        "1 of 24x24 px",
    ]
    # The same for people.
    assert "leak  files in two splits, byte for byte: 1" in caer(
        "audit", released, check=False
    ).stdout  # fmt: skip


def test_a_clip_coded_anew_is_found_and_one_that_breaks_off(tmp_path: Path) -> None:
    root = tmp_path / "CAER"
    coding = ("-c:v", "mpeg4", "-q:v", "3")
    for number, (split, emotion) in enumerate(
        (("train", "Anger"), ("train", "Sad"), ("validation", "Anger"), ("test", "Anger"))
    ):
        folder = root / split / emotion
        folder.mkdir(parents=True)
        write_video(folder / "0001.avi", coding, n=20, first=200 * number)
    assert not looked(root).leaks
    write_video(root / "test" / "Anger" / "0002.avi", ("-c:v", "mpeg4", "-q:v", "9"),
                "scale=160:120", n=20, first=200)  # fmt: skip
    cut = root / "train" / "Anger" / "0001.avi"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 7 // 10])
    found = by_kind(looked(root))
    assert found["near_duplicate"].examples == (
        "train/Sad/0001.avi and test/Anger/0002.avi",
    )  # fmt: skip
    assert found["label_conflict"].n == 1
    (broken,) = found["unreadable"].examples
    assert broken.startswith("train/Anger/0001.avi has ")
    assert broken.endswith(" of 20 frames")


def still(item_id: str, split: str, file: str | None = None, **changes: object) -> Item:
    item = Item(item_id, "still", file, split, "Happy")  # type: ignore[arg-type]
    return replace(item, **changes)  # type: ignore[arg-type]


def clip(item_id: str, split: str, person: str, frames: tuple[int, int], **changes: object) -> Item:
    item = Item(
        item_id, "clip", None, split, "Happy", clip_id=item_id, track_id=f"{item_id}-t",  # type: ignore[arg-type]
        person_id=person, episode_id="e", show="s", start_frame=frames[0], end_frame=frames[1],
    )  # fmt: skip
    return replace(item, **changes)  # type: ignore[arg-type]


def kinds(items: Sequence[Item], faces: Sequence[ItemFace] = ()) -> dict[str, Finding]:
    table = to_table(ItemFace, faces)
    return {finding.kind: finding for finding in findings_by_ids(items, [table])}


def test_what_ids_tell() -> None:
    clean = [clip("a", "train", "Ann", (0, 50)), clip("b", "test", "Bob", (50, 90))]
    assert {kind: f.severity for kind, f in kinds(clean).items()} == {
        "same_episode": "note",
        "same_show": "note",
    }
    found = kinds([*clean, clip("c", "test", "Ann", (200, 250))])
    assert found["same_person"].examples == ("Ann is in train and test",)
    assert found["same_person"].severity == "leak"
    found = kinds([*clean, clip("c", "test", "Cid", (49, 50))])
    assert found["shared_frames"].examples == ("a (train) and c (test)",)
    found = kinds([*clean, clip("c", "train", "Cid", (89, 200))])
    assert found["shared_frames"].examples == ("b (test) and c (train)",)
    twice = [still("x", "train", clip_id="k"), still("y", "validation", clip_id="k")]
    assert kinds(twice)["same_clip"].examples == ("k is in train and validation",)
    grouped = [still("x", "train", group_id="g"), still("y", "test", group_id="g")]
    assert kinds(grouped)["same_group"].severity == "leak"


def test_who_is_only_seen_is_found_as_well() -> None:
    items = [clip("a", "train", "Ann", (0, 50)), clip("b", "test", "Bob", (50, 90))]
    beside = ItemFace("b", 3, "a-t", False, 1.0, 1.0, 5.0, 5.0, False)
    own = ItemFace("b", 3, "b-t", True, 1.0, 1.0, 5.0, 5.0, False)
    found = kinds(items, [own, beside])
    assert found["person_seen"].examples == ("Ann of train is seen in b (test)",)
    extra = replace(beside, face="an extra")
    assert "person_seen" not in kinds(items, [own, extra])
    known = kinds(items, [own, replace(extra, person_id="Ann")])
    assert known["person_seen"].examples == found["person_seen"].examples
    assert "person_seen" not in kinds(items, [own, replace(extra, person_id="nobody's target")])


def boxed(items: Sequence[Item], faces: Sequence[ItemFace], root: Path) -> dict[str, Finding]:
    dataset = Dataset(
        root, "box-lists", tuple(items), faces=lambda: iter([to_table(ItemFace, faces)])
    )
    return by_kind(audit(dataset, 1, lambda *_: None))


def face(item_id: str, x: float, y: float = 10.0, side: float = 40.0) -> ItemFace:
    return ItemFace(item_id, 0, item_id, True, x, y, x + side, y + side, None)


def filmed(n_videos: int, seed: int) -> list[npt.NDArray[np.float64]]:
    """The faces (n, 4) of the stills of some videos: about a dozen each, somebody who hardly moves.

    Sizes and places as in TV: two faces of different videos are at the same place once in 100.
    """
    chance = np.random.default_rng(seed)
    videos = []
    for _ in range(n_videos):
        n, side = chance.integers(5, 20), np.exp(chance.normal(np.log(110), 0.25))
        x = chance.normal(260, 40) + chance.normal(0, 0.03 * side, n)
        y = chance.normal(150, 22) + chance.normal(0, 0.03 * side, n)
        videos.append(np.stack([x, y, x + side, y + side], axis=1))
    return videos


def numbered_apart(
    videos: Sequence[npt.NDArray[np.float64]], share: float, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Their stills dealt out to train and test, in their order."""
    stills = np.concatenate(videos)
    to_test = np.random.default_rng(seed).random(len(stills)) < share
    return stills[~to_test], stills[to_test]


def course_of(root: Path, **splits: npt.NDArray[np.float64]) -> Finding | None:
    """What the audit says of box lists without pictures, their lines shuffled."""
    root.mkdir()
    for split, boxes in splits.items():
        lines = [
            f"{split}/Fear/{number + 1:04d}.png,2,{','.join(str(round(v)) for v in box)}\n"
            for number, box in enumerate(boxes)
            if not np.isnan(box[0])
        ]
        np.random.default_rng(len(lines)).shuffle(lines)
        (root / f"{split}.txt").write_text("".join(lines))
    found = by_kind(looked(root))
    return found.get("face_geometry") or found.get("face_geometry_chance")


@pytest.mark.parametrize("share", [0.5, 0.3, 0.1])
def test_stills_of_the_same_videos_that_are_numbered_apart(tmp_path: Path, share: float) -> None:
    train, test = numbered_apart(filmed(60, 1), share, 2)
    found = course_of(tmp_path / "leaks", train=train, test=test)
    assert found is not None
    assert (found.severity, found.n) == ("leak", 1)
    assert f"of {len(test)} faces lie where train has one (IoU > 0.8)" in found.examples[0]
    # A fifth of the pictures has no box, as in the lists that are about; the first of train least.
    train[np.random.default_rng(3).random(len(train)) < 0.2] = np.nan
    train[: len(train) // 25] = test[::6] = np.nan
    found = course_of(tmp_path / "gaps", train=train, test=test)
    assert found is not None
    assert found.severity == "leak"


def test_every_pair_of_splits_is_compared(tmp_path: Path) -> None:
    train, validation = numbered_apart(filmed(60, 4), 0.2, 5)
    test = np.concatenate(filmed(15, 6))
    found = course_of(tmp_path / "x", train=train, validation=validation, test=test)
    assert found is not None
    assert (found.severity, found.n) == ("leak", 1)
    assert found.examples[0].startswith("validation beside train, each class in the order of")


@pytest.mark.parametrize("seed", range(4))
def test_honest_splits_are_not_accused(tmp_path: Path, seed: int) -> None:
    videos = filmed(80, seed)
    few = course_of(tmp_path / "few", train=np.concatenate(videos[:20]),
                    test=np.concatenate(videos[20:28]))  # fmt: skip
    many = course_of(tmp_path / "many", train=np.concatenate(videos[:56]),
                     test=np.concatenate(videos[56:]))  # fmt: skip
    # Everybody is filmed from the same place: all faces are alike, in whatever order.
    train, test = numbered_apart([video * 0 + [100, 100, 200, 200] for video in videos], 0.3, seed)
    alike = course_of(tmp_path / "alike", train=train, test=test)
    for found in (few, many, alike):
        assert found is not None
        assert (found.kind, found.severity) == ("face_geometry_chance", "note")
    assert alike is not None
    assert alike.examples[0].count("100%") == 4


def test_too_few_faces_say_nothing_of_where_they_come_from(tmp_path: Path) -> None:
    train, test = numbered_apart(filmed(10, 7), 0.3, 8)
    assert course_of(tmp_path / "x", train=train, test=test[:40]) is None


def test_boxes_outside_and_faces_that_are_missing(tmp_path: Path) -> None:
    items = [still(i, "train", width=100, height=60) for i in "abc"]
    faces = [face("a", 61.0), face("b", 62.0), replace(face("c", 0.0), is_target=False)]
    found = boxed(items, faces, tmp_path)
    # 61 + 40 is a pixel too far, which is rounding; 62 + 40 is not.
    assert found["box_outside"].examples == ("b frame 0: 62, 10, 102, 50",)
    assert found["no_face"].examples == ("c",)
    assert "no_face" not in boxed(items, [], tmp_path), "a data set without boxes lacks none"


def test_pictures_in_mosaics_and_archives(tmp_path: Path) -> None:
    mosaic = np.hstack([scene(n, 64, 64) for n in range(3)])
    cv2.imwrite(str(tmp_path / "mosaic.png"), mosaic)
    crops = [
        still(f"m{n}", split, "mosaic.png", crop_x=64 * n, crop_y=0, crop_width=64, crop_height=64)
        for n, split in enumerate(("train", "train", "test", "test"))
    ]
    again = tmp_path / "again.png"
    cv2.imwrite(str(again), scene(1, 64, 64))
    with tarfile.open(tmp_path / "test-000000.tar", "w") as archive:
        archive.add(again, "one.png")
    packed = [
        still("p0", "test", "test-000000.tar/one.png"),
        still("p1", "test", "test-000000.tar/two.png"),
        still("p2", "test", "test-000001.tar/two.png"),
    ]
    dataset = Dataset(tmp_path, "ours", (*crops, *packed))
    found = by_kind(audit(dataset, 2, lambda *_: None))
    assert found["near_duplicate"].examples == ("mosaic.png and test-000000.tar/one.png",)
    assert set(found["unreadable"].examples) == {
        "mosaic.png lies outside its mosaic",
        "test-000000.tar/two.png is not in its archive",
        "test-000001.tar/two.png lies in an archive that cannot be read",
    }


def test_a_file_that_was_changed_since_is_found(released: Path) -> None:
    items = read_dataset(released).items
    dataset = Dataset(released, "ours", (replace(items[0], file_sha256="0" * 64), *items[1:]))
    found = by_kind(audit(dataset, 1, lambda *_: None))
    assert found["unreadable"].examples == (f"{items[0].file} is not what was written there",)


def test_leaks_are_refused_in_words() -> None:
    refuse_leaks("CAER", [], "person")
    leak = Finding("same_person", "leak", 1, "persons in two splits: 1", ("Ann is in both",))
    with pytest.raises(DatasetError) as refused:
        refuse_leaks("CAER", [leak], "clip")
    assert refused.value.message == "CAER would leak: persons in two splits: 1 (Ann is in both)."
    assert refused.value.remedy.startswith("A split by clip shares people by nature")
    with pytest.raises(DatasetError) as refused:
        refuse_leaks("CAER", [leak], "person")
    assert refused.value.remedy.startswith("Or say --allow-leaks")
    assert "goes on from there" not in refused.value.remedy
    assert said_of([leak])["same_person"]["n"] == 1

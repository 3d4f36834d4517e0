"""``caer explain`` of data sets: files to their source, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caer_build.dataset import metadata
from caer_build.errors import DatasetError
from caer_build.records import CountedVote, Cut, Episode, Item, ItemFace
from caer_build.report.lineage import explain_item
from tests.building import caer
from tests.toy_workspace import episode

FIRST, SECOND = "toy.s01e01-s000100-t00-000100", "toy.s01e01-s000300-t01-000320"
FACTS = {
    "facts": {
        "made_with": "caer-build 9.9", "recipe": "quick",
        "labels": {"rule": "paper"},
        "split": {"by": "person", "ratio": [0.7, 0.1, 0.2], "seed": 3},
    }
}  # fmt: skip


def clip(clip_id: str, start: int, number: int, emotion: str, **more: object) -> Item:
    values: dict[str, object] = {
        "item_id": clip_id, "kind": "clip", "file": f"CAER/train/{emotion}/{number:04d}.avi",
        "split": "train", "emotion": emotion, "n_votes": 3, "n_agreeing": 2,
        "mean_confidence": 0.625, "n_frames": 50, "width": 640, "height": 360,
        "clip_id": clip_id, "track_id": clip_id[:-7], "shot_id": clip_id[:-11],
        "person_id": "toy-anna", "episode_id": "toy.s01e01", "show": "toy", "group_id": "toy-anna",
        "start_frame": start, "end_frame": start + 50, "start_s": start / 25,
        "end_s": start / 25 + 2, "file_bytes": 1234, "file_sha256": "f" * 64,
        f"p_{emotion.lower()}": 0.75, "p_neutral": 0.25,
    }  # fmt: skip
    return Item(**{**values, **more})  # type: ignore[arg-type]


def still(of: Item, frame: int, file: str | None) -> Item:
    start = int(of.start_frame or 0) + frame
    return Item(
        f"{of.item_id}-f{frame:04d}", "still", file, of.split, of.emotion, n_frames=1,
        clip_id=of.item_id, clip_frame=frame, episode_id=of.episode_id, person_id=of.person_id,
        group_id=of.group_id, start_frame=start, end_frame=start + 1,
    )  # fmt: skip


def face(item_id: str, frame: int, *, target: bool = True, seen: bool = True) -> ItemFace:
    name = "a" if target else "b"
    return ItemFace(item_id, frame, name, target, 10 + frame, 20, 30.4, 40, not seen)


def write(root: Path, items: list[Item], faces: list[ItemFace]) -> Path:
    (root / "metadata").mkdir(parents=True)
    metadata.write_rows(root, Item, items)
    metadata.write_rows(root, ItemFace, faces)
    metadata.write_rows(root, CountedVote, [
        CountedVote(FIRST, "p1", "vote", "Sad", None, 3, 5),
        CountedVote(FIRST, "p2", "vote", "Sad", None, 2, 5),
        CountedVote(FIRST, "p3", "vote", None, "cannot_tell", None, 5),
        CountedVote(SECOND, "p1", "vote", "Fear", None, 4, 5),
        CountedVote(FIRST, "p4", "adjudication", "Fear", None, 4, 5),
    ])  # fmt: skip
    metadata.write_rows(root, Cut, [
        Cut(FIRST, "toy.s01e01", 100, 150, 51200, 76800, 4.0, 5.96, 6.0, None, "c" * 64),
    ])  # fmt: skip
    metadata.write_rows(root, Episode, [episode(source_sha256="e" * 64)])
    (root / "dataset.json").write_text(json.dumps(FACTS))
    return root


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    items = [clip(FIRST, 100, 1, "Sad"), clip(SECOND, 320, 1, "Fear")]
    faces = [face(FIRST, k, seen=k % 2 == 0) for k in range(50)] + [face(FIRST, 7, target=False)]
    return write(tmp_path / "CAER", items, faces)


def sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            title = line
            found[title] = []
        elif line:
            found[title].append(line.strip())
    return found


def test_a_clip(clips: Path) -> None:
    text = explain_item(clips, "CAER/train/Sad/0001.avi")
    found = sections(text)
    assert found[f"Clip {FIRST}"] == [
        f"Sad, train. CAER/train/Sad/0001.avi, 640x360, 1234 bytes, sha256 {'f' * 64}"
    ]
    assert found["Source"] == [
        "toy.s01e01 of toy: toy.s01e01.mp4, 500 frames, 20.00 s",
        f"sha256 {'e' * 64}",
        "frames 100 to 149 (50), 4.00 to 6.00 s",
        f"cut out at the ticks 51200 to 76800 of the file's video; sha256 of the clip {'c' * 64}",
    ]
    assert found["Target"] == [
        "person toy-anna", "face track toy.s01e01-s000100-t00", "shot toy.s01e01-s000100",
    ]  # fmt: skip
    assert found["Label"] == [
        "Sad by the rule paper", "2 of 3 answers agree, mean confidence 0.625",
        "soft label: Neutral 0.25, Sad 0.75",
    ]  # fmt: skip
    assert found["Votes"] == [
        "p1: Sad, confidence 0.75", "p2: Sad, confidence 0.5", "p3: cannot tell",
        "p4: Fear, confidence 1 (an adjudicator)",
    ]  # fmt: skip
    assert found["Split"] == [
        "train; split by person, 70/10/20, seed 3", "in the group toy-anna with 1 other",
    ]  # fmt: skip
    assert found["Faces"] == [
        "1 target, 1 other face", "the target's box in 50 frames, seen in 25",
    ]  # fmt: skip
    assert found["Made with"] == ["caer-build 9.9, recipe quick"]


def test_all_ways_to_name_a_file(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = explain_item(clips, FIRST)
    assert explain_item(clips, str(clips / "CAER" / "train" / "Sad" / "0001.avi")) == whole
    assert explain_item(clips, "./CAER/train/Sad/0001.avi") == whole
    assert explain_item(clips, "Sad/0001.avi") == whole
    (clips / "CAER" / "train" / "Sad").mkdir(parents=True)
    monkeypatch.chdir(clips / "CAER" / "train")
    assert explain_item(Path("../.."), "Sad/../Sad/0001.avi") == whole
    with pytest.raises(DatasetError) as refused:
        explain_item(clips, "0001.avi")
    assert "2 files" in refused.value.message
    assert "CAER/train/Fear/0001.avi" in refused.value.remedy


def test_stills(tmp_path: Path) -> None:
    of = clip(FIRST, 100, 1, "Sad")
    shown = still(of, 10, "CAER-S/train/Sad/0001.png")
    root = write(tmp_path / "CAER-S", [shown], [face(shown.item_id, 0)])
    found = sections(explain_item(root, "CAER-S/train/Sad/0001.png"))
    assert found["Source"][2] == (
        f"frame 10 of the clip {FIRST}, which is frame 110 of the episode, at about 4.40 s"
    )
    assert found["Faces"] == ["1 target, 0 other faces", "target at (10, 20) to (30, 40) px"]
    assert len(found["Votes"]) == 4
    # Back: the clip has no file here, but a still of it has.
    back = sections(explain_item(root, FIRST))
    assert back[f"Clip {FIRST}"] == ["1 still of this data set, all with a file."]
    assert back["Made of it"] == [
        f"CAER-S/train/Sad/0001.png: {shown.item_id}, frame 110, Sad, train"
    ]


def test_without_media(tmp_path: Path) -> None:
    of = clip(FIRST, 100, 1, "Sad", file=None)
    root = write(
        tmp_path / "free", [of, still(of, 10, None)], [face(FIRST, 10), face(FIRST, 11)]
    )  # fmt: skip
    text = explain_item(root, f"{FIRST}-f0010")
    assert "There is no file of it" in text
    assert "target at (20, 20)" in text
    assert "target at (21, 20)" not in text
    assert sections(explain_item(root, FIRST))["Stills of it"] == [
        f"no file: {FIRST}-f0010, frame 110, Sad, train"
    ]
    back = explain_item(root, "toy.s01e01")
    assert "1 clip and 1 still of this data set, 0 with a file." in back


@pytest.mark.parametrize(
    ("what", "title", "n"),
    [
        ("toy.s01e01", "Episode toy.s01e01", 2),
        ("toy-anna", "Person toy-anna", 2),
        ("toy", "Show toy", 2),
        ("toy.s01e01-s000300", "Shot toy.s01e01-s000300", 1),
        ("toy.s01e01-s000300-t01", "Track toy.s01e01-s000300-t01", 1),
    ],
)
def test_back_from_what_files_were_made_of(clips: Path, what: str, title: str, n: int) -> None:
    found = sections(explain_item(clips, what))
    assert len(found["Made of it"]) == n
    assert found["Made of it"][-1] == (
        f"CAER/train/Fear/0001.avi: {SECOND}, frames 320 to 369, Fear, train"
    )
    assert title in found
    assert ("Source" in found) == title.startswith("Episode")


def test_a_folder_or_an_archive(tmp_path: Path) -> None:
    items = [clip(FIRST, 100, 1, "Sad", file="train-000000.tar/a.mp4"),
             clip(SECOND, 320, 2, "Fear", file="train-000001.tar/b.mp4")]  # fmt: skip
    root = write(tmp_path / "shards", items, [])
    found = sections(explain_item(root, str(root / "train-000000.tar")))
    assert [line.split(":")[0] for line in found["In it"]] == ["train-000000.tar/a.mp4"]
    assert explain_item(root, "train-000001.tar/b.mp4").startswith(f"Clip {SECOND}")


def test_what_is_not_there(clips: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        explain_item(clips, "toy.s01e01-s0003")
    assert refused.value.remedy.startswith("Did you mean toy.s01e01-s000300")
    with pytest.raises(DatasetError) as refused:
        explain_item(clips, "CAER/train/Sadd/0001.avi")
    assert "CAER/train/Sad/0001.avi" in refused.value.remedy
    with pytest.raises(DatasetError) as refused:
        explain_item(clips, "§§")
    assert "items.parquet" in refused.value.remedy


def test_data_sets_of_others(tmp_path: Path) -> None:
    """They say little, and it is told."""
    (tmp_path / "train" / "Angry").mkdir(parents=True)
    (tmp_path / "train" / "Angry" / "1.png").write_bytes(b"12345")
    (tmp_path / "train.txt").write_text("Angry/1.png,0,5,6,70,80\n")
    found = sections(explain_item(tmp_path, "train/Angry/1.png"))
    assert found == {
        "Still train/Angry/1.png": ["Anger, train. train/Angry/1.png, 5 bytes"],
        "Label": ["Anger"],
        "Split": ["train"],
        "Faces": ["1 target, 0 other faces", "target at (5, 6) to (70, 80) px"],
    }


def test_votes_that_are_counts(data: Path) -> None:
    found = sections(explain_item(data / "faces", "ferplus_train-00000"))
    assert found["Votes"] == ["Anger: 3", "Disgust: 2", "Neutral: 4", "Sad: 1"]
    assert "the part at 0, 0" in next(iter(found.values()))[0]


def test_the_command(clips: Path) -> None:
    said = caer("explain", clips, "CAER/train/Sad/0001.avi").stdout
    assert "Sad by the rule paper" in said
    refused = caer("explain", clips, "nothing", check=False)
    assert (refused.returncode, "is called nothing" in refused.stderr) == (1, True)
    refused = caer("explain", clips / "gone", "nothing", check=False)
    assert "is no workspace" in refused.stderr
    refused = caer("explain", clips / "metadata", "nothing", check=False)
    assert "Expected a data set" in refused.stderr

"""Exports: whole or not there, the same every time, and rebuilt to the byte without the media."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import pytest

from caer_build.dataset.exporting import export
from caer_build.dataset.layouts.choice import layout_of
from caer_build.dataset.stills import CHOSEN_OF
from caer_build.errors import DatasetError
from caer_build.records import Clip, Still, Vote
from caer_build.store import Workspace, sha256_of
from caer_build.tables import read_published, save
from tests.building import build, caer
from tests.exporting import clip_id, film, toy_catalogue
from tests.voting import vote

SAID = ("Fear", "Happy", "Sad")
LEAKS = "--allow-leaks"
"""three clips of one episode cannot be split without: its footage comes back"""


def answers(clips: list[Clip]) -> list[Vote]:
    """Of each clip two for its emotion, sure and less sure, and one who cannot tell."""
    return [
        made
        for clip, emotion in zip(clips, SAID, strict=True)
        for made in (
            vote(clip.clip_id, "p1", emotion, confidence_step=4),
            vote(clip.clip_id, "p2", emotion, confidence_step=3),
            vote(clip.clip_id, "p3", "cannot_tell"),
        )
    ]


@pytest.fixture(scope="session")
def labelled(brief_episode: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, labelled Fear, Happy and Sad; every second frame is a still."""
    from caer_build.annotation.vote_files import write_csv

    folder = tmp_path_factory.mktemp("labelled")
    work = folder / "work"
    build(work, brief_episode, options=("--recipe", "quick"))
    workspace = Workspace.open(work)
    clips = [c for c in read_published(workspace, Clip) if c.reject_reason is None]
    with (folder / "votes.csv").open("wb") as file:
        write_csv(file, answers(clips))
    caer("label", work, "--votes", folder / "votes.csv")
    caer("split", work, "--by", "clip", "--ratio", "34/33/33")
    boxes = pd.read_parquet(work / "tables" / "clip_boxes.parquet")
    target = boxes[boxes.is_target & (boxes.frame % 2 == 0)]
    stills = [
        Still(f"{row.clip_id}-f{row.frame:04d}", row.clip_id, row.frame, True, 20.0, "0" * 16)
        for row in target.itertuples()
    ]
    save(workspace, Still, stills, {CHOSEN_OF: sha256_of(work / "tables" / "splits.parquet")})
    return work


def contents(folder: Path) -> dict[str, str]:
    """name -> digest of every file below a folder."""
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


def test_caer_as_it_was_released(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "CAER"
    said = json.loads(caer("export", labelled, "-o", out, LEAKS, "--json").stdout)
    assert said["items"] == 3
    items = pd.read_parquet(out / "metadata" / "items.parquet").set_index("item_id")
    assert sorted(items.emotion) == list(SAID)
    assert sorted(items.split) == ["test", "train", "validation"]
    faces = pd.read_parquet(out / "metadata" / "faces.parquet")
    boxes = pd.read_parquet(labelled / "tables" / "clip_boxes.parquet")
    for item_id, item in items.iterrows():
        assert item.file == f"CAER/{item.split}/{item.emotion}/0001.avi"
        assert pixels(out / item.file) == pixels(labelled / "clips" / f"{item_id}.mp4")
        assert (item.n_votes, item.n_agreeing, item.mean_confidence) == (3, 2, 0.875)
        assert item[f"p_{item.emotion.lower()}"] == 1.0
        here = faces[faces.item_id == item_id]
        assert sorted(here.frame[here.is_target]) == list(range(item.n_frames))
    pd.testing.assert_frame_equal(
        faces[["x1", "y1", "x2", "y2"]], boxes[["x1", "y1", "x2", "y2"]], check_names=False
    )
    votes = pd.read_parquet(out / "metadata" / "votes.parquet")
    assert sorted(votes.flag.dropna()) == ["cannot_tell"] * 3
    assert set(votes.purpose) == {"vote"}
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, check=False)
    assert checked.returncode == 0
    assert len(list((out / "CAER").glob("*/*"))) == 21, "a folder for every emotion of every split"
    assert not list(tmp_path.glob(".*"))


def pixels(video: Path) -> list[str]:
    """A digest of every frame, as OpenCV reads it."""
    reader, found = cv2.VideoCapture(str(video)), []
    while True:
        there, picture = reader.read()
        if not there:
            return found
        found.append(hashlib.sha256(picture.tobytes()).hexdigest())


def test_stills_are_frames_of_the_clips(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "CAER-S"
    caer("export", labelled, "-o", out, LEAKS, "--format", "caer-s", "--released")
    items = pd.read_parquet(out / "metadata" / "items.parquet")
    assert set(items.split) == {"train", "test"}
    faces = pd.read_parquet(out / "metadata" / "faces.parquet")
    boxes = pd.read_parquet(labelled / "tables" / "clip_boxes.parquet")
    assert set(faces.item_id) == set(items.item_id)
    assert set(faces.frame) == {0}
    for item in items.iloc[:: len(items) // 5].itertuples():
        picture = cv2.imread(str(out / item.file))
        assert picture.shape == (item.height, item.width, 3)
        video = cv2.VideoCapture(str(labelled / "clips" / f"{item.clip_id}.mp4"))
        video.set(cv2.CAP_PROP_POS_FRAMES, item.clip_frame)
        _, frame = video.read()
        assert cv2.absdiff(picture, frame).mean() < 1, "decoders may round colours differently"
        mine = boxes[(boxes.clip_id == item.clip_id) & (boxes.frame == item.clip_frame)]
        theirs = faces[faces.item_id == item.item_id]
        assert sorted(theirs.x1) == sorted(mine.x1)
        assert theirs.is_target.sum() == 1


def test_a_media_free_set_and_the_episode_give_the_same_bytes(
    labelled: Path, brief_episode: Path, tmp_path: Path
) -> None:
    free = tmp_path / "free"
    caer("export", labelled, "-o", free, LEAKS, "--format", "media-free")
    assert {f.suffix for f in free.rglob("*") if f.is_file()} == {"", ".json", ".md", ".parquet"}
    elsewhere = tmp_path / "elsewhere" / "renamed.mp4"
    elsewhere.parent.mkdir()
    shutil.copy(brief_episode, elsewhere)
    for form in ("caer", "caer-s"):
        caer("export", labelled, "-o", tmp_path / form, LEAKS, "--format", form)
        again = tmp_path / f"{form}-again"
        # Somebody who sits still in two shots stands in two splits: only pictures tell.
        caer("rebuild", free, elsewhere.parent, "-o", again, LEAKS, "--format", form)
        assert contents(again) == contents(tmp_path / form)
    assert {f.name for f in tmp_path.iterdir()} == {
        "free", "elsewhere", "caer", "caer-s", "caer-again", "caer-s-again",
    }  # fmt: skip


def test_a_rebuilt_set_has_no_leaks_but_those_it_was_allowed(
    labelled: Path, brief_episode: Path, tmp_path: Path
) -> None:
    free, out = tmp_path / "free", tmp_path / "out"
    caer("export", labelled, "-o", free, LEAKS, "--format", "media-free")
    place = free / "dataset.json"
    said = json.loads(place.read_text())
    assert said["leaks"]
    # As if nothing but the pictures, which it has not, had told of them.
    place.write_text(json.dumps(said | {"leaks": {}}))
    refused = caer("rebuild", free, brief_episode, "-o", out, check=False)
    assert refused.returncode == 1
    assert "out would leak: " in refused.stderr
    assert not out.exists()
    caer("rebuild", free, brief_episode, "-o", out, LEAKS)
    kinds = json.loads((out / "dataset.json").read_text())["leaks"].keys()
    assert kinds == {*said["leaks"], "near_duplicate"}


def test_nobody_is_named_in_what_votes_of_a_file_became(labelled: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(labelled, tmp_path / "work"))
    votes = pd.read_csv(labelled.parent / "votes.csv")
    known, names = "p0123456789ab", sorted(set(votes.annotator_id))
    called = dict(zip(names, (known, "ada@lab.example", "Grace Hopper"), strict=True))
    votes.annotator_id = votes.annotator_id.map(called)
    votes.to_csv(tmp_path / "named.csv", index=False)
    caer("label", work, "--votes", tmp_path / "named.csv")
    counted = pd.read_parquet(work / "tables" / "counted_votes.parquet")
    # In the order of the names.
    assert set(counted.annotator_id) == {known, "annotator-1", "annotator-2"}
    theirs = votes[votes.annotator_id == "ada@lab.example"].set_index("clip_id").emotion
    mine = counted[counted.annotator_id == "annotator-2"].set_index("clip_id").emotion
    assert mine.to_dict() == theirs[mine.index].to_dict()
    everything = b"".join(file.read_bytes() for file in (work / "tables").iterdir())
    assert not any(name.encode() in everything for name in ("ada@lab.example", "Grace Hopper"))


def test_without_the_episode_nothing_is_rebuilt(
    labelled: Path, brief_episode: Path, tmp_path: Path
) -> None:
    free, out = tmp_path / "free", tmp_path / "out"
    caer("export", labelled, "-o", free, LEAKS, "--format", "media-free")
    other = tmp_path / brief_episode.name
    other.write_bytes(brief_episode.read_bytes() + b"\0")
    refused = caer("rebuild", free, other, "-o", out, check=False)
    assert refused.returncode == 1
    assert f"1 of 1 episodes are not among these files: {brief_episode.name}" in refused.stderr
    caer("export", labelled, "-o", out, LEAKS)
    refused = caer("rebuild", out, brief_episode, "-o", tmp_path / "no", check=False)
    assert "Rebuild from an export --format media-free" in refused.stderr
    refused = caer("rebuild", free, brief_episode, "-o", out, check=False)
    assert "is there already" in refused.stderr


def _cut_otherwise(work: Path) -> None:
    clip = next(iter(sorted((work / "clips").iterdir())))
    data = clip.read_bytes()
    clip.unlink()
    clip.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _split_anew(work: Path) -> None:
    caer("split", work, "--by", "clip", "--ratio", "30/30/40", "--anew")


def _labels_gone(work: Path) -> None:
    (work / "tables" / "labels.parquet").unlink()


def _labels_anew(work: Path) -> None:
    caer("label", work, "--votes", work.parent / "votes.csv", "--rule", "majority")


def _first(work: Path) -> Clip:
    return next(c for c in read_published(Workspace.open(work), Clip) if c.reject_reason is None)


def _person_deleted(work: Path) -> None:
    caer("person", "delete", work, _first(work).person_id)


def _clip_rejected(work: Path) -> None:
    for action in ("reject", "keep", "reject"):
        caer("clip", action, work, _first(work).clip_id)


@pytest.mark.parametrize(
    ("spoil", "form", "said"),
    [
        (_person_deleted, "caer", "Run `caer build` again"),
        (_clip_rejected, "caer-s", "Run `caer build` again"),
        (_cut_otherwise, "caer", "is not the clip that was cut"),
        (_split_anew, "caer-s", "Run `caer stills` again"),
        (_labels_gone, "caer", "Run `caer label`"),
        (_labels_anew, "caer", "Run `caer split` again"),
    ],
)
def test_what_does_not_go_together_is_refused(
    labelled: Path, tmp_path: Path, spoil: Callable[[Path], None], form: str, said: str
) -> None:
    work = Path(shutil.copytree(labelled, tmp_path / "work"))
    shutil.copy(labelled.parent / "votes.csv", tmp_path)
    spoil(work)
    refused = caer("export", work, "-o", tmp_path / "out", LEAKS, "--format", form, check=False)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()


def test_stills_of_another_split_stop_no_export_of_clips(labelled: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(labelled, tmp_path / "work"))
    _split_anew(work)
    caer("export", work, "-o", tmp_path / "out", LEAKS, "--format", "caer")
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())["facts"]
    assert facts["stills"] is None


def test_a_decision_that_was_taken_back_refuses_nothing(labelled: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(labelled, tmp_path / "work"))
    _person_deleted(work)
    caer("person", "undo", work)
    caer("clip", "reject", work, _first(work).clip_id)
    caer("clip", "keep", work, _first(work).clip_id)
    caer("export", work, "-o", tmp_path / "out", LEAKS, "--format", "media-free")


def _lines(n: int) -> Callable[[Path], bool]:
    def reached(draft: Path) -> bool:
        journal = draft / "made.jsonl"
        return journal.is_file() and len(journal.read_bytes().splitlines()) >= n

    return reached


def _has(name: str) -> Callable[[Path], bool]:
    return lambda draft: (draft / name).exists()


MOMENTS = (_lines(1), _lines(40), _has("metadata/items.parquet"), _has("README.md"))


@pytest.mark.parametrize(
    "form",
    [
        ("caer-s",),
        *(
            pytest.param(form, marks=pytest.mark.slow)
            for form in (
                ("hf", "--media", "stills"),
                ("webdataset", "--media", "stills", "--shard-items", 10),
                ("coco",),
            )
        ),
    ],
)
def test_killed_and_run_again(form: tuple[object, ...], labelled: Path, tmp_path: Path) -> None:
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "out"
    form = (LEAKS, "--workers", 1, "--format", *form)
    caer("export", labelled, "-o", undisturbed, *form)
    for moment in MOMENTS:
        _kill_at(moment, tmp_path / ".out.part", labelled, out, form)
        assert not out.exists()
    caer("export", "--allow-leaks", labelled, "-o", out, *form)
    assert contents(out) == contents(undisturbed)


def _kill_at(
    moment: Callable[[Path], bool], draft: Path, work: Path, out: Path, form: tuple[Any, ...]
) -> None:
    command = [
        sys.executable,
        "-m",
        "caer_build.cli",
        "export",
        "--allow-leaks",
        work,
        "-o",
        out,
        *form,
    ]
    process = subprocess.Popen(list(map(str, command)))
    try:
        while not moment(draft) and process.poll() is None:
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()


def test_half_a_draft_of_something_else_is_not_taken_up(labelled: Path, tmp_path: Path) -> None:
    draft = tmp_path / ".out.part"
    (draft / "media").mkdir(parents=True)
    (draft / "plan.json").write_text("{ half")
    (draft / "left over").write_text("of another export")
    caer("export", labelled, "-o", tmp_path / "out", LEAKS)
    assert "left over" not in contents(tmp_path / "out")


def test_stills_are_chosen_and_nothing_is_decoded_twice(labelled: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(labelled, tmp_path / "work"))
    said = json.loads(caer("stills", work, "--per-clip", 4, "--json").stdout)
    stills = pd.read_parquet(work / "tables" / "stills.parquet")
    counts = {count["emotion"]: count for count in said["emotions"]}
    assert [counts[e]["asked"] for e in SAID] == [4, 4, 4]
    assert counts["Anger"]["asked"] == 0
    assert sum(count["given"] for count in counts.values()) == len(stills)
    assert all(
        (count["shortfall"] is None) == (count["given"] == count["asked"])
        for count in counts.values()
    )
    boxes = pd.read_parquet(work / "tables" / "clip_boxes.parquet")
    target = boxes[boxes.is_target].set_index(["clip_id", "frame"])
    for still in stills.itertuples():
        assert target.interpolated[still.clip_id, still.frame] == (not still.seen)
        assert still.still_id == f"{still.clip_id}-f{still.frame:06d}"
        assert pd.isna(still.sharpness) == (not still.seen)
    for _, own in stills.groupby("clip_id"):
        looks = [int(look, 16) for look in own.frame_hash]
        assert all((a ^ b).bit_count() >= 3 for a, b in combinations(looks, 2))

    looks = sorted((work / "looks").iterdir())
    assert len(looks) == 3
    looks[0].write_bytes(looks[0].read_bytes()[:-1])
    looks[1].unlink()
    (work / "looks" / f"{'0' * 64}.npy").write_bytes(b"of a clip that is no more")
    kept = looks[2].stat().st_mtime_ns
    options = ("--per-emotion", 9, "--at-most", "Sad=2", "--min-difference", 0)
    caer("stills", work, *options)
    assert looks[2].stat().st_mtime_ns == kept
    assert sorted((work / "looks").iterdir()) == looks
    chosen = pd.read_parquet(work / "tables" / "stills.parquet")
    labels = pd.read_parquet(work / "tables" / "labels.parquet").set_index("clip_id")
    assert labels.emotion[chosen.clip_id].value_counts().to_dict() == {
        "Fear": 9, "Happy": 9, "Sad": 2,
    }  # fmt: skip
    caer("export", work, "-o", tmp_path / "CAER-S", LEAKS, "--format", "caer-s")
    for wrong in (
        ("--at-most", "Sad"),
        ("--at-most", "Rage=3"),
        ("--per-clip", 2, "--per-emotion", 9),
    ):
        assert caer("stills", work, *wrong, check=False).returncode == 2
    caer("label", work, "--votes", labelled.parent / "votes.csv", "--rule", "majority")
    refused = caer("stills", work, check=False)
    assert (refused.returncode, "Run `caer split` again" in refused.stderr) == (1, True)


def test_an_export_with_leaks_is_refused_or_says_so(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "CAER"
    refused = caer("export", labelled, "-o", out, check=False)
    assert refused.returncode == 1
    assert "CAER would leak: persons in two splits: 1 (" in refused.stderr
    assert "A split by clip shares people by nature" in refused.stderr
    assert not list(tmp_path.iterdir()), "before any file is made"
    caer("export", labelled, "-o", out, "--allow-leaks")
    said = json.loads((out / "dataset.json").read_text())
    leaks, end = said["leaks"], said["facts"]["funnel"][-1]
    assert (end["name"], end["n_left"]) == ("data set", said["n_items"])
    assert {kind: leak["n"] for kind, leak in leaks.items()} == {
        "same_person": 1,
        "near_duplicate": 1,
    }
    card = (out / "README.md").read_text()
    assert f"- persons in two splits: 1 ({leaks['same_person']['examples'][0]})" in card
    audited = caer("audit", out, "--json", check=False)
    assert audited.returncode == 1
    found = json.loads(audited.stdout)["findings"]
    assert {f["kind"] for f in found if f["severity"] == "leak"} == leaks.keys()
    assert not [f for f in found if f["severity"] == "fault"]


def test_a_clip_of_train_that_is_coded_anew_in_test_is_found(tmp_path: Path) -> None:
    clean = toy_catalogue(tmp_path)
    coding = "-c:v", "libx264", "-crf", "30", "-bf", "0", "-pix_fmt", "yuv420p"
    again = film(tmp_path / "again.mp4", 1, coding)
    planted = replace(
        clean,
        cuts=tuple(
            replace(cut, clip_sha256=sha256_of(again)) if cut.clip_id == clip_id(10) else cut
            for cut in clean.cuts
        ),
        clip_file=lambda name: again if name == clip_id(10) else clean.clip_file(name),
    )
    layout, out = layout_of("caer"), tmp_path / "out"
    leak = "pictures that another split has, too, .* edited: 1 "
    with pytest.raises(DatasetError, match=leak):
        export(planted, out, layout, lambda *_: None)
    with pytest.raises(DatasetError, match=leak):
        export(planted, out, layout, lambda *_: None, allow_leaks=("same_person",))
    assert not out.exists()
    with pytest.raises(DatasetError) as refused:
        export(planted, out, layout, lambda *_: None)
    assert f"What was made lies in {tmp_path / '.out.part'}" in refused.value.remedy
    export(planted, tmp_path / "one", layout, lambda *_: None, allow_leaks=("near_duplicate",))
    export(planted, out, layout, lambda *_: None, allow_leaks=True)
    assert list(json.loads((out / "dataset.json").read_text())["leaks"]) == ["near_duplicate"]
    export(clean, tmp_path / "clean", layout, lambda *_: None)
    assert json.loads((tmp_path / "clean" / "dataset.json").read_text())["leaks"] == {}

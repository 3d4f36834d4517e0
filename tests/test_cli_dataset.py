"""From a real build over votes to labels and splits, by the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caer_build.dataset.labels import made_of
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, Clip
from caer_build.store import Workspace
from caer_build.tables import read_published
from tests.building import caer


@pytest.fixture(scope="module")
def kept(voted: Path) -> list[Clip]:
    return [c for c in read_published(Workspace.open(voted), Clip) if c.reject_reason is None]


def expected(kept: Sequence[Clip]) -> dict[str, str | None]:
    return {
        clip.clip_id: None if k % 5 == 4 or k % 7 == 6 else EMOTIONS[k % len(EMOTIONS)]
        for k, clip in enumerate(kept)
    }


def test_labels_and_their_funnel(voted: Path, kept: list[Clip]) -> None:
    work = voted
    found = json.loads(caer("label", work, "--json").stdout)
    labels = pd.read_parquet(work / "tables" / "labels.parquet").set_index("clip_id")
    emotions = {c: None if pd.isna(e) else e for c, e in labels.emotion.items()}
    assert emotions == expected(kept)
    steps = {step["name"]: step for step in found["funnel"]}
    assert steps["candidates"]["n_left"] == 61
    assert steps["clips"]["n_left"] == len(kept)
    assert steps["tie"]["n_clips"] == sum(k % 5 == 4 for k in range(len(kept)))
    assert steps["labelled"]["n_left"] == labels.emotion.notna().sum()
    said = caer("label", work, "--rule", "confidence-weighted", "--compare").stdout
    for rule in ("paper", "dawid-skene", "mace", "glad", "confidence-weighted"):
        assert rule in said


def test_votes_in_a_file_give_the_same_labels(voted: Path) -> None:
    work = voted
    caer("label", work)
    before = pd.read_parquet(work / "tables" / "labels.parquet")
    caer("label", work, "--votes", work.parent / "votes.csv")
    pd.testing.assert_frame_equal(before, pd.read_parquet(work / "tables" / "labels.parquet"))
    absent = caer("label", work, "--votes", work / "nofile.csv", check=False)
    assert f"There is no file of votes {work / 'nofile.csv'}." in absent.stderr
    for command in ("stats", "audit"):
        refused = caer(command, work, check=False)
        assert refused.returncode == 1
        assert "is a workspace, not a data set" in refused.stderr
    refused = caer("label", work, "--votes", work / "recipe.json", check=False)
    assert refused.returncode == 1
    assert "Expected a file of votes that ends in .csv" in refused.stderr
    refused = caer("label", work, "--rule", "mean", check=False)
    assert (refused.returncode, "The rules are paper" in refused.stderr) == (2, True)


def test_without_a_project_it_says_where_votes_can_come_from(
    lobby: tuple[Path, dict[str, Any]],
) -> None:
    refused = caer("label", lobby[0], check=False)
    assert refused.returncode == 1
    assert "caer annotate init WORK. Or give the votes of a file: --votes FILE" in refused.stderr


def test_a_split_by_person(voted: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(voted, tmp_path / "work"))
    (work / "tables" / "labels.parquet").unlink(missing_ok=True)
    refused = caer("split", work, check=False)
    assert "Run `caer label`" in refused.stderr
    caer("label", work)
    found = json.loads(caer("split", work, "--by", "person", "--json").stdout)
    rows = pd.read_parquet(work / "tables" / "splits.parquet")
    clips = pd.read_parquet(work / "tables" / "clips.parquet").set_index("clip_id")
    stands = rows[rows.split.notna()]
    assert (stands.groupby("group_id").split.nunique() == 1).all()
    assert list(clips.person_id[rows.clip_id]) == list(rows.group_id)
    assert found["clips"] == stands.split.value_counts().to_dict()
    again = caer("split", work, "--json").stdout
    assert json.loads(again) == found
    moved = caer("split", work, "--by", "clip", check=False)
    assert (moved.returncode, "they would move" in moved.stderr) == (2, True)
    said = caer("split", work, "--by", "clip", "--anew").stdout
    assert "Split by clip" in said
    assert "the same people are in train and test" in said
    for wrong in (["--by", "actor"], ["--ratio", "a/b"]):
        assert caer("split", work, *wrong, check=False).returncode == 2


def test_labels_of_another_build_are_refused(voted: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(voted, tmp_path / "work"))
    caer("label", work)
    assert made_of(Workspace.open(work))["rule"] == "paper"
    clips = work / "tables" / "clips.parquet"
    pd.read_parquet(clips).iloc[:-1].to_parquet(clips)
    with pytest.raises(DatasetError, match="earlier build"):
        made_of(Workspace.open(work))
    assert caer("split", work, check=False).returncode == 1


FORMATS = ("caer", "caer-s", "hf", "webdataset", "coco", "kinetics", "media-free")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_episodes_become_data_sets_that_are_audited_and_rebuilt(
    voted: Path, data: Path, tmp_path: Path
) -> None:
    """By person nothing leaks; what is then planted is found; the rest is made again to the byte.

    Each export reads itself back with the library of its users before it has its name.
    """
    work = Path(shutil.copytree(voted, tmp_path / "work"))
    caer("label", work)
    caer("split", work, "--by", "person", "--anew")
    caer("stills", work, "--per-clip", 4)
    for form in FORMATS:
        caer("export", work, "-o", tmp_path / form, "--format", form)
        assert (tmp_path / form / "croissant.json").exists()
    for form in ("caer", "caer-s"):
        again = tmp_path / f"{form}-again"
        free = tmp_path / "media-free"
        caer("rebuild", free, data / "episodes", "-o", again, "--format", form)
        assert not subprocess.run(["diff", "-r", tmp_path / form, again], check=False).returncode
        assert caer("audit", tmp_path / form).returncode == 0
    _plant(tmp_path / "caer-s")
    found = json.loads(caer("audit", tmp_path / "caer-s", "--json", check=False).stdout)
    kinds = {finding["kind"] for finding in found["findings"]}
    assert {"same_file", "unreadable", "same_person"} <= kinds
    file = pd.read_parquet(tmp_path / "caer" / "metadata" / "items.parquet").iloc[0].file
    said = caer("explain", tmp_path / "caer", file).stdout
    assert "lobby.s01e0" in said


def _plant(dataset: Path) -> None:
    """A train picture in test as well, a person of train in test, and a file that is broken."""
    place = dataset / "metadata" / "items.parquet"
    items = pd.read_parquet(place)
    train, test = (items[items.split == split] for split in ("train", "test"))
    shutil.copy(dataset / train.iloc[0].file, dataset / test.iloc[0].file)
    (dataset / train.iloc[1].file).write_bytes(b"broken")
    items.loc[test.index[1], "person_id"] = train.iloc[2].person_id
    table = pa.Table.from_pandas(items, schema=pq.read_schema(place), preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), place)

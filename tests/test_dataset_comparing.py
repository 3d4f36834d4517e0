"""Data sets beside each other: shares, and what became of items."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from caer_build.dataset.comparing import PAPERS_CAER, categories_of, changes, distance
from caer_build.dataset.reading import Dataset
from caer_build.records import Item
from tests.building import caer


def clip(name: str, emotion: str, split: str = "train", n_frames: int = 10) -> Item:
    return Item(name, "clip", None, split, emotion, n_frames=n_frames)


def of(*items: Item, layout: str = "ours") -> Dataset:
    return Dataset(Path("CAER"), layout, items)


def test_the_papers_table() -> None:
    # 12.33 and 34.69 % are printed there; it has 13,201 clips.
    assert PAPERS_CAER.n_items == 13_201
    assert round(100 * PAPERS_CAER.share("Anger"), 2) == 12.33
    assert round(100 * PAPERS_CAER.share("Neutral"), 2) == 34.69
    assert distance(PAPERS_CAER, PAPERS_CAER) == 0


def test_shares_and_their_distance() -> None:
    ours = categories_of(of(clip("a", "Anger"), clip("b", "Anger"), clip("c", "Sad", n_frames=5)))
    assert (ours.kind, ours.counts["Anger"], ours.counts["Fear"], ours.n_frames) == (
        "clip", 2, 0, 25
    )  # fmt: skip
    theirs = categories_of(of(clip("a", "Sad"), clip("b", "Fear")))
    # Anger 2/3 against 0, Sad 1/3 against 1/2, Fear 0 against 1/2.
    assert distance(ours, theirs) == pytest.approx((2 / 3 + 1 / 6 + 1 / 2) / 2)
    assert distance(theirs, ours) == distance(ours, theirs)


def test_frames_that_are_not_all_known_are_not_counted() -> None:
    unsaid = replace(clip("b", "Sad"), n_frames=None)
    assert categories_of(of(clip("a", "Sad"), unsaid)).n_frames is None


def test_nothing_has_no_share() -> None:
    nothing = categories_of(of())
    assert nothing.n_items == 0
    assert nothing.share("Sad") == 0


def test_what_became_of_items() -> None:
    before = of(clip("a", "Anger"), clip("b", "Sad"), clip("c", "Sad", "test"), clip("d", "Fear"))
    after = of(clip("a", "Anger", "test"), clip("b", "Fear"), clip("c", "Sad", "test"),
               clip("e", "Fear"), clip("f", "Fear"))  # fmt: skip
    found = changes(before, after)
    assert found is not None
    assert (found.n_common, found.only_first, found.only_second) == (3, 1, 2)
    assert found.labels == {("Anger", "Anger"): 1, ("Sad", "Fear"): 1, ("Sad", "Sad"): 1}
    assert found.splits == {("train", "test"): 1, ("train", "train"): 1, ("test", "test"): 1}
    assert found.n_tested_after_training == 1


def test_ids_of_others_tell_nothing() -> None:
    assert changes(of(clip("a", "Sad")), of(clip("a", "Sad"), layout="caer")) is None
    still = replace(clip("a", "Sad"), kind="still")
    assert changes(of(clip("a", "Sad")), of(still)) is None


def test_the_command(tmp_path: Path) -> None:
    for name, emotions in (("one", ("Angry", "Sad")), ("two", ("Sad", "Fear"))):
        for emotion in emotions:
            file = tmp_path / name / "train" / emotion / "0001.avi"
            file.parent.mkdir(parents=True)
            file.touch()
    found = json.loads(caer("compare", tmp_path / "one", tmp_path / "two", "--json").stdout)
    assert found["distance"] == 0.5
    assert found["items"] is None
    said = caer("compare", tmp_path / "one").stdout
    # Half of two clips are sad, and 1,473 of the paper's 13,201.
    assert "1,473 │ 11.16 │  +38.8" in said

"""Votes in files, and Label Studio's way of writing them; no database."""

from __future__ import annotations

import csv
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.annotation.label_studio import (
    Place,
    labeling_config,
    read_label_studio,
    write_label_studio,
)
from caer_build.annotation.vote_files import (
    COLUMNS,
    Entry,
    Reader,
    read_csv,
    read_jsonl,
    read_parquet,
    write_csv,
    write_jsonl,
    write_parquet,
)
from caer_build.records import EMOTIONS, Vote
from tests.voting import vote

PLACE = Place({"0badcafe": "c1"}, 5)
KINDS: dict[str, tuple[Any, Reader]] = {
    "csv": (write_csv, read_csv),
    "jsonl": (write_jsonl, read_jsonl),
    "parquet": (write_parquet, read_parquet),
    "label-studio": (
        partial(write_label_studio, videos={"c1": "/x/0badcafe.mp4", "c2": "c2.mp4"}),
        partial(read_label_studio, place=PLACE),
    ),
}
# Anything but lone surrogates, which are no text, and NUL, which PostgreSQL does not store.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
some_votes = st.lists(
    st.builds(
        vote,
        st.sampled_from(["c1", "c2"]),
        texts,
        st.sampled_from(EMOTIONS),
        confidence_step=st.integers(0, 4),
        revision=st.integers(1, 3),
        audio_on=st.booleans(),
        purpose=st.sampled_from(["vote", "repeat"]),
    )
    | st.builds(vote, st.just("c1"), texts, st.just("broken"), reason=texts)
    | st.builds(vote, st.just("c2"), texts, st.just("cannot_tell")),
    max_size=5,
)


def by_number(entries: list[Entry]) -> list[Vote | str]:
    found = sorted(entries, key=lambda e: e.vote.vote_id if e.vote else 0)
    return [e.vote or e.problem for e in found]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(votes=some_votes)
def test_any_vote_goes_round(kind: str, votes: list[Vote]) -> None:
    write, read = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "votes")
        with file.open("wb") as opened:
            write(opened, sorted(votes, key=lambda v: v.clip_id))
        found = by_number(list(read(file)))
    assert found == sorted(votes, key=lambda v: v.vote_id)


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'quoted'"]
    with file.open("wb") as opened:
        write_csv(opened, [vote("c1", "ann", "broken", reason=text) for text in texts])
    with file.open(newline="", encoding="utf-8") as opened_text:
        rows = list(csv.DictReader(opened_text))
    assert [row["reason"] for row in rows] == [f"'{text}" for text in texts]
    assert [e.vote.reason for e in read_csv(file) if e.vote] == texts


def test_others_read_and_write_these_files(tmp_path: Path) -> None:
    votes = [vote("c1", "ann"), vote("c1", "bob", "cannot_tell"), vote("c2", "cy", "broken")]
    file = tmp_path / "votes"
    for kind in ("csv", "parquet"):
        write, read = KINDS[kind]
        with file.open("wb") as opened:
            write(opened, votes)
        table = pd.read_csv(file) if kind == "csv" else pd.read_parquet(file)
        assert tuple(table.columns) == COLUMNS
        assert table["confidence_step"].isna().tolist() == [False, True, True]
        assert table["audio_on"].tolist() == [True] * 3
        # pandas turns whole numbers with gaps into 3.0.
        if kind == "csv":
            table.to_csv(file, index=False)
        else:
            table.to_parquet(file, index=False)
        assert [e.vote for e in read(file)] == votes


def test_a_spreadsheets_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    with file.open("wb") as opened:
        opened.write(b"\xef\xbb\xbf")
        write_csv(opened, [vote("c1", "ann")])
    assert [e.problem for e in read_csv(file)] == [""]


def annotation(answer: str = "Sad", stars: int | None = 4, **changes: object) -> dict[str, Any]:
    """As Label Studio 1.13 exports what somebody made there."""
    result: list[dict[str, Any]] = [
        {
            "id": "a1b2c3",
            "type": "choices",
            "value": {"choices": [answer]},
            "origin": "manual",
            "to_name": "clip",
            "from_name": "emotion",
        }
    ]
    if stars is not None:
        result.append(
            {
                "id": "d4e5f6",
                "type": "rating",
                "value": {"rating": stars},
                "to_name": "clip",
                "from_name": "sure",
            }
        )
    return {
        "id": 17,
        "completed_by": 3,
        "result": result,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2024-05-01T10:00:00.250000Z",
        "updated_at": "2024-05-01T10:00:00.250000Z",
        "lead_time": 7.5,
        "unique_id": "6a0e3c5e-1111-4222-8333-944444444444",
    } | changes


def read_tasks(tmp_path: Path, *tasks: object) -> list[Entry]:
    file = tmp_path / "project.json"
    file.write_text(json.dumps(tasks))
    return list(read_label_studio(file, PLACE))


def test_an_annotation_made_in_label_studio(tmp_path: Path) -> None:
    data = {"video": "/data/local-files/?d=annotation/clips/0badcafe.mp4"}
    [found] = read_tasks(tmp_path, {"id": 1, "data": data, "annotations": [annotation()]})
    assert found.problem == ""
    at = 1_714_557_600_250
    assert found.vote == Vote(
        vote_id=0,
        request_id="ls-6a0e3c5e-1111-4222-8333-944444444444",
        clip_id="c1",
        annotator_id="label-studio-3",
        purpose="vote",
        revision=1,
        emotion="Sad",
        flag=None,
        reason=None,
        confidence_step=3,
        confidence_steps=5,
        shown_at=at - 7500,
        answered_at=at,
        received_at=at,
        play_count=0,
        speed=100,
        audio_on=False,
    )


@pytest.mark.parametrize(
    ("changed", "stands"),
    [
        (annotation("Angry"), ("Anger", None, 3)),
        (annotation("Cannot tell", None), (None, "cannot_tell", None)),
        (annotation("cannot_tell", 2), (None, "cannot_tell", None)),
        (annotation(completed_by={"id": 4, "email": "ann@lab.org"}), ("Sad", None, 3)),
        (annotation(unique_id=None), ("Sad", None, 3)),
    ],
)
def test_what_annotations_may_look_like(
    changed: dict[str, Any], stands: tuple[object, ...], tmp_path: Path
) -> None:
    [found] = read_tasks(tmp_path, {"data": {"clip_id": "c1"}, "annotations": [changed]})
    assert found.vote is not None, found.problem
    assert (found.vote.emotion, found.vote.flag, found.vote.confidence_step) == stands


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"was_cancelled": True}, "skipped"),
        ({"completed_by": None}, "who made it"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"result": []}, "one choice"),
        ({"result": None}, "a result"),
        (annotation("Joy"), "one choice"),
        (annotation("Sad", None), "confidence"),
        (annotation("Sad", 6), "1 to 5"),
        (annotation("Broken clip", None), "a reason"),
        ({"lead_time": -1}, "shown_at"),
    ],
)
def test_annotations_that_are_no_votes(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    task = {"data": {"clip_id": "c1"}, "annotations": [annotation(), annotation() | changes]}
    good, bad = read_tasks(tmp_path, task)
    assert good.vote is not None
    assert (bad.vote, bad.place) == (None, "task 1, annotation 2")
    assert said in bad.problem


def test_tasks_that_are_none(tmp_path: Path) -> None:
    found = read_tasks(
        tmp_path,
        7,
        {"data": {}},
        {"data": {"video": "unknown.mp4"}, "annotations": [annotation()]},
        {"data": {"video": "unknown.mp4"}, "annotations": [3]},
    )
    assert [e.place for e in found] == [
        "task 1", "task 2", "task 3, annotation 1", "task 4, annotation 1",
    ]  # fmt: skip
    assert "names no clip" in found[2].problem


def test_what_was_changed_in_label_studio_is_its_authors(tmp_path: Path) -> None:
    file = tmp_path / "project.json"
    with file.open("wb") as opened:
        write_label_studio(opened, [vote("c1", "ann", "Sad")], {"c1": "c1.mp4"})
    [task] = json.loads(file.read_text())
    kept = task["annotations"][0]
    assert set(kept) == {"result", "lead_time", "ground_truth", "was_cancelled"}
    kept |= {"completed_by": 9, "created_at": "2024-05-01T10:00:00Z", "id": 1}
    [same] = read_tasks(tmp_path, task)
    assert same.vote is not None
    assert same.vote.annotator_id == "ann"
    kept["result"][0]["value"]["choices"] = ["Fear"]
    [changed] = read_tasks(tmp_path, task)
    assert changed.vote is not None
    assert (changed.vote.annotator_id, changed.vote.emotion) == ("label-studio-9", "Fear")
    assert changed.vote.request_id != same.vote.request_id


def test_the_labeling_interface_has_what_the_annotations_name(tmp_path: Path) -> None:
    file = tmp_path / "project.json"
    votes = [vote("c1", "ann"), vote("c1", "bob", "broken"), vote("c1", "cy", "cannot_tell")]
    with file.open("wb") as opened:
        write_label_studio(opened, votes, {"c1": "c1.mp4"})
    interface = ElementTree.fromstring(labeling_config(5))
    tags = {tag.get("name"): tag for tag in interface.iter() if tag.get("name")}
    choices = {choice.get("value") for choice in interface.iter("Choice")}
    [task] = json.loads(file.read_text())
    assert tags["clip"].get("value") == "$video"
    assert task["data"]["video"] == "c1.mp4"
    for made in task["annotations"]:
        for result in made["result"]:
            tag = tags[result["from_name"]]
            assert tag.tag.lower() == result["type"]
            assert tag.get("toName") == result["to_name"]
            assert set(result["value"].get("choices", ())) <= choices
            assert result["value"].get("rating", 1) <= int(tag.get("maxRating", 1))

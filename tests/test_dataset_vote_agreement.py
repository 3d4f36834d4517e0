"""Agreement from counts of votes: by hand, by an independent library, and on real votes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.annotation.consensus import paper_rule
from caer_build.dataset.reading.vote_tables import read_votes
from caer_build.dataset.reading.votes import VoteCounts, counted
from caer_build.dataset.vote_agreement import agreement, agreement_by_part
from caer_build.errors import DatasetError
from caer_build.records import CountedVote
from tests.building import caer

NAMES = ("Happy", "Sad", "unknown")


def counts(*rows: tuple[int, ...], parts: tuple[str, ...] | None = None) -> VoteCounts:
    ids = tuple(f"i{k}" for k in range(len(rows)))
    table = np.array(rows, np.int64).reshape(len(rows), len(NAMES))
    return VoteCounts(ids, NAMES, table, frozenset({"unknown"}), parts)


def test_by_hand() -> None:
    """Two items of four votes, one of which names nothing.

    Alpha of the seven named votes, 4 Happy and 3 Sad: pairs within items that differ, over votes
    less one: i0 3 Happy, 1 Sad: 6 ordered pairs / 3 = 2; i1 1 Happy, 2 Sad: 4 / 2 = 2. By chance
    2 * 4 * 3 = 24 ordered pairs / 6 = 4. Alpha 1 - 4 / 4 = 0.

    Kappa of all eight, 4, 3 and 1: i0 agrees in 6 of 12 ordered pairs, i1 in 2 of 12, mean 1/3; by
    chance (16 + 9 + 1) / 64 = 13/32; kappa (1/3 - 13/32) / (19/32) = -7/57.
    """
    found = agreement(counts((3, 1, 0), (1, 2, 1)), resamples=20)
    assert (found.n_items, found.n_votes, found.fewest, found.most) == (2, 8, 4, 4)
    assert found.alpha.value == pytest.approx(0.0)
    assert found.kappa.value == pytest.approx(-7 / 57)
    assert found.shares == {"Happy": 0.5, "Sad": 0.375, "unknown": 0.125}
    # Two of four is no majority.
    assert found.labels == {"Happy": 1, "Sad": 0}
    assert (found.n_labelled, found.n_plurality) == (1, 2)


def test_ties_flags_and_items_without_votes() -> None:
    found = agreement(counts((2, 2, 0), (1, 0, 3), (0, 0, 0), (0, 0, 4)), resamples=20)
    assert (found.n_items, found.n_labelled, found.n_plurality) == (3, 0, 1)
    nothing = agreement(counts(), resamples=20)
    assert (nothing.n_items, nothing.fewest, nothing.most) == (0, 0, 0)
    assert nothing.alpha.value is None


def test_by_part() -> None:
    votes = counts((3, 0, 0), (0, 3, 0), (2, 1, 0), parts=("train", "test", "train"))
    found = agreement_by_part(votes, resamples=20)
    assert {name: row.n_items for name, row in found.items()} == {"all": 3, "test": 1, "train": 2}
    assert found["train"].labels == {"Happy": 2, "Sad": 0}
    assert list(agreement_by_part(counts((1, 1, 0), parts=("train",)), resamples=20)) == ["all"]


def test_single_answers_are_counted() -> None:
    votes = counted([("b", "Sad"), ("a", "Sad"), ("b", "Happy"), ("b", "Sad")], NAMES)
    assert (votes.item_ids, votes.table.tolist()) == (("a", "b"), [[0, 1, 0], [1, 2, 0]])
    assert counted([], NAMES).table.shape == (0, 3)


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12))
def test_the_labels_are_those_of_the_papers_rule(rows: list[tuple[int, ...]]) -> None:
    """Confidences are not in counts: all are sure."""
    found = agreement(counts(*rows), resamples=2)
    labels: Counter[str | None] = Counter()
    for row in rows:
        answers = [
            CountedVote("i", f"p{k}", "vote", None if name == "unknown" else name,
                        "cannot_tell" if name == "unknown" else None, 1, 2)
            for name, n in zip(NAMES, row, strict=True) for k in range(n)
        ]  # fmt: skip
        if answers:
            labels[paper_rule(answers, needed=1).emotion] += 1
    assert {e: n for e, n in found.labels.items() if n} == {e: n for e, n in labels.items() if e}


def test_cremad(data: Path) -> None:
    table = data / "votes" / "cremad_tabulated_votes.csv"
    votes = read_votes(table)
    assert votes.categories == ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad")
    assert len(votes.item_ids) == len(set(votes.item_ids)) == 3 * 7442
    first = dict(zip(votes.categories, votes.table[0].tolist(), strict=True))
    assert (votes.item_ids[0], first["Neutral"], first["Happy"]) == ("voice/1001_IEO_NEU_XX", 10, 1)
    found = agreement_by_part(votes, resamples=20)
    assert list(found) == ["all", "both", "face", "voice"]
    independent = krippendorff.alpha(value_counts=votes.table, level_of_measurement="nominal")
    assert found["all"].alpha.value == pytest.approx(independent)
    assert found["all"].alpha.value == pytest.approx(0.4255, abs=0.0001)
    # Who sees and hears agrees most.
    assert [round(float(found[p].alpha.value or 0), 3) for p in ("both", "face", "voice")] == [
        0.497, 0.458, 0.281,
    ]  # fmt: skip
    # The table says itself what most chose, and with which share of the votes; "A:D" is a tie.
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert found["all"].n_plurality == sum(":" not in row["emoVote"] for row in rows)
    by_hand = sum(float(row["agreement"]) > 0.5 for row in rows)
    assert found["all"].n_labelled == by_hand


def test_ferplus(data: Path) -> None:
    votes = read_votes(data / "votes" / "ferplus_votes.csv")
    assert len(votes.item_ids) == 35887
    found = agreement(votes.part("PublicTest"), resamples=20)
    assert (found.n_items, found.n_votes) == (3589, 35890)
    table = votes.part("PublicTest").table
    named = table[:, :8][table[:, :8].sum(axis=1) >= 2]
    alpha = krippendorff.alpha(value_counts=named, level_of_measurement="nominal")
    assert found.alpha.value == pytest.approx(alpha)
    assert found.alpha.value == pytest.approx(0.599, abs=0.0005)
    alpha = krippendorff.alpha(value_counts=table, level_of_measurement="nominal")
    assert found.alpha_all.value == pytest.approx(alpha)
    # With ten votes for each item, Fleiss' kappa by its definition.
    observed = ((table * (table - 1)).sum(axis=1) / 90).mean()
    by_chance = ((table.sum(axis=0) / table.sum()) ** 2).sum()
    assert found.kappa.value == pytest.approx((observed - by_chance) / (1 - by_chance))


def test_the_command(tmp_path: Path) -> None:
    header = '"","A","D","F","H","N","S","fileName","numResponses"\n'
    table = tmp_path / "votes.csv"
    table.write_text(header + '"100001",0,0,0,1,3,0,"a",4\n"200001",0,0,0,4,0,0,"a",4\n')
    found = json.loads(caer("agreement", table, "--json").stdout)
    assert found["all"]["n_votes"] == 8
    assert found["voice"]["labels"]["Neutral"] == found["face"]["labels"]["Happy"] == 1
    assert found["all"]["alpha"]["value"] is not None
    said = caer("agreement", table).stdout
    assert "100.0 %" in said
    assert "37.5 %" in said
    refused = caer("agreement", tmp_path, check=False)
    assert (refused.returncode, "Expected a data set" in refused.stderr) == (1, True)


def test_tables_without_votes(tmp_path: Path) -> None:
    other, wrong = tmp_path / "other.csv", tmp_path / "wrong.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="other columns"):
        read_votes(other)
    wrong.write_text(',A,D,F,H,N,S,fileName,numResponses\n900001,0,0,0,1,3,0,"a",4\n')
    with pytest.raises(DatasetError, match="begin with 1, 2 or 3"):
        read_votes(wrong)
    (tmp_path / "train" / "Sad").mkdir(parents=True)
    (tmp_path / "train" / "Sad" / "1.png").touch()
    with pytest.raises(DatasetError, match="data set with votes"):
        read_votes(tmp_path)

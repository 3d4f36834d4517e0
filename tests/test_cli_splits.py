"""What ``caer split`` says: every way that was tried, and why one was taken."""

from __future__ import annotations

import json
from pathlib import Path

from caer_build.records import SplitAssignment
from caer_build.tables import facts_of
from tests.building import caer
from tests.toy_labels import labelled_toy

ROWS = (
    "show │ 100.0% │ 0.0% │ 0.0% │ 0 │ not taken: train has 100.0% of the clips instead of 70.0%: "
    "there is only one show",
    "person │ 70.0% │ 10.0% │ 20.0% │ 0 │ taken: the strictest that meets the ratio",
    "clip │ 70.0% │ 10.0% │ 20.0% │ 0 │ not taken: meets the ratio, and is less strict",
)


def in_one_line(table: str) -> str:
    """The rows of a table whose cells are wrapped, each in a line."""
    rows: list[list[str]] = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("│")]
        if cells[0] or not rows or len(cells) != len(rows[-1]):
            rows.append(cells)
        else:
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells, strict=True)]
    return "\n".join(" │ ".join(row) for row in rows)


def test_each_way_has_a_row_that_says_why(tmp_path: Path) -> None:
    workspace = labelled_toy(tmp_path / "work", ["aaaabbbccd", "aaabbbbeef"])
    said = in_one_line(caer("split", workspace.root).stdout)
    for row in ROWS:
        assert row in said, said
    assert "Split by person" in said
    assert "split ┃ persons ┃ clips ┃ share" in " ".join(said.split())
    assert "Note" not in said
    facts = facts_of(workspace, SplitAssignment)
    again = json.loads(caer("split", workspace.root, "--json").stdout)
    assert again["tried"] == facts["tried"]
    assert [way["by"] for way in again["tried"] if way["taken"]] == ["person"]
    # Added clips are split the way that was chosen: how it was is still told.
    assert ROWS[1] in in_one_line(caer("split", workspace.root).stdout)
    assert caer("split", workspace.root, "--by", "person", "--anew", "--json").stdout != ""
    assert facts_of(workspace, SplitAssignment)["tried"] == []


def test_people_are_never_shared_in_silence(tmp_path: Path) -> None:
    work = labelled_toy(tmp_path / "work", ["aabb"] * 10).root
    said = caer("split", work).stdout
    assert "Split by episode" in said
    assert "not taken: validation has 50.0% of the clips instead of 10.0%" in in_one_line(said)
    assert "there are 2 persons, and a alone has 50.0%" in in_one_line(said)
    spoken = " ".join(said.split())
    assert "the same people are in train and test" in spoken
    assert "`caer export` refuses that unless you say --allow-leaks" in spoken
    assert "--by person --anew" in spoken
    by_clip = " ".join(caer("split", work, "--by", "clip", "--anew").stdout.split())
    assert "groups of clips that share frames ┃ clips" in by_clip
    assert "the same people are in train and test" in by_clip


def test_the_help_promises_what_is_kept() -> None:
    said = " ".join(caer("split", "--help").stdout.replace("│", " ").split())
    assert "so that nobody is in two splits" not in said
    assert "nobody who has clips in one split is seen in another" in said
    assert "by episode and by clip people are shared" in said

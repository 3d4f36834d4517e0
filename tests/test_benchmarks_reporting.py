"""The tables of the benchmarks' README are those of the result files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import reporting
from benchmarks.reporting import Row


def test_the_readme_has_the_tables_of_the_results() -> None:
    assert reporting.tables() in reporting.README.read_text()


@pytest.mark.parametrize("file", sorted(reporting.RESULTS.glob("*.json")), ids=lambda f: f.stem)
def test_results_have_their_form(file: Path) -> None:
    document = json.loads(file.read_text())
    assert document["name"] == file.stem
    name = file.stem.removesuffix("-reduced")
    assert f"python -m benchmarks {name}" in document["command"]
    assert ("--reduced" in document["command"]) == file.stem.endswith("-reduced")
    keys = {"name", "date", "revision", "machine", "versions", "protocol", "command", "rows"}
    assert document.keys() == keys
    for row in document["rows"]:
        assert row.keys() == {"set", "system", "metric", "value", "unit"}
        if not row["unit"]:
            assert 0 <= row["value"] <= 1 or row["metric"] == "decoded_ratio"


def test_a_written_result_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)
    rows = [Row("lobby", "ours", "f1", 0.951234567), Row("lobby", "ours", "seconds", 1234.5, "s")]
    path = reporting.write("shots", "A  protocol\nof two lines.", rows)
    document = json.loads(path.read_text())
    assert document["protocol"] == "A protocol of two lines."
    assert [r["value"] for r in document["rows"]] == [0.95123, 1234.5]
    table = reporting.tables()
    assert "| lobby | ours | 0.951 | 1,234.5 |" in table
    assert "seconds (s)" in table


def test_a_reduced_run_has_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)
    rows = [Row("small", "face", "accuracy", 0.5)]
    options = {"reduced": True, "only": ["face", "both, no attention"]}
    path = reporting.write("controlled", "P.", rows, options)
    assert path.name == "controlled-reduced.json"
    document = json.loads(path.read_text())
    assert document["name"] == "controlled-reduced"
    assert document["command"] == (
        "python -m benchmarks controlled --reduced --only face --only 'both, no attention'"
    )

"""The tables of the benchmarks' README are those of the result files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import reporting
from benchmarks.reporting import Failure, Row, attempted


def test_the_readme_has_the_tables_of_the_results() -> None:
    assert reporting.tables() in reporting.README.read_text()


@pytest.mark.parametrize("file", sorted(reporting.RESULTS.glob("*.json")), ids=lambda f: f.stem)
def test_results_have_their_form(file: Path) -> None:
    document = json.loads(file.read_text())
    assert document["name"] == file.stem
    name = document["command"].split("python -m benchmarks ")[1].split()[0]
    assert file.stem.removesuffix("-reduced").split("-")[0] == name
    assert ("--reduced" in document["command"]) == file.stem.endswith("-reduced")
    keys = {"name", "date", "revision", "machine", "versions", "protocol", "command", "rows"}
    assert document.keys() - {"failures"} == keys
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


def test_what_fails_takes_nothing_else_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)

    def halfway() -> Iterator[Row]:
        yield Row("gpu", "ours", "clips_per_s", 7.0, "clips/s")
        raise RuntimeError("CUDA out of memory.\nTried to allocate 9 GB.")

    def rows() -> Iterator[Row | Failure]:
        yield from attempted("caer-net: at 256", halfway)
        yield Row("gpu", "plain", "clips_per_s", 3.0, "clips/s")

    document = json.loads(reporting.write("training", "P.", rows()).read_text())
    assert [r["value"] for r in document["rows"]] == [7.0, 3.0]
    assert document["failures"] == [
        {"what": "caer-net: at 256", "error": "RuntimeError: CUDA out of memory."}
    ]
    assert "Not measured: caer-net: at 256 (RuntimeError: CUDA out of memory.)." in (
        reporting.tables()
    )

    def unforeseen() -> Iterator[Row]:
        raise ZeroDivisionError
        yield

    with pytest.raises(ZeroDivisionError):
        list(attempted("a fault of the program", unforeseen))


def test_a_gpu_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured on the CPU stays as it was."""
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)
    names = {"cuda": "NVIDIA H200", "cuda:1": "NVIDIA A100-SXM4-80GB"}
    monkeypatch.setattr(reporting, "_gpu", lambda device: names[device])
    assert [reporting.name_of(d) for d in names] == ["h200", "a100-sxm4-80gb"]
    assert reporting.name_of("cpu") == f"cpu-{os.cpu_count()}"
    rows = [Row("cpu-2", "ours", "clips_per_s", 1.0, "clips/s")]
    before = reporting.write("training", "P.", rows, {}, "cpu").read_bytes()
    path = reporting.write("training", "P.", [replace(rows[0], set="h200")], {}, "cuda")
    assert path.name == "training-h200.json"
    assert "NVIDIA H200" in json.loads(path.read_text())["machine"]
    assert (tmp_path / "training.json").read_bytes() == before
    reduced = reporting.write("ferplus", "P.", rows, {"reduced": True}, "cuda")
    assert reduced.name == "ferplus-h200-reduced.json"


def test_cells_that_are_run_apart_stand_beside_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the same revision measures them on the same machine."""
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)

    def run(cell: str, *rows: Row | Failure) -> dict[str, Any]:
        path = reporting.write("training", "P.", rows, {"only": [cell]})
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    clips = Row("gpu", "ours", "clips_per_s", 1.0, "clips/s")
    run("a", clips, Failure("a: at 9", "no memory"), Failure("c: at 9", "no memory"))
    both = run("b", Row("gpu", "ours", "images_per_s", 2.0, "images/s"))
    assert [r["metric"] for r in both["rows"]] == ["clips_per_s", "images_per_s"]
    assert both["command"].count("python -m benchmarks training --only") == 2
    assert len(both["failures"]) == 2
    again = run("a", replace(clips, value=3.0))
    assert {r["metric"]: r["value"] for r in again["rows"]} == {
        "clips_per_s": 3.0, "images_per_s": 2.0,
    }  # fmt: skip
    assert [f["what"] for f in again["failures"]] == ["c: at 9"]
    monkeypatch.setattr(reporting, "_revision", lambda: "another")
    assert len(run("b", clips)["rows"]) == 1


def test_many_metrics_stand_below_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)
    rows = [Row("gpu", s, f"m{k}", k / 100, "") for s in ("ours", "plain") for k in range(31)]
    reporting.write("training", "P.", rows)
    table = reporting.tables()
    assert "| gpu | ours | plain |" in table
    assert "| --- | ---: | ---: |" in table
    assert "| m7 | 0.070 | 0.070 |" in table


def test_systems_of_which_other_things_are_told_have_a_table_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "RESULTS", tmp_path)
    accuracies = [
        Row("world", system, metric, 0.5)
        for system in ("face", "both")
        for metric in ("accuracy", "accuracy.low")
    ]
    rows = [
        *accuracies, Row("world", "both", "rate", 0.0003, "lr"),
        Row("world", "both - face", "difference", 3.25, "points"),
    ]  # fmt: skip
    reporting.write("controlled", "P.", rows)
    first, second = reporting.tables().split("\n\n")[3:5]
    assert "| set | system | accuracy | accuracy.low | rate (lr) |" in first
    assert "| world | both | 0.500 | 0.500 | 0.0003 |" in first
    assert "both - face" not in first
    assert second.split("\n")[0] == "| set | system | difference (points) |"

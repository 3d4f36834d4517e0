"""A table as files: Markdown to read, CSV to go on with, JSON with every seed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.caernet.tables import CellResult
from caer_build.store import write_atomically, write_json

_COLUMNS = (
    "method", "ours_mean", "ours_sd", "paper", "difference", "macro_f1", "uar", "seeds", "items",
    "note",
)  # fmt: skip
Shares = npt.NDArray[np.float64]


def write_table(
    out: Path, table: int, results: Sequence[CellResult], about: Mapping[str, Any]
) -> list[Path]:
    """Write ``table<n>.md``, ``.csv`` and ``.json``; the files.

    Args:
        results: the rows so far.
        about: how the cells were run: name -> plain value.
    """
    files = [out / f"table{table}.{suffix}" for suffix in ("md", "csv", "json")]
    write_atomically(files[0], markdown(table, results, about).encode())
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_line(result) for result in results)
    write_atomically(files[1], lines.getvalue().encode())
    write_json(
        files[2], {"table": table, "about": dict(about), "rows": [_facts(r) for r in results]}
    )
    return files


def markdown(table: int, results: Sequence[CellResult], about: Mapping[str, Any]) -> str:
    """The table with the paper's column beside ours, percent."""
    lines = [
        f"# Table {table}",
        "",
        "; ".join(f"{name}: {value}" for name, value in about.items() if value != ""),
        "",
        "Accuracy on the test split, percent, mean and standard deviation over seeds (of one seed "
        "there is none). The paper does not say of how many runs its figures are; they compare "
        "only where this is its data.",
        "",
        "| method | ours | paper | difference | macro-F1 | UAR | seeds | items | note |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for result in results:
        cells = dict(zip(_COLUMNS, _line(result), strict=True))
        ours = cells["ours_mean"]
        if ours and cells["ours_sd"]:
            ours = f"{ours} ± {cells['ours_sd']}"
        shown = [cells[name] for name in _COLUMNS[3:]]
        lines.append(f"| {' | '.join([cells['method'], ours, *shown])} |")
    return "\n".join([*lines, ""])


def _line(result: CellResult) -> list[str]:
    row = result.row
    paper = "" if row.published is None else f"{row.published:.2f}"
    if result.confusions is None:
        note = "; ".join(part for part in (f"not run: {result.reason}", row.note) if part)
        return [row.name, "", "", paper, "", "", "", "", "", note]
    mean = 100 * result.accuracies.mean()
    away = "" if row.published is None else f"{mean - row.published:+.2f}"
    return [
        row.name, f"{mean:.2f}", _deviation(result.accuracies), paper, away,
        f"{100 * result.macro_f1s.mean():.2f}", f"{100 * result.mean_recalls.mean():.2f}",
        str(len(result.accuracies)), str(result.n_items), row.note,
    ]  # fmt: skip


def _deviation(shares: Shares) -> str:
    """Of the seeds; of one there is none."""
    return "" if len(shares) < 2 else f"{100 * shares.std(ddof=1):.2f}"


def _facts(result: CellResult) -> dict[str, Any]:
    row, was_run = result.row, result.confusions is not None
    return {
        "method": row.name,
        "model": row.model,
        "paper": row.published,
        "accuracy": result.accuracies.tolist(),
        "macro_f1": result.macro_f1s.tolist(),
        "uar": result.mean_recalls.tolist(),
        "confusions": result.confusions.tolist() if result.confusions is not None else None,
        "items": result.n_items,
        "not_run": "" if was_run else result.reason,
        "note": row.note,
    }

"""A table as files: Markdown to read, CSV to go on with, JSON with every seed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.caernet.attending import Looking
from caer_build.caernet.bootstrap import Interval
from caer_build.caernet.table_attention import Difference
from caer_build.caernet.tables import CellResult
from caer_build.store import write_atomically, write_json

_COLUMNS = (
    "method", "ours_mean", "ours_sd", "paper", "difference", "macro_f1", "uar", "seeds", "items",
    "note",
)  # fmt: skip
_ON_FACE = ("on_face", "on_face_low", "on_face_high", "on_face_if_even")
Shares = npt.NDArray[np.float64]


def write_table(
    out: Path, table: int, results: Sequence[CellResult], about: Mapping[str, Any],
    differences: Sequence[Difference] = (),
) -> list[Path]:  # fmt: skip
    """Write ``table<n>.md``, ``.csv`` and ``.json``; the files.

    Args:
        results: the rows so far.
        about: how the cells were run: name -> plain value.
        differences: of rows that a figure sets side by side.
    """
    files = [out / f"table{table}.{suffix}" for suffix in ("md", "csv", "json")]
    write_atomically(files[0], markdown(table, results, about, differences).encode())
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([*_COLUMNS, *_ON_FACE])
    writer.writerows([*_line(result), *_on_face(result)] for result in results)
    write_atomically(files[1], lines.getvalue().encode())
    facts = {
        "table": table,
        "about": dict(about),
        "rows": [_facts(r) for r in results],
        "differences_on_face": [difference.described() for difference in differences],
    }
    write_json(files[2], facts)
    return files


def markdown(
    table: int, results: Sequence[CellResult], about: Mapping[str, Any],
    differences: Sequence[Difference] = (),
) -> str:  # fmt: skip
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
    return "\n".join([*lines, *_looking(results, differences), ""])


def _looking(results: Sequence[CellResult], differences: Sequence[Difference]) -> Iterator[str]:
    """A second table, of figures 8 and 10; nothing where nothing was measured."""
    looking = {r.row.name: r.looking for r in results if r.looking is not None}
    if not looking:
        return
    first = next(iter(looking.values()))
    yield from (
        "",
        "## Attention on the target's face",
        "",
        "Percent of all of a network's attention (of a baseline: Grad-CAM of what it says), mean "
        "over seeds and over the test items in which the target has a face; 95 % intervals "
        f"resample {first.on_face.n_clusters} clusters ({first.on_face.level}). If even: what a "
        "network would leave there that looks everywhere alike. The paper draws this and gives no "
        "number.",
        "",
        "| network | by | on the face | 95 % interval | if even | seeds | items |",
        "| --- | --- | ---: | :---: | ---: | ---: | ---: |",
    )  # fmt: skip
    for name, row in looking.items():
        on_face, low, high, even = _percent(row)
        between = f"{low} to {high}" if low else row.on_face.why
        yield (
            f"| {name} | {row.by} | {on_face} | {between} | {even} | {row.n_seeds} "
            f"| {row.on_face.n} |"
        )
    for found in differences:
        name = f"{found.pair.one} less {found.pair.other}"
        value, low, high = (_points(v) for v in _numbers(found.on_face))
        between = f"{low} to {high}" if low else found.on_face.why
        yield f"| {name} | | {value} | {between} | | | {found.on_face.n} |"


def _numbers(interval: Interval) -> tuple[float | None, float | None, float | None]:
    return interval.value, interval.low, interval.high


def _points(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.2f}"


def _percent(looking: Looking) -> list[str]:
    """On the face, its interval, and if even."""
    shares = (*_numbers(looking.on_face), looking.even.value)
    return ["" if share is None else f"{100 * share:.2f}" for share in shares]


def _on_face(result: CellResult) -> list[str]:
    return [""] * len(_ON_FACE) if result.looking is None else _percent(result.looking)


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
        "looking": None if result.looking is None else result.looking.described(),
        "not_run": "" if was_run else result.reason,
        "note": row.note,
    }

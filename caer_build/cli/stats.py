"""``caer stats``: what is in a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson

if TYPE_CHECKING:
    from caer_build.dataset.figures import Figures


def add_to(app: typer.Typer) -> None:
    app.command("stats")(stats)


def stats(
    dataset: Annotated[
        Path, typer.Argument(help="A data set: ours in any format, or anybody's folder.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Also write an HTML file with figures."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count a data set: categories, splits, lengths, agreement, persons.

    Example: [bold]caer stats CAER -o stats.html[/bold]

    The HTML file shows it: bars, histograms, what is confused, and a picture of every emotion
    and split.
    """
    from caer_build.dataset.figures import figures, for_programs
    from caer_build.dataset.reading import read_dataset
    from caer_build.report.dataset_report import write_dataset_report

    found = figures(read_dataset(dataset))
    written = None if out is None else write_dataset_report(found, out)
    if as_json:
        typer.echo(json.dumps(for_programs(found), indent=1))
        return
    _print(found)
    if written is not None:
        typer.echo(f"\nReport: {written}")


def _print(f: Figures) -> None:
    from rich.console import Console
    from rich.table import Table

    from caer_build.dataset.statistics import Spread, agreeing, percent
    from caer_build.dataset.voting import mixed_up
    from caer_build.report.dataset_report import say_estimate

    console = Console(highlight=False)
    table = Table(title=f"{f.dataset.root} ({f.dataset.layout})", title_justify="left",
                  show_edge=False, pad_edge=False)  # fmt: skip
    table.add_column("category")
    for column in (f"{f.kind}s", "%", "frames", *f.splits):
        table.add_column(column, justify="right")
    counts = [row.of_kind(f.kind) for row in f.categories]
    whole = sum(sum(of_one.values()) for of_one in counts)
    for row, of_one in zip(f.categories, counts, strict=True):
        frames = "-" if f.kind == "still" or row.n_frames is None else f"{row.n_frames:,}"
        n = sum(of_one.values())
        parts = (f"{of_one.get(split, 0):,}" for split in f.splits)
        table.add_row(row.emotion, f"{n:,}", percent(n, whole), frames, *parts)
    console.print(table)
    for name, values, form in (
        ("frames a clip", f.values("n_frames") if f.kind == "clip" else [], ".1f"),
        ("mean confidence", f.values("mean_confidence"), ".2f"),
        ("height of the target's face, px", f.faces.heights_px, ".0f"),
    ):
        spread = Spread.of(values)
        if spread is not None:
            ends = f"{format(spread.low, form)} to {format(spread.high, form)}"
            console.print(f"{name}: mean {format(spread.mean, form)}, {ends}")
    told = [f"{count:,} with {n} of {of}" for (n, of), count in
            sorted(agreeing(f.items).items(), reverse=True)]  # fmt: skip
    if told:
        console.print(f"answers that agree: {', '.join(told)}")
        console.print(f"alpha: {say_estimate(f.alpha)}")
    pairs = mixed_up(f.voted.table, f.voted.categories)[:3]
    if pairs:
        confused = ", ".join(f"{a} and {b} {n:,}" for a, b, n in pairs)
        console.print(f"said of one clip: {confused} times")
    for name, n_shared in f.shared.items():
        if n_shared:
            console.print(f"[yellow]Note:[/yellow] {n_shared:,} {name} are in several splits.")
    for note in f.dataset.notes:
        console.print(f"[yellow]Note:[/yellow] {note}", markup=True)

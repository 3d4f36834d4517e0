"""``caer agreement``: how far people agree in a data set's votes, ours or others'."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson

if TYPE_CHECKING:
    from caer_build.annotation.estimates import Estimate
    from caer_build.dataset.vote_agreement import Agreement


def add_to(app: typer.Typer) -> None:
    app.command("agreement")(agreement)


def agreement(
    votes: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET|TABLE",
            help="A data set with votes (ours, FER+), or a CSV table of FER+ or CREMA-D.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """How far the people agree whose votes a data set holds; nobody needs to be known.

    Example: [bold]caer agreement tabulatedVotes.csv[/bold]

    Alpha and kappa are 1 for full agreement and 0 for what chance gives.
    """
    from caer_build.dataset.reading.vote_tables import read_votes
    from caer_build.dataset.vote_agreement import agreement_by_part

    found = agreement_by_part(read_votes(votes))
    if as_json:
        told = {name: asdict(row) | {"n_labelled": row.n_labelled} for name, row in found.items()}
        typer.echo(json.dumps(told, indent=1))
    else:
        _print(found)


def _print(found: Mapping[str, Agreement]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for figures in zip(*(_column(row) for row in found.values()), strict=True):
        table.add_row(figures[0][0], *(value for _, value in figures))
    shares = Table(show_edge=False, pad_edge=False)
    shares.add_column("category")
    for column in ("of the votes", "majority"):
        shares.add_column(column, justify="right")
    whole = found["all"]
    for category, share in whole.shares.items():
        labels = str(whole.labels[category]) if category in whole.labels else "-"
        shares.add_row(category, f"{100 * share:.1f} %", labels)
    console = Console(highlight=False)
    console.print(table)
    console.print()
    console.print(shares)
    console.print(
        "\nalpha: Krippendorff's, of the votes that name an emotion; with flags: of all votes, "
        "what is no emotion being a category too. kappa: Fleiss', of all votes. A majority is more "
        "than half of an item's votes (the paper's rule)."
    )


def _column(row: Agreement) -> list[tuple[str, str]]:
    return [
        ("items", str(row.n_items)),
        ("votes", str(row.n_votes)),
        ("votes an item", _range(str(row.fewest), str(row.most))),
        ("alpha", _figure(row.alpha)),
        ("  95 %", _interval(row.alpha)),
        ("alpha, with flags", _figure(row.alpha_all)),
        ("  95 %", _interval(row.alpha_all)),
        ("kappa, with flags", _figure(row.kappa)),
        ("  95 %", _interval(row.kappa)),
        ("items with a majority", _percent(row.n_labelled, row.n_items)),
        ("  with one most chosen", _percent(row.n_plurality, row.n_items)),
    ]


def _figure(estimate: Estimate) -> str:
    return "-" if estimate.value is None else f"{estimate.value:.3f}"


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "-"
    return _range(f"{estimate.low:.3f}", f"{estimate.high:.3f}")


def _range(low: str, high: str) -> str:
    return high if low == high else f"{low} to {high}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"

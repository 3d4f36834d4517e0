"""``caer audit``: whether a data set leaks, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson
from caer_build.cli.progress import Steps
from caer_build.errors import EXIT_FAILED

if TYPE_CHECKING:
    from caer_build.dataset.auditing.findings import Audit

_COLOURS = {"leak": "bold red", "fault": "yellow", "note": "dim"}


def add_to(app: typer.Typer) -> None:
    app.command("audit")(audit)


def audit(
    dataset: Annotated[
        Path, typer.Argument(help="A data set: ours, the released ones, folders of classes.")
    ],
    boxes: Annotated[
        Path | None, typer.Option("--boxes", help="Lists of face boxes that lie elsewhere.")
    ] = None,
    faces: Annotated[
        bool,
        typer.Option(
            "--faces",
            help="Look for the same faces in two splits, where no ids tell; takes a second a few "
            "items.",
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Files that are read at once.")
    ] = 2,
    as_json: AsJson = False,
) -> None:
    """Look for leaks and faults: the same people, clips or pictures in two splits, broken files.

    Example: [bold]caer audit CAER-S[/bold]

    The exit code is 1 if there are leaks.
    """
    from caer_build.dataset.auditing.auditing import audit as audit_
    from caer_build.dataset.reading import read_dataset

    with Steps() as steps:
        found = audit_(read_dataset(dataset, boxes), workers, steps.tell, faces=faces)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
    else:
        _print(found)
    if found.leaks:
        raise typer.Exit(EXIT_FAILED)


def _print(found: Audit) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from caer_build.records import EMOTIONS

    console = Console(highlight=False)
    table = Table(title=f"{found.n_items} items, {found.layout}", title_justify="left",
                  show_edge=False, pad_edge=False)  # fmt: skip
    table.add_column("split")
    unlabelled = any("none" in of for of in found.counts.values())
    columns = (*EMOTIONS, "none") if unlabelled else EMOTIONS
    for column in columns:
        table.add_column(column, justify="right")
    for split, of in found.counts.items():
        table.add_row(split, *(str(of.get(emotion, 0)) for emotion in columns))
    console.print(table)
    console.print()
    for finding in found.findings:
        colour = _COLOURS[finding.severity]
        console.print(f"[{colour}]{finding.severity:5}[/{colour}] {escape(finding.message)}")
        for example in finding.examples:
            console.print(f"        {escape(example)}", style="dim")
    if not found.leaks:
        console.print("No leak was found.")

"""``caer doctor``: is everything there that a build needs?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.errors import EXIT_FAILED

if TYPE_CHECKING:
    from caer_build.checkup import Finding

_LOOKS = {
    "ok": "[green]ok      [/]",
    "missing": "[red]missing [/]",
    "warning": "[yellow]warning [/]",
    "optional": "[dim]optional[/]",
}


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    work: Annotated[
        Path, typer.Argument(help="Where the workspace is to be; its disk is looked at.")
    ] = Path(),
    recipe: Annotated[
        str, typer.Option(help="caer, quick, paper, or a .toml file of your own.")
    ] = "caer",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What a build finds on this machine, and what is missing; exit code 1 if anything is.

    Example: [bold]caer doctor[/bold]
    """
    from caer_build import checkup

    findings = checkup.examine(recipe, work.absolute())
    lacking = checkup.missing(findings)
    if as_json:
        plain = {"ok": not lacking, "findings": [finding.__dict__ for finding in findings]}
        typer.echo(json.dumps(plain, indent=1))
    else:
        _print(findings)
        typer.echo(
            f"Missing for the recipe {recipe}: {', '.join(f.name for f in lacking)}."
            if lacking
            else f"Everything is there that the recipe {recipe} needs."
        )
    if lacking:
        raise typer.Exit(EXIT_FAILED)


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    topic = ""
    for f in findings:
        if f.topic != topic:
            topic = f.topic
            console.print(f"[bold]{topic}[/bold]")
        console.print(f"  {_LOOKS[f.state]} {f.name}  {escape(f.found)}".rstrip())
        if f.remedy:
            console.print(f"           [dim]->[/dim] {escape(f.remedy)}")

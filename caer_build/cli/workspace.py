"""``caer status|explain|report|verify|clean``: looking at a workspace, and tidying it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from caer_build.errors import EXIT_FAILED

Work = Annotated[Path, typer.Argument(help="The workspace.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_LOOKS = {"done": "[green]done[/]", "stale": "[yellow]stale[/]", "failed": "[red]failed[/]",
          "missing": "[dim]missing[/]"}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command("status")(status)
    app.command("explain")(explain)
    app.command("report")(report)
    app.command("verify")(verify)
    app.command("clean")(clean)


def status(work: Work, as_json: AsJson = False) -> None:
    """Which stage of which episode is done, stale, failed or missing.

    Example: [bold]caer status work[/bold]
    """
    from caer_build import pipeline, sources
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    known = sources.register(workspace).sources
    states = pipeline.status(workspace, known)
    if as_json:
        table: dict[str, dict[str, str]] = {}
        for (name, unit), state in states.items():
            table.setdefault(unit, {})[name] = state
        typer.echo(json.dumps(table, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for scope in ("episode", "show"):
        stages = [s for s in pipeline.STAGES if s.scope == scope]
        grid = Table(show_edge=False, pad_edge=False)
        grid.add_column(scope)
        for stage in stages:
            grid.add_column(stage.name)
        units = sorted({unit for stage, unit in states if stage in {s.name for s in stages}})
        for unit in units:
            row = [states.get((stage.name, unit), "missing") for stage in stages]
            grid.add_row(unit, *(_LOOKS[state] for state in row))
        console.print(grid)
    for (name, unit), state in states.items():
        failure = workspace.failure(name, unit)
        if state == "failed" and failure is not None:
            console.print(
                f"[red]{unit}[/] at {name}: {failure['message']} {failure['remedy']}",
                highlight=False,
            )


def explain(
    work: Work,
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Of an episode, shot, track, clip, person.")
    ],
) -> None:
    """Everything that led to this episode, shot, track, clip or person, in words.

    Example: [bold]caer explain work lobby.s01e02-s000113[/bold]
    """
    from caer_build.report.explanation import explain as say_why
    from caer_build.store import Workspace

    typer.echo(say_why(Workspace.open(work.absolute()), id_))


def report(
    work: Work,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The HTML file [default: WORK/report.html].")
    ] = None,
) -> None:
    """One HTML file to look at: the funnel, timelines, persons, samples, thresholds.

    Example: [bold]caer report work[/bold]
    """
    from caer_build.report.build_report import write_report
    from caer_build.store import Workspace

    typer.echo(write_report(Workspace.open(work.absolute()), out))


def verify(
    work: Work,
    repair: Annotated[
        bool, typer.Option("--repair", help="Delete what is broken; the next build makes it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every file of every result and compare it with its digest.

    Example: [bold]caer verify work[/bold]
    """
    from caer_build import upkeep
    from caer_build.cli.progress import say
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    with workspace.locked(say):
        found = upkeep.verify(workspace, repair)
    if as_json:
        typer.echo(json.dumps({"results": found.n_results, "broken": found.broken}, indent=1))
    else:
        for line in found.broken:
            typer.echo(f"broken: {line}")
        done = " (deleted)" if repair and found.broken else ""
        typer.echo(f"{found.n_results} results read, {len(found.broken)} broken{done}.")
    if found.broken and not repair:
        raise typer.Exit(EXIT_FAILED)


def clean(
    work: Work,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete results of settings that are no longer used; what the last recipe needs stays.

    Example: [bold]caer clean work --dry-run[/bold]
    """
    from caer_build import sources, upkeep
    from caer_build.cli.progress import say
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    with workspace.locked(say):
        n_results, n_bytes = upkeep.clean(workspace, sources.register(workspace).sources, dry_run)
    verb = "Would delete" if dry_run else "Deleted"
    typer.echo(f"{verb} {n_results} results, {n_bytes / 1e6:.1f} MB.")

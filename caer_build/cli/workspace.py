"""``caer status|explain|report|verify|clean``: looking at a workspace, and tidying it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.errors import EXIT_FAILED

if TYPE_CHECKING:
    from caer_build.inspection import Inspection

Work = Annotated[Path, typer.Argument(help="The workspace.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


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
    states, unread = pipeline.status(workspace, known), pipeline.unread(workspace)
    if as_json:
        by_unit: dict[str, dict[str, str]] = {}
        for (name, unit), state in states.items():
            by_unit.setdefault(unit, {})[name] = state
        for failure in unread:
            by_unit.setdefault(failure.unit, {failure.stage: "failed"})
        typer.echo(json.dumps(by_unit, indent=1))
        return
    from rich.console import Console
    from rich.markup import escape

    from caer_build.cli.standing_table import table

    # Lines longer than the terminal go on in the next one; into a file nothing is broken or cut.
    console = Console(highlight=False, soft_wrap=True)
    for scope in ("episode", "show"):
        stages = [s.name for s in pipeline.STAGES if s.scope == scope]
        for line in table(scope, stages, states, console.width if console.is_terminal else None):
            console.print(line)
        console.print()
    kept = [workspace.failure(*at) for at, state in states.items() if state == "failed"]
    failed = [pipeline.Failure(**failure) for failure in kept if failure is not None]
    for failure in (*failed, *unread):
        said = escape(f"{failure.message} {failure.remedy}")
        console.print(f"[red]{escape(failure.unit)}[/] at {failure.stage}: {said}")


def explain(
    place: Annotated[
        Path, typer.Argument(metavar="WORK|DATASET", help="A workspace or a data set.")
    ],
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID|FILE",
            help="Of an episode, shot, track, clip, person; of a data set also a file.",
        ),
    ],
) -> None:
    """Everything that led to this episode, shot, track, clip, person or exported file, in words.

    Example: [bold]caer explain work lobby.s01e02-s000113[/bold]

    Of a data set: where a file comes from, or which files come from an episode or a clip.
    """
    from caer_build.report.explanation import explain as say_why
    from caer_build.report.lineage import explain_item
    from caer_build.store import Workspace, is_workspace

    if is_workspace(place) or not place.is_dir():
        typer.echo(say_why(Workspace.open(place.absolute()), id_))
    else:
        typer.echo(explain_item(place, id_))


def report(
    work: Work,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The HTML file [default: WORK/report.html].")
    ] = None,
) -> None:
    """One HTML file to look at: the funnel, timelines, persons, samples, thresholds.

    Example: [bold]caer report work[/bold]
    """
    from caer_build.cli.progress import say
    from caer_build.report.build_report import write_report
    from caer_build.store import Workspace

    say("Reading the tables and pictures …")
    typer.echo(write_report(Workspace.open(work.absolute()), out))


def verify(
    work: Work,
    repair: Annotated[
        bool, typer.Option("--repair", help="Delete what is broken; the next build makes it again.")
    ] = False,
    clips: Annotated[
        bool,
        typer.Option("--clips", help="Also decode every kept clip again, beside its source."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every file of every result and compare it with its digest.

    Example: [bold]caer verify work[/bold]

    With --clips: are the frames of each clip as many as they should be, are its first and last one
    those of the span in its source, shown when they should be, and is its sound as long?
    """
    from caer_build import inspection, upkeep
    from caer_build.cli.progress import Steps, say
    from caer_build.store import Workspace
    from caer_build.summary import count_of

    workspace = Workspace.open(work.absolute())
    say("Reading every file of every result …")
    # Looking needs no lock, and so no leave to write.
    with workspace.locked(say) if repair else nullcontext():
        found = upkeep.verify(workspace, repair)
    looked = None
    if clips:
        say("Decoding every kept clip again …")
        with Steps() as steps:
            looked = inspection.inspect(workspace, lambda k, n: steps.tell("clips", k, n))
    if as_json:
        said: dict[str, object] = {"results": found.n_results, "broken": found.broken}
        if looked is not None:
            said |= {"clips": looked.n_clips, "wrong": looked.wrong, "alone": looked.alone}
        typer.echo(json.dumps(said, indent=1))
    else:
        for line in found.broken:
            typer.echo(f"broken: {line}")
        done = " (deleted)" if repair and found.broken else ""
        read = count_of(found.n_results, "results")
        typer.echo(f"{read} read, {len(found.broken)} broken{done}.")
        if looked is not None:
            _say_looked(looked)
    if (found.broken and not repair) or (looked is not None and looked.wrong):
        raise typer.Exit(EXIT_FAILED)


def _say_looked(looked: Inspection) -> None:
    from caer_build.summary import count_of

    for wrong in looked.wrong.values():
        typer.echo(f"wrong: {wrong}")
    typer.echo(f"{count_of(looked.n_clips, 'clips')} decoded, {len(looked.wrong)} wrong.")
    if looked.alone:
        typer.echo(
            f"{len(looked.alone)} of them could not be held against their source: it is not where "
            "it was, or `caer build` has not been run since this version or the recipe changed."
        )


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
    from caer_build.summary import count_of

    workspace = Workspace.open(work.absolute())
    with nullcontext() if dry_run else workspace.locked(say):
        n_results, n_bytes = upkeep.clean(workspace, sources.register(workspace).sources, dry_run)
    verb = "Would delete" if dry_run else "Deleted"
    typer.echo(f"{verb} {count_of(n_results, 'results')}, {n_bytes / 1e6:.1f} MB.")

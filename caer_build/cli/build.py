"""``caer build``: raw episodes to screened clips."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from caer_build.errors import EXIT_FAILED, EXIT_UNFORESEEN

_LABELLING = "annotation"
"""Where a workspace has its labelling project. Named here: what labels need not be installed."""


def add_to(app: typer.Typer) -> None:
    app.command("build")(build)


def default_workers() -> int:
    """One worker for two cores: a unit keeps about two busy."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


def build(
    episodes: Annotated[list[Path], typer.Argument(help="Episodes, or folders of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The workspace, made if new.")],
    recipe: Annotated[
        str, typer.Option(help="caer, quick, paper, or a .toml file of your own.")
    ] = "caer",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="stage.key=value, wins over the recipe; may be repeated."),
    ] = None,
    show: Annotated[
        str | None, typer.Option(help="The show, if the file names do not say.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Stop after this stage; what later ones made of the same stays."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Units worked on at once; cores / 2 if not said.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or ray for many machines.")] = "local",
    max_memory: Annotated[
        float | None,
        typer.Option(min=1, help="GB of memory that each worker may take [default: 4]."),
    ] = None,
    max_time: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="How many times as long as an episode lasts a stage may work on it, beside ten "
            "minutes [default: 20].",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Build clips around single faces out of raw episodes.

    Example: [bold]caer build episodes/ -o work[/bold]

    Stop it whenever you like: the same command goes on where it stopped.
    """
    from caer_build import engines, pipeline, recipes, sources, summary, units
    from caer_build.cli.progress import Bars, say

    memory_bytes = engines.MEMORY_BYTES if max_memory is None else int(max_memory * 1e9)
    times_length = units.TIMES_LENGTH if max_time is None else max_time
    chosen = recipes.load(pipeline.STAGES, recipe, assignments or [])
    pipeline.check(chosen, until)
    found = sources.find_files(episodes)
    if found.passed_over:
        say(
            f"Passed over {len(found.passed_over)} files that are hidden or have no video's suffix."
        )
    if found.workspaces:
        names = ", ".join(sources.printable(str(folder)) for folder in found.workspaces)
        say(f"Passed over workspaces, whose clips are no episodes: {names}.")
    workspace = pipeline.work_folder(out)
    with workspace.locked(say):
        say(f"Reading {summary.count_of(len(found.files), 'files')} ...")
        known = sources.register(workspace, found.files, show)
        for path, episode_id in known.replaced:
            say(
                f"{sources.printable(str(path))} is another file than {episode_id} was made of. "
                f"{episode_id} stays as it was built, and what needs its source fails."
            )
        for path, episode_id in known.removed:
            say(
                f"{sources.printable(str(path))} is {episode_id}, which was removed: passed over. "
                f"`caer episode restore` takes it back."
            )
        for path, episode_id in known.doubles:
            say(f"{sources.printable(str(path))} has the content of {episode_id}: used once.")
        with Bars(pipeline.count_units(known.sources, until)) as bars:
            outcome = pipeline.Build(
                workspace=workspace,
                recipe=chosen,
                register=known,
                engine=engines.load(engine, workers or default_workers(), memory_bytes),
                observer=bars,
                until=until,
                times_length=times_length,
            ).run()
        totals = summary.summarise(workspace, outcome)
    if outcome.purged and (workspace.root / _LABELLING).is_dir():
        totals["warnings"].append(
            "Clips of a deleted person may be among those that are labelled. "
            f"Withdraw them: caer annotate init {out}"
        )
    if as_json:
        typer.echo(json.dumps(totals, indent=1))
    else:
        _print(totals, workspace.root)
    if outcome.failures:
        raise typer.Exit(EXIT_UNFORESEEN if outcome.unforeseen else EXIT_FAILED)


def _print(totals: dict[str, Any], root: Path) -> None:
    from rich.console import Console
    from rich.markup import escape

    from caer_build.cli.progress import command
    from caer_build.summary import count_of, funnel_table

    console = Console(highlight=False, soft_wrap=True)
    console.print(funnel_table(totals))
    for failure in totals["failed"]:
        where = f"[red]{escape(failure['unit'])}[/red] failed at {failure['stage']}"
        console.print(f"{where}: {escape(failure['message'])} {escape(failure['remedy'])}")
    for warning in totals["warnings"]:
        console.print(f"[yellow]Note:[/yellow] {escape(warning)}")
    counts = ", ".join(count_of(totals[what], what) for what in ("episodes", "frames", "persons"))
    console.print(
        f"\n{counts} in {totals['seconds']:.0f} s.\n"
        f"Clips:   {root / 'clips'}\n"
        f"Tables:  {root / 'tables'}\n"
        f"Look:    {command()} report {root}"
    )

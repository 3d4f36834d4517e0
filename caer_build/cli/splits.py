"""``caer split``: labelled clips become train, validation and test."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Work
from caer_build.cli.progress import say

if TYPE_CHECKING:
    from rich.console import Console

    from caer_build.dataset.plans import SplitPlan

_WHOLE = 100
_SHOWN = 20
"""clips left out that are printed"""


def add_to(app: typer.Typer) -> None:
    app.command("split")(split)


def split(
    work: Work,
    by: Annotated[
        str | None,
        typer.Option(
            help="What must not stand in two splits: show, person, episode or clip (frames "
            "alone); auto: the strictest that meets the ratio, else the strictest that leaves no "
            "split empty."
        ),
    ] = None,
    ratio: Annotated[
        str | None, typer.Option(help="Train, validation and test, in percent [70/10/20].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides among equals [0].")] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Forget the split there is; clips may move.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Split the labelled clips into train, validation and test.

    Example: [bold]caer split work --by person --ratio 70/10/20[/bold]

    By show and by person, nobody who has clips in one split is seen in another; by episode and by
    clip people are shared, which `caer export` refuses unless you insist. Clips of episodes that
    were added since the last split join it; those that it has stay where they are. What would
    stand in two splits is left out, listed and counted.
    """
    from caer_build.dataset.grouping import STRICTEST_FIRST
    from caer_build.dataset.splitting import split_workspace
    from caer_build.errors import RecipeError
    from caer_build.store import Workspace

    if by not in (None, "auto", *STRICTEST_FIRST):
        raise RecipeError(
            f"No way to split by {by!r}.", f"There are {', '.join(STRICTEST_FIRST)}, and auto."
        )
    workspace = Workspace.open(work.absolute())
    chosen = next((way for way in STRICTEST_FIRST if way == by), None)
    # A build or labels that are published in between would tear what is read apart.
    with workspace.locked(say):
        plan = split_workspace(workspace, chosen, _shares(ratio), seed, anew=anew)
    if as_json:
        typer.echo(json.dumps(_for_programs(plan), indent=1))
    else:
        _print(plan)
        typer.echo(f"\nSplits: {workspace.tables / 'splits.parquet'}")


def _shares(ratio: str | None) -> list[float] | None:
    from caer_build.errors import RecipeError

    if ratio is None:
        return None
    try:
        parts = [float(part) for part in ratio.split("/")]
    except ValueError as error:
        raise RecipeError(f"Expected --ratio as 70/10/20, found {ratio!r}.") from error
    return [part / _WHOLE for part in parts]


def _for_programs(plan: SplitPlan) -> dict[str, object]:
    return {
        "by": plan.by,
        "shares": plan.shares,
        "groups": plan.n_groups,
        "clips": Counter(row.split for row in plan.assignments if row.split is not None),
        "left_out": {row.clip_id: row.left_out_because for row in plan.left_out},
        "complaints": plan.complaints,
        "tried": [asdict(row) for row in plan.tried],
    }


def _print(plan: SplitPlan) -> None:
    from rich.console import Console
    from rich.table import Table

    from caer_build.dataset.plans import plural

    console = Console(highlight=False)
    _print_ways(console, plan)
    table = Table(
        title=f"Split by {plan.by}", title_justify="left", show_edge=False, pad_edge=False
    )
    table.add_column("split")
    for column in (plural(plan.by), "clips", "share"):
        table.add_column(column, justify="right")
    sizes: Counter[str | None] = Counter(row.split for row in plan.assignments)
    for name, share in plan.shares.items():
        table.add_row(name, str(plan.n_groups[name]), str(sizes[name]), f"{share:.1%}")
    if plan.left_out:
        table.add_row("left out", "", str(len(plan.left_out)), "")
    console.print(table)
    for row in plan.left_out[:_SHOWN]:
        console.print(f"left out: {row.clip_id}: {row.left_out_because}")
    if len(plan.left_out) > _SHOWN:
        console.print(f"… and {len(plan.left_out) - _SHOWN} more; --json has all.")
    for complaint in plan.complaints:
        console.print(f"[yellow]Note:[/yellow] {complaint}.")
    if plan.by in ("episode", "clip"):
        console.print(
            "[yellow]Note:[/yellow] the same people are in train and test: a model may know "
            "their faces, and `caer export` refuses that unless you say --allow-leaks. To keep "
            "them apart: --by person --anew."
        )


def _print_ways(console: Console, plan: SplitPlan) -> None:
    from rich.table import Table

    if not plan.tried:
        return
    table = Table(title="Ways to split", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("by")
    for column in (*plan.shares, "left out"):
        table.add_column(column, justify="right")
    table.add_column("")
    for way in plan.tried:
        shares = (f"{share:.1%}" for share in way.shares.values())
        why = f"[bold]taken:[/bold] {way.why}" if way.taken else f"not taken: {way.why}"
        table.add_row(way.by, *shares, str(way.n_left_out), why)
    console.print(table)
    console.print()

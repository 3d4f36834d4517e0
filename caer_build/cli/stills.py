"""``caer stills``: which frames of the clips are the stills of CAER-S."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Work
from caer_build.cli.progress import Steps, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caer_build.dataset.choosing_stills import EmotionCount

_PER_CLIP = 5


def add_to(app: typer.Typer) -> None:
    app.command("stills")(stills)


def stills(
    work: Work,
    per_clip: Annotated[
        int | None, typer.Option("--per-clip", min=1, help="Stills of each clip [5].")
    ] = None,
    per_emotion: Annotated[
        int | None,
        typer.Option(
            "--per-emotion",
            min=1,
            help="Stills of each emotion, spread evenly over its clips (released: about 10000).",
        ),
    ] = None,
    at_most: Annotated[
        list[str] | None,
        typer.Option("--at-most", help="No more of an emotion, such as Neutral=5000; repeatable."),
    ] = None,
    min_difference: Annotated[
        int | None,
        typer.Option(
            "--min-difference",
            min=0,
            max=64,
            help="Bits of a 64-bit perceptual hash in which two stills of a clip differ at least "
            "[3].",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Clips that are decoded at once.")
    ] = 2,
    as_json: AsJson = False,
) -> None:
    """Choose stills of the labelled clips: spread over each, the face seen and sharp, none alike.

    Example: [bold]caer stills work --per-emotion 10000 --at-most Neutral=5000[/bold]

    They go to WORK/tables/stills.parquet, and `caer export --format caer-s` makes them.
    """
    from caer_build.dataset.choosing_stills import HowMany, choose_stills
    from caer_build.dataset.stills import MIN_DIFFERENCE
    from caer_build.store import Workspace

    how_many = HowMany(
        per_clip=_PER_CLIP if per_clip is None and per_emotion is None else per_clip,
        per_emotion=per_emotion,
        at_most=_caps(at_most or []),
        min_difference=MIN_DIFFERENCE if min_difference is None else min_difference,
    )
    workspace = Workspace.open(work.absolute())
    # A build that publishes while its clips are read would tear them apart.
    with workspace.locked(say), Steps() as steps:
        counts = choose_stills(workspace, how_many, workers, steps.tell)
    if as_json:
        said = [asdict(count) | {"shortfall": count.shortfall} for count in counts]
        typer.echo(json.dumps({"options": asdict(how_many), "emotions": said}, indent=1))
        return
    _print(counts)
    typer.echo(f"\nStills: {workspace.tables / 'stills.parquet'}")


def _caps(said: Sequence[str]) -> dict[str, int]:
    from caer_build.errors import RecipeError

    caps = {}
    for each in said:
        emotion, _, number = each.partition("=")
        if not number.isdecimal():
            raise RecipeError(f"Expected --at-most as Neutral=5000, found {each!r}.")
        caps[emotion] = int(number)
    return caps


def _print(counts: Sequence[EmotionCount]) -> None:
    from rich.console import Console
    from rich.table import Table

    from caer_build.records import SPLITS

    console = Console(highlight=False)
    table = Table(title="Stills", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("emotion")
    for column in ("clips", "asked", "given", *SPLITS, "too alike"):
        table.add_column(column, justify="right")
    for count in counts:
        splits = [str(count.given_by_split[split]) for split in SPLITS]
        dropped = str(sum(count.dropped_by_split.values()))
        table.add_row(
            count.emotion, str(count.n_clips), str(count.asked), str(count.given), *splits, dropped
        )
    console.print(table)
    for count in counts:
        if count.shortfall is not None:
            console.print(f"[yellow]Note:[/yellow] {count.shortfall}.")

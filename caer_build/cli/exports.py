"""``caer export``: labelled and split clips become a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Work
from caer_build.cli.progress import Steps, say


def add_to(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    work: Work,
    out: Annotated[Path, typer.Option("--out", "-o", help="The data set's folder.")],
    form: Annotated[
        str,
        typer.Option(
            "--format", help="caer, caer-s, media-free, hf, webdataset, coco or kinetics."
        ),
    ] = "caer",
    released: Annotated[
        bool, typer.Option("--released", help="CAER-S without validation, as it was released.")
    ] = False,
    media: Annotated[
        str | None, typer.Option(help="clips or stills; of hf and webdataset.")
    ] = None,
    shard_items: Annotated[
        int | None, typer.Option("--shard-items", min=1, help="Items of a shard of webdataset.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Clips that are worked on at once.")
    ] = 2,
    as_json: AsJson = False,
) -> None:
    """Write a data set: clips or stills, boxes, votes, soft labels and where each came from.

    Example: [bold]caer export work -o CAER --format caer[/bold]

    It has its name when it is whole and was read back; stopped, the same command goes on.
    """
    from caer_build.dataset.collecting import collect
    from caer_build.dataset.exporting import export as export_
    from caer_build.dataset.layouts.choice import layout_of
    from caer_build.store import Workspace

    layout = layout_of(form, two_way=released, media=media, shard_items=shard_items)
    workspace = Workspace.open(work.absolute())
    # A build that publishes while its clips are read would tear them apart.
    with workspace.locked(say), Steps() as steps:
        made = export_(collect(workspace), out.absolute(), layout, steps.tell, workers)
    if as_json:
        found = {"folder": str(out), "items": made.n_items, "bytes": made.n_bytes}
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo(f"{made.n_items} {' and '.join(f'{k}s' for k in layout.kinds)} in {out}.")

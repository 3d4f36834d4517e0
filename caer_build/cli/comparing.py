"""``caer compare``: a data set beside the paper's, or beside another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson

if TYPE_CHECKING:
    from caer_build.dataset.comparing import Categories, Changes

_MOST = 5


def add_to(app: typer.Typer) -> None:
    app.command("compare")(compare)


def compare(
    dataset: Annotated[Path, typer.Argument(help="A data set: ours in any format, or anybody's.")],
    other: Annotated[
        Path | None, typer.Argument(help="Another one; without it the paper's CAER (table 1).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold a data set against the paper's CAER, or against another data set.

    Example: [bold]caer compare CAER CAER-before[/bold]

    Of two of ours it also says which items are in one only, and whose label or split is another.
    """
    from caer_build.dataset.comparing import PAPERS_CAER, categories_of, changes, distance
    from caer_build.dataset.reading import read_dataset

    first = read_dataset(dataset)
    second = None if other is None else read_dataset(other)
    ours = categories_of(first)
    theirs = PAPERS_CAER if second is None else categories_of(second)
    changed = None if second is None else changes(first, second)
    if as_json:
        typer.echo(json.dumps(_for_programs(ours, theirs, distance(ours, theirs), changed)))
        return
    _print(ours, theirs, distance(ours, theirs))
    if changed is not None:
        _print_changes(changed)


def _for_programs(
    ours: Categories, theirs: Categories, distance: float, changed: Changes | None
) -> dict[str, object]:
    return {
        "first": asdict(ours),
        "second": asdict(theirs),
        "distance": distance,
        "items": None if changed is None else {
            "common": changed.n_common,
            "only_first": changed.only_first,
            "only_second": changed.only_second,
            "labels": _rows(changed.labels),
            "splits": _rows(changed.splits),
        },
    }  # fmt: skip


def _rows(counts: Mapping[tuple[str, str], int]) -> list[dict[str, object]]:
    return [{"first": a, "second": b, "items": n} for (a, b), n in sorted(counts.items())]


def _print(ours: Categories, theirs: Categories, distance: float) -> None:
    from rich.console import Console
    from rich.table import Table

    from caer_build.dataset.statistics import percent

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("category")
    for each in (ours, theirs):
        table.add_column(f"{each.name}\n{each.kind}s", justify="right", overflow="fold")
        table.add_column("%", justify="right", vertical="bottom")
    table.add_column("points", justify="right", vertical="bottom")
    for emotion in ours.counts:
        cells = [
            cell
            for each in (ours, theirs)
            for cell in (f"{each.counts[emotion]:,}", percent(each.counts[emotion], each.n_items))
        ]
        points = 100 * (ours.share(emotion) - theirs.share(emotion))
        table.add_row(emotion, *cells, f"{points:+.1f}")
    table.add_section()
    table.add_row("all", f"{ours.n_items:,}", "", f"{theirs.n_items:,}", "", "")
    if ours.n_frames is not None and theirs.n_frames is not None:
        table.add_row("frames", f"{ours.n_frames:,}", "", f"{theirs.n_frames:,}", "", "")
    Console(highlight=False).print(table)
    typer.echo(f"{100 * distance:.1f} % of one would have to change category to be like the other.")


def _print_changes(changed: Changes) -> None:
    typer.echo(
        f"Items: {changed.n_common:,} in both, {changed.only_first:,} in the first only, "
        f"{changed.only_second:,} in the second only."
    )
    if not changed.n_common:
        return
    for what, counts in (("label", changed.labels), ("split", changed.splits)):
        other = sorted(((n, ab) for ab, n in counts.items() if ab[0] != ab[1]), reverse=True)
        if not other:
            typer.echo(f"Those of both have the same {what}.")
            continue
        most = ", ".join(f"{a} to {b} {n:,}" for n, (a, b) in other[:_MOST])
        more = f", and {len(other) - _MOST} other pairs" if len(other) > _MOST else ""
        typer.echo(f"With another {what}: {sum(n for n, _ in other):,} ({most}{more}).")
    if changed.n_tested_after_training:
        typer.echo(
            f"{changed.n_tested_after_training:,} are in train of one and in test of the other: "
            "do not test a model of the one on the other."
        )

"""``caer annotate gold``: clips whose emotion is known, from a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Db, Work, opened


def gold(
    work: Work,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; see below.")],
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Make clips gold: their emotion is known, for practice, as a check, or as an example.

    Example: [bold]caer annotate gold work gold.csv[/bold]

    The file has the columns clip_id, emotion, reason and, if wanted, use: check (the default; the
    clip comes up unseen among the others), practice (newcomers answer it first, with feedback) or
    example (the guide shows it). All lines are taken, or none. A clip that is gold already is
    changed.
    """
    from caer_build.annotation.gold import USES
    from caer_build.annotation.gold_files import mark_from_csv
    from caer_build.annotation.office import now_ms

    with opened(work, db) as (_, database), database.writing() as connection:
        counts = mark_from_csv(connection, file, now_ms())
    if as_json:
        typer.echo(json.dumps({use: counts[use] for use in USES}, indent=1))
        return
    said = ", ".join(f"{counts[use]} {use}" for use in USES if counts[use]) or "none"
    typer.echo(f"{counts.total()} clips are gold: {said}.")

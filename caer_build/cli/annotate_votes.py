"""``caer annotate import`` and ``caer annotate export``: votes out of a project and into it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Db, Work, opened

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="csv, jsonl, parquet or label-studio; else as the file's name ends (.json is Label "
        "Studio's).",
    ),
]
_SHOWN = 20
"""refusals that are printed; --json has all"""


def import_votes(
    work: Work,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of votes.")],
    db: Db = None,
    form: Format = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken, and take nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take votes that were given elsewhere into the project.

    Example: [bold]caer annotate import work votes.csv --dry-run[/bold]

    They obey the rules of all votes: a clip takes so many answers, each of somebody else. Who has
    no account gets one that is retired and cannot sign in. What was taken before is passed over,
    so the same file can be imported again.
    """
    from caer_build.annotation import interchange
    from caer_build.annotation.office import now_ms

    with opened(work, db) as (_, database):
        found = interchange.import_votes(
            database, files, now_ms(), given_format=form, dry_run=dry_run
        )
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    for refusal in found.refusals[:_SHOWN]:
        typer.echo(f"{refusal.file}, {refusal.place}: {refusal.reason}", err=True)
    if found.n_refused > _SHOWN:
        typer.echo(f"… and {found.n_refused - _SHOWN} more; --json has all.", err=True)
    typer.echo(
        f"{found.n_rows} votes found: {found.n_taken} taken, {found.n_known} were there already, "
        f"{found.n_refused} refused; {found.n_people} new people."
    )
    if dry_run:
        typer.echo("A dry run: nothing was kept.")


def export_votes(
    work: Work,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write them.")],
    db: Db = None,
    form: Format = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Leave out answers that were changed later.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the votes of the project, its people under pseudonyms.

    Example: [bold]caer annotate export work votes.csv[/bold]

    For Label Studio the labeling interface is written beside them; its local files are to begin
    at the workspace (LOCAL_FILES_DOCUMENT_ROOT).
    """
    from caer_build.annotation import interchange

    with opened(work, db) as (_, database):
        found = interchange.export_votes(
            database, file.absolute(), given_format=form, only_latest=latest
        )
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    typer.echo(
        f"{found.n_votes} votes of {found.n_people} people on {found.n_clips} clips: "
        f"{', '.join(found.files)}"
    )
    if found.n_withdrawn:
        typer.echo(f"{found.n_withdrawn} votes on clips that were withdrawn were left out.")

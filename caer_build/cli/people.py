"""``caer person``: name, merge and delete persons. Takes effect at the next build."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from caer_build.cli.decisions import list_decisions, say_noted

Work = Annotated[Path, typer.Argument(help="The workspace.")]
PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="A person_id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Why = Annotated[str | None, typer.Option("--because", help="The reason, kept with the decision.")]
_FILE_WIDTH = 1000
"""Into a file or a pipe no line is broken."""


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Name, merge or delete a person; list them; take decisions back.", no_args_is_help=True
    )
    group.command("list")(list_persons)
    group.command("name")(name)
    group.command("merge")(merge)
    group.command("delete")(delete)
    group.command("decisions")(decisions)
    group.command("undo")(undo)
    app.add_typer(group, name="person")


def list_persons(work: Work, as_json: AsJson = False) -> None:
    """The persons of a workspace, with their tracks and clips.

    Example: [bold]caer person list work[/bold]
    """
    from rich.console import Console
    from rich.table import Table

    from caer_build.people import roll, without_effect
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    entries, notes = roll(workspace), without_effect(workspace)
    if as_json:
        found = {"persons": [asdict(entry) for entry in entries], "without_effect": notes}
        typer.echo(json.dumps(found, indent=1))
        return
    table = Table(show_edge=False, pad_edge=False)
    # An id that is cut is of no use: the other columns give way.
    longest = max((len(entry.person_id) for entry in entries), default=0)
    table.add_column("person_id", no_wrap=True, min_width=longest)
    for column in ("name", "tracks", "clips", "note"):
        table.add_column(column, justify="right" if column in ("tracks", "clips") else "left")
    for entry in entries:
        table.add_row(
            entry.person_id, entry.name or "", str(entry.n_tracks), str(entry.n_clips), entry.note
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    console.print(table)
    for note in notes:
        typer.echo(f"Note: {note}")


def _decide(work: Path, action: str, person: str, value: str | None, why: str | None) -> None:
    from caer_build.cli.progress import say
    from caer_build.people import decide
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    with workspace.locked(say):
        noted = decide(workspace, action, person, value, why)
    say_noted(noted is not None)


def name(work: Work, person: PersonId, called: str, because: Why = None) -> None:
    """Say what a person is called.

    Example: [bold]caer person name work PERSON "Ross"[/bold]
    """
    _decide(work, "name", person, called, because)


def merge(
    work: Work,
    person: PersonId,
    into: Annotated[str, typer.Argument(metavar="OTHER", help="The person_id that stays.")],
    because: Why = None,
) -> None:
    """Say that PERSON is OTHER: the id and the name of OTHER stay.

    Example: [bold]caer person merge work PERSON OTHER[/bold]
    """
    _decide(work, "merge", person, into, because)


def delete(work: Work, person: PersonId, because: Why = None) -> None:
    """Delete a person: the next build removes their clips, rows, face pictures and vectors.

    Example: [bold]caer person delete work PERSON --because "withdrew consent"[/bold]

    They stay deleted in these episodes whatever settings are built later; in episodes added later
    they are not recognised, as nothing of the face is kept. In the store there remain, without a
    name, boxes and landmarks of their tracks and 48x27 pictures of all frames, and they may be
    seen in clips around others: docs/build.md, Privacy, says what remains and how it goes.
    """
    _decide(work, "delete", person, None, because)


def decisions(work: Work, as_json: AsJson = False) -> None:
    """What was decided about persons, oldest first.

    Example: [bold]caer person decisions work[/bold]
    """
    from caer_build.overrides import ABOUT_PERSONS

    list_decisions(work, ABOUT_PERSONS, as_json)


def undo(work: Work) -> None:
    """Take back the last decision about a person.

    Example: [bold]caer person undo work[/bold]
    """
    from caer_build import overrides
    from caer_build.cli.progress import say
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    with workspace.locked(say):
        last = overrides.take_back(workspace, overrides.ABOUT_PERSONS)
    typer.echo(f"Taken back: {overrides.in_words(last)}. Run `caer build` again to apply it.")

"""``caer episode``: which episodes a workspace has; take one out, or back in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

Work = Annotated[Path, typer.Argument(help="The workspace.")]
EpisodeId = Annotated[str, typer.Argument(metavar="EPISODE", help="An episode_id.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(
        help="List the episodes of a workspace; take one out, or back in.", no_args_is_help=True
    )
    group.command("list")(list_episodes)
    group.command("remove")(remove)
    group.command("restore")(restore)
    app.add_typer(group, name="episode")


def list_episodes(
    work: Work,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The episodes of a workspace, and where their files were last.

    Example: [bold]caer episode list work[/bold]
    """
    from caer_build import sources
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    known = {
        s.episode_id: sources.printable(str(s.path)) for s in sources.register(workspace).sources
    }
    removed = sources.removed_episodes(workspace)
    if as_json:
        typer.echo(json.dumps({"episodes": known, "removed": removed}, indent=1))
        return
    for episode_id, path in known.items():
        typer.echo(f"{episode_id}  {path}")
    for episode_id in removed:
        typer.echo(f"{episode_id}  (removed)")


def _decide(work: Path, episode_id: str, removed: bool) -> None:
    from caer_build import sources
    from caer_build.cli.progress import say
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    with workspace.locked(say):
        sources.set_removed(workspace, episode_id, removed)


def remove(work: Work, episode: EpisodeId) -> None:
    """Take an episode out: the next build publishes nothing of it, and passes over its file.

    Example: [bold]caer episode remove work lobby.s01e02[/bold]

    What was made of it stays in the store, so that it can be restored at no cost, until
    [bold]caer clean[/bold] deletes it. Persons who are only in it go with it; those who were
    named after a face in it are named after another while it is away. Clips that people already
    label are a copy and stay with them.
    """
    _decide(work, episode, True)
    typer.echo("Noted. Run `caer build` again to apply it, then `caer clean` to delete its files.")


def restore(work: Work, episode: EpisodeId) -> None:
    """Take a removed episode back in.

    Example: [bold]caer episode restore work lobby.s01e02[/bold]
    """
    _decide(work, episode, False)
    typer.echo("Noted. Run `caer build` again to apply it.")

"""``caer clip``: keep or reject a clip by hand. Takes effect at the next build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caer_build.cli.decisions import list_decisions, say_noted

Work = Annotated[Path, typer.Argument(help="The workspace.")]
ClipId = Annotated[str, typer.Argument(metavar="CLIP", help="A clip_id.")]
Why = Annotated[str | None, typer.Option("--because", help="The reason, kept with the decision.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Keep or reject a clip by hand; take that back.", no_args_is_help=True)
    group.command("keep")(keep)
    group.command("reject")(reject)
    group.command("decisions")(decisions)
    group.command("undo")(undo)
    app.add_typer(group, name="clip")


def _decide(work: Path, action: str, clip: str, why: str | None) -> None:
    from caer_build import overrides
    from caer_build.cli.progress import say
    from caer_build.errors import CaerError
    from caer_build.records import Clip
    from caer_build.store import Workspace
    from caer_build.tables import read_published

    workspace = Workspace.open(work.absolute())
    found = next((c for c in read_published(workspace, Clip) if c.clip_id == clip), None)
    if found is None:
        raise CaerError(f"No clip {clip} in {work}.", "See clip_id in tables/clips.parquet.")
    if action == "keep" and found.track_id is None:
        raise CaerError(f"{clip} has no face: nobody in it could be labelled.", "Keep another one.")
    with workspace.locked(say):
        is_new = not overrides.in_force(overrides.load(workspace), action, clip, None)
        if is_new:
            overrides.add(workspace, action, clip, None, why)
    say_noted(is_new)


def keep(work: Work, clip: ClipId, because: Why = None) -> None:
    """Keep a clip whatever its scores say.

    Example: [bold]caer clip keep work CLIP[/bold]
    """
    _decide(work, "keep", clip, because)


def reject(work: Work, clip: ClipId, because: Why = None) -> None:
    """Reject a clip whatever its scores say.

    Example: [bold]caer clip reject work CLIP --because "a mask"[/bold]
    """
    _decide(work, "reject", clip, because)


def decisions(
    work: Work,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """What was decided about clips, oldest first.

    Example: [bold]caer clip decisions work[/bold]
    """
    from caer_build.overrides import ABOUT_CLIPS

    list_decisions(work, ABOUT_CLIPS, as_json)


def undo(work: Work) -> None:
    """Take back the last decision about a clip.

    Example: [bold]caer clip undo work[/bold]
    """
    from caer_build import overrides
    from caer_build.cli.progress import say
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    with workspace.locked(say):
        last = overrides.take_back(workspace, overrides.ABOUT_CLIPS)
    typer.echo(f"Taken back: {overrides.in_words(last)}. Run `caer build` again to apply it.")

"""What ``caer person`` and ``caer clip`` say about decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer


def say_noted(is_new: bool) -> None:
    """What became of a decision."""
    typer.echo(
        "Noted. Run `caer build` again to apply it."
        if is_new
        else "That was decided already. Run `caer build` again if it has not been since."
    )


def list_decisions(work: Path, actions: Sequence[str], as_json: bool) -> None:
    """Print the decisions of these kinds, oldest first."""
    from caer_build import overrides
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    found = [o for o in overrides.load(workspace) if o.action in actions]
    if as_json:
        typer.echo(json.dumps([asdict(o) for o in found], indent=1))
        return
    for override in found:
        because = f" ({override.reason})" if override.reason else ""
        typer.echo(f"{overrides.in_words(override)}{because}")
    if not found:
        typer.echo("Nothing was decided.")

"""``caer sample`` and ``caer demo``: a real episode to try everything on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    app.command("sample")(sample)
    app.command("demo")(demo)


def sample(
    out: Annotated[Path, typer.Argument(help="A folder, made if new.")],
    force: Annotated[bool, typer.Option(help="Replace a sample that is already there.")] = False,
) -> None:
    """Cut a real episode of one to two minutes, with its exact truth beside it.

    Example: [bold]caer sample episodes[/bold]
    """
    from caer_build.sample import make_sample

    made = make_sample(out, force)
    typer.echo(f"{made.episode}\n{made.truth}\n{made.sources}")


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="A folder, made if new.")] = Path("demo"),
    recipe: Annotated[str, typer.Option(help="caer, quick or paper.")] = "caer",
) -> None:
    """The whole chain on the sample episode, in minutes.

    Example: [bold]caer demo -o demo[/bold]
    """
    from caer_build.cli.build import build
    from caer_build.cli.progress import say
    from caer_build.report.build_report import write_report
    from caer_build.sample import make_sample
    from caer_build.store import Workspace

    say("Cutting the sample episode …")
    made = make_sample(out / "episodes")
    say("Building its clips …")
    build([made.episode], out / "work", recipe=recipe)
    work = (out / "work").absolute()
    page = write_report(Workspace.open(work), None)
    typer.echo(
        f"\nOpen next:\n  {page}\n  {work / 'clips'}\nYour own episodes: caer build FOLDER -o WORK"
    )

"""``caer sample`` and ``caer demo``: a real episode to try everything on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from caer_build.sample import SamplePaths


def add_to(app: typer.Typer) -> None:
    app.command("sample")(sample)
    app.command("demo")(demo)


def sample(
    out: Annotated[Path, typer.Argument(help="A folder, made if new.")],
    force: Annotated[bool, typer.Option(help="Replace a sample that is already there.")] = False,
) -> None:
    """Cut a real episode of about 70 seconds, with its exact truth beside it.

    Example: [bold]caer sample episodes[/bold]
    """
    made = _cut(out, force)
    typer.echo(f"{made.episode}\n{made.truth}\n{made.sources}")


def _cut(out: Path, force: bool = False) -> SamplePaths:
    """Make the sample and show how far it is."""
    import time

    from caer_build.cli.progress import Bars
    from caer_build.sample import make_sample

    began = time.perf_counter()
    step = ("drawing and encoding", "sample.s01e01")
    with Bars() as bars:
        bars.started(*step)
        made = make_sample(out, force, told=lambda done, total: bars.progressed(*step, done, total))
        bars.finished(*step, time.perf_counter() - began)
    return made


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="A folder, made if new.")] = Path("demo"),
    recipe: Annotated[str, typer.Option(help="caer, quick or paper.")] = "caer",
) -> None:
    """The whole chain on the sample episode, in minutes.

    Example: [bold]caer demo -o demo[/bold]
    """
    from caer_build.cli.annotate import init
    from caer_build.cli.build import build
    from caer_build.cli.progress import command, say
    from caer_build.errors import ModelMissing
    from caer_build.report.build_report import write_report
    from caer_build.store import Workspace

    say("1 of 4: cutting a sample episode out of free footage (about a minute) …")
    made = _cut(out / "episodes")
    say("2 of 4: building its clips (one to two minutes) …")
    build([made.episode], out / "work", recipe=recipe)
    work = (out / "work").absolute()
    say("3 of 4: writing the report …")
    page = write_report(Workspace.open(work), None)
    say("4 of 4: freezing the clips for labelling …")
    try:
        init(work)
    except ModelMissing as missing:
        say(f"Left out: {missing.message} {missing.remedy}")
    typer.echo(
        "\nThree people act in the sample. But one shot is a wall of nine pictures of them, and\n"
        "faces on screen together are always taken for different persons.\n"
        f"\nOpen next:\n  {page}\n  {work / 'clips'}\n"
        f"Have them labelled: {command()} annotate serve {work}\n"
        f"  then open the manager's link, invite people, and label as one of them.\n"
        f"Your own episodes: {command()} build FOLDER -o WORK"
    )

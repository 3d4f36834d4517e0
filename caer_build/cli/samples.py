"""``caer sample`` and ``caer demo``: an episode to try everything on."""

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
    """Edit an episode of about 70 seconds out of real footage, with its exact truth beside it.

    Example: [bold]caer sample episodes[/bold]
    """
    from caer_build.cli.progress import command, say

    made = _cut(out, force)
    typer.echo(f"{made.episode}\n{made.truth}\n{made.sources}")
    say(f"Build its clips: {command()} build {out} -o WORK")


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

    say("1 of 5: cutting a sample episode out of free footage (about a minute) …")
    made = _cut(out / "episodes")
    say("2 of 5: building its clips (one to two minutes) …")
    build([made.episode], out / "work", recipe=recipe)
    work = (out / "work").absolute()
    say("3 of 5: writing the report …")
    page = write_report(Workspace.open(work), None)
    pages = [page, work / "clips"]
    try:
        say("4 of 5: freezing the clips for labelling …")
        init(work)
        say("5 of 5: a data set, with the answers of three people who do not exist …")
        pages += _data_set(out.absolute(), work)
    except ModelMissing as missing:
        say(f"Left out: {missing.message} {missing.remedy}")
    opened = "\n".join(f"  {place}" for place in pages)
    typer.echo(
        "\nThree people act in the sample. But one shot is a wall of nine pictures of them, and\n"
        "faces on screen together are always taken for different persons. The labels of the data\n"
        f"set are invented: have the clips labelled, and make it anew.\n\nOpen next:\n{opened}\n"
        f"Have them labelled: {command()} annotate serve {work}\n"
        f"  then open the manager's link, invite people, and label as one of them;\n"
        f"  then: {command()} label {work} and so on (docs/dataset.md).\n"
        f"Your own episodes: {command()} build FOLDER -o WORK"
    )


def _data_set(out: Path, work: Path) -> list[Path]:
    """Clips and stills with invented labels; the places to look at."""
    from caer_build.annotation.vote_files import write_csv
    from caer_build.cli.exports import export
    from caer_build.cli.labels import label
    from caer_build.cli.splits import split
    from caer_build.cli.stats import stats
    from caer_build.cli.stills import stills
    from caer_build.records import Clip, Label
    from caer_build.sample.invented_votes import invented_votes
    from caer_build.store import Workspace
    from caer_build.tables import has_table, read_published

    places = [out / "CAER", out / "CAER-S", out / "CAER.html"]
    if has_table(Workspace.open(work), Label):
        # They may be real by now: nobody's labels are replaced by invented ones.
        return [place for place in places if place.exists()]
    clips = [c for c in read_published(Workspace.open(work), Clip) if c.reject_reason is None]
    votes = out / "invented-votes.csv"
    with votes.open("wb") as file:
        write_csv(file, invented_votes(clips))
    label(work, votes=[votes])
    # Clips are kept of two persons, who can fill two splits.
    split(work, by="person", ratio="60/0/40")
    stills(work)
    export(work, places[0], "caer")
    export(work, places[1], "caer-s")
    stats(places[0], places[2])
    return places

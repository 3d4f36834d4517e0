"""``caer export``: labelled and split clips become a data set. ``caer rebuild``: so do a media-free
one and the episodes."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Work
from caer_build.cli.progress import Steps, say

if TYPE_CHECKING:
    from caer_build.dataset.exporting import Exported
    from caer_build.dataset.layouts.layout import Layout


def add_to(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("rebuild")(rebuild)
    app.command("about")(about_template)


_ALLOCATOR = "ARROW_DEFAULT_MEMORY_POOL"
Out = Annotated[Path, typer.Option("--out", "-o", help="The data set's folder.")]
Form = Annotated[
    str,
    typer.Option("--format", help="caer, caer-s, media-free, hf, webdataset, coco or kinetics."),
]
Two = Annotated[
    bool, typer.Option("--released", help="CAER-S without validation, as it was released.")
]
Media = Annotated[str | None, typer.Option(help="clips or stills; of hf and webdataset.")]
ShardItems = Annotated[
    int | None, typer.Option("--shard-items", min=1, help="Items of a shard of webdataset.")
]
AllowLeaks = Annotated[
    bool,
    typer.Option(
        "--allow-leaks",
        help="Make it although people, clips or pictures stand in two splits; it says so.",
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Clips that are worked on at once.")]


def export(
    work: Work,
    out: Out,
    form: Form = "caer",
    released: Two = False,
    media: Media = None,
    shard_items: ShardItems = None,
    about: Annotated[
        Path | None,
        typer.Option(
            "--about", metavar="FILE", help="Name, licence, consent …: begin with `caer about`."
        ),
    ] = None,
    allow_leaks: AllowLeaks = False,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Write a data set: clips or stills, boxes, votes, soft labels and where each came from.

    Example: [bold]caer export work -o CAER --format caer[/bold]

    It has its name when it is whole and was read back; stopped, the same command goes on.
    """
    from caer_build.dataset.about import read_about
    from caer_build.dataset.collecting import collect
    from caer_build.dataset.exporting import export as export_
    from caer_build.dataset.layouts.choice import layout_of
    from caer_build.store import Workspace

    _spare_memory()
    layout = layout_of(form, two_way=released, media=media, shard_items=shard_items)
    stated = {} if about is None else read_about(about)
    if not stated:
        say("No licence, rights or consent are stated: the card will say so. See `caer about`.")
    workspace = Workspace.open(work.absolute())
    # A build that publishes while its clips are read would tear them apart.
    with workspace.locked(say), Steps() as steps:
        made = export_(
            collect(workspace, layout.kinds).stating(stated),
            out.absolute(),
            layout,
            steps.tell,
            workers,
            allow_leaks=allow_leaks,
        )
    _report(made, layout, as_json)


def about_template() -> None:
    """What only you know of a data set, as a file to fill in for `caer export --about`.

    Example: [bold]caer about > about.toml[/bold]

    What is left out stands in the card as NOT STATED.
    """
    from caer_build.dataset.about import template

    typer.echo(template(), nl=False)


def rebuild(
    media_free: Annotated[Path, typer.Argument(help="A data set without media.")],
    episodes: Annotated[list[Path], typer.Argument(help="Its episodes, or folders of them.")],
    out: Out,
    form: Form = "caer",
    released: Two = False,
    media: Media = None,
    shard_items: ShardItems = None,
    allow_leaks: AllowLeaks = False,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Make a data set of a media-free one and the same episodes, byte for byte.

    Example: [bold]caer rebuild CAER-media-free episodes -o CAER[/bold]

    Episodes are known by their content, whatever they are called.
    """
    import shutil

    from caer_build.dataset.drafts import refuse_existing
    from caer_build.dataset.exporting import export as export_
    from caer_build.dataset.layouts.choice import layout_of
    from caer_build.dataset.rebuilding import MediaFreeSet, cut_again, find_episodes

    _spare_memory()
    layout = layout_of(form, two_way=released, media=media, shard_items=shard_items)
    dataset = MediaFreeSet.open(media_free)
    if dataset.other_versions is not None:
        say(f"{dataset.other_versions} The clips may come out otherwise; each is checked.")
    out = out.absolute()
    refuse_existing(out)
    clips = out.with_name(f".{out.name}.clips")
    with Steps() as steps:
        files = find_episodes(dataset.episodes, episodes)
        cut_again(dataset, files, clips, workers, partial(steps.tell, "cutting"))
        made = export_(
            dataset.catalogue(clips),
            out,
            layout,
            steps.tell,
            workers,
            # Other leaks than it was made with are those that only pictures tell.
            allow_leaks=allow_leaks or dataset.leaks,
        )
    shutil.rmtree(clips)
    _report(made, layout, as_json)


def _spare_memory() -> None:
    """Have Arrow allocate as everybody does: its own allocator, which it chooses once, when it is
    first used, keeps what a table took, where the system's gives it to what comes next."""
    chosen = os.environ.get(_ALLOCATOR)
    os.environ.setdefault(_ALLOCATOR, "system")
    import pyarrow as pa

    pa.default_memory_pool()
    if chosen is None:
        # Of this process alone, and not of those that it starts.
        del os.environ[_ALLOCATOR]


def _report(made: Exported, layout: Layout, as_json: bool) -> None:
    if as_json:
        found = {"folder": str(made.folder), "items": made.n_items, "bytes": made.n_bytes}
        typer.echo(json.dumps(found, indent=1))
    else:
        what = " and ".join(f"{kind}s" for kind in layout.kinds)
        typer.echo(f"{made.n_items} {what} in {made.folder}.")

"""``caer tables``: the paper's tables, trained again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson
from caer_build.cli.progress import Steps, say
from caer_build.cli.training import Computing, VerifyFrames

if TYPE_CHECKING:
    from caer_build.caernet.tables import CellResult
    from caer_build.dataset.reading import Dataset


def add_to(app: typer.Typer) -> None:
    app.command("tables")(tables)


def tables(
    dataset: Annotated[
        Path, typer.Argument(help="A data set: ours, the released CAER or CAER-S, AFEW.")
    ],
    table: Annotated[
        list[int], typer.Option("--table", min=3, max=6, help="Which table; repeatable.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for tables and runs; by default <DATASET's name>-tables, here.",
        ),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(
            "--other",
            metavar="DATASET",
            help="A second data set: table 3's other kind (clips or stills); what table 6 is also "
            "trained on.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each network.")] = 5,
    preset: Annotated[str, typer.Option("--preset", help="ours or paper.")] = "ours",
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Of each run [the preset's].")
    ] = None,
    reduced: Annotated[
        bool,
        typer.Option("--reduced", help="Pictures of 48 and 64 px: for a CPU, and for a look."),
    ] = False,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            metavar="MODEL=FILE",
            help="What a baseline begins with, where it cannot be fetched; repeatable.",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    verify_frames: VerifyFrames = False,
    assignments: Computing = None,
    as_json: AsJson = False,
) -> None:
    """Train the networks of a table of the paper, and write it with the paper's column beside.

    Example: [bold]caer tables CAER-S --table 3 --seeds 5 --device cuda[/bold]

    What was run is not run again: stop it, and the same command goes on. Rows that cannot be run
    say why. Figures 4, 7, 8 (with table 3), 9 and 10 (with table 4) are drawn of the same runs.
    """
    from caer_build.caernet import table_figures
    from caer_build.caernet.distributed import device_of
    from caer_build.caernet.settings import assigned_compute
    from caer_build.caernet.table_attention import Looks
    from caer_build.caernet.table_files import markdown, write_table
    from caer_build.caernet.tables import How, Tables

    how = How(preset, seeds, epochs, reduced, device_of(device), _files(weights or []),
              verify_frames, assigned_compute(assignments or []))  # fmt: skip
    folder = (out or Path(f"{dataset.absolute().resolve().name}-tables")).absolute()
    say(f"Tables, runs and frames: {folder}")
    second = None if other is None else _with_faces(other, folder)
    cells = Tables(_with_faces(dataset, folder), second, folder, how, say)
    looks = Looks(cells)
    about = {
        "data set": dataset.name,
        "other": "" if other is None else other.name,
        "preset": preset,
        "epochs": "the preset's" if epochs is None else epochs,
        "pictures": "reduced to 48 and 64 px" if reduced else "the preset's",
        "splits": cells.note,
    }
    for number in table:
        results: list[CellResult] = []
        for result in cells.run(number):
            results.append(result)
            files = write_table(folder, number, results, about)
        results, differences = looks.measured(number, results)
        files = write_table(folder, number, results, about, differences)
        files += table_figures.draw(looks, number, results, folder)
        if as_json:
            facts = {"folder": str(folder), **json.loads(files[2].read_text())}
            typer.echo(json.dumps(facts, indent=1))
            continue
        typer.echo(markdown(number, results, about, differences))
        for file in files:
            typer.echo(str(file))


def _with_faces(folder: Path, out: Path) -> Dataset:
    """A data set; where it has no face boxes, faces are looked for, once."""
    from caer_build.dataset.reading import read_dataset
    from caer_build.inference.kept_faces import lacks_faces, with_faces

    read = read_dataset(folder)
    if not lacks_faces(read):
        return read
    say(f"{folder} has no face boxes: faces are looked for, once.")
    with Steps() as steps:
        return with_faces(read, out, lambda done, n: steps.tell("faces", done, n))


def _files(said: list[str]) -> dict[str, str]:
    """MODEL=FILE as a mapping."""
    from caer_build.errors import RecipeError

    found = {}
    for each in said:
        model, is_there, file = each.partition("=")
        if not is_there or not Path(file).is_file():
            raise RecipeError(
                f"Expected --weights as MODEL=FILE, found {each!r}.", "vgg16=vgg16.pth, say."
            )
        found[model] = file
    return found

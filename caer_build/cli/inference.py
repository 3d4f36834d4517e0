"""Trained networks used: ``caer predict``, ``caer explain-model`` and ``caer export-onnx``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson
from caer_build.cli.progress import Bars, say
from caer_build.cli.training import Computing
from caer_build.errors import EXIT_FAILED

if TYPE_CHECKING:
    from caer_build.inference.predicting import Predictions


def add_to(app: typer.Typer) -> None:
    app.command("predict")(predict)
    app.command("explain-model")(explain_model)
    app.command("export-onnx")(export_onnx)


Run = Annotated[Path, typer.Argument(metavar="RUN", help="Of caer train.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


def predict(
    run: Run,
    files: Annotated[list[Path], typer.Argument(help="Videos, pictures, folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="A folder, made if new; by default RUN/predictions/<the first file>.",
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="How faces are found in videos: caer, quick, or a .toml file.")
    ] = "caer",
    annotate: Annotated[
        bool, typer.Option("--annotate/--tables-only", help="Draw faces and emotions, or not.")
    ] = True,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Videos looked through at once.")
    ] = 1,
    device: Device = "auto",
    assignments: Computing = None,
    as_json: AsJson = False,
) -> None:
    """Find the faces in videos and pictures, and say what each shows, ten times a second.

    Example: [bold]caer predict run talk.mp4[/bold]

    Writes predictions.csv and .json, and each file with faces and emotions drawn on it. A file
    that cannot be read is named, and the others are done.
    """
    import torch

    from caer_build.caernet.distributed import device_of
    from caer_build.caernet.runs import TrainedRun
    from caer_build.caernet.settings import assigned_compute
    from caer_build.inference.predicting import Options, files_in, predict_files

    compute, opened = assigned_compute(assignments or []), TrainedRun.open(run)
    folder = out or run / "predictions" / _name_of(files)
    begun: set[tuple[str, str]] = set()
    with Bars() as bars:

        def tell(step: str, file: str, done: float, total: float) -> None:
            if (step, file) not in begun:
                begun.add((step, file))
                bars.started(step, file)
            bars.progressed(step, file, done, total)

        found = predict_files(
            opened, files_in(files), folder, Options(recipe, workers, annotate, compute),
            device=torch.device(device_of(device)), observer=bars, tell=tell,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **found.described()}, indent=1))
    else:
        _print(found, folder)
    if found.failures:
        raise typer.Exit(EXIT_FAILED)


def _name_of(files: list[Path]) -> str:
    """What files are called together: other files have another folder."""
    # Of "." and "..", too, the folder has a name.
    name = files[0].absolute().resolve().stem
    return name if len(files) == 1 else f"{name}-and-{len(files) - 1}-more"


def _print(found: Predictions, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for column in ("file", "face", "from", "to", "emotion", ""):
        table.add_column(column, justify="right" if column in {"from", "to", ""} else "left")
    facts = found.described()
    for file in facts["files"]:
        name = Path(file["file"]).name
        if not file["faces"]:
            table.add_row(name, "nobody", "", "", "", "")
        for face in file["faces"]:
            times = [f"{face[key]:.1f} s" for key in ("start_s", "end_s")]
            times = ["", ""] if file["kind"] == "picture" else times
            share = f"{face['p'][face['emotion']]:.0%}"
            table.add_row(name, face["face"], *times, face["emotion"], share)
            name = ""
    Console(highlight=False).print(table)
    for failure in facts["failed"]:
        say(f"{failure['file']}: {failure['message']} {failure['remedy']}")
    typer.echo(f"\nTables and pictures: {out}")


def _png_or_pdf(file: Path | None) -> Path | None:
    if file is not None and file.suffix.lower() not in (".png", ".pdf"):
        raise typer.BadParameter(f"expected .png or .pdf, found {file.name}")
    return file


def explain_model(
    run: Run,
    file: Annotated[Path, typer.Argument(help="A picture or a video.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            callback=_png_or_pdf,
            help="A .png or .pdf; by default RUN/explanations/<file>.png.",
        ),
    ] = None,
    at_s: Annotated[
        float | None,
        typer.Option("--at", min=0, help="Of a video: seconds from its start; by default half."),
    ] = None,
    face: Annotated[
        str | None, typer.Option("--face", help="t00, t01, …; by default the most prominent.")
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Draw where a network looked, and how it weighed face and context.

    Example: [bold]caer explain-model run talk.mp4 --at 12.5[/bold]
    """
    import torch

    from caer_build.caernet.distributed import device_of
    from caer_build.caernet.runs import TrainedRun
    from caer_build.inference.explained import explain_file
    from caer_build.records import EMOTIONS
    from caer_build.store import disk_errors

    opened = TrainedRun.open(run)
    asked = ([] if at_s is None else [f"at-{at_s:g}s"]) + ([] if face is None else [face])
    figure = out or run / "explanations" / f"{'-'.join([file.stem, *asked])}.png"
    with disk_errors(figure.parent):
        figure.parent.mkdir(parents=True, exist_ok=True)
    done = explain_file(opened, file, figure, torch.device(device_of(device)), at_s=at_s, face=face)
    said = done.explanation
    best = int(said.probabilities.argmax())
    if as_json:
        facts = {
            "figure": str(figure), "face": done.face, "faces": done.faces,
            "emotion": EMOTIONS[best],
            "p": dict(zip(EMOTIONS, said.probabilities.tolist(), strict=True)),
            "weights": said.weights, "by": said.by,
            "looked": None if said.looked is None else said.looked.tolist(),
        }  # fmt: skip
        typer.echo(json.dumps(facts, indent=1))
        return
    typer.echo(f"{done.face}: {EMOTIONS[best]} {said.probabilities[best]:.0%}. Figure: {figure}")


def export_onnx(
    run: Run,
    out: Annotated[Path, typer.Option("-o", "--out", help="The .onnx file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write the network of the best epoch as ONNX, checked against torch.

    Example: [bold]caer export-onnx run -o caer-net.onnx[/bold]
    """
    from caer_build.caernet.onnx_export import export_onnx as export
    from caer_build.caernet.runs import TrainedRun

    done = export(TrainedRun.open(run), out)
    if as_json:
        facts = {"file": str(done.file), "inputs": done.inputs, "outputs": done.outputs,
                 "difference": done.difference}  # fmt: skip
        typer.echo(json.dumps(facts, indent=1))
        return
    for name, shape in done.inputs.items():
        typer.echo(f"in   {name}: uint8 ({', '.join(map(str, shape))}) RGB")
    for name in done.outputs:
        typer.echo(f"out  {name}")
    typer.echo(f"{done.file} says what torch says to within {done.difference:.1g}.")

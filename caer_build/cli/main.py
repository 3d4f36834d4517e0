"""The command ``caer``. Heavy imports stand inside the commands, so that help comes at once."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from caer_build import __version__
from caer_build.cli import (
    agreements,
    annotate,
    audits,
    build,
    clips,
    comparing,
    doctor,
    episodes,
    exports,
    inference,
    labels,
    models,
    people,
    recipe,
    samples,
    splits,
    stats,
    stills,
    tables,
    training,
    workspace,
)
from caer_build.errors import EXIT_INTERRUPTED, EXIT_UNFORESEEN, CaerError

STEPS = {
    "1. Try it": ("demo", "sample", "doctor"),
    "2. Build clips": (
        "build", "status", "explain", "report", "verify", "clean", "episode", "person", "clip",
        "recipe", "models",
    ),
    "3. Have them labelled": ("annotate",),
    "4. Make the data set": (
        "label", "split", "stills", "export", "rebuild", "about", "stats", "audit", "compare",
        "agreement",
    ),
    "5. Train and use networks": (
        "train", "evaluate", "tables", "predict", "explain-model", "export-onnx",
    ),
}  # fmt: skip
"""the commands in the order in which they are needed, as ``caer --help`` shows them"""


class _StepByStep(TyperGroup):
    """Commands and groups in the order of the steps."""

    def list_commands(self, ctx: Any) -> list[str]:
        order = [name for names in STEPS.values() for name in names]
        return sorted(super().list_commands(ctx), key=order.index)


app = typer.Typer(
    name="caer",
    cls=_StepByStep,
    help="Rebuild the CAER and CAER-S emotion benchmarks from raw TV episodes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
samples.add_to(app)
build.add_to(app)
workspace.add_to(app)
people.add_to(app)
clips.add_to(app)
episodes.add_to(app)
recipe.add_to(app)
annotate.add_to(app)
labels.add_to(app)
splits.add_to(app)
stills.add_to(app)
exports.add_to(app)
stats.add_to(app)
comparing.add_to(app)
audits.add_to(app)
agreements.add_to(app)
training.add_to(app)
tables.add_to(app)
models.add_to(app)
doctor.add_to(app)
inference.add_to(app)
for _panel, _names in STEPS.items():
    for _group in app.registered_groups:
        if _group.name in _names:
            _group.rich_help_panel = _panel
    for _command in app.registered_commands:
        if _command.name in _names:
            _command.rich_help_panel = _panel


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"caer-build {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_show_version
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; every error becomes a sentence and an exit code."""
    try:
        app()
    except SystemExit as end:
        # What typer makes of ^C.
        if end.code == EXIT_INTERRUPTED:
            _say("Stopped. Run the same command again to go on.")
        raise
    except CaerError as error:
        _say(f"Error: {error.message}")
        if error.remedy:
            _say(f"What to do: {error.remedy}")
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001  the outermost door: what nobody foresaw ends here
        log = Path(tempfile.gettempdir()) / f"caer-{time.strftime('%Y%m%d-%H%M%S')}.log"
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        _say(f"Something unforeseen happened: {type(error).__name__}: {error}")
        _say(f"What to do: this is a fault of the program; please report it with {log}.")
        sys.exit(EXIT_UNFORESEEN)


def _say(text: str) -> None:
    typer.echo(text, err=True)

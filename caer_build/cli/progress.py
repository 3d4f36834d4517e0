"""Progress bars on stderr: one an episode and stage that is worked on, and one for all."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from caer_build.errors import CaerError

_err = Console(stderr=True)


def say(text: str) -> None:
    """A sentence to the person at the terminal, on stderr."""
    _err.print(text, highlight=False, markup=False, soft_wrap=True)


def command() -> str:
    """What to type for ``caer`` on this machine: after ``make demo`` it is not on the PATH."""
    if shutil.which("caer"):
        return "caer"
    called, here = Path(sys.argv[0]).absolute(), Path.cwd()
    if called.name != "caer":
        return f"{shlex.quote(sys.executable)} -m caer_build.cli"
    return shlex.quote(str(called.relative_to(here) if called.is_relative_to(here) else called))


class _Rate(TextColumn):
    """Speed in the unit of the bar; for video, multiples of real time."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task):  # type: ignore[no-untyped-def]
        from rich.text import Text

        if not task.fields.get("is_timed", True):
            return Text(f"{task.completed:.0f} of {task.total:.0f}")
        if task.fields.get("is_video") and task.speed:
            return Text(f"{task.speed:.1f}x real time")
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class _TimeLeft(TimeRemainingColumn):
    """The time left, of bars that go by time."""

    def render(self, task):  # type: ignore[no-untyped-def]
        from rich.text import Text

        return super().render(task) if task.fields.get("is_timed", True) else Text("")


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _Rate(),
        TimeElapsedColumn(),
        _TimeLeft(),
        console=_err,
        transient=True,
        disable=not _err.is_terminal,
    )


class Bars:
    """Draws what a build does; in a log file (no terminal) it writes a line a finished unit.

    Args:
        n_units: how many there will be, for a bar of all; none: that is not known.
    """

    def __init__(self, n_units: int | None = None) -> None:
        self._progress = _bars()
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._all: TaskID | None = None
        if n_units is not None:
            # Units take very different times: how many there are says nothing of the time left.
            self._all = self._progress.add_task("[bold]all[/bold]", total=n_units, is_timed=False)

    def __enter__(self) -> Bars:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def started(self, stage: str, unit: str) -> None:
        self._tasks[stage, unit] = self._progress.add_task(
            f"{unit} [bold]{stage}[/bold]", total=None, is_video=stage == "scan"
        )

    def progressed(self, stage: str, unit: str, done: float, total: float) -> None:
        task = self._tasks.get((stage, unit))
        if task is not None:
            self._progress.update(task, completed=done, total=total or None)

    def finished(self, stage: str, unit: str, seconds: float | None) -> None:
        self._end(stage, unit)
        if seconds is not None:
            say(f"{unit}  {stage}  {seconds:.1f} s")

    def failed(self, stage: str, unit: str, error: CaerError) -> None:
        self._end(stage, unit)
        say(f"{unit}  {stage}  FAILED: {error.message}")

    def _end(self, stage: str, unit: str) -> None:
        if self._all is not None:
            self._progress.advance(self._all)
        task = self._tasks.pop((stage, unit), None)
        if task is not None:
            self._progress.remove_task(task)


class Steps:
    """A bar for each step of a command; in a log file (no terminal) nothing."""

    def __init__(self) -> None:
        self._progress = _bars()
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Steps:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def tell(self, step: str, done: float, total: float) -> None:
        """How far a step is; called from several threads."""
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=None)
        self._progress.update(self._tasks[step], completed=done, total=total or None)

"""The build: which stages there are, and the loop that brings a workspace up to a recipe."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from caer_build import overrides as decisions
from caer_build import publishing, units
from caer_build.engines import Engine
from caer_build.errors import CaerError, IntegrityError, RecipeError, StoreError
from caer_build.recipes import Recipe
from caer_build.records import Override, Person
from caer_build.sources import Register, printable, still_there
from caer_build.stage import Source, Stage
from caer_build.stages import (
    clips,
    cutting,
    identities,
    ingest,
    scan,
    screening,
    shots,
    tracks,
)
from caer_build.store import Result, Workspace, write_json

STAGES: tuple[Stage[Any], ...] = (
    ingest.STAGE,
    scan.STAGE,
    shots.STAGE,
    tracks.STAGE,
    identities.EMBEDDINGS,
    identities.STAGE,
    clips.STAGE,
    screening.REPEATS,
    screening.STAGE,
    cutting.STAGE,
)
WRITERS = {artifact.name: stage for stage in STAGES for artifact in stage.writes}
State = Literal["done", "stale", "failed", "missing"]


class Observer(Protocol):
    """Told what the build is doing; the command line draws bars from it."""

    def started(self, stage: str, unit: str) -> None: ...
    def progressed(self, stage: str, unit: str, done: float, total: float) -> None: ...
    def finished(self, stage: str, unit: str, seconds: float | None) -> None:
        """``seconds`` is none where an earlier run had done it."""

    def failed(self, stage: str, unit: str, error: CaerError) -> None: ...


@dataclass(frozen=True)
class Failure:
    """Why an episode (or a show) is not there."""

    unit: str
    stage: str
    error: str
    message: str
    remedy: str


@dataclass
class Outcome:
    """What a run left behind."""

    results: dict[tuple[str, str], Result]
    failures: list[Failure]
    seconds: float
    unforeseen: bool = False


def check(recipe: Recipe, until: str | None = None) -> dict[str, tuple[str, ...]]:
    """Prove before any work that the stages fit together and that every model is there.

    Returns:
        The versions of each stage's models.

    Raises:
        RecipeError: if a stage reads what no earlier stage writes, or ``until`` is no stage.
        ModelMissing: if a model the recipe asks for is not installed.
    """
    written: set[str] = set()
    for stage in STAGES:
        missing = set(stage.reads) - written
        if missing:
            raise RecipeError(f"Stage {stage.name} reads {sorted(missing)}, which nothing wrote.")
        written |= {artifact.name for artifact in stage.writes}
    return {stage.name: stage.versions(recipe[stage.name]) for stage in stages_until(until)}


def stages_until(until: str | None) -> tuple[Stage[Any], ...]:
    """The stages up to and including ``until``; all where it is none."""
    names = [stage.name for stage in STAGES]
    if until is None:
        return STAGES
    if until not in names:
        raise RecipeError(f"No stage {until}.", f"The stages are {', '.join(names)}.")
    return STAGES[: names.index(until) + 1]


@dataclass
class Build:
    """Brings every unit of a workspace up to a recipe; :meth:`run` may be stopped at any moment."""

    workspace: Workspace
    recipe: Recipe
    register: Register
    engine: Engine
    observer: Observer
    until: str | None = None
    versions: dict[str, tuple[str, ...]] = field(init=False)
    results: dict[tuple[str, str], Result] = field(init=False, default_factory=dict)
    failures: list[Failure] = field(init=False, default_factory=list)
    _running: dict[Future[float], units.Plan] = field(init=False, default_factory=dict)
    _lost: set[tuple[str, str]] = field(init=False, default_factory=set)
    _unforeseen: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.versions = check(self.recipe, self.until)
        self._overrides: list[Override] = decisions.load(self.workspace)
        self._persons: list[Person] = publishing.published_persons(self.workspace)

    def run(self) -> Outcome:
        """Do what is not done yet, then publish tables and clips.

        Raises:
            StoreError: if the disk is full or the workspace broken; nothing is published then.
        """
        began = time.perf_counter()
        self.workspace.sweep()
        for path, reason in self.register.unreadable:
            name = printable(str(path))
            self.failures.append(
                Failure(printable(path.stem), "ingest", "ProbeError",
                        f"Cannot read {name}: {reason}.", "Check the file and its permissions.")
            )  # fmt: skip
        waiting = [
            (stage, unit, sources)
            for stage in stages_until(self.until)
            for unit, sources in units_of(stage, self.register.sources)
        ]
        killed = True
        try:
            while waiting or self._running:
                waiting = self._submit(waiting)
                self._collect()
            killed = False
        finally:
            self.engine.close(kill=killed)
        publishing.publish(self.workspace, STAGES, self.results, self.register.sources)
        write_json(
            self.workspace.root / "build.json",
            {
                "recipe": self.recipe.name,
                "settings": self.recipe.as_dict(),
                "until": self.until,
                "results": {f"{s}/{u}": r.key for (s, u), r in sorted(self.results.items())},
            },
        )
        seconds = time.perf_counter() - began
        return Outcome(self.results, self.failures, seconds, self._unforeseen)

    def _submit(self, waiting: list[Any]) -> list[Any]:
        """Start what is ready, while there is room; returns what still waits."""
        left = []
        for stage, unit, sources in waiting:
            ready, usable = self._inputs_ready(stage, sources)
            if not ready or (usable and len(self._running) >= self.engine.slots):
                left.append((stage, unit, sources))
            elif not usable:
                self._lost |= {(stage.name, s.episode_id) for s in sources}
            else:
                self._start(stage, unit, usable)
        return left

    def _inputs_ready(
        self, stage: Stage[Any], sources: Sequence[Source]
    ) -> tuple[bool, list[Source]]:
        """Whether everything a unit reads is finished or lost, and for which episodes it is there.

        A show goes on without the episodes that failed.
        """
        usable = []
        for source in sources:
            needs = [(WRITERS[name], source) for name in stage.reads]
            keys = [(w.name, s.episode_id if w.scope == "episode" else s.show) for w, s in needs]
            if any((w.name, s.episode_id) in self._lost for w, s in needs):
                continue
            if any(key not in self.results for key in keys):
                return False, []
            usable.append(source)
        return True, usable

    def _start(self, stage: Stage[Any], unit: str, sources: Sequence[Source]) -> None:
        show = sources[0].show
        plan = units.plan(
            workspace=self.workspace,
            stage=stage,
            unit=unit,
            sources=sources,
            recipe=self.recipe,
            versions=self.versions[stage.name],
            results=self.results,
            writers=WRITERS,
            overrides=decisions.concerning(self._overrides, unit, stage.scope, stage.obeys),
            known_persons=[p for p in self._persons if p.show == show],
        )
        found = self.workspace.find(stage.name, unit, plan.key)
        if found is not None:
            self.results[stage.name, unit] = found
            self.observer.finished(stage.name, unit, None)
            return
        self.observer.started(stage.name, unit)
        try:
            if plan.source is not None:
                still_there(plan.source)
        except StoreError as error:
            self._fail(plan, error)
            return
        future = self.engine.submit(units.perform, plan, tag=f"{stage.name}\n{unit}")
        self._running[future] = plan

    def _collect(self) -> None:
        if not self._running:
            return
        finished, _ = wait(self._running, timeout=0.1, return_when=FIRST_COMPLETED)
        for tag, done, total in self.engine.progress():
            stage, unit = tag.split("\n")
            self.observer.progressed(stage, unit, done, total)
        for future in finished:
            plan = self._running.pop(future)
            error = future.exception()
            if error is None:
                self._finish(plan, future.result())
            elif isinstance(error, StoreError) and not isinstance(error, IntegrityError):
                # A full disk concerns every unit: go no further, publish nothing.
                raise error
            else:
                self._fail(plan, error)

    def _finish(self, plan: units.Plan, seconds: float) -> None:
        result = self.workspace.find(plan.stage.name, plan.unit, plan.key)
        if result is None:
            raise IntegrityError(
                f"{plan.stage.name} of {plan.unit} has just been written and cannot be read back.",
                "Check the disk.",
            )
        self.results[plan.stage.name, plan.unit] = result
        self.observer.finished(plan.stage.name, plan.unit, seconds)

    def _fail(self, plan: units.Plan, error: BaseException) -> None:
        if not isinstance(error, CaerError):
            self._unforeseen = True
            error = self._unforeseen_error(plan, error)
        failure = Failure(
            plan.unit, plan.stage.name, type(error).__name__, error.message, error.remedy
        )
        self.failures.append(failure)
        self._lost |= {(s.name, e) for s in STAGES for e in plan.episodes}
        self.workspace.record_failure(plan.stage.name, plan.unit, failure.__dict__)
        self.observer.failed(plan.stage.name, plan.unit, error)

    def _unforeseen_error(self, plan: units.Plan, error: BaseException) -> CaerError:
        log = self.workspace.root / "logs" / f"{plan.stage.name}-{plan.unit}.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return CaerError(
            f"{plan.stage.name} of {plan.unit} broke down: {type(error).__name__}: {error}.",
            f"This is a fault of the program; please report it with {log}.",
        )


def units_of(stage: Stage[Any], sources: Sequence[Source]) -> list[tuple[str, list[Source]]]:
    """The units of a stage over these episodes: (unit, its episodes in order)."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        unit = source.episode_id if stage.scope == "episode" else source.show
        groups.setdefault(unit, []).append(source)
    return sorted(groups.items())


def work_folder(path: Path) -> Workspace:
    """Make or open the workspace at ``path``, absolute, so that workers find it too."""
    return Workspace.create(path.absolute())

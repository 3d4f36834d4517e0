"""The build: which stages there are, and the loop that brings a workspace up to a recipe."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from caer_build import publishing, purging, recipes
from caer_build.engines import Engine, OutOfMemory, TimeIsUp
from caer_build.errors import (
    CaerError,
    DecodeError,
    IntegrityError,
    MediaError,
    ModelMissing,
    RecipeError,
    StoreError,
)
from caer_build.recipes import Recipe
from caer_build.sources import Register, printable
from caer_build.stage import Source, Stage
from caer_build.stages import (
    clips,
    cutting,
    embeddings,
    identities,
    ingest,
    repeats,
    scan,
    screening,
    shots,
    tracks,
)
from caer_build.store import Result, Workspace, read_json, write_json
from caer_build.units import TIMES_LENGTH, Plan, Planner, name_of, perform, time_limit_s, units_of

STAGES: tuple[Stage[Any], ...] = (
    ingest.STAGE,
    scan.STAGE,
    shots.STAGE,
    tracks.STAGE,
    embeddings.STAGE,
    identities.STAGE,
    clips.STAGE,
    repeats.STAGE,
    screening.STAGE,
    cutting.STAGE,
)
WRITERS = {artifact.name: stage for stage in STAGES for artifact in stage.writes}
_OF_SHOWS = {stage.name for stage in STAGES if stage.scope == "show"}
RECIPE, _UNREAD = "recipe.json", "unread"
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
    """What a run left behind.

    Attributes:
        held: shows whose tables and clips were left as they were, because a stage of theirs failed.
        purged: whether something of a deleted person was removed.
    """

    results: dict[tuple[str, str], Result]
    failures: list[Failure]
    seconds: float
    unforeseen: bool = False
    held: list[str] = field(default_factory=list)
    purged: bool = False


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


def count_units(sources: Sequence[Source], until: str | None) -> int:
    """How many units there are to do, done ones included."""
    return sum(len(units_of(stage, sources)) for stage in stages_until(until))


@dataclass
class Build:
    """Brings every unit of a workspace up to a recipe; :meth:`run` may be stopped at any moment.

    Attributes:
        times_length: how long a stage may work on a file: :func:`~caer_build.units.time_limit_s`.
    """

    workspace: Workspace
    recipe: Recipe
    register: Register
    engine: Engine
    observer: Observer
    until: str | None = None
    times_length: float = TIMES_LENGTH
    failures: list[Failure] = field(init=False, default_factory=list)
    _running: dict[Future[float], Plan] = field(init=False, default_factory=dict)
    _unforeseen: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        versions = check(self.recipe, self.until)
        self._planner = Planner(self.workspace, self.recipe, versions, WRITERS)

    def run(self) -> Outcome:
        """Do what is not done yet, then publish tables and clips.

        Raises:
            StoreError: if the disk is full or the workspace broken; nothing is published then.
        """
        began = time.perf_counter()
        self.workspace.sweep()
        for path, reason in self.register.unreadable:
            message = f"Cannot read {printable(str(path))}: {reason}."
            remedy = "Check the file and its permissions."
            name = printable(path.stem)
            self.failures.append(Failure(name, "ingest", "ProbeError", message, remedy))
        plain = {"name": self.recipe.name, "until": self.until, "settings": self.recipe.as_dict()}
        unread = [asdict(failure) for failure in self.failures]
        write_json(self.workspace.root / RECIPE, {**plain, _UNREAD: unread})
        waiting = [
            (stage, unit, sources)
            for stage in stages_until(self.until)
            for unit, sources in units_of(stage, self.register.sources)
        ]
        stopped = True
        try:
            while waiting or self._running:
                waiting = self._submit(waiting)
                self._collect()
            stopped = False
        finally:
            self.engine.close(kill=stopped)
        _look_beyond(self.until, self._planner, self.register.sources)
        results = self._planner.results
        held = sorted({f.unit for f in self.failures if f.stage in _OF_SHOWS})
        publication = publishing.Publication(
            self.workspace, STAGES, results, self.register.sources, held
        )
        publication.publish()
        purged = purging.purge(publication)
        seconds = time.perf_counter() - began
        return Outcome(results, self.failures, seconds, self._unforeseen, held, purged)

    def _submit(self, waiting: list[Any]) -> list[Any]:
        """Start what is ready, while there is room; returns what still waits."""
        left = []
        for stage, unit, sources in waiting:
            usable = self._planner.usable(stage, sources)
            if usable is None or (usable and len(self._running) >= self.engine.slots):
                left.append((stage, unit, sources))
            elif usable:
                self._start(stage, unit, usable)
            else:
                self._planner.lost |= {(stage.name, s.episode_id) for s in sources}
        return left

    def _start(self, stage: Stage[Any], unit: str, sources: Sequence[Source]) -> None:
        plan = self._planner.plan(stage, unit, sources)
        found = self.workspace.find(stage.name, unit, plan.key)
        if found is not None:
            self._planner.results[stage.name, unit] = found
            self.observer.finished(stage.name, unit, None)
            return
        self.observer.started(stage.name, unit)
        tag, limit_s = f"{stage.name}\n{unit}", self._limit_s(plan)
        self._running[self.engine.submit(perform, plan, tag=tag, limit_s=limit_s)] = plan

    def _limit_s(self, plan: Plan) -> float | None:
        """How long a unit may take: work on a file is bounded, what is made of it follows."""
        if plan.source is None:
            return None
        probed = self._planner.results.get((ingest.STAGE.name, plan.source.episode_id))
        claimed_s = None if probed is None else probed.facts.get("claimed_s")
        return time_limit_s(plan.source.size, claimed_s, self.times_length)

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

    def _finish(self, plan: Plan, seconds: float) -> None:
        result = self.workspace.find(plan.stage.name, plan.unit, plan.key)
        if result is None:
            raise IntegrityError(
                f"{plan.stage.name} of {plan.unit} has just been written and cannot be read back.",
                "Check the disk.",
            )
        self._planner.results[plan.stage.name, plan.unit] = result
        self.observer.finished(plan.stage.name, plan.unit, seconds)

    def _fail(self, plan: Plan, error: BaseException) -> None:
        error = self._of_its_file(plan, error)
        if not isinstance(error, CaerError):
            self._unforeseen = True
            error = self._with_log(plan, error)
        failure = Failure(
            plan.unit, plan.stage.name, type(error).__name__, error.message, error.remedy
        )
        self.failures.append(failure)
        self._planner.lost |= {(s.name, e) for s in STAGES for e in plan.episodes}
        self.workspace.record_failure(plan.stage.name, plan.unit, failure.__dict__)
        self.observer.failed(plan.stage.name, plan.unit, error)

    def _of_its_file(self, plan: Plan, error: BaseException) -> BaseException:
        """What took too much, by the name of the file that it was about."""
        if isinstance(error, TimeIsUp):
            return DecodeError(
                f"{name_of(plan)} was given up: {plan.stage.name} was not done with it after "
                f"{self._limit_s(plan):.0f} s.",
                "If it is no broken file, build again with a higher --max-time.",
            )
        if isinstance(error, OutOfMemory):
            kind = CaerError if plan.source is None else MediaError
            return kind(
                f"{name_of(plan)} was given up at {plan.stage.name}: {error.message}",
                "If it is no broken file, build again with a higher --max-memory.",
            )
        return error

    def _with_log(self, plan: Plan, error: BaseException) -> CaerError:
        log = self.workspace.root / "logs" / f"{plan.stage.name}-{plan.unit}.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return CaerError(
            f"{plan.stage.name} of {plan.unit} broke down: {type(error).__name__}: {error}.",
            f"This is a fault of the program; please report it with {log}.",
        )


def last_recipe(workspace: Workspace) -> tuple[Recipe, str | None]:
    """The recipe of the last build of a workspace, finished or not, and where it was to stop.

    Raises:
        StoreError: if nothing was built there yet.
    """
    path = workspace.root / RECIPE
    if not path.is_file():
        raise StoreError(f"Nothing was built in {workspace.root} yet.", "Run `caer build`.")
    saved = read_json(path)
    return recipes.validated(STAGES, saved["name"], saved["settings"], saved=True), saved["until"]


def unread(workspace: Workspace) -> list[Failure]:
    """The files that the last build was given and could not read: no episode is known of them."""
    said = read_json(workspace.root / RECIPE)
    return [Failure(**failure) for failure in said.get(_UNREAD, [])]


def status(workspace: Workspace, sources: Sequence[Source]) -> dict[tuple[str, str], State]:
    """How every unit of the last recipe stands, by (stage, unit).

    done: its result is there and whole. stale: there is one, of other settings or inputs.
    failed: the last try failed. missing: never done.
    """
    return _survey(workspace, sources)[0]


def current_results(
    workspace: Workspace, sources: Sequence[Source]
) -> dict[tuple[str, str], Result]:
    """The results that the last recipe uses, by (stage, unit); without those not done yet."""
    return _survey(workspace, sources)[1]


def _survey(
    workspace: Workspace, sources: Sequence[Source]
) -> tuple[dict[tuple[str, str], State], dict[tuple[str, str], Result]]:
    recipe, until = last_recipe(workspace)
    planner = Planner(workspace, recipe, check(recipe, until), WRITERS)
    states: dict[tuple[str, str], State] = {}
    for stage in stages_until(until):
        _look_for(stage, planner, sources)
        for unit, own in units_of(stage, sources):
            if (stage.name, unit) in planner.results:
                states[stage.name, unit] = "done"
            elif workspace.failure(stage.name, unit):
                states[stage.name, unit] = "failed"
                planner.lost |= {(s.name, e.episode_id) for s in STAGES for e in own}
            else:
                stale = bool(workspace.keys(stage.name, unit))
                states[stage.name, unit] = "stale" if stale else "missing"
    _look_beyond(until, planner, sources)
    return states, planner.results


def _look_beyond(until: str | None, planner: Planner, sources: Sequence[Source]) -> None:
    """Add what a fuller build made of the very same inputs: it stays, after a shorter one too."""
    # A stage whose model has gone made nothing that could be told to be of now.
    with suppress(ModelMissing):
        for stage in STAGES[len(stages_until(until)) :]:
            planner.versions[stage.name] = stage.versions(planner.recipe[stage.name])
            _look_for(stage, planner, sources)


def _look_for(stage: Stage[Any], planner: Planner, sources: Sequence[Source]) -> None:
    """Add what is there of a stage, of the planner's recipe and inputs, to its results."""
    for unit, own in units_of(stage, sources):
        usable = planner.usable(stage, own)
        if usable:
            found = planner.workspace.find(stage.name, unit, planner.plan(stage, unit, usable).key)
            if found is not None:
                planner.results[stage.name, unit] = found


def warnings_of(results: Mapping[tuple[str, str], Result]) -> list[str]:
    """What stages could not do, without failing for it; sentences."""
    return [
        str(line)
        for _, found in sorted(results.items())
        for line in found.facts.get("warnings", ())
    ]


def work_folder(path: Path) -> Workspace:
    """Make or open the workspace at ``path``, absolute, so that workers find it too."""
    return Workspace.create(path.absolute())

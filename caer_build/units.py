"""One unit of work: one stage for one episode or one show, from plan to finished result.

The :class:`Planner` runs in the parent and decides the key; :func:`perform` runs wherever the
engine puts it, and needs nothing but the plan.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from caer_build import overrides as decisions
from caer_build import publishing
from caer_build.errors import IntegrityError
from caer_build.recipes import Recipe
from caer_build.records import Anchor, Override, Person
from caer_build.sources import Proof, printable
from caer_build.stage import Context, Input, Source, Stage
from caer_build.store import Result, Workspace, digest_of, disk_errors

TIMES_LENGTH = 20.0
"""How many times as long as a file lasts a stage may work on it, where nobody says otherwise."""
_FLOOR_S = 600.0
_LEAST_BYTES_PER_S, _MOST_BYTES_PER_S = 4_000, 500_000
"""Between these lies what a second of an episode takes: where a header claims otherwise, they are
believed instead."""


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs to do one unit; picklable."""

    stage: Stage[Any]
    unit: str
    key: str
    episodes: tuple[str, ...]
    source: Source | None
    settings: Any
    versions: tuple[str, ...]
    inputs: tuple[Input, ...]
    overrides: tuple[Override, ...]
    anchors: tuple[Anchor, ...]
    known_persons: tuple[Person, ...]
    workspace: Workspace


@dataclass
class Planner:
    """Knows what each unit needs, and under which key its result is found.

    Attributes:
        versions: of each stage's models (:attr:`Stage.versions`).
        writers: which stage writes an artifact, by its name.
        results: the finished results so far, by (stage, unit).
        lost: (stage, episode) pairs that will never be there in this run.
    """

    workspace: Workspace
    recipe: Recipe
    versions: dict[str, tuple[str, ...]]
    writers: Mapping[str, Stage[Any]]
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    lost: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._overrides = decisions.load(self.workspace)
        self._anchors = decisions.load_anchors(self.workspace)
        self._persons = publishing.published_persons(self.workspace)

    def usable(self, stage: Stage[Any], sources: Sequence[Source]) -> list[Source] | None:
        """The episodes for which everything a unit reads is there; none while some still comes.

        A show goes on without the episodes that failed.
        """
        found = []
        for source in sources:
            writers = [self.writers[name] for name in stage.reads]
            if any((w.name, source.episode_id) in self.lost for w in writers):
                continue
            if any((w.name, owner_of(w, source)) not in self.results for w in writers):
                return None
            found.append(source)
        return found

    def plan(self, stage: Stage[Any], unit: str, sources: Sequence[Source]) -> Plan:
        """What must be done for a unit whose inputs are there, and the key of its result.

        The key is made of what the stage *reads*: the digests of its input files, not the keys of
        the stages that wrote them. Where a changed setting leaves an upstream table as it was,
        nothing after it runs again.
        """
        inputs = []
        for name in stage.reads:
            writer = self.writers[name]
            artifact = next(a for a in writer.writes if a.name == name)
            for source in sources:
                result = self.results[writer.name, owner_of(writer, source)]
                file_name = artifact.file_name(source.episode_id)
                if file_name not in result.files:
                    raise IntegrityError(
                        f"{result.folder} was made by another version and has no {file_name}.",
                        "Delete that folder and build again.",
                    )
                inputs.append(Input(artifact, source.episode_id, result, file_name))
        settings = self.recipe[stage.name]
        opened = sources[0] if stage.opens_source(settings) else None
        overrides = decisions.concerning(self._overrides, unit, stage.scope, stage.obeys)
        numbers = {override.number for override in overrides}
        there = {source.episode_id for source in sources}
        anchors = [a for a in self._anchors if a.number in numbers and a.episode_id in there]
        obeyed: dict[str, Any] = {"overrides": [[o.action, o.target, o.value] for o in overrides]}
        if anchors:
            obeyed["anchors"] = [dataclasses.astuple(anchor) for anchor in anchors]
        key = digest_of(
            {
                "stage": stage.name,
                "version": stage.version,
                "settings": settings.model_dump(mode="json"),
                "versions": self.versions[stage.name],
                "source": opened and [opened.episode_id, opened.show, opened.sha256],
                "inputs": [
                    [i.artifact.name, i.episode_id, i.result.key_digest(i.file_name)]
                    for i in inputs
                ],
                **obeyed,
            }
        )[:32]
        return Plan(
            stage=stage,
            unit=unit,
            key=key,
            episodes=tuple(s.episode_id for s in sources),
            source=opened,
            settings=settings,
            versions=self.versions[stage.name],
            inputs=tuple(inputs),
            overrides=tuple(overrides),
            anchors=tuple(anchors),
            known_persons=tuple(p for p in self._persons if p.show == sources[0].show),
            workspace=self.workspace,
        )


def owner_of(stage: Stage[Any], source: Source) -> str:
    """The unit of a stage that an episode belongs to."""
    return source.episode_id if stage.scope == "episode" else source.show


def units_of(stage: Stage[Any], sources: Sequence[Source]) -> list[tuple[str, list[Source]]]:
    """The units of a stage over these episodes: (unit, its episodes in order)."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(owner_of(stage, source), []).append(source)
    return sorted(groups.items())


@contextmanager
def _proven(source: Source | None) -> Iterator[None]:
    """What is done inside is done with the very source that was registered, or fails."""
    if source is None:
        yield
        return
    proof = Proof(source)
    proof.check()
    try:
        yield
    finally:
        # Also where it failed: that another file is there now is the better reason.
        proof.check()


def time_limit_s(n_bytes: int, claimed_s: float | None, times_length: float) -> float:
    """How long a stage may work on a file before it is ended; part of no key.

    Args:
        n_bytes: of the file.
        claimed_s: how long it lasts, as its headers say.
        times_length: the limit as a multiple of that, beside ten minutes for any file.
    """
    shortest, longest = n_bytes / _MOST_BYTES_PER_S, n_bytes / _LEAST_BYTES_PER_S
    length_s = min(max(claimed_s or 0.0, shortest), longest)
    return _FLOOR_S + times_length * length_s


def name_of(work: Plan) -> str:
    """What a unit is called in messages: the file that it opens, else its id."""
    return printable(work.source.path.name) if work.source is not None else work.unit


def perform(work: Plan, tell: Any) -> float:
    """Do a unit and publish its result; returns the seconds it took."""
    began = time.perf_counter()
    with (
        disk_errors(work.workspace.root),
        work.workspace.draft(work.stage.name, work.unit, work.key) as draft,
    ):
        context: Context[Any] = Context(
            stage=work.stage,
            unit=work.unit,
            episodes=work.episodes,
            source=work.source,
            settings=work.settings,
            inputs=work.inputs,
            overrides=work.overrides,
            anchors=work.anchors,
            known_persons=work.known_persons,
            workspace=work.workspace,
            draft=draft,
            progress=tell,
        )
        with _proven(work.source):
            work.stage.run(context)
        seconds = time.perf_counter() - began
        draft.commit(
            {
                "stage": work.stage.name,
                "unit": work.unit,
                "version": work.stage.version,
                "settings": work.settings.model_dump(mode="json"),
                "versions": list(work.versions),
                "source_sha256": work.source and work.source.sha256,
                "inputs": [[i.artifact.name, i.episode_id, i.result.key] for i in work.inputs],
                "seconds": round(seconds, 3),
            }
        )
    work.workspace.forget_failure(work.stage.name, work.unit)
    return seconds

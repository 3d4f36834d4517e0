"""One unit of work: one stage for one episode or one show, from plan to published result.

:func:`plan` runs in the parent and decides the key; :func:`perform` runs wherever the engine puts
it, and needs nothing but the plan.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caer_build.recipes import Recipe
from caer_build.records import Override, Person
from caer_build.stage import Context, Input, Source, Stage
from caer_build.store import Result, Workspace, digest_of, disk_errors


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
    known_persons: tuple[Person, ...]
    workspace: Workspace


def plan(
    *,
    workspace: Workspace,
    stage: Stage[Any],
    unit: str,
    sources: Sequence[Source],
    recipe: Recipe,
    versions: tuple[str, ...],
    results: Mapping[tuple[str, str], Result],
    writers: Mapping[str, Stage[Any]],
    overrides: Sequence[Override],
    known_persons: Sequence[Person],
) -> Plan:
    """What must be done for a unit, and the key of its result.

    The key is made of what the stage *reads*: the digests of its input files, not the keys of
    the stages that wrote them. Where a changed setting leaves an upstream table as it was, nothing
    after it runs again.

    Args:
        sources: the episodes of the unit, in order.
        versions: of the stage's models (:attr:`Stage.versions`).
        results: the finished results of earlier stages, by (stage, unit).
        writers: which stage writes an artifact, by its name.
        overrides: those the unit must obey.
    """
    inputs = []
    for name in stage.reads:
        writer = writers[name]
        artifact = next(a for a in writer.writes if a.name == name)
        for source in sources:
            owner = source.episode_id if writer.scope == "episode" else source.show
            result = results[writer.name, owner]
            file_name = artifact.file_name(source.episode_id)
            inputs.append(Input(artifact, source.episode_id, result, file_name))
    opened = sources[0] if stage.reads_source else None
    settings = recipe[stage.name]
    key = digest_of(
        {
            "stage": stage.name,
            "version": stage.version,
            "settings": settings.model_dump(mode="json"),
            "versions": versions,
            "source": opened and [opened.episode_id, opened.show, opened.sha256],
            "inputs": [
                [i.artifact.name, i.episode_id, i.result.files[i.file_name]["sha256"]]
                for i in inputs
            ],
            "overrides": [[o.action, o.target, o.value] for o in overrides],
        }
    )[:32]
    return Plan(
        stage=stage,
        unit=unit,
        key=key,
        episodes=tuple(s.episode_id for s in sources),
        source=opened,
        settings=settings,
        versions=versions,
        inputs=tuple(inputs),
        overrides=tuple(overrides),
        known_persons=tuple(known_persons),
        workspace=workspace,
    )


def perform(work: Plan, tell: Any) -> float:
    """Do a unit and publish its result; returns the seconds it took."""
    began = time.perf_counter()
    with (
        disk_errors(work.workspace.root),
        work.workspace.draft(work.stage.name, work.unit, work.key) as draft,
    ):
        work.stage.run(
            Context(
                stage=work.stage,
                unit=work.unit,
                episodes=work.episodes,
                source=work.source,
                settings=work.settings,
                inputs=work.inputs,
                overrides=work.overrides,
                known_persons=work.known_persons,
                workspace=work.workspace,
                draft=draft,
                progress=tell,
            )
        )
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

"""Everything a report or an explanation is made of, read from a workspace once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from caer_build import overrides, pipeline, sources
from caer_build.arrow import from_table, read_table
from caer_build.errors import ModelMissing
from caer_build.pipeline import Failure
from caer_build.recipes import Recipe
from caer_build.records import (
    Clip,
    Episode,
    FaceTrack,
    Identity,
    Override,
    Person,
    Shot,
)
from caer_build.report.palette import Roll, call_roll
from caer_build.stage import Source
from caer_build.stages.screening import ScreeningSettings
from caer_build.store import Result, Workspace
from caer_build.tables import read_published
from caer_build.units import units_of

R = TypeVar("R")


@dataclass(frozen=True)
class Material:
    """The published tables, the results behind them, and what went wrong.

    Attributes:
        until: the stage after which the last build was told to stop; none: it went to the end.
        results: by (stage, unit), those that the last recipe uses.
        notes: sentences on what could not be read here.
    """

    workspace: Workspace
    recipe: Recipe
    until: str | None
    sources: Mapping[str, Source]
    results: Mapping[tuple[str, str], Result]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    episodes: tuple[Episode, ...]
    shots: tuple[Shot, ...]
    tracks: tuple[FaceTrack, ...]
    identities: tuple[Identity, ...]
    persons: tuple[Person, ...]
    clips: tuple[Clip, ...]
    overrides: tuple[Override, ...]

    @property
    def screening(self) -> ScreeningSettings:
        return cast(ScreeningSettings, self.recipe["screening"])

    @cached_property
    def roll(self) -> Roll:
        return call_roll(self.persons, self.identities, self.tracks, self.episodes)

    @cached_property
    def shot_of(self) -> Mapping[str, Shot]:
        return {s.shot_id: s for s in self.shots}

    @cached_property
    def decided(self) -> Mapping[str, str]:
        """What a person gave as the reason of the last decision on a clip or a person."""
        return {o.target: o.reason for o in self.overrides if o.reason}

    def stored(self, stage: str, episode_id: str, name: str) -> Path | None:
        """A file of a stage's result for an episode; none where it is not there."""
        result = self.results.get((stage, episode_id))
        if result is None or name not in result.files:
            return None
        return result.folder / name

    def stored_rows(self, stage: str, episode_id: str, record: type[R]) -> list[R]:
        """The rows of a table that is not published; empty where it is not there."""
        named: Any = record
        path = self.stored(stage, episode_id, f"{named.table}.parquet")
        return [] if path is None else from_table(record, read_table(path))


def gather(workspace: Workspace) -> Material:
    """Read a workspace.

    Raises:
        StoreError: if nothing was built there yet.
    """
    recipe, until = pipeline.last_recipe(workspace)
    known = sources.register(workspace).sources
    notes = []
    results: Mapping[tuple[str, str], Result] = {}
    try:
        results = pipeline.current_results(workspace, known)
    except ModelMissing as error:
        notes.append(
            f"Pictures of faces are left out, because the results behind the tables cannot be "
            f"identified without the recipe's models. {error}"
        )
    return Material(
        workspace=workspace,
        recipe=recipe,
        until=until,
        sources={s.episode_id: s for s in known},
        results=results,
        failures=_failures(workspace, known, results),
        notes=tuple(notes),
        episodes=tuple(read_published(workspace, Episode)),
        shots=tuple(read_published(workspace, Shot)),
        tracks=tuple(read_published(workspace, FaceTrack)),
        identities=tuple(read_published(workspace, Identity)),
        persons=tuple(read_published(workspace, Person)),
        clips=tuple(read_published(workspace, Clip)),
        overrides=tuple(overrides.load(workspace)),
    )


def _failures(
    workspace: Workspace, known: tuple[Source, ...], results: Mapping[tuple[str, str], Result]
) -> tuple[Failure, ...]:
    found = []
    for stage in pipeline.STAGES:
        for unit, _ in units_of(stage, known):
            failure = workspace.failure(stage.name, unit)
            if failure is not None and (stage.name, unit) not in results:
                found.append(Failure(**failure))
    return tuple(found)

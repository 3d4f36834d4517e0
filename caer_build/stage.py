"""What a stage is, and what it is given to work with.

A stage reads artifacts, writes artifacts, and knows nothing of the others. An artifact is a
table (rows of one record type) or an opaque file (frame features, face crops). Its unit is an
episode or a show. A table that a show's stage writes ``per_episode`` lies in one file an episode,
so that a stage of an episode that reads it is stale only when its own episode's rows changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from caer_build.arrow import Record, from_table, read_table, to_table
from caer_build.errors import SchemaError
from caer_build.records import Anchor, Override, Person
from caer_build.store import Draft, Result, Workspace

Scope = Literal["episode", "show"]
S = TypeVar("S", bound=BaseModel)


class Progress(Protocol):
    """Told how far a unit has come; may be called often."""

    def __call__(self, done: float, total: float) -> None: ...


@dataclass(frozen=True)
class Artifact:
    """Something a stage writes.

    Attributes:
        name: of a table, or the whole file name of an opaque file.
        record: the row type of a table; none for an opaque file.
        published: whether users find it in ``WORK/tables``.
        per_episode: written by a show's stage, one file an episode.
        filled_from: another table of one row an episode, from which columns of the same names are
            taken when this one is published; they are null until then, so that nothing that reads
            this table depends on them.
    """

    name: str
    record: type | None = None
    published: bool = False
    per_episode: bool = False
    filled_from: str = ""

    def file_name(self, episode_id: str | None = None) -> str:
        if self.record is None:
            return self.name
        part = f"@{episode_id}" if self.per_episode and episode_id is not None else ""
        return f"{self.name}{part}.parquet"


@dataclass(frozen=True)
class Source:
    """A source file as the pipeline knows it.

    Attributes:
        path: where it was seen last.
        size, modified_ns: of the file when its content was read; -1: not known, as of a source in
            whose place another file was found.
    """

    episode_id: str
    show: str
    season: int | None
    number: int | None
    path: Path
    sha256: str
    size: int = -1
    modified_ns: int = -1


def _no_versions(_settings: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Stage(Generic[S]):
    """A step of the build.

    Attributes:
        name: its folder in the store, its section in a recipe.
        version: raised whenever the same input would give another output.
        settings: the pydantic model of its section; unknown keys are errors.
        scope: what one unit of work is.
        reads: names of artifacts written by earlier stages.
        writes: what it leaves behind.
        run: does one unit.
        versions: names the models, codecs and threads that shape the output; raises
            :class:`~caer_build.errors.ModelMissing` where one is not there. Part of the key.
        reads_source: whether it opens the source file; a callable where its settings decide.
        obeys: the actions of overrides it applies.
    """

    name: str
    version: int
    settings: type[S]
    scope: Scope
    reads: tuple[str, ...]
    writes: tuple[Artifact, ...]
    run: Callable[[Context[Any]], None]
    versions: Callable[[Any], tuple[str, ...]] = _no_versions
    reads_source: bool | Callable[[Any], bool] = False
    obeys: tuple[str, ...] = ()

    def opens_source(self, settings: Any) -> bool:
        """Whether a unit with these settings is given the source file, and is keyed by it."""
        return self.reads_source(settings) if callable(self.reads_source) else self.reads_source


@dataclass(frozen=True)
class Input:
    """One artifact a unit may read: of which episode, and the result and file that hold it."""

    artifact: Artifact
    episode_id: str | None
    result: Result
    file_name: str


class Context(Generic[S]):
    """Everything one unit of one stage may touch.

    Attributes:
        unit: the episode's or the show's id.
        episodes: the episodes of the unit, in order; one for a stage of episodes.
        source: the source file; only for stages that read it.
        settings: the stage's own section of the recipe.
        overrides: the decisions that concern this unit, in order.
        anchors: of these decisions, in the episodes of this unit.
        known_persons: the persons of this show that users have seen so far.
        facts: what the manifest shall remember (counts).
    """

    def __init__(
        self,
        *,
        stage: Stage[S],
        unit: str,
        episodes: tuple[str, ...],
        source: Source | None,
        settings: S,
        inputs: Iterable[Input],
        overrides: Sequence[Override],
        anchors: Sequence[Anchor],
        known_persons: Sequence[Person],
        workspace: Workspace,
        draft: Draft,
        progress: Progress,
    ) -> None:
        self.unit = unit
        self.episodes = episodes
        self.settings = settings
        self.overrides = overrides
        self.anchors = anchors
        self.known_persons = known_persons
        self.workspace = workspace
        self.progress = progress
        self._source = source
        self._draft = draft
        self._written = {artifact.name: artifact for artifact in stage.writes}
        self._inputs: Mapping[tuple[str, str | None], Input] = {
            (i.artifact.name, i.episode_id): i for i in inputs
        }

    @property
    def facts(self) -> dict[str, Any]:
        return self._draft.facts

    @property
    def source(self) -> Source:
        if self._source is None:
            raise SchemaError(f"The stage of unit {self.unit} did not declare reads_source.")
        return self._source

    def file(self, name: str, episode_id: str | None = None) -> Path:
        """Where an opaque artifact of an episode lies (default: of this unit)."""
        found = self._inputs.get((name, episode_id or self.unit))
        if found is None:
            raise SchemaError(
                f"The stage of unit {self.unit} did not declare that it reads {name}."
            )
        return found.result.path(found.file_name)

    def read(self, name: str, episode_id: str | None = None) -> list[Any]:
        """The rows of a table of an episode (default: of this unit), as records."""
        path = self.file(name, episode_id)
        record = self._inputs[name, episode_id or self.unit].artifact.record
        if record is None:
            raise SchemaError(f"{name} is not a table.")
        return from_table(record, read_table(path))

    def write(self, name: str, rows: Iterable[Record]) -> None:
        """Write a table of the result; a show's table per episode is divided by ``episode_id``."""
        artifact = self._written[name]
        if artifact.record is None:
            raise SchemaError(f"{name} is not a table.")
        if not artifact.per_episode:
            write_parquet(self._draft.folder / artifact.file_name(), artifact.record, rows)
            return
        parts: dict[str, list[Record]] = {episode: [] for episode in self.episodes}
        for row in rows:
            parts[row.episode_id].append(row)
        for episode, part in parts.items():
            write_parquet(self._draft.folder / artifact.file_name(episode), artifact.record, part)

    def output(self, name: str) -> Path:
        """Where to write an opaque artifact of the result."""
        return self._draft.folder / self._written[name].file_name()


def write_parquet(path: Path, record_type: type, rows: Iterable[Record]) -> None:
    """The rows as a Parquet file: the same rows give the same bytes."""
    import pyarrow.parquet as pq

    pq.write_table(to_table(record_type, rows), path, compression="zstd")

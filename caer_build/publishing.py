"""What users open: the current tables and clips of all episodes, gathered from the results.

Nothing of a deleted person is gathered: of a track without an identity there are no boxes, no
vectors and no detections; its clips keep their rows, which say ``person_deleted`` and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from caer_build import overrides
from caer_build.arrow import from_table, read_table, schema
from caer_build.records import Person
from caer_build.stage import Artifact, Source, Stage
from caer_build.store import Result, Workspace, disk_errors, flush, link_or_copy, read_json

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R")
PIECES = "pieces.json"
"""written by the cutting stage: clip_id -> {"key": of its piece, "file": its name there}"""
_OF_TRACKS = ("tracks", "track_boxes", "embeddings", "clip_boxes")


def published_persons(workspace: Workspace) -> list[Person]:
    """The persons that users of this workspace have seen; they keep their names."""
    path = workspace.tables / "persons.parquet"
    return from_table(Person, read_table(path)) if path.is_file() else []


def published_rows(
    workspace: Workspace, record_type: type[R], column: str, values: Iterable[str]
) -> list[R]:
    """The rows of a published table whose column has one of these values; none without it."""
    import pyarrow.parquet as pq

    named: Any = record_type
    path = workspace.tables / f"{named.table}.parquet"
    wanted = sorted(set(values))
    if not path.is_file() or not wanted:
        return []
    return from_table(record_type, pq.read_table(path, filters=[(column, "in", wanted)]))


@dataclass(frozen=True)
class Publication:
    """Brings ``WORK/tables`` and ``WORK/clips`` up to the results; each file changes atomically.

    Attributes:
        held: shows of which everything stays as it was published before, because a stage of the
            whole show failed.
    """

    workspace: Workspace
    stages: Sequence[Stage[Any]]
    results: Mapping[tuple[str, str], Result]
    sources: Sequence[Source]
    held: Collection[str] = field(default=())

    def publish(self) -> None:
        with disk_errors(self.workspace.root):
            for stage in self.stages:
                for artifact in stage.writes:
                    if artifact.published:
                        self._publish_table(artifact)
            self._publish_clips()

    def file_of(self, artifact_name: str, source: Source) -> Path | None:
        """Where an artifact of an episode lies (of a show's table: the show's); none: nowhere."""
        stage, artifact = self._writers[artifact_name]
        unit = source.episode_id if stage.scope == "episode" else source.show
        result = self.results.get((stage.name, unit))
        name = artifact.file_name(source.episode_id)
        # An episode that failed has no part in its show's result.
        return result.folder / name if result is not None and name in result.files else None

    def deleted_tracks(self, source: Source) -> frozenset[str] | None:
        """The tracks of deleted persons; none where nobody can tell, because nobody is named."""
        tracks, identities = (self.file_of(name, source) for name in ("tracks", "identities"))
        if tracks is None:
            return frozenset()
        if identities is None:
            return None if self._somebody_is_deleted else frozenset()
        return frozenset(_column(tracks, "track_id")) - set(_column(identities, "track_id"))

    @cached_property
    def _somebody_is_deleted(self) -> bool:
        return any(o.action == "delete" for o in overrides.load(self.workspace))

    @cached_property
    def _writers(self) -> Mapping[str, tuple[Stage[Any], Artifact]]:
        return {a.name: (stage, a) for stage in self.stages for a in stage.writes}

    def _publish_table(self, artifact: Artifact) -> None:
        import pyarrow.parquet as pq

        if self.sources and all(source.show in self.held for source in self.sources):
            return
        path = self.workspace.tables / f"{artifact.name}.parquet"
        path.parent.mkdir(exist_ok=True)
        beside = path.with_name(f".{path.name}")
        columns = schema(artifact.record or dict)
        # One row group an episode: memory does not grow with the number of episodes.
        with pq.ParquetWriter(beside, columns, compression="zstd") as writer:
            for part in self._parts(artifact, path):
                writer.write_table(part)
        flush(beside)
        beside.replace(path)
        flush(path.parent)

    def _parts(self, artifact: Artifact, path: Path) -> Iterator[pa.Table]:
        """What a published table is made of, episode by episode."""
        of_shows = self._writers[artifact.name][0].scope == "show" and not artifact.per_episode
        done: set[str] = set()
        for source in self.sources:
            owner = source.show if of_shows else source.episode_id
            if owner in done:
                continue
            done.add(owner)
            file = None if source.show in self.held else self.file_of(artifact.name, source)
            # Persons are a register, too: while a show's are not made anew, they are remembered.
            if source.show in self.held or (of_shows and file is None):
                yield from _rows_of(path, owner, artifact)
            elif file is not None:
                table = self._filled(read_table(file), artifact, source)
                yield self._without_deleted(table, artifact.name, source)

    def _filled(self, table: pa.Table, artifact: Artifact, source: Source) -> pa.Table:
        """The table with the columns that another one says, of an episode."""
        file = self.file_of(artifact.filled_from, source) if artifact.filled_from else None
        if file is None:
            return table
        other = read_table(file)
        for number, field_ in enumerate(table.schema):
            if field_.name in other.column_names:
                table = table.set_column(number, field_, other[field_.name])
        return table

    def _without_deleted(self, table: pa.Table, name: str, source: Source) -> pa.Table:
        if name not in (*_OF_TRACKS, "detections"):
            return table
        deleted = self.deleted_tracks(source)
        if deleted is None:
            return table.slice(0, 0)
        if not deleted:
            return table
        if name in _OF_TRACKS:
            return rows_where(table, (t not in deleted for t in table["track_id"].to_pylist()))
        theirs = faces_of(self.file_of("track_detections", source), deleted)
        faces = zip(table["frame"].to_pylist(), table["index"].to_pylist(), strict=True)
        return rows_where(table, (face not in theirs for face in faces))

    def _publish_clips(self) -> None:
        folder = self.workspace.clips
        folder.mkdir(exist_ok=True)
        wanted: dict[str, Path] = {}
        for source in self.sources:
            index = None if source.show in self.held else self.file_of(PIECES, source)
            if index is not None:
                pieces = index.parent.parent / "pieces"
                for clip_id, piece in read_json(index).items():
                    file = pieces / piece["key"] / piece["file"]
                    wanted[f"{clip_id}{file.suffix}"] = file
        kept = tuple(f"{s.episode_id}-" for s in self.sources if s.show in self.held)
        for old in folder.iterdir():
            stays = old.name in wanted or old.name.startswith(kept)
            if not stays and old.suffix in (".mp4", ".avi"):
                old.unlink()
        for name, file in wanted.items():
            place = folder / name
            if place.exists() and place.samefile(file):
                continue
            link_or_copy(file, place)
        flush(folder)


def faces_of(track_detections: Path | None, tracks: Collection[str]) -> set[tuple[int, int]]:
    """The detections, (frame, index), that these tracks are made of."""
    import pyarrow.parquet as pq

    if track_detections is None:
        return set()
    filters = [("track_id", "in", sorted(tracks))]
    found = pq.read_table(track_detections, columns=["frame", "index"], filters=filters)
    return set(zip(found["frame"].to_pylist(), found["index"].to_pylist(), strict=True))


def rows_where(table: pa.Table, mask: Iterable[bool]) -> pa.Table:
    """The rows of a table, of none at all too, where the mask is true."""
    import pyarrow as pa

    return table.filter(pa.array(mask, type=pa.bool_()))


def _column(file: Path, name: str) -> list[str]:
    values: list[str] = read_table(file, columns=[name])[name].to_pylist()
    return values


def _rows_of(path: Path, owner: str, artifact: Artifact) -> Iterator[pa.Table]:
    """The rows of an episode, or of a show, in a table published before; none of another version's.

    Args:
        owner: the id of the episode, or of the show.
    """
    if not path.is_file():
        return
    table = read_table(path)
    if table.schema.names != schema(artifact.record or dict).names:
        return
    if "show" in table.schema.names and "episode_id" not in table.schema.names:
        owners = table["show"].to_pylist()
    elif "episode_id" in table.schema.names:
        owners = table["episode_id"].to_pylist()
    else:
        owners = [track_id.rsplit("-", 2)[0] for track_id in table["track_id"].to_pylist()]
    yield rows_where(table, (each == owner for each in owners))

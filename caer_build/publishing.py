"""What users open: the current tables and clips of all episodes, gathered from the results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from caer_build.arrow import from_table, schema
from caer_build.records import Person
from caer_build.stage import Artifact, Source, Stage
from caer_build.store import Result, Workspace, disk_errors, flush, read_json

R = TypeVar("R")
PIECES = "pieces.json"
"""written by the cutting stage: clip_id -> {"key": of its piece, "file": its name there}"""


def published_persons(workspace: Workspace) -> list[Person]:
    """The persons that users of this workspace have seen; they keep their names."""
    import pyarrow.parquet as pq

    path = workspace.tables / "persons.parquet"
    return from_table(Person, pq.read_table(path)) if path.is_file() else []


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


def publish(
    workspace: Workspace,
    stages: Sequence[Stage[Any]],
    results: Mapping[tuple[str, str], Result],
    sources: Sequence[Source],
) -> None:
    """Bring ``WORK/tables`` and ``WORK/clips`` up to the results; each file changes atomically."""
    with disk_errors(workspace.root):
        for stage in stages:
            for artifact in stage.writes:
                if artifact.published:
                    _publish_table(workspace, stage, artifact, results, sources)
        _publish_clips(workspace, results)


def _publish_table(
    workspace: Workspace,
    stage: Stage[Any],
    artifact: Artifact,
    results: Mapping[tuple[str, str], Result],
    sources: Sequence[Source],
) -> None:
    import pyarrow.parquet as pq

    files = []
    for source in sources:
        unit = source.episode_id if stage.scope == "episode" else source.show
        result = results.get((stage.name, unit))
        name = artifact.file_name(source.episode_id)
        # An episode that failed has no part in its show's result.
        if result is not None and name in result.files and result.folder / name not in files:
            files.append(result.folder / name)
    path = workspace.tables / f"{artifact.name}.parquet"
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{path.name}")
    # One row group an episode: memory does not grow with the number of episodes.
    with pq.ParquetWriter(beside, schema(artifact.record or dict), compression="zstd") as writer:
        for file in files:
            writer.write_table(pq.read_table(file))
    flush(beside)
    beside.replace(path)
    flush(path.parent)


def _publish_clips(workspace: Workspace, results: Mapping[tuple[str, str], Result]) -> None:
    wanted: dict[str, Path] = {}
    for (stage, unit), result in results.items():
        if PIECES in result.files:
            for clip_id, piece in read_json(result.path(PIECES)).items():
                folder = workspace.unit_folder(stage, f"{unit}/pieces") / piece["key"]
                file = folder / piece["file"]
                wanted[f"{clip_id}{file.suffix}"] = file
    workspace.clips.mkdir(exist_ok=True)
    for old in workspace.clips.iterdir():
        if old.name not in wanted and old.suffix in (".mp4", ".avi"):
            old.unlink()
    for name, file in wanted.items():
        place = workspace.clips / name
        if place.exists() and place.samefile(file):
            continue
        beside = place.with_name(f".{name}")
        beside.unlink(missing_ok=True)
        try:
            os.link(file, beside)
        except OSError:
            # Some file systems have no hard links: a copy does as well.
            shutil.copyfile(file, beside)
            flush(beside)
        beside.replace(place)
    flush(workspace.clips)

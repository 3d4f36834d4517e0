"""Videos looked through: the build's own stages, from the headers to the face tracks.

The stages are run in a workspace as a build's are: whoever was stopped goes on, and whoever asks
another network finds the tracks there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from caer_build import engines, pipeline, recipes, sources
from caer_build.arrays import load_timeline
from caer_build.arrow import Record, from_table, read_table
from caer_build.errors import CaerError, MediaError
from caer_build.frames import Timeline
from caer_build.pipeline import Observer
from caer_build.records import Episode, Shot, TrackBox
from caer_build.store import Result, Workspace

_LAST = "tracks"


@dataclass(frozen=True)
class Watched:
    """A video with its faces.

    Attributes:
        file: where it lies.
        name: unique among the videos.
        timeline: when its frames are shown.
        n_shots: in how many shots; no track goes on from one to the next.
        tracks: the boxes of each, one a frame, ascending.
        timestamps_repaired: its clock could not be used as it is.
    """

    file: Path
    name: str
    timeline: Timeline
    n_shots: int
    tracks: Mapping[str, tuple[TrackBox, ...]]
    timestamps_repaired: bool


def watch(
    files: Sequence[Path], work: Path, recipe: str, observer: Observer, workers: int
) -> dict[Path, Watched | CaerError]:
    """Look through videos; each is there, or why it is not.

    Args:
        work: a workspace, made if new.
        recipe: by name, or a file.

    Raises:
        ModelMissing: if a model of the recipe is not installed.
        RecipeError: if the recipe cannot be right.
        StoreError: if the workspace cannot be used.
    """
    chosen = recipes.load(pipeline.STAGES, recipe)
    workspace = pipeline.work_folder(work)
    with workspace.locked(lambda _: None):
        known = sources.register(workspace, files)
        of_double = dict(known.doubles)
        wanted = {file.absolute() for file in files}
        mine = tuple(s for s in known.sources if s.path in wanted)
        outcome = pipeline.Build(
            workspace=workspace,
            recipe=chosen,
            register=replace(known, sources=mine, unreadable=()),
            engine=engines.load("local", workers),
            observer=observer,
            until=_LAST,
        ).run()
        failures = {f.unit: MediaError(f.message, f.remedy) for f in outcome.failures}
        found: dict[Path, Watched | CaerError] = {}
        for file, reason in known.unreadable:
            found[file] = MediaError(f"Cannot read {file}: {reason}.", "Check the file.")
        by_path = {source.path: source.episode_id for source in mine}
        for file in files:
            name = by_path.get(file.absolute()) or of_double.get(file)
            if name in failures:
                found[file] = failures[name]
            elif name is not None:
                found[file] = _watched(file, name, outcome.results, workspace)
    return found


def _watched(
    file: Path, name: str, results: Mapping[tuple[str, str], Result], workspace: Workspace
) -> Watched | CaerError:
    scan, shots, tracks = (results.get((s, name)) for s in ("scan", "shots", _LAST))
    if scan is None or shots is None or tracks is None:
        return MediaError(f"{file} was not looked through.", f"See `caer status {workspace.root}`.")
    boxes: dict[str, list[TrackBox]] = defaultdict(list)
    for box in _rows(tracks, "track_boxes", TrackBox):
        boxes[box.track_id.removeprefix(f"{name}-")].append(box)
    (episode,) = _rows(scan, "episodes", Episode)
    return Watched(
        file,
        name,
        load_timeline(scan.path("timeline.npz")),
        len(_rows(shots, "shots", Shot)),
        {track: tuple(some) for track, some in boxes.items()},
        episode.timestamps_repaired,
    )


def _rows(result: Result, table: str, record: type[Record]) -> list[Record]:
    return from_table(record, read_table(result.path(f"{table}.parquet")))

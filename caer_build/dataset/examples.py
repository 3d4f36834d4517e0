"""The labelled clips of a workspace, as a split looks at them."""

from __future__ import annotations

from collections import defaultdict

from caer_build.dataset.grouping import Example
from caer_build.records import Clip, ClipBox, Episode, Identity, Label
from caer_build.store import Workspace
from caer_build.tables import read_published


def examples_of(workspace: Workspace) -> list[Example]:
    """Every clip that the build keeps and that has a label, by clip_id.

    Raises:
        StoreError: if nothing was built or labelled yet.
    """
    labels = {label.clip_id: label.emotion for label in read_published(workspace, Label)}
    show_of = {e.episode_id: e.show for e in read_published(workspace, Episode)}
    people = _people(workspace)
    found = []
    for clip in read_published(workspace, Clip):
        emotion = labels.get(clip.clip_id)
        if clip.reject_reason is None and clip.person_id is not None and emotion is not None:
            found.append(
                Example(
                    clip.clip_id, emotion, show_of[clip.episode_id], clip.episode_id,
                    clip.person_id, people[clip.clip_id] | {clip.person_id},
                    clip.start_frame, clip.end_frame,
                )
            )  # fmt: skip
    return sorted(found, key=lambda example: example.clip_id)


def _people(workspace: Workspace) -> dict[str, frozenset[str]]:
    """Who is seen in each clip."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    person_of = {row.track_id: row.person_id for row in read_published(workspace, Identity)}
    seen: dict[str, set[str]] = defaultdict(set)
    with pq.ParquetFile(workspace.tables / f"{ClipBox.table}.parquet") as file:
        # Boxes are a row a frame: the pairs of clip and track are counted where the columns are,
        # and an episode at a time.
        for number in range(file.num_row_groups):
            boxes = file.read_row_group(number, columns=["clip_id", "track_id"])
            pairs = boxes.group_by(["clip_id", "track_id"]).aggregate([])
            pairs = pairs.filter(pc.is_valid(pairs["track_id"]))
            for clip_id, track_id in zip(
                pairs["clip_id"].to_pylist(), pairs["track_id"].to_pylist(), strict=True
            ):
                if track_id in person_of:
                    seen[clip_id].add(person_of[track_id])
    return defaultdict(frozenset, {clip_id: frozenset(who) for clip_id, who in seen.items()})

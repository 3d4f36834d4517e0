"""The catalogue of a workspace: what was built, labelled, split and chosen, joined clip by clip."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from caer_build import __version__, overrides, pipeline
from caer_build.arrow import read_table, rows_of, schema
from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.funnel import funnel, to_data_set
from caer_build.dataset.labels import made_of
from caer_build.dataset.stills import CHOSEN_OF
from caer_build.errors import DatasetError
from caer_build.records import (
    Clip,
    ClipBox,
    CountedVote,
    Cut,
    Episode,
    Identity,
    Item,
    ItemFace,
    ItemKind,
    Label,
    Override,
    SplitAssignment,
    Still,
)
from caer_build.rows import Rows
from caer_build.stages import cutting
from caer_build.store import Workspace, sha256_of
from caer_build.tables import facts_of, has_table, published_rows, read_published

if TYPE_CHECKING:
    import pyarrow as pa

_OF_LABEL = (
    "emotion", "p_anger", "p_disgust", "p_fear", "p_happy", "p_neutral", "p_sad", "p_surprise",
    "n_votes", "n_agreeing", "mean_confidence",
)  # fmt: skip
_OF_CLIP = (
    "clip_id", "track_id", "shot_id", "person_id", "episode_id", "n_frames", "start_frame",
    "end_frame", "file_sha256",
)  # fmt: skip
_OF_BUILD = (*_OF_CLIP, "file", "reject_reason", "start_pts_s", "end_pts_s")
_STILLS_AT_ONCE = 2000


def collect(workspace: Workspace, kinds: Collection[ItemKind]) -> Catalogue:
    """Everything that the exports of a workspace say.

    Args:
        kinds: of the items; others are not read.

    Raises:
        StoreError: if nothing was built, labelled or split yet.
        DatasetError: if labels, split and stills are not of one another, a clip is not there, or
            a person or a clip was to be taken out and is there still.
    """
    import pyarrow.compute as pc

    facts = _facts(workspace)
    if "still" in kinds:
        facts["stills"] = _facts_of_stills(workspace)
    kept = published_rows(workspace, Clip).table(_OF_BUILD)
    kept = kept.filter(pc.is_null(kept["reject_reason"]))
    _check_decisions(workspace, kept)
    stands = published_rows(workspace, SplitAssignment).table(["clip_id", "split", "group_id"])
    stands = stands.filter(pc.is_valid(stands["split"]))
    own = rows_of(kept, "clip_id", stands["clip_id"].to_pylist()).sort_by("clip_id")
    ids = own["clip_id"].to_pylist()
    episodes = {e.episode_id: e for e in read_published(workspace, Episode)}
    labels = published_rows(workspace, Label).table(["clip_id", *_OF_LABEL])
    clips = _clips(own, labels, stands, episodes)
    files = dict(zip(ids, own["file"].to_pylist(), strict=True))
    return Catalogue(
        facts=facts,
        items=Rows.packed(
            Item,
            chain(
                [clips] if "clip" in kinds else [],
                _stills(workspace, clips) if "still" in kinds else [],
            ),
        ),
        votes=published_rows(workspace, CountedVote),
        cuts=_by_clip(published_rows(workspace, Cut)),
        episodes=tuple(episodes[name] for name in sorted(own["episode_id"].unique().to_pylist())),
        faces=lambda: _faces(workspace, ids),
        clip_file=lambda clip_id: workspace.root / str(files[clip_id]),
    )


def _by_clip(cuts: Rows[Cut]) -> Rows[Cut]:
    return cuts.reordered(np.argsort(np.array(list(cuts.values("clip_id")), np.str_)))


def _check_decisions(workspace: Workspace, kept: pa.Table) -> None:
    """Nobody who asked to be taken out goes into a data set because nobody has built since."""
    persons, clips = (set(kept[name].to_pylist()) for name in ("person_id", "clip_id"))
    of_clips = {}
    for decision in overrides.load(workspace):
        if decision.action == "delete" and decision.target in persons:
            raise _not_built(workspace, decision)
        if decision.action in overrides.ABOUT_CLIPS:
            of_clips[decision.target] = decision
    for clip_id, last in of_clips.items():
        if last.action == "reject" and clip_id in clips:
            raise _not_built(workspace, last)


def _not_built(workspace: Workspace, decision: Override) -> DatasetError:
    return DatasetError(
        f"It was decided to {overrides.in_words(decision)}, and {workspace.root} was not built "
        "since.",
        "Run `caer build` again, then `caer label` and `caer split`.",
    )


def _facts(workspace: Workspace) -> dict[str, Any]:
    labels = made_of(workspace)
    split = facts_of(workspace, SplitAssignment)
    if split["labels"] != labels:
        raise DatasetError(
            f"The labels of {workspace.root} were made anew since they were split.",
            "Run `caer split` again: what stands does not move.",
        )
    recipe, _ = pipeline.last_recipe(workspace)
    settings = cast(cutting.CuttingSettings, recipe["cutting"])
    left_out = _left_out(workspace)
    labelled = funnel(published_rows(workspace, Clip), published_rows(workspace, Label))
    steps = to_data_set(labelled, len(left_out))
    return {
        "made_with": f"caer-build {__version__}",
        "recipe": recipe.name,
        "labels": labels,
        "split": {name: split[name] for name in ("by", "ratio", "seed", "tried")},
        "left_out": left_out,
        "funnel": [asdict(step) for step in steps],
        "codec": {
            "settings": settings.model_dump(mode="json", exclude={"jobs"}),
            "versions": list(cutting.versions(settings)),
        },
    }


def _left_out(workspace: Workspace) -> dict[str, str]:
    rows = published_rows(workspace, SplitAssignment).table(["clip_id", "left_out_because"])
    said: list[dict[str, str]] = rows.filter(rows["left_out_because"].is_valid()).to_pylist()
    return {row["clip_id"]: row["left_out_because"] for row in said}


def _facts_of_stills(workspace: Workspace) -> dict[str, Any] | None:
    if not has_table(workspace, Still):
        return None
    facts = facts_of(workspace, Still)
    if facts[CHOSEN_OF] != sha256_of(workspace.tables / "splits.parquet"):
        raise DatasetError(
            f"The stills of {workspace.root} were chosen before its clips were split as they are.",
            "Run `caer stills` again.",
        )
    return facts


def _clips(
    clips: pa.Table, labels: pa.Table, stands: pa.Table, episodes: Mapping[str, Episode]
) -> pa.Table:
    """Clips as a table of :class:`Item`; labels and splits are of clips in any order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = clips["clip_id"]
    labels = labels.take(pc.index_in(ids, labels["clip_id"]))
    stands = stands.take(pc.index_in(ids, stands["clip_id"]))
    of_clips = [episodes[name] for name in clips["episode_id"].to_pylist()]
    spans = (clips[name].to_pylist() for name in ("start_pts_s", "end_pts_s"))
    columns = {
        "item_id": ids,
        "kind": ["clip"] * len(ids),
        "split": stands["split"],
        "group_id": stands["group_id"],
        "width": [episode.width for episode in of_clips],
        "height": [episode.height for episode in of_clips],
        "show": [episode.show for episode in of_clips],
        "length_s": [round(end - start, 6) for start, end in zip(*spans, strict=True)],
        "start_s": clips["start_pts_s"],
        "end_s": clips["end_pts_s"],
        **{name: labels[name] for name in _OF_LABEL},
        **{name: clips[name] for name in _OF_CLIP},
    }
    nothing = pa.nulls(len(ids))
    return pa.table({name: columns.get(name, nothing) for name in schema(Item).names}).cast(
        schema(Item)
    )


def _stills(workspace: Workspace, clips: pa.Table) -> Iterator[pa.Table]:
    """Stills as tables of :class:`Item`: each is its clip's in everything but the span."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not has_table(workspace, Still):
        return
    stills = published_rows(workspace, Still).table(["still_id", "clip_id", "frame"])
    stills = stills.sort_by("still_id")
    for start in range(0, len(stills), _STILLS_AT_ONCE):
        some = stills.slice(start, _STILLS_AT_ONCE)
        own = clips.take(pc.index_in(some["clip_id"], clips["item_id"]))
        first = pc.add(own["start_frame"], some["frame"])
        nothing = pa.nulls(len(some))
        other = {
            "item_id": some["still_id"],
            "kind": ["still"] * len(some),
            "n_frames": [1] * len(some),
            "length_s": nothing,
            "clip_frame": some["frame"],
            "start_frame": first,
            "end_frame": pc.add(first, 1),
            "start_s": nothing,
            "end_s": nothing,
            "file_sha256": nothing,
        }
        columns = {name: other.get(name, own[name]) for name in own.schema.names}
        yield pa.table(columns).cast(own.schema)


def _faces(workspace: Workspace, clip_ids: Sequence[str]) -> Iterator[pa.Table]:
    """The faces of some clips, and whose they are; published a row group an episode, and read so.

    Persons who were deleted have no identity, so nobody says who they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    known = workspace.tables / f"{Identity.table}.parquet"
    identities = read_table(known, ["track_id", "person_id"])
    columns = {"item_id": "clip_id", "face": "track_id"}
    with pq.ParquetFile(workspace.tables / f"{ClipBox.table}.parquet") as file:
        for number in range(file.num_row_groups):
            boxes = rows_of(file.read_row_group(number), "clip_id", clip_ids)
            whose = pc.index_in(boxes["track_id"], identities["track_id"])
            boxes = boxes.append_column("person_id", identities["person_id"].take(whose))
            target = schema(ItemFace)
            yield pa.table(
                [boxes[columns.get(name, name)].combine_chunks() for name in target.names], target
            )

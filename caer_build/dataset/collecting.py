"""The catalogue of a workspace: what was built, labelled, split and chosen, joined clip by clip."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

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
from caer_build.stages import cutting
from caer_build.store import Workspace, sha256_of
from caer_build.tables import facts_of, has_table, published_table, read_published

if TYPE_CHECKING:
    import pyarrow as pa


def collect(workspace: Workspace, kinds: Collection[ItemKind]) -> Catalogue:
    """Everything that the exports of a workspace say.

    Args:
        kinds: of the items; others are not read.

    Raises:
        StoreError: if nothing was built, labelled or split yet.
        DatasetError: if labels, split and stills are not of one another, a clip is not there, or
            a person or a clip was to be taken out and is there still.
    """
    facts = _facts(workspace)
    if "still" in kinds:
        facts["stills"] = _facts_of_stills(workspace)
    clips = [clip for clip in read_published(workspace, Clip) if clip.reject_reason is None]
    _check_decisions(workspace, clips)
    stands = {row.clip_id: row for row in read_published(workspace, SplitAssignment) if row.split}
    labels = {row.clip_id: row for row in read_published(workspace, Label)}
    episodes = {e.episode_id: e for e in read_published(workspace, Episode)}
    clips = sorted((c for c in clips if c.clip_id in stands), key=_clip_id)
    items = [
        _item(clip, episodes[clip.episode_id], labels[clip.clip_id], stands[clip.clip_id])
        for clip in clips
    ]
    of_clip = {item.item_id: item for item in items}
    stills = _stills(workspace) if "still" in kinds else []
    used = {clip.episode_id for clip in clips}
    files = {clip.clip_id: str(clip.file) for clip in clips}
    return Catalogue(
        facts=facts,
        items=(
            *(items if "clip" in kinds else ()),
            *(_still_item(still, of_clip[still.clip_id]) for still in stills),
        ),
        votes=rows_of(published_table(workspace, CountedVote), "clip_id", of_clip),
        cuts=rows_of(published_table(workspace, Cut), "clip_id", of_clip).sort_by("clip_id"),
        episodes=tuple(episodes[episode_id] for episode_id in sorted(used)),
        faces=lambda: _faces(workspace, frozenset(of_clip)),
        clip_file=lambda clip_id: workspace.root / files[clip_id],
    )


def _check_decisions(workspace: Workspace, clips: Sequence[Clip]) -> None:
    """Nobody who asked to be taken out goes into a data set because nobody has built since."""
    persons = {clip.person_id for clip in clips}
    of_clips = {}
    for decision in overrides.load(workspace):
        if decision.action == "delete" and decision.target in persons:
            raise _not_built(workspace, decision)
        if decision.action in overrides.ABOUT_CLIPS:
            of_clips[decision.target] = decision
    for clip in clips:
        last = of_clips.get(clip.clip_id)
        if last is not None and last.action == "reject":
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
    labelled = funnel(read_published(workspace, Clip), read_published(workspace, Label))
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
    rows = read_published(workspace, SplitAssignment)
    return {row.clip_id: row.left_out_because for row in rows if row.left_out_because}


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


def _stills(workspace: Workspace) -> list[Still]:
    if not has_table(workspace, Still):
        return []
    return sorted(read_published(workspace, Still), key=lambda still: still.still_id)


def _item(clip: Clip, episode: Episode, label: Label, stands: SplitAssignment) -> Item:
    return Item(
        item_id=clip.clip_id,
        kind="clip",
        file=None,
        split=stands.split,
        emotion=label.emotion,
        p_anger=label.p_anger,
        p_disgust=label.p_disgust,
        p_fear=label.p_fear,
        p_happy=label.p_happy,
        p_neutral=label.p_neutral,
        p_sad=label.p_sad,
        p_surprise=label.p_surprise,
        n_votes=label.n_votes,
        n_agreeing=label.n_agreeing,
        mean_confidence=label.mean_confidence,
        n_frames=clip.n_frames,
        width=episode.width,
        height=episode.height,
        length_s=round(clip.end_pts_s - clip.start_pts_s, 6),
        clip_id=clip.clip_id,
        track_id=clip.track_id,
        shot_id=clip.shot_id,
        person_id=clip.person_id,
        episode_id=clip.episode_id,
        show=episode.show,
        group_id=stands.group_id,
        start_frame=clip.start_frame,
        end_frame=clip.end_frame,
        start_s=clip.start_pts_s,
        end_s=clip.end_pts_s,
        file_sha256=clip.file_sha256,
    )


def _still_item(still: Still, clip: Item) -> Item:
    """A still is its clip's in everything but the span."""
    frame = int(clip.start_frame or 0) + still.frame
    return replace(
        clip,
        item_id=still.still_id,
        kind="still",
        n_frames=1,
        length_s=None,
        clip_frame=still.frame,
        start_frame=frame,
        end_frame=frame + 1,
        start_s=None,
        end_s=None,
        file_sha256=None,
    )


def _faces(workspace: Workspace, clip_ids: frozenset[str]) -> Iterator[pa.Table]:
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


def _clip_id(clip: Clip) -> str:
    return clip.clip_id

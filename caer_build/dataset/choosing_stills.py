"""The stills of a workspace: chosen of its labelled clips, and kept with how they were chosen.

::

    clips that stand --decode what is new--> looks --> frames that differ --> shares --> stills
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from caer_build.dataset.examples import examples_of
from caer_build.dataset.grouping import sharing_frames
from caer_build.dataset.labels import made_of
from caer_build.dataset.looks import ClipToLookAt, Looks, TargetBoxes, each_look
from caer_build.dataset.stills import (
    CHOSEN_OF,
    MIN_DIFFERENCE,
    Candidate,
    Footage,
    choose,
    different_frames,
    shares_of_quota,
)
from caer_build.errors import DatasetError, RecipeError
from caer_build.records import EMOTIONS, SPLITS, Clip, ClipBox, Label, Split, SplitAssignment, Still
from caer_build.store import Workspace, sha256_of
from caer_build.tables import facts_of, published_rows, read_published, save

if TYPE_CHECKING:
    import pyarrow as pa

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class HowMany:
    """How many stills there are to be.

    Attributes:
        per_clip: stills of each clip; None: the quota decides.
        per_emotion: stills of each emotion, spread evenly over its clips, as the released set.
        at_most: of some emotions no more than this.
        min_difference: bits in which two stills that share footage differ at least.

    Raises:
        RecipeError: if that cannot be.
    """

    per_clip: int | None = 5
    per_emotion: int | None = None
    at_most: Mapping[str, int] = field(default_factory=dict)
    min_difference: int = MIN_DIFFERENCE

    def __post_init__(self) -> None:
        if (self.per_clip is None) == (self.per_emotion is None):
            raise RecipeError(
                "Expected stills a clip or stills an emotion, found both or neither.",
                "Name --per-clip or --per-emotion.",
            )
        unknown = sorted(set(self.at_most) - set(EMOTIONS))
        if unknown:
            raise RecipeError(
                f"No emotion {', '.join(unknown)}.", f"There are {', '.join(EMOTIONS)}."
            )

    def shares(self, emotion: str, n_frames: Mapping[str, int]) -> dict[str, int]:
        """Of each clip of an emotion, how many stills; see :func:`shares_of_quota`."""
        if self.per_clip is not None:
            n_frames = {clip_id: min(n, self.per_clip) for clip_id, n in n_frames.items()}
        quota = sum(n_frames.values()) if self.per_emotion is None else self.per_emotion
        return shares_of_quota(n_frames, min(quota, self.at_most.get(emotion, quota)))

    def asked(self, emotion: str, n_clips: int) -> int:
        """How many there were to be of an emotion that has so many clips."""
        asked = n_clips * (self.per_clip or 0) if self.per_emotion is None else self.per_emotion
        return min(asked, self.at_most.get(emotion, asked))


@dataclass(frozen=True, slots=True)
class EmotionCount:
    """What came of an emotion.

    Attributes:
        asked: stills there were to be.
        given: stills there are.
        n_with_face: frames of its clips in which the target has a box; no still can be another.
        n_different: those of them that differ from one another: more stills there cannot be.
        given_by_split: likewise given.
        dropped_by_split: stills that a clip was to give if any two frames could be stills, and
            does not, because its frames look alike; others give them where they can.
    """

    emotion: str
    n_clips: int
    asked: int
    given: int
    n_with_face: int
    n_different: int
    given_by_split: Mapping[Split, int]
    dropped_by_split: Mapping[Split, int]

    @property
    def shortfall(self) -> str | None:
        """A sentence on why there are fewer than were asked for; None: there are not."""
        short = self.asked - self.given
        if short <= 0:
            return None
        if self.n_with_face < self.asked:
            why = f"its {self.n_clips} clips have {self.n_with_face} frames with the face"
        else:
            why = "the other frames of its clips look alike"
        return f"{self.emotion}: {short} of {self.asked} stills are missing: {why}"


def choose_stills(
    workspace: Workspace, how_many: HowMany, jobs: int, tell: Tell
) -> list[EmotionCount]:
    """Choose the stills of a workspace and keep them.

    Args:
        jobs: clips that are decoded at once.
        tell: called with (step, done, all).

    Returns:
        What came of each emotion, in the order of ``EMOTIONS``.

    Raises:
        StoreError: if nothing was built, labelled or split yet.
        DatasetError: if labels and split are not of one another.
    """
    if facts_of(workspace, SplitAssignment)["labels"] != made_of(workspace):
        raise DatasetError(
            f"The labels of {workspace.root} were made anew since they were split.",
            "Run `caer split` again: what stands does not move.",
        )
    split_of = {row.clip_id: row.split for row in read_published(workspace, SplitAssignment)}
    stands = {clip_id for clip_id, split in split_of.items() if split is not None}
    tell("looking", 0, len(stands))
    filmed: dict[str, _Filmed] = {}
    for clip, looks in each_look(workspace, _with_boxes(workspace, stands), jobs):
        filmed[clip.clip_id] = _Filmed.of(clip, looks)
        tell("looking", len(filmed), len(stands))
    emotion_of = {
        row.clip_id: str(row.emotion)
        for row in read_published(workspace, Label)
        if row.clip_id in filmed
    }
    made = _make(filmed, emotion_of, _chains(workspace, filmed), how_many)
    counts = [_count(emotion, how_many, made, split_of) for emotion in EMOTIONS]
    facts = {
        CHOSEN_OF: sha256_of(workspace.tables / "splits.parquet"),
        "options": asdict(how_many),
        "counts": [asdict(count) for count in counts],
    }
    rows = (_still(clip_id, c) for clip_id in sorted(made.chosen) for c in made.chosen[clip_id])
    save(workspace, Still, rows, facts)
    return counts


@dataclass(frozen=True)
class _Filmed:
    """What is known of the frames of a clip in which its target has a box; a dozen bytes a frame,
    where a :class:`Candidate` takes a hundred and more."""

    n_frames: int
    frames: npt.NDArray[np.int32]
    seen: npt.NDArray[np.bool_]
    looks: Looks

    @classmethod
    def of(cls, clip: ClipToLookAt, looks: Looks) -> _Filmed:
        frames = clip.target.frames
        return cls(clip.n_frames, frames.astype(np.int32), clip.target.seen.copy(), looks[frames])

    def footage(self, clip_id: str) -> Footage:
        columns = self.frames, self.seen, self.looks["sharpness"], self.looks["hash"]
        candidates = (
            Candidate(frame, seen, sharpness if seen else 0.0, look)
            for frame, seen, sharpness, look in zip(*(c.tolist() for c in columns), strict=True)
        )
        return Footage(clip_id, self.n_frames, tuple(candidates))


@dataclass(frozen=True)
class _Made:
    """What came of every clip, by clip_id.

    Attributes:
        n_with_face: frames in which the target has a box.
        different: frames that differ from one another.
    """

    n_with_face: Mapping[str, int]
    emotion_of: Mapping[str, str]
    different: Mapping[str, Sequence[int]]
    chosen: Mapping[str, Sequence[Candidate]]


def _make(
    filmed: Mapping[str, _Filmed],
    emotion_of: Mapping[str, str],
    chains: Sequence[Sequence[str]],
    how_many: HowMany,
) -> _Made:
    # Twice through all footage, a chain at a time: what a clip is to give depends on all others.
    different: dict[str, tuple[int, ...]] = {}
    for chain in chains:
        found = different_frames(_footage(filmed, chain), how_many.min_difference)
        different |= {clip_id: tuple(c.frame for c in found[clip_id]) for clip_id in chain}
    wanted: dict[str, int] = {}
    for emotion in EMOTIONS:
        own = {c: len(different[c]) for c in filmed if emotion_of[c] == emotion}
        wanted |= how_many.shares(emotion, own)
    chosen: dict[str, list[Candidate]] = {}
    for chain in chains:
        footage = _footage(filmed, chain)
        of_chain = {
            clip.clip_id: [c for c in clip.candidates if c.frame in different[clip.clip_id]]
            for clip in footage
        }
        chosen |= choose(footage, wanted, of_chain, how_many.min_difference)
    n_with_face = {clip_id: len(clip.frames) for clip_id, clip in filmed.items()}
    return _Made(n_with_face, emotion_of, different, chosen)


def _footage(filmed: Mapping[str, _Filmed], chain: Sequence[str]) -> list[Footage]:
    return [filmed[clip_id].footage(clip_id) for clip_id in chain]


def _chains(workspace: Workspace, clip_ids: Collection[str]) -> list[list[str]]:
    """Clips that share frames, together."""
    chains = defaultdict(list)
    there = [example for example in examples_of(workspace) if example.clip_id in clip_ids]
    for clip_id, first in sorted(sharing_frames(there).items()):
        chains[first].append(clip_id)
    return list(chains.values())


def _count(
    emotion: str, how_many: HowMany, made: _Made, split_of: Mapping[str, str | None]
) -> EmotionCount:
    own = [clip_id for clip_id in sorted(made.n_with_face) if made.emotion_of[clip_id] == emotion]
    with_face = {clip_id: made.n_with_face[clip_id] for clip_id in own}
    if_all_differed = how_many.shares(emotion, with_face)
    given = dict.fromkeys(SPLITS, 0)
    dropped = dict.fromkeys(SPLITS, 0)
    for clip_id in own:
        split, n_given = cast("Split", split_of[clip_id]), len(made.chosen[clip_id])
        given[split] += n_given
        dropped[split] += max(0, if_all_differed[clip_id] - n_given)
    return EmotionCount(
        emotion=emotion,
        n_clips=len(own),
        asked=how_many.asked(emotion, len(own)),
        given=sum(given.values()),
        n_with_face=sum(with_face.values()),
        n_different=sum(len(made.different[clip_id]) for clip_id in own),
        given_by_split=given,
        dropped_by_split=dropped,
    )


def _with_boxes(workspace: Workspace, clip_ids: Collection[str]) -> Iterator[ClipToLookAt]:
    """Some clips, an episode's after another's, as their boxes are published; at the end those
    without any."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = published_rows(workspace, Clip).table(["clip_id", "file", "file_sha256", "n_frames"])
    files = {clip_id: row for clip_id, *row in zip(*(c.to_pylist() for c in columns.columns),
             strict=True) if clip_id in clip_ids}  # fmt: skip

    def clip(clip_id: str, boxes: TargetBoxes) -> ClipToLookAt:
        file, sha256, n_frames = files.pop(clip_id)
        return ClipToLookAt(clip_id, workspace.root / file, sha256, n_frames, boxes)

    wanted = pa.array(sorted(clip_ids), pa.string())
    with pq.ParquetFile(workspace.tables / f"{ClipBox.table}.parquet") as file:
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number)
            rows = rows.filter(pc.and_(pc.is_in(rows["clip_id"], wanted), rows["is_target"]))
            rows = rows.sort_by([("clip_id", "ascending"), ("frame", "ascending")])
            for clip_id, boxes in _by_clip(rows):
                yield clip(clip_id, boxes)
    nothing = TargetBoxes(np.empty(0, np.int64), np.empty((0, 4)), np.empty(0, np.bool_))
    for clip_id in sorted(files):
        yield clip(clip_id, nothing)


def _by_clip(rows: pa.Table) -> Iterator[tuple[str, TargetBoxes]]:
    names = rows["clip_id"].to_numpy()
    if len(names) == 0:
        return
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]).tolist()
    frames = rows["frame"].to_numpy()
    boxes = np.stack([rows[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1)
    seen = ~rows["interpolated"].to_numpy()
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        part = slice(start, end)
        yield names[start], TargetBoxes(frames[part], boxes[part], seen[part])


def _still(clip_id: str, candidate: Candidate) -> Still:
    return Still(
        still_id=f"{clip_id}-f{candidate.frame:06d}",
        clip_id=clip_id,
        frame=candidate.frame,
        seen=candidate.seen,
        sharpness=candidate.sharpness if candidate.seen else None,
        frame_hash=f"{candidate.look:016x}",
    )

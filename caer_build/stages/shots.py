"""Shots: an episode's frame features become boundaries, and these become shots that tile it.

::

    frame     0 ........ 40 | 41 .... 80 [81 .. 92] 93 .... 119
    ends                 ^ 0.9             ^ 0.8
    within                            1 1 1 1 1 1
    shots     [0, 41) start   [41, 81) cut   [81, 120) dissolve, its transition ends at 93

No minimum length is imposed: a shot of three frames is a shot, and whether a clip is long enough
is the screening's business. Nothing is dropped at either end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from caer_build.arrays import load_timeline, read_features
from caer_build.errors import SchemaError
from caer_build.frames import Timeline, runs
from caer_build.models.protocols import Floats, Images, ShotScorer
from caer_build.records import Shot, TransitionIn
from caer_build.repetition import frame_hashes
from caer_build.stage import Artifact, Context, Stage


class ShotSettings(BaseModel):
    """What a recipe can set under ``[shots]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scorer: Literal["transnetv2", "quick", "paper"] = Field(
        default="transnetv2",
        description="transnetv2: the network where colours leave doubt; quick: colours only; "
        "paper: displaced frame difference, as the paper's tool",
    )
    threshold: float = Field(
        default=0.5, gt=0, le=1, description="score from which a shot ends at a frame ([0, 1])"
    )
    transition_threshold: float = Field(
        default=0.5, gt=0, le=1, description="score from which a frame is in a transition ([0, 1])"
    )
    plain_contrast: float = Field(
        default=4.0,
        ge=0,
        le=64,
        description="a gradual transition whose contrast sinks below this is a fade (grey levels)",
    )
    paper_context_s: float = Field(
        default=2.0, gt=0, le=60, description="running median of the paper's detector (s)"
    )
    paper_threshold: float = Field(
        default=1.0, gt=0, le=100, description="excess over that median that ends a shot (medians)"
    )
    threads: int = Field(
        default=2, ge=1, le=64, description="threads of the network in one process (count)"
    )


@dataclass(frozen=True)
class Boundary:
    """Where a shot begins.

    Attributes:
        frame: its first frame; that of the transition into it, if that is gradual.
        kind: as in :class:`~caer_build.records.Shot`.
        end: the first frame after the transition; ``frame`` for a cut.
        score: [0, 1].
    """

    frame: int
    kind: TransitionIn
    end: int
    score: float


def make_scorer(settings: ShotSettings, timeline: Timeline) -> ShotScorer:
    """The scorer that the settings name.

    Raises:
        ModelMissing: if what it needs is not installed.
    """
    if settings.scorer == "transnetv2":
        from caer_build.models.transnetv2 import TransNetV2

        return TransNetV2(threads=settings.threads)
    if settings.scorer == "quick":
        from caer_build.models.colour_change import ColourChange

        return ColourChange()
    from caer_build.models.displaced_difference import DisplacedDifference

    context = timeline.frames_within(settings.paper_context_s)
    return DisplacedDifference(context, settings.paper_threshold)


def contrasts(chunks: Iterator[Images]) -> Floats:
    """(n,) standard deviation of each frame's pixels and colours, grey levels."""
    parts = [chunk.reshape(len(chunk), -1).std(axis=1, dtype=np.float32) for chunk in chunks]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def boundaries(scores: Floats, contrast: Floats, settings: ShotSettings) -> list[Boundary]:
    """Where shots begin, in order, frame 0 included.

    Args:
        scores: (n, 2), see :class:`~caer_build.models.protocols.ShotScorer`.
        contrast: (n,), see :func:`contrasts`.

    Raises:
        SchemaError: if the two are empty or do not belong together.
    """
    if scores.shape != (len(contrast), 2) or len(contrast) == 0:
        raise SchemaError(
            f"Shot scores: expected shape (n, 2) for n > 0 frames, found {scores.shape} "
            f"for {len(contrast)} frames."
        )
    found = {0: Boundary(0, "start", 0, 1.0)}
    taken = np.zeros(len(scores), np.bool_)
    for span in runs(scores[:, 1] >= settings.transition_threshold):
        # What ends just before a transition, or in it, is the transition itself.
        taken[max(0, span.start - 1) : span.end] = True
        if span.start == 0:
            found[0] = Boundary(0, "start", span.end, 1.0)
            continue
        plain = float(contrast[span.start : span.end].min()) < settings.plain_contrast
        score = float(scores[span.start : span.end].max())
        kind: TransitionIn = "fade" if plain else "dissolve"
        found[span.start] = Boundary(span.start, kind, span.end, min(1.0, score))
    for run in runs((scores[:, 0] >= settings.threshold) & ~taken):
        frame = run.start + int(np.argmax(scores[run.start : run.end, 0])) + 1
        if frame < len(scores) and frame not in found:
            score = float(scores[frame - 1, 0])
            found[frame] = Boundary(frame, "cut", frame, min(1.0, score))
    return [found[frame] for frame in sorted(found)]


def to_shots(episode_id: str, found: Sequence[Boundary], timeline: Timeline) -> list[Shot]:
    """Shots that tile the episode exactly, from boundaries in order, the first at frame 0.

    Raises:
        SchemaError: if the boundaries are not in order, or do not fit the timeline.
    """
    starts = [boundary.frame for boundary in found]
    inside = bool(starts) and starts[0] == 0 and starts[-1] < len(timeline)
    if not inside or any(b <= a for a, b in pairwise(starts)):
        raise SchemaError(
            f"{episode_id}: expected boundaries in order from frame 0 to below "
            f"{len(timeline)}, found {starts[:3]} to {starts[-1:]}."
        )
    shots = []
    for boundary, end in zip(found, [*starts[1:], len(timeline)], strict=True):
        start = boundary.frame
        shots.append(
            Shot(
                shot_id=f"{episode_id}-s{start:06d}",
                episode_id=episode_id,
                start_frame=start,
                end_frame=end,
                start_pts_s=timeline.start_of(start),
                end_pts_s=timeline.start_of(end),
                transition_in=boundary.kind,
                # A transition into a shot cannot outlast it.
                transition_end_frame=min(max(start, boundary.end), end),
                boundary_score=boundary.score,
            )
        )
    return shots


def run(context: Context[ShotSettings]) -> None:
    timeline = load_timeline(context.file("timeline.npz"))
    features = context.file("features.zst")
    scorer = make_scorer(context.settings, timeline)
    n_read = 0

    def told() -> Iterator[Images]:
        nonlocal n_read
        for chunk in read_features(features):
            yield chunk
            n_read += len(chunk)
            context.progress(n_read, len(timeline))

    scores = scorer.scores(told())
    found = boundaries(scores, contrasts(read_features(features)), context.settings)
    context.write("shots", to_shots(context.unit, found, timeline))
    hashes = [frame_hashes(chunk) for chunk in read_features(features)]
    np.save(context.output("hashes.npy"), np.concatenate(hashes))


def versions(settings: ShotSettings) -> tuple[str, ...]:
    return (make_scorer(settings, Timeline(np.zeros(1), 1.0)).version,)


STAGE: Stage[Any] = Stage(
    name="shots",
    version=1,
    settings=ShotSettings,
    scope="episode",
    reads=("features.zst", "timeline.npz"),
    writes=(Artifact("shots", Shot, published=True), Artifact("hashes.npy")),
    run=run,
    versions=versions,
)

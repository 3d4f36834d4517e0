"""Cutting: kept clips become files, each with the boxes of every face in every frame.

Each clip is a result of its own, keyed by source, span and codec, never by a person: an added
episode, a merged person or a changed threshold encodes nothing again, and a build that was
stopped goes on with the clip it was at.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from caer_build.arrays import load_ticks, load_timeline
from caer_build.frames import Span, Timeline
from caer_build.media.clipfile import ClipCodec
from caer_build.publishing import PIECES
from caer_build.records import Clip, ClipBox, Cut, Episode, FaceTrack, SourceSound, TrackBox
from caer_build.sources import Proof
from caer_build.stage import Artifact, Context, Stage
from caer_build.store import Workspace, digest_of

if TYPE_CHECKING:
    from caer_build.media.cut import ClipCutter
    from caer_build.media.probe import Headers
    from caer_build.media.spans import TimedSpan


_BATCH = 8
"""clips that one thread cuts, one behind the other"""


class CuttingSettings(ClipCodec):
    """How clips are encoded, and how many at once."""

    jobs: int = Field(2, ge=1, le=64, description="clips encoded at once; changes no byte")

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.video == "mpeg4" and self.container != "avi":
            raise ValueError(f'video = "mpeg4" expects container = "avi", found "{self.container}"')
        return self


@dataclass(frozen=True)
class _Piece:
    """A clip's file: its key, and where it lies in the store."""

    clip_id: str
    key: str
    sha256: str


def piece_key(source_sha256: str, clip: Clip, audio_track: int | None, codec: Any) -> str:
    """What makes a clip's bytes: the source, the span and the codec with its versions."""
    span = [clip.start_frame, clip.end_frame]
    return digest_of([source_sha256, span, audio_track, codec])[:32]


def faces_in(
    clip: Clip, tracks: Sequence[FaceTrack], boxes: dict[str, dict[int, TrackBox]]
) -> list[ClipBox]:
    """The boxes of all tracks in a clip's frames, by frame and track, its target's marked."""
    here = [t for t in tracks if t.shot_id == clip.shot_id]
    rows = []
    for frame in range(clip.start_frame, clip.end_frame):
        for track in here:
            b = boxes[track.track_id].get(frame)
            if b is not None:
                target = track.track_id == clip.track_id
                rows.append(
                    ClipBox(clip.clip_id, frame - clip.start_frame, track.track_id, target,
                            b.x1, b.y1, b.x2, b.y2, b.interpolated)
                )  # fmt: skip
    return rows


class _Cutter:
    """Cuts what is not there yet."""

    def __init__(self, context: Context[CuttingSettings]) -> None:
        from caer_build.media.headers_file import load_headers

        self._workspace: Workspace = context.workspace
        self._unit = f"{context.unit}/pieces"
        self._settings = context.settings
        self._source = context.source
        self._proof = Proof(context.source)
        self._sound: SourceSound = context.read("sounds")[0]
        self._episode: Episode = context.read("episodes")[0]
        self._timeline: Timeline = load_timeline(context.file("timeline.npz"))
        self._ticks: npt.NDArray[np.int64] = load_ticks(context.file("timeline.npz"))
        self._codec = [
            context.settings.model_dump(mode="json", exclude={"jobs"}),
            list(versions(context.settings)),
        ]
        headers = load_headers(context.file("headers.json"))
        chosen = [t for t in headers.audio_tracks if t.index == self._sound.audio_track]
        self._headers: Headers = replace(headers, audio=chosen[0] if chosen else None)

    def cut(self, clips: Sequence[Clip], tell: Any) -> list[_Piece]:
        """The pieces of all clips; ``tell`` is called with each that is there."""
        keys = {
            c.clip_id: piece_key(self._source.sha256, c, self._sound.audio_track, self._codec)
            for c in clips
        }
        missing: dict[str, Clip] = {}
        digests: dict[str, str] = {}
        for clip in clips:
            key = keys[clip.clip_id]
            found = self._workspace.find("cutting", self._unit, key)
            if found is None:
                missing[key] = clip
            else:
                digests[key] = found.files[self._name]["sha256"]
        n_wanted = len(digests) + len(missing)
        tell(len(digests), n_wanted)
        done = Lock()

        def keep(key: str, sha256: str) -> None:
            with done:
                digests[key] = sha256
                tell(len(digests), n_wanted)

        self._cut_all(missing, keep)
        # Two targets in one span are two clips of the same bytes.
        return [_Piece(clip_id, key, digests[key]) for clip_id, key in keys.items()]

    @property
    def _name(self) -> str:
        return f"clip{self._settings.suffix}"

    def _cut_all(self, missing: Mapping[str, Clip], keep: Callable[[str, str], None]) -> None:
        """Cut clips in several threads, each of which opens the source once."""
        from caer_build.media.cut import ClipCutter

        codec = ClipCodec.model_validate(self._settings.model_dump(exclude={"jobs"}))
        repaired = self._episode.timestamps_repaired
        in_order = sorted(missing.items(), key=lambda item: (item[1].start_frame, item[0]))
        # Neighbours share a batch: they have keyframes in common.
        batches = [in_order[i : i + _BATCH] for i in range(0, len(in_order), _BATCH)]
        own = local()

        with ExitStack() as opened, ThreadPoolExecutor(self._settings.jobs) as jobs:

            def cut_batch(batch: Sequence[tuple[str, Clip]]) -> None:
                if not hasattr(own, "cutter"):
                    cutter = ClipCutter(self._source.path, self._headers, codec, repaired)
                    own.cutter = opened.enter_context(cutter)
                for key, clip in batch:
                    keep(key, self._cut_piece(own.cutter, key, clip))

            for _ in jobs.map(cut_batch, batches):
                pass

    def _cut_piece(self, cutter: ClipCutter, key: str, clip: Clip) -> str:
        """Cut one clip and keep it; the SHA-256 of its file."""
        from caer_build.media.cut import CutRequest

        with self._workspace.draft("cutting", self._unit, key) as draft:
            made = cutter.cut(CutRequest(self._timed(clip), draft.folder / self._name))
            # Each piece is kept by itself, under the digest of the source it is cut from.
            self._proof.check()
            draft.facts.update(n_frames=made.n_frames)
            draft.commit({"stage": "cutting", "unit": self._unit})
        return made.sha256

    def _timed(self, clip: Clip) -> TimedSpan:
        from caer_build.media.spans import timed

        span = Span(clip.start_frame, clip.end_frame)
        return timed(span, self._ticks, self._timeline, self._headers)

    def place(self, clip: Clip) -> Cut:
        """Where a clip that was cut lies in the source."""
        at = self._timed(clip)
        return Cut(
            clip.clip_id, clip.episode_id, clip.start_frame, clip.end_frame, at.start_pts,
            at.stop_pts, at.start_s, at.last_s, at.stop_s, self._sound.audio_language,
            str(clip.file_sha256),
        )  # fmt: skip


def run(context: Context[CuttingSettings]) -> None:
    screened: list[Clip] = context.read("screened")
    tracks: list[FaceTrack] = context.read("tracks")
    boxes: dict[str, dict[int, TrackBox]] = defaultdict(dict)
    for box in context.read("track_boxes"):
        boxes[box.track_id][box.frame] = box
    kept = [clip for clip in screened if clip.reject_reason is None]
    pieces: dict[str, _Piece] = {}
    cutter = _Cutter(context) if kept else None
    if cutter is not None:
        pieces = {p.clip_id: p for p in cutter.cut(kept, context.progress)}
    name = f"clip{context.settings.suffix}"
    rows = [
        replace(
            clip,
            file=f"clips/{clip.clip_id}{context.settings.suffix}",
            file_sha256=pieces[clip.clip_id].sha256,
        )
        if clip.clip_id in pieces
        else clip
        for clip in screened
    ]
    context.write("clips", rows)
    made = [row for row in rows if row.clip_id in pieces]
    context.write("cuts", [] if cutter is None else [cutter.place(clip) for clip in made])
    context.write("clip_boxes", [row for clip in kept for row in faces_in(clip, tracks, boxes)])
    index = {p.clip_id: {"key": p.key, "file": name} for p in pieces.values()}
    context.output(PIECES).write_text(json.dumps(index, indent=1, sort_keys=True))


def versions(_settings: CuttingSettings) -> tuple[str, ...]:
    from importlib.metadata import version

    from caer_build.media.clipfile import encoders

    return (f"av {version('av')}", encoders())


STAGE: Stage[Any] = Stage(
    name="cutting",
    version=2,
    settings=CuttingSettings,
    scope="episode",
    reads=(
        "headers.json",
        "sounds",
        "episodes",
        "timeline.npz",
        "tracks",
        "track_boxes",
        "screened",
    ),
    writes=(
        Artifact("clips", Clip, published=True),
        Artifact("clip_boxes", ClipBox, published=True),
        Artifact("cuts", Cut, published=True),
        Artifact(PIECES),
    ),
    run=run,
    versions=versions,
    reads_source=True,
)

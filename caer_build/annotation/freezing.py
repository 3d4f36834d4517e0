"""Taking the kept clips of a workspace into a project, once and for good."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

from caer_build.annotation.project import Face, FrozenClip
from caer_build.errors import StoreError, VoteError
from caer_build.records import Clip, ClipBox, Episode
from caer_build.store import Workspace, link_or_copy, sha256_of
from caer_build.tables import read_published

FOLDER = "annotation"
_PUBLIC_BYTES = 9
_SUFFIX = ".mp4"

Box = tuple[float, float, float, float]


def media_folder(workspace: Workspace) -> Path:
    """Where the frozen clips lie, by public id."""
    return workspace.root / FOLDER / "clips"


def media_file(workspace: Workspace, public_id: str) -> Path:
    """The file of a frozen clip."""
    return media_folder(workspace) / f"{public_id}{_SUFFIX}"


def freeze(
    workspace: Workspace, seed: int, known: frozenset[str], tell: Callable[[int, int], None]
) -> Iterator[tuple[FrozenClip, str, int]]:
    """Freezes the kept clips that the project does not have yet.

    Args:
        seed: of the random order.
        known: clip ids the project has; new clips come behind them.
        tell: called with (done, all).

    Yields:
        Each clip with its public id and its position.

    Raises:
        StoreError: if nothing was built, or a clip's file is not what its table says.
        VoteError: if the clips are not MP4, which browsers need.
    """
    clips = [c for c in read_published(workspace, Clip) if c.file and c.clip_id not in known]
    if any(not str(c.file).endswith(_SUFFIX) for c in clips):
        raise VoteError(
            "Browsers play MP4, and these clips are AVI.",
            "Build them with --set cutting.container=mp4; exports can be AVI nevertheless.",
        )
    episodes = {e.episode_id: e for e in read_published(workspace, Episode)}
    boxes: dict[str, list[ClipBox]] = defaultdict(list)
    for box in read_published(workspace, ClipBox):
        boxes[box.clip_id].append(box)
    # Sorted first: the order must come from the seed alone.
    clips.sort(key=lambda c: c.clip_id)
    Random(seed).shuffle(clips)
    media_folder(workspace).mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips):
        public_id = secrets.token_hex(_PUBLIC_BYTES)
        source = workspace.root / str(clip.file)
        if not source.is_file() or sha256_of(source) != clip.file_sha256:
            raise StoreError(f"{clip.file} is not the clip that was cut.", "Run caer verify WORK.")
        # Another name for the same bytes, which a later build may drop but not change.
        link_or_copy(source, media_file(workspace, public_id))
        yield (
            _frozen(clip, episodes[clip.episode_id], source, boxes[clip.clip_id]),
            public_id,
            len(known) + number,
        )
        tell(number + 1, len(clips))


def remove_strays(workspace: Workspace, public_ids: Iterable[str]) -> None:
    """Deletes the files of no clip: of a freezing, or a withdrawal, that was interrupted.

    Args:
        public_ids: of the clips that the project has, without those that were withdrawn.
    """
    known = {f"{public_id}{_SUFFIX}" for public_id in public_ids}
    for file in media_folder(workspace).glob("*"):
        if file.name not in known and file.name.endswith(_SUFFIX):
            file.unlink()


def _frozen(clip: Clip, episode: Episode, file: Path, boxes: Sequence[ClipBox]) -> FrozenClip:
    from caer_build.media.times import frame_times_s

    times = frame_times_s(file)
    if len(times) != clip.n_frames:
        raise StoreError(
            f"{clip.file} has {len(times)} frames, expected {clip.n_frames}.",
            "Run caer verify WORK.",
        )
    length_s = clip.end_pts_s - clip.start_pts_s
    return FrozenClip(
        clip_id=clip.clip_id,
        show=episode.show,
        episode_id=clip.episode_id,
        shot_id=clip.shot_id,
        person_id=clip.person_id,
        source_sha256=episode.source_sha256,
        start_frame=clip.start_frame,
        end_frame=clip.end_frame,
        length_ms=round(length_s * 1000),
        width=episode.width,
        height=episode.height,
        has_audio=episode.audio_track is not None,
        file_sha256=str(clip.file_sha256),
        times_ms=tuple(round(t * 1000) for t in times),
        faces=_faces(boxes, clip.n_frames),
    )


def _faces(boxes: Sequence[ClipBox], n_frames: int) -> tuple[Face, ...]:
    by_track: dict[str, list[Box | None]] = {}
    targets = {box.track_id for box in boxes if box.is_target}
    for box in boxes:
        path = by_track.setdefault(box.track_id, [None] * n_frames)
        path[box.frame] = (round(box.x1, 1), round(box.y1, 1), round(box.x2, 1), round(box.y2, 1))
    return tuple(Face(track in targets, tuple(path)) for track, path in sorted(by_track.items()))

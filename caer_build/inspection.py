"""Kept clips decoded again and held against their sources: is each what its row says?"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caer_build import pipeline, sources
from caer_build.arrays import load_ticks, load_timeline
from caer_build.errors import MediaError
from caer_build.frames import Span, Timeline
from caer_build.records import Clip, Cut, Episode
from caer_build.sources import Proof
from caer_build.stage import Source
from caer_build.store import Result, Workspace, sha256_of
from caer_build.tables import read_published

if TYPE_CHECKING:
    from caer_build.media.passes import Passes
    from caer_build.media.probe import Headers

_BATCH = 16
"""clips of an episode that follow one another, for one thread"""


@dataclass
class Inspection:
    """What was found.

    Attributes:
        wrong: sentences, one a clip, by clip_id.
        alone: the clips whose source is not at hand: only their own frames, times and sound were
            looked at.
    """

    n_clips: int
    wrong: dict[str, str] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)


def inspect(workspace: Workspace, tell: Callable[[int, int], None]) -> Inspection:
    """Decode every kept clip again.

    Of each are compared: the digest of the file; the number of its frames; when the first and the
    last one are shown; whether there is sound, and how long; and, where the source is at hand, the
    first and the last picture with the source's.

    Args:
        tell: called with (clips done, all clips).

    Raises:
        StoreError: if nothing was built there yet.
    """
    kept = [c for c in read_published(workspace, Clip) if c.reject_reason is None]
    cuts = {cut.clip_id: cut for cut in read_published(workspace, Cut)}
    known = {source.episode_id: source for source in sources.register(workspace).sources}
    results = pipeline.current_results(workspace, list(known.values()))
    of_episodes: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(kept, key=lambda c: (c.start_frame, c.clip_id)):
        of_episodes[clip.episode_id].append(clip)
    tasks: list[_Task] = []
    for episode in read_published(workspace, Episode):
        footage = _footage(episode, known.get(episode.episode_id), results)
        own = of_episodes[episode.episode_id]
        batches = (own[k : k + _BATCH] for k in range(0, len(own), _BATCH))
        tasks += [_Task(workspace.root, episode, footage, batch, cuts) for batch in batches]
    found, n_done = Inspection(len(kept)), 0
    tell(0, len(kept))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        for task, wrong in zip(tasks, threads.map(_wrong_in, tasks), strict=True):
            found.wrong |= wrong
            found.alone += [clip.clip_id for clip in task.clips if task.footage is None]
            n_done += len(task.clips)
            tell(n_done, len(kept))
    return found


@dataclass(frozen=True)
class _Footage:
    """The source of an episode, and where its frames lie in it."""

    path: Path
    headers: Headers
    ticks: npt.NDArray[np.int64]
    timeline: Timeline


@dataclass(frozen=True)
class _Task:
    """Clips of one episode, in order."""

    root: Path
    episode: Episode
    footage: _Footage | None
    clips: Sequence[Clip]
    cuts: Mapping[str, Cut]


def _footage(
    episode: Episode, source: Source | None, results: Mapping[tuple[str, str], Result]
) -> _Footage | None:
    """What is needed of an episode's source; none where it, or what was found in it, is gone."""
    from caer_build.media.headers_file import load_headers

    probed, scanned = (results.get((s, episode.episode_id)) for s in ("ingest", "scan"))
    if source is None or probed is None or scanned is None:
        return None
    try:
        Proof(source).check()
    except MediaError:
        return None
    times = scanned.path("timeline.npz")
    headers = load_headers(probed.path("headers.json"))
    return _Footage(source.path, headers, load_ticks(times), load_timeline(times))


def _wrong_in(task: _Task) -> dict[str, str]:
    """What is wrong with clips of a task, by clip_id; nothing of those that are right."""
    from caer_build.media.passes import Passes

    footage, wrong = task.footage, {}
    with ExitStack() as opened:
        passes = None
        if footage is not None:
            passes = Passes(footage.path, replace(footage.headers, audio=None), threads=1)
            opened.callback(passes.close)
        for clip in task.clips:
            try:
                _look_at(clip, task, passes)
            except MediaError as error:
                wrong[clip.clip_id] = error.message
    return wrong


def _look_at(clip: Clip, task: _Task, passes: Passes | None) -> None:
    """Compare a clip with its rows and its source.

    Raises:
        MediaError: if something is wrong with it.
    """
    from caer_build.media.spans import TimedSpan, timed
    from caer_build.media.verify import pictures_at_ends, verify_clip, verify_ends

    file, cut = task.root / str(clip.file), task.cuts.get(clip.clip_id)
    if cut is None or not file.is_file():
        missing = "its file" if cut is not None else "its row in the table cuts"
        raise MediaError(f"{clip.clip_id}: {missing} is missing.", "Build again.")
    if sha256_of(file) != clip.file_sha256:
        raise MediaError(f"{file.name} is not the file that was cut.", "Delete it, build again.")
    span = Span(cut.start_frame, cut.end_frame)
    wanted = TimedSpan(span, cut.start_pts, cut.stop_pts, cut.start_s, cut.last_s, cut.stop_s)
    check = verify_clip(file, wanted, with_sound=task.episode.audio_track is not None)
    if task.footage is None or passes is None:
        return
    n, headers = len(task.footage.timeline), task.footage.headers
    beside = Span(max(0, span.start - 1), min(n, span.end + 1))
    wide = timed(beside, task.footage.ticks, task.footage.timeline, headers)
    repaired = task.episode.timestamps_repaired
    verify_ends(file, check, span, pictures_at_ends(passes, headers, wide, span, repaired))

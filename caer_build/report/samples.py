"""Clips to look at: some that were kept, some of every reject reason, each with a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from caer_build.errors import MediaError
from caer_build.media.glance import glance
from caer_build.records import Clip
from caer_build.report.filmstrip import small_pictures
from caer_build.report.material import Material
from caer_build.report.palette import Mark
from caer_build.report.pictures import Pixels, data_address, jpeg_of, with_box
from caer_build.report.thresholds import THRESHOLDS, why
from caer_build.report.timeline_svg import time_in_shot
from caer_build.stages.screening import ScreeningSettings

N_KEPT = 12
N_OF_A_REASON = 4
STILL_PX = 360
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sample:
    """A clip, a picture from its middle, and what is to be said about it."""

    clip: Clip
    mark: Mark
    sentence: str
    picture: str | None
    """a ``data:`` address; none where there is nothing to show, and ``note`` says why"""
    video: str | None
    """address of the clip relative to the report"""
    note: str


def spread(items: Sequence[Clip], count: int) -> list[Clip]:
    """At most ``count`` of the items at even steps, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[len(items) // 2]]
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def choose_kept(clips: Iterable[Clip], persons: Sequence[str], count: int = N_KEPT) -> list[Clip]:
    """Kept clips of as many persons as possible: one of each in turn.

    Args:
        persons: person_ids in the order in which they are to be shown.
    """
    own: dict[str | None, list[Clip]] = {person: [] for person in persons}
    for clip in sorted(clips, key=lambda c: c.clip_id):
        if clip.reject_reason is None:
            own.setdefault(clip.person_id, []).append(clip)
    queues = [spread(of_one, count) for of_one in own.values()]
    turns = max((len(q) for q in queues), default=0)
    return [q[turn] for turn in range(turns) for q in queues if turn < len(q)][:count]


def choose_rejected(
    clips: Iterable[Clip], reason: str, settings: ScreeningSettings, count: int = N_OF_A_REASON
) -> list[Clip]:
    """Rejected clips of one reason, from the nearest miss to the clearest case."""
    own = [c for c in clips if c.reject_reason == reason]
    return spread(sorted(own, key=lambda c: (_miss(c, reason, settings), c.clip_id)), count)


def _miss(clip: Clip, reason: str, settings: ScreeningSettings) -> float:
    """By how large a part of the threshold a clip misses it; 0 where there is none."""
    misses = [
        abs((t.score(clip) or 0.0) - t.limit(settings)) / (t.limit(settings) or 1.0)
        for t in THRESHOLDS
        if t.reason == reason and not t.passes(t.score(clip), t.limit(settings))
    ]
    return max(misses, default=0.0)


def boxes_at(workspace_tables: Path, wanted: Mapping[str, set[int]]) -> dict[tuple[str, int], Box]:
    """Boxes (px) of some frames of some tracks, without loading the whole table."""
    import pyarrow.parquet as pq

    path = workspace_tables / "track_boxes.parquet"
    if not wanted or not path.is_file():
        return {}
    frames = sorted(set().union(*wanted.values()))
    table = pq.read_table(
        path,
        columns=["track_id", "frame", "x1", "y1", "x2", "y2"],
        filters=[("track_id", "in", sorted(wanted)), ("frame", "in", frames)],
    )
    return {
        (row["track_id"], row["frame"]): (row["x1"], row["y1"], row["x2"], row["y2"])
        for row in table.to_pylist()
    }


def middle(clip: Clip) -> int:
    """The frame of the episode that stands for a clip."""
    return (clip.start_frame + clip.end_frame) // 2


@dataclass
class Photographer:
    """Makes samples of clips.

    Args:
        beside: the folder of the report, to which addresses of clips are relative.
    """

    material: Material
    beside: Path

    def shoot(self, clips: Sequence[Clip]) -> list[Sample]:
        """A sample of each clip, in order."""
        wanted: dict[str, set[int]] = {}
        for clip in clips:
            if clip.track_id is not None:
                wanted.setdefault(clip.track_id, set()).add(middle(clip))
        boxes = boxes_at(self.material.workspace.tables, wanted)
        return [self._sample(c, boxes.get((c.track_id or "", middle(c)))) for c in clips]

    def _sample(self, clip: Clip, box: Box | None) -> Sample:
        m = self.material
        sentence = why(clip, m.screening, m.decided.get(clip.clip_id))
        mark = m.roll.mark(clip.track_id)
        if clip.reject_reason == "person_deleted":
            return Sample(clip, mark, sentence, None, None, "Not shown: the person was deleted.")
        file = None if clip.file is None else m.workspace.root / clip.file
        video = file if file is not None and file.is_file() else None
        picture, note = self._picture(clip, video)
        if picture is not None and box is not None:
            episode = next(e for e in m.episodes if e.episode_id == clip.episode_id)
            x1, y1, x2, y2 = box
            w, h = episode.width, episode.height
            picture = with_box(picture, (x1 / w, y1 / h, x2 / w, y2 / h))
        return Sample(
            clip,
            mark,
            sentence,
            None if picture is None else data_address(jpeg_of(picture)),
            None if video is None else quote(Path(os.path.relpath(video, self.beside)).as_posix()),
            note,
        )

    def _picture(self, clip: Clip, video: Path | None) -> tuple[Pixels | None, str]:
        m = self.material
        source = m.sources.get(clip.episode_id)
        at_s = time_in_shot(m.shot_of[clip.shot_id], middle(clip))
        tries: list[tuple[Path, float]] = []
        if video is not None:
            tries.append((video, at_s - clip.start_pts_s))
        if source is not None and source.path.is_file():
            tries.append((source.path, at_s))
        for path, time_s in tries:
            try:
                return glance(path, time_s, STILL_PX), ""
            except MediaError:
                # Whatever is wrong with the file, the stored small picture can still be shown.
                continue
        features = m.stored("scan", clip.episode_id, "features.zst")
        if features is None:
            return None, "No picture: the source file is no longer where it was."
        small = small_pictures(features, {middle(clip)})[middle(clip)]
        return _enlarged(small), "The source file is no longer where it was: a stored miniature."


def _enlarged(small: Pixels) -> Pixels:
    import cv2

    height = round(STILL_PX * small.shape[0] / small.shape[1])
    bgr = np.ascontiguousarray(small[:, :, ::-1])
    large = cv2.resize(bgr, (STILL_PX, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)

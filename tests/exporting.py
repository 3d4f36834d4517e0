"""A small catalogue of real clips with faces, votes, splits and stills, all of them known.

::

    clip k = 0 … 11     6 frames of 96 x 72 px at 25 per second, with the numbers 20 k, 20 k + 1, …
                        above boxes of its own
    episode             the first six clips are of one, the others of the other
    emotion             EMOTIONS[k % 7]
    split               train (0 to 7), validation (8, 9), test (10, 11)
    target's box        in frame f: (10 + k + f / 2, 5) to (30 + k + f / 2, 29)
    another face        of even k only: (60, 8) to (72, 20) in all frames
    votes               two for the emotion with 3 and 4 of 4, one for the next with 1 of 4
    stills              frame 2 of each clip, and frame 4 of clip 0
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from caer_build.arrow import to_table
from caer_build.dataset.catalogue import Catalogue
from caer_build.records import EMOTIONS, SPLITS, CountedVote, Cut, Item, ItemFace, Split
from caer_build.store import sha256_of
from tests.media import CODING, RATE, write_video
from tests.toy_workspace import episode

N_CLIPS, N_FRAMES, SIZE = 12, 6, (96, 72)
EPISODES = ("toy.s01e01", "toy_s01e01")
"""Two names that are one where dots become underscores."""


def clip_id(k: int) -> str:
    return f"{EPISODES[k // 6]}-s{k % 6 * 10:06d}-t00-{k % 6 * 10:06d}"


def still_id(k: int, frame: int = 2) -> str:
    return f"{clip_id(k)}-f{frame:06d}"


def toy_catalogue(folder: Path, without: Collection[Split] = ()) -> Catalogue:
    """The catalogue, its clips being written to a folder.

    Args:
        without: splits whose clips are left out.
    """
    numbers = [k for k in range(N_CLIPS) if split_of(k) not in without]
    files = {clip_id(k): _film(folder, k) for k in numbers}
    clips = [_clip(k) for k in numbers]
    stills = [_still(clips[0], 0, 4)] if 0 in numbers else []
    stills += [_still(clip, k, 2) for clip, k in zip(clips, numbers, strict=True)]
    return Catalogue(
        facts={"made_with": "a test"},
        items=(*clips, *sorted(stills, key=lambda still: still.item_id)),
        votes=tuple(vote for k in numbers for vote in _votes(k)),
        cuts=tuple(_cut(k, sha256_of(files[clip_id(k)])) for k in numbers),
        episodes=tuple(episode(name, width=SIZE[0], height=SIZE[1]) for name in EPISODES),
        faces=lambda: _faces(numbers),
        clip_file=files.__getitem__,
    )


def split_of(k: int) -> Split:
    return SPLITS[(k >= 8) + (k >= 10)]


def _film(folder: Path, k: int) -> Path:
    file = folder / f"{clip_id(k)}.mp4"
    return file if file.exists() else film(file, k)


def film(file: Path, k: int, coding: Sequence[str] = CODING) -> Path:
    """The pictures of clip k: its numbers, and below them boxes that no other clip has,
    none of them yellow as faces are marked."""
    chance = np.random.default_rng(k)
    boxes = ",".join(
        f"drawbox=x={x}:y={y}:w=16:h=12:color=0x{colour:06x}:t=fill"
        for y in range(36, 72, 12)
        for x, colour in zip(range(0, 96, 16), chance.integers(0, 1 << 24, 6) | 0xFF, strict=True)
    )
    return write_video(file, coding, boxes, n=N_FRAMES, size=SIZE, first=20 * k)


def _clip(k: int) -> Item:
    start = k % 6 * 10
    shares = dict.fromkeys((f"p_{emotion.lower()}" for emotion in EMOTIONS), 0.0)
    shares[f"p_{EMOTIONS[k % 7].lower()}"] = 0.75
    shares[f"p_{EMOTIONS[(k + 1) % 7].lower()}"] = 0.25
    return Item(
        item_id=clip_id(k), kind="clip", file=None, split=split_of(k), emotion=EMOTIONS[k % 7],
        **shares, n_votes=3, n_agreeing=2, mean_confidence=2 / 3, n_frames=N_FRAMES,
        width=SIZE[0], height=SIZE[1], length_s=N_FRAMES / RATE, clip_id=clip_id(k),
        track_id=f"{EPISODES[k // 6]}-s{start:06d}-t00", shot_id=f"{EPISODES[k // 6]}-s{start:06d}",
        person_id=f"p{k}", episode_id=EPISODES[k // 6], show="toy", group_id=f"p{k}",
        start_frame=start, end_frame=start + N_FRAMES, start_s=start / RATE,
        end_s=(start + N_FRAMES) / RATE,
    )  # fmt: skip


def _still(clip: Item, k: int, frame: int) -> Item:
    first = k % 6 * 10 + frame
    return replace(
        clip, item_id=still_id(k, frame), kind="still", n_frames=1, length_s=None,
        clip_frame=frame, start_frame=first, end_frame=first + 1, start_s=None, end_s=None,
    )  # fmt: skip


def _votes(k: int) -> Iterator[CountedVote]:
    agreed, other = EMOTIONS[k % 7], EMOTIONS[(k + 1) % 7]
    for person, emotion, step in (("a", agreed, 3), ("b", agreed, 4), ("c", other, 1)):
        yield CountedVote(clip_id(k), person, "vote", emotion, None, step, 5)


def _cut(k: int, sha256: str) -> Cut:
    start = k % 6 * 10
    return Cut(
        clip_id=clip_id(k), episode_id=EPISODES[k // 6], start_frame=start,
        end_frame=start + N_FRAMES, start_pts=start, stop_pts=start + N_FRAMES,
        start_s=start / RATE, last_s=(start + N_FRAMES - 1) / RATE,
        stop_s=(start + N_FRAMES) / RATE, audio_language=None, clip_sha256=sha256,
    )  # fmt: skip


def _faces(numbers: Collection[int]) -> Iterator[pa.Table]:
    for number in range(len(EPISODES)):
        rows = [face for k in numbers if k // 6 == number for face in _faces_of_clip(k)]
        yield to_table(ItemFace, rows)


def _faces_of_clip(k: int) -> Iterator[ItemFace]:
    for f in range(N_FRAMES):
        x = 10 + k + f / 2
        yield ItemFace(clip_id(k), f, "t00", True, x, 5.0, x + 20, 29.0, f % 5 != 0)
        if k % 2 == 0:
            yield ItemFace(clip_id(k), f, "t01", False, 60.0, 8.0, 72.0, 20.0, False, "extra")

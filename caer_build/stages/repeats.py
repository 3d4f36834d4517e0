"""Repeats: shots whose footage was seen earlier in the show (titles, recaps).

Perceptual hashes find which earlier shot a shot may repeat; the frame features decide. The first
showing, in the order of seasons and numbers, is no repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from caer_build.arrays import Features
from caer_build.records import Repeat, Shot
from caer_build.repetition import Hashes, Images, candidates, same_pictures
from caer_build.stage import Artifact, Context, Stage


class RepeatSettings(BaseModel):
    """When two shots show the same footage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bits: int = Field(6, ge=0, le=16, description="hashes this close are looked at (bits)")
    min_share: float = Field(
        0.8, gt=0, le=1, description="a repeat has this share of its frames in the earlier shot"
    )
    min_frames: int = Field(12, ge=1, description="frames that must be told apart from flat ones")
    mean_levels: float = Field(
        3.0, gt=0, description="mean difference of equal pictures (grey levels)"
    )
    block_levels: float = Field(
        16.0, gt=0, description="largest difference of a block of equal pictures (grey levels)"
    )


Pictures = Callable[[int], Images]
"""Of a shot, by its index: its features (n, 27, 48, 3)."""


def find_repeats(
    shots: Sequence[Shot], hashes: Sequence[Hashes], pictures: Pictures, settings: RepeatSettings
) -> list[Repeat]:
    """The shots that repeat an earlier one.

    Args:
        shots: of a show, in the order of showing.
        hashes: of each shot's frames.
    """
    found: dict[int, Repeat] = {}
    for number, several in enumerate(candidates(hashes, settings.max_bits)):
        told = hashes[number] != 0
        if told.sum() < settings.min_frames:
            continue
        for candidate in several[:5]:
            other = hashes[candidate.shot]
            frames = np.flatnonzero(told)
            there = frames + candidate.shift
            inside = (there >= 0) & (there < len(other))
            if inside.sum() < settings.min_share * len(frames):
                continue
            same: npt.NDArray[np.bool_] = same_pictures(
                pictures(number)[frames[inside]],
                pictures(candidate.shot)[there[inside]],
                settings.mean_levels,
                settings.block_levels,
            )
            share = float(same.sum() / len(frames))
            if share >= settings.min_share:
                earlier = shots[candidate.shot].shot_id
                root = found[candidate.shot].repeat_of if candidate.shot in found else earlier
                shot = shots[number]
                found[number] = Repeat(shot.episode_id, shot.shot_id, root, round(share, 4))
                break
    return list(found.values())


def run(context: Context[RepeatSettings]) -> None:
    def showing(episode_id: str) -> tuple[int, int, str]:
        episode = context.read("episodes", episode_id)[0]
        return episode.season or 0, episode.number or 0, episode_id

    shots: list[Shot] = []
    hashes: list[Hashes] = []
    for episode_id in sorted(context.episodes, key=showing):
        all_hashes = np.load(context.file("hashes.npy", episode_id))
        for shot in context.read("shots", episode_id):
            shots.append(shot)
            hashes.append(all_hashes[shot.start_frame : shot.end_frame])

    features = cache(lambda episode_id: Features(context.file("features.zst", episode_id)))

    @lru_cache(maxsize=64)
    def pictures(number: int) -> Images:
        shot = shots[number]
        return features(shot.episode_id).span(shot.start_frame, shot.end_frame)

    context.write("repeats", find_repeats(shots, hashes, pictures, context.settings))


STAGE: Stage[Any] = Stage(
    name="repeats",
    version=1,
    settings=RepeatSettings,
    scope="show",
    reads=("episodes", "shots", "hashes.npy", "features.zst"),
    writes=(Artifact("repeats", Repeat, per_episode=True),),
    run=run,
)

"""Repeats: the same footage is found, another take of the same place is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.records import Shot
from caer_build.repetition import Images, candidates, frame_hashes, same_pictures
from caer_build.stages.repeats import RepeatSettings, find_repeats


def footage(n: int, seed: int, speed: float = 0.6) -> Images:
    """A picture of soft blobs that drift, (n, 27, 48, 3)."""
    import cv2

    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.uniform(0, 255, (60, 400, 3)), (0, 0), 6)
    wide = (wide - wide.min()) / (wide.max() - wide.min()) * 255
    frames = [
        cv2.warpAffine(wide, np.array([[1, 0, -speed * i], [0, 1, -10.0]]), (48, 27))
        for i in range(n)
    ]
    return np.asarray(frames).round().astype(np.uint8)


def recoded(pictures: Images, seed: int, brighter: int = 0) -> Images:
    noise = np.random.default_rng(seed).normal(brighter, 1.5, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def shots_of(parts: list[Images], episode: str = "e") -> list[Shot]:
    rows, at = [], 0
    for part in parts:
        end = at + len(part)
        name = f"{episode}-s{at:06d}"
        rows.append(Shot(name, episode, at, end, at / 25, end / 25, "cut", at, 1.0))
        at = end
    return rows


def repeats_of(parts: list[Images], **settings: Any) -> dict[int, int]:
    """Index of a shot -> index of the shot it repeats."""
    shots = shots_of(parts)
    number = {shot.shot_id: i for i, shot in enumerate(shots)}
    found = find_repeats(
        shots, [frame_hashes(p) for p in parts], lambda i: parts[i], RepeatSettings(**settings)
    )
    return {number[r.shot_id]: number[r.repeat_of] for r in found}


def test_titles_shown_three_times_repeat_the_first() -> None:
    titles, other = footage(50, 1), footage(80, 2)
    parts = [titles, other, recoded(titles, 3), footage(40, 4), recoded(titles, 5, brighter=6)]
    assert repeats_of(parts) == {2: 0, 4: 0}


def test_a_recap_shows_the_middle_of_a_shot() -> None:
    long = footage(120, 1)
    assert repeats_of([footage(60, 9), long, recoded(long[40:90], 2)]) == {2: 1}


def test_another_take_of_one_place_is_no_repeat() -> None:
    """The same background, somebody else before it: near in hash, not the same picture."""
    still = np.repeat(footage(1, 1), 60, axis=0)
    first, second = still.copy(), still.copy()
    first[:, 8:20, 10:20] = 40
    second[:, 8:20, 14:24] = 200
    assert repeats_of([first, second]) == {}


def test_a_moment_in_common_is_no_repeat() -> None:
    a, b = footage(80, 1), footage(80, 2)
    b[:20] = a[:20]
    assert repeats_of([a, b]) == {}


def test_black_pictures_tell_nothing() -> None:
    black: npt.NDArray[np.uint8] = np.zeros((50, 27, 48, 3), np.uint8)
    assert not frame_hashes(black).any()
    assert repeats_of([black, black.copy()]) == {}


def test_the_work_does_not_grow_with_pairs() -> None:
    """A still picture repeated for ever is found through a single entry."""
    still = np.repeat(footage(1, 1), 500, axis=0)
    found = candidates([frame_hashes(still)] * 40, max_bits=6)
    assert all(len(each) <= 64 * 8 for each in found)
    assert found[0] == []


def test_same_pictures_by_hand() -> None:
    a = np.full((1, 27, 48, 3), 100, np.uint8)
    assert same_pictures(a, a + 30, 1, 1).all()  # a shift of brightness alone
    b = a.copy()
    b[0, 0:3, 0:3] = 160
    assert not same_pictures(a, b, 10, 16).any()

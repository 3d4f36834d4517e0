"""Fingerprints and the repeats they find."""

from __future__ import annotations

import numpy as np
import pytest

from caer_build.fingerprints import (
    PLAIN,
    Hashes,
    RepeatRules,
    ShotPrint,
    distances,
    find_repeats,
    frame_hashes,
    telling_frames,
)


def random_hashes(seed: int, n: int, hold: int = 10) -> Hashes:
    """``n`` fingerprints; the picture becomes another every ``hold`` frames."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(1, 2**63, -(-n // hold), dtype=np.uint64)
    return np.repeat(pictures, hold)[:n]


def flipped(hashes: Hashes, bits: int, seed: int = 0) -> Hashes:
    """The same with ``bits`` bits of each changed, as another encoding does."""
    rng = np.random.default_rng(seed)
    masks = [sum(1 << int(b) for b in rng.choice(64, bits, replace=False)) for _ in hashes]
    return hashes ^ np.array(masks, np.uint64)


def test_a_fingerprint_by_hand() -> None:
    """Brightness rises to the right in the upper half and falls in the lower one."""
    ramp = np.linspace(0, 250, 48)[None, :, None].repeat(27, 0).repeat(3, 2)
    ramp[14:] = ramp[14:, ::-1]
    (value,) = frame_hashes(ramp[None].astype(np.uint8))
    assert int(value) == 0xFFFFFFFF_00000000


def test_grading_keeps_and_mirroring_changes_a_fingerprint() -> None:
    picture = np.random.default_rng(1).uniform(0, 200, (1, 9, 12, 3)).repeat(3, 1).repeat(4, 2)
    graded = 255 * (picture / 255) ** 1.3 * 0.8 + 10
    own, other, mirrored = frame_hashes(
        np.concatenate([picture, graded, picture[:, :, ::-1]]).astype(np.uint8)
    )
    assert distances(np.array([own]), np.array([other]))[0] <= 4
    assert distances(np.array([own]), np.array([mirrored]))[0] > 16


def test_a_plain_picture_has_no_fingerprint() -> None:
    noise = np.random.default_rng(2).integers(10, 14, (3, 27, 48, 3), dtype=np.uint8)
    assert (frame_hashes(noise) == PLAIN).all()


def test_telling_frames_are_those_at_which_the_picture_changes() -> None:
    hashes = random_hashes(3, 40)
    assert telling_frames(hashes, 10).tolist() == [0, 10, 20, 30]
    hashes[10:20] = PLAIN
    assert telling_frames(hashes, 10).tolist() == [0, 20, 30]


def test_footage_seen_before_is_found_whatever_its_place_and_encoding() -> None:
    titles = random_hashes(4, 80)
    prints = [
        ShotPrint("a1", random_hashes(5, 100)),
        ShotPrint("a2", titles),
        ShotPrint("b1", random_hashes(6, 90)),
        ShotPrint("b2", flipped(titles[13:73], 3)),
        ShotPrint("c1", flipped(titles, 2, seed=9)),
    ]
    assert find_repeats(prints) == {"b2": "a2", "c1": "a2"}


def test_stills_of_one_room_and_black_are_no_repeats() -> None:
    room = np.full(100, random_hashes(7, 1)[0])
    black = np.full(100, PLAIN)
    names = [("a", room), ("b", flipped(room, 2)), ("c", black), ("d", black)]
    assert find_repeats([ShotPrint(n, h) for n, h in names]) == {}


def test_a_shot_that_shares_only_a_part_is_no_repeat() -> None:
    seen = random_hashes(8, 100)
    longer = np.concatenate([seen[:50], random_hashes(9, 50)])
    assert find_repeats([ShotPrint("a", seen), ShotPrint("b", longer)]) == {}


def test_the_same_pictures_in_another_order_are_no_repeat() -> None:
    seen = random_hashes(10, 100)
    prints = [ShotPrint("a", seen), ShotPrint("b", seen[::-1].copy())]
    assert find_repeats(prints) == {}


@pytest.mark.parametrize("prints", [[], [ShotPrint("a", np.zeros(0, np.uint64))]])
def test_nothing_repeats_nothing(prints: list[ShotPrint]) -> None:
    assert find_repeats(prints) == {}


def test_rules_are_obeyed() -> None:
    seen = random_hashes(11, 60)
    prints = [ShotPrint("a", seen), ShotPrint("b", flipped(seen, 5))]
    assert find_repeats(prints, RepeatRules(max_distance=4)) == {}

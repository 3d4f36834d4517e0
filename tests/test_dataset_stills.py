"""Stills: spread over the clip, seen and sharp, none alike; quotas met as evenly as clips allow."""

from __future__ import annotations

import random
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from caer_build.dataset.stills import (
    Candidate,
    Footage,
    choose,
    different_frames,
    shares_of_quota,
)


def chosen_of(frames: list[Candidate], n_frames: int, k: int, min_difference: int = 0) -> list[int]:
    clip = Footage("a", n_frames, tuple(frames))
    different = different_frames([clip], min_difference)
    return [c.frame for c in choose([clip], {"a": k}, different, min_difference)["a"]]


def test_each_window_gives_its_sharpest_seen_frame() -> None:
    frames = [Candidate(f, f % 5 == 0, 10.0 + f % 7) for f in range(90)]
    # Seen: 0, 5, 10 …; of 0 to 29 the sharpest is 20 (20 % 7 = 6), of 30 to 59 it is 55.
    assert chosen_of(frames, 90, 2) == [20, 55]
    assert chosen_of(frames, 90, 3) == [20, 55, 75]


def test_where_a_face_was_never_seen_its_interpolated_box_nearest_the_middle_is_taken() -> None:
    frames = [Candidate(f, False, 0.0) for f in range(10)]
    assert chosen_of(frames, 10, 1) == [4]
    assert chosen_of([], 10, 3) == []


def test_what_looks_alike_is_one_still_and_other_frames_make_up_for_it() -> None:
    # 0 to 5 look alike (one bit differs in 3), 6 to 9 differ from them in two, four … bits.
    looks = [0, 0, 0, 1, 0, 0, 0b11, 0b1111, 0b111111, 0b11111111]
    frames = [Candidate(f, True, 50.0, look) for f, look in enumerate(looks)]
    assert chosen_of(frames, 10, 2, 2) == [2, 7]
    # Three windows; the middle one, 3 to 5, has nothing that differs from 1: of the five that
    # differ (0, 6, 7, 8, 9), three are taken evenly.
    assert chosen_of(frames, 10, 3, 2) == [0, 7, 9]
    assert chosen_of(frames, 10, 9, 2) == [0, 6, 7, 8, 9]


def test_a_frame_in_which_the_face_was_not_seen_is_taken_only_where_there_is_no_other() -> None:
    # Three windows, the last without a frame that differs: any three of the six would do.
    frames = [Candidate(f, f % 2 == 0, 50.0, 0b11 << 2 * f) for f in range(6)]
    assert chosen_of(frames, 12, 3, 2) == [0, 2, 4]
    assert chosen_of(frames, 12, 5, 2) == [0, 1, 2, 4, 5]


def test_clips_that_share_frames_give_no_frame_twice() -> None:
    frames = tuple(Candidate(f, True, 50.0, 0b11 << 2 * f) for f in range(8))
    chain = [Footage("b", 8, frames), Footage("a", 8, frames)]
    different = different_frames(chain, 3)
    # In turn: a takes 0, b takes 1, and so on.
    assert {c: [x.frame for x in own] for c, own in different.items()} == {
        "a": [0, 2, 4, 6],
        "b": [1, 3, 5, 7],
    }
    found = choose(chain, {"a": 2, "b": 9}, different, 3)
    given_by = {c: {x.frame for x in own} for c, own in found.items()}
    assert (len(given_by["a"]), len(given_by["b"])) == (2, 4)
    assert not given_by["a"] & given_by["b"]


@given(st.integers(1, 60), st.integers(0, 70), st.sets(st.integers(0, 59)))
def test_stills_are_spread_and_never_twice_the_same(n: int, k: int, seen: set[int]) -> None:
    frames = [Candidate(f, f in seen, float(f % 3)) for f in range(n)]
    found = chosen_of(frames, n, k)
    assert len(found) == min(k, n)
    assert found == sorted(set(found))
    k = max(min(k, n), 1)
    windows = [next(w for w in range(k) if f < (w + 1) * n // k) for f in found]
    assert windows == list(range(len(found)))


CLIP = st.lists(
    st.tuples(st.integers(0, 29), st.booleans(), st.integers(0, 3), st.integers(0, 255)),
    max_size=30,
    unique_by=lambda frame: frame[0],
)


@given(st.lists(CLIP, min_size=1, max_size=3), st.integers(0, 9), st.integers(0, 4), st.randoms())
def test_what_can_be_given_is_given_and_nothing_alike(
    clips: list[list[tuple[int, bool, int, int]]], k: int, bits: int, chance: random.Random
) -> None:
    chain = [
        Footage(f"c{n}", 30, tuple(Candidate(f, seen, float(s), look) for f, seen, s, look in clip))
        for n, clip in enumerate(clips)
    ]
    different = different_frames(chain, bits)
    wanted = {clip.clip_id: k + n for n, clip in enumerate(chain)}
    found = choose(chain, wanted, different, bits)
    for clip in chain:
        own = found[clip.clip_id]
        assert len(own) == min(wanted[clip.clip_id], len(different[clip.clip_id]))
        assert set(own) <= set(clip.candidates)
        assert [c.frame for c in own] == sorted({c.frame for c in own})
    looks = [c.look for own in found.values() for c in own]
    assert all((a ^ b).bit_count() >= bits for a, b in combinations(looks, 2))
    # Nothing more could be had of any clip.
    all_looks = [c.look for own in different.values() for c in own]
    for clip in chain:
        for candidate in set(clip.candidates) - set(different[clip.clip_id]):
            assert any((candidate.look ^ look).bit_count() < bits for look in all_looks)
    mixed = [
        Footage(c.clip_id, c.n_frames, tuple(chance.sample(c.candidates, len(c.candidates))))
        for c in chance.sample(chain, len(chain))
    ]
    assert different_frames(mixed, bits) == different
    assert choose(mixed, wanted, different, bits) == found


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 9)), st.integers(0, 99)
)
def test_a_quota_is_met_as_evenly_as_the_clips_allow(n_frames: dict[str, int], quota: int) -> None:
    found = shares_of_quota(n_frames, quota)
    assert sum(found.values()) == min(quota, sum(n_frames.values()))
    assert all(found[c] <= n_frames[c] for c in n_frames)
    most = max(found.values(), default=0)
    assert all(found[c] >= most - 1 or found[c] == n_frames[c] for c in n_frames)
    assert shares_of_quota(dict(reversed(n_frames.items())), quota) == found


def test_the_remainder_of_a_quota_falls_on_clips_of_all_episodes() -> None:
    clips = {f"show.s01e{number:02d}-c{k}": 9 for number in range(10) for k in range(10)}
    served = {clip.split("-")[0] for clip, n in shares_of_quota(clips, 50).items() if n}
    assert len(served) >= 8

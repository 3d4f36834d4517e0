"""Stills: spread over the clip, seen and sharp; quotas met as evenly as clips allow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caer_build.dataset.stills import Candidate, choose, shares_of_quota


def test_each_window_gives_its_sharpest_seen_frame() -> None:
    frames = [Candidate(f, f % 5 == 0, 10.0 + f % 7) for f in range(90)]
    # Seen: 0, 5, 10 …; of 0 to 29 the sharpest is 20 (20 % 7 = 6), of 30 to 59 it is 55.
    assert choose(frames, 90, 2) == [20, 55]
    assert choose(frames, 90, 3) == [20, 55, 75]


def test_where_a_face_was_never_seen_its_interpolated_box_nearest_the_middle_is_taken() -> None:
    frames = [Candidate(f, False, 0.0) for f in range(10)]
    assert choose(frames, 10, 1) == [4]
    assert choose([], 10, 3) == []


@given(st.integers(1, 60), st.integers(0, 70), st.sets(st.integers(0, 59)))
def test_stills_are_spread_and_never_twice_the_same(n: int, k: int, seen: set[int]) -> None:
    frames = [Candidate(f, f in seen, float(f % 3)) for f in range(n)]
    found = choose(frames, n, k)
    assert len(found) == min(k, n)
    assert found == sorted(set(found))
    k = max(min(k, n), 1)
    windows = [next(w for w in range(k) if f < (w + 1) * n // k) for f in found]
    assert windows == list(range(len(found)))


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 9)), st.integers(0, 99)
)
def test_a_quota_is_met_as_evenly_as_the_clips_allow(n_frames: dict[str, int], quota: int) -> None:
    found = shares_of_quota(n_frames, quota)
    assert sum(found.values()) == min(quota, sum(n_frames.values()))
    assert all(found[c] <= n_frames[c] for c in n_frames)
    most = max(found.values(), default=0)
    assert all(found[c] >= most - 1 or found[c] == n_frames[c] for c in n_frames)

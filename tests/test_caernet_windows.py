"""Which frames a network sees, and what of them: expected values written out by hand."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.caernet.pictures import MEAN_BGR, context_of, face_crop
from caer_build.caernet.windows import Windows, averaged, sampled
from caer_build.errors import DatasetError, RecipeError


def test_ten_a_second_of_a_steady_clip() -> None:
    """25 frames a second: at 0.1 s frame 2 is shown, from 0.08 s on; at 0.2 s frame 5."""
    found = sampled([k / 25 for k in range(25)], 1.0)
    assert found.tolist() == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]


def test_ten_a_second_goes_by_the_times_and_not_by_a_rate() -> None:
    times = [5.0, 5.04, 5.35, 5.36, 5.4]
    assert sampled(times, 5.5).tolist() == [0, 1, 1, 1, 4]
    assert sampled([0.0], 0.02).tolist() == [0]
    # A container that counts in milliseconds says 0.033 and 0.1 for thirds.
    assert sampled([0.0, 0.033, 0.067, 0.10005, 0.133], 0.167).tolist() == [0, 3]


def test_times_that_are_none() -> None:
    for times, end in (([], 1.0), ([0.0, 0.0], 1.0), ([0.0, 1.0], 1.0)):
        with pytest.raises(DatasetError, match="ascending"):
            sampled(times, end)


def test_another_rate() -> None:
    """Five a second of 25: at 0.2 s frame 5 is shown; and 25 a second are all frames."""
    times = [k / 25 for k in range(25)]
    assert sampled(times, 1.0, 5.0).tolist() == [0, 5, 10, 15, 20]
    assert sampled(times, 1.0, 25.0).tolist() == list(range(25))


def test_windows_by_hand() -> None:
    five, usual = Windows(length=5), Windows()
    assert five.every(3).tolist() == [[0, 1, 2, 0, 1]]
    assert usual.every(16).tolist() == [list(range(16))]
    assert begins(usual.every(30)) == [0, 8, 14]
    assert begins(usual.every(32)) == [0, 8, 16]
    assert five.drawn(3, 0.99).tolist() == [0, 1, 2, 0, 1]
    assert usual.drawn(20, 0.0).tolist() == list(range(16))
    assert usual.drawn(20, 0.999).tolist() == list(range(4, 20))
    assert usual.every(20, 1).tolist() == [[0], [8], [16], [19]], "a network of stills"


def begins(windows: npt.NDArray[np.int64]) -> list[int]:
    return [int(window[0]) for window in windows]


def test_the_other_readings_by_hand() -> None:
    assert begins(Windows(stride=4).every(30)) == [0, 4, 8, 12, 14]
    assert begins(Windows(tail="dropped").every(30)) == [0, 8]
    assert begins(Windows(tail="dropped").every(9)) == [0]
    held = Windows(length=5, short="hold")
    assert held.every(3).tolist() == [[0, 1, 2, 2, 2]]
    assert held.drawn(2, 0.5).tolist() == [0, 1, 1, 1, 1]
    aligned = Windows(training="aligned")
    assert {int(aligned.drawn(50, k / 100)[0]) for k in range(100)} == {0, 16, 32}
    assert {int(aligned.drawn(31, k / 100)[0]) for k in range(100)} == {0}
    middle = Windows(training="middle")
    assert {int(middle.drawn(50, k / 100)[0]) for k in range(100)} == {17}
    assert middle.drawn(50, 0.9, 1).tolist() == [24]
    for wrong in ({"length": 0}, {"stride": 0}, {"short": "cut"}, {"mean_of": "votes"}):
        with pytest.raises(RecipeError, match="Expected"):
            Windows(**wrong)


def test_the_mean_of_logits_is_taken_of_probabilities_alone() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (4, 7))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    means = np.exp(logits.mean(0))
    assert averaged(shares, "logits") == pytest.approx(means / means.sum())
    assert averaged(shares, "probabilities") == pytest.approx(shares.mean(0))
    assert averaged(np.array([[1.0, 0.0], [0.6, 0.4]]), "logits").sum() == pytest.approx(1)


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_every_frame_of_a_test_clip_is_seen(n: int, draw: float) -> None:
    windows = Windows().every(n)
    assert windows.shape[1] == 16
    assert set(windows.ravel().tolist()) == set(range(n))
    if n >= 16:
        assert windows[-1][-1] == n - 1
    for training in ("anywhere", "aligned", "middle"):
        one = Windows(training=training).drawn(n, draw)
        assert one.shape == (16,)
        assert 0 <= one.min() <= one.max() < n


def begin_of(windows: Windows, n: int, draw: float, length: int) -> int:
    last = max(0, n - length)
    if windows.training == "aligned":
        return int(draw * (last // length + 1)) * length
    return last // 2 if windows.training == "middle" else int(draw * (last + 1))


@given(
    st.lists(st.tuples(st.integers(0, 70), st.floats(0, 1, exclude_max=True)), min_size=1),
    st.builds(
        Windows, st.sampled_from([1, 5, 16]), st.sampled_from([1, 3, 8]),
        st.sampled_from(["anywhere", "aligned", "middle"]), st.sampled_from(["loop", "hold"]),
        st.sampled_from(["aligned", "dropped"]),
    ),
)  # fmt: skip
def test_windows_of_many_clips_are_those_of_each(
    clips: list[tuple[int, float]], windows: Windows
) -> None:
    """As a loop that takes one clip after the other makes them, one frame after the other."""
    length = windows.length

    def frames(begin: int, n: int) -> list[int]:
        if windows.short == "hold":
            return [min(begin + k, max(0, n - 1)) for k in range(length)]
        return [(begin + k) % max(1, n) for k in range(length)]

    drawn, every = [], []
    for number, (n, draw) in enumerate(clips):
        drawn.append(frames(begin_of(windows, n, draw, length), n))
        last = max(0, n - length)
        begins = list(range(0, last + 1, windows.stride))
        if windows.tail == "aligned" and begins[-1] != last:
            begins.append(last)
        every += [(number, frames(begin, n)) for begin in begins]
    counts, draws = (np.array(column) for column in zip(*clips, strict=True))
    assert windows.drawn_of(counts, draws).tolist() == drawn
    owners, found = windows.every_of(counts)
    assert list(zip(owners.tolist(), found.tolist(), strict=True)) == every


def test_no_pixel_of_a_hidden_face_reaches_the_context() -> None:
    """Whatever the face looks like, the context is the same."""
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (180, 320, 3), np.uint8)
    box = (100.2, 40.7, 163.9, 99.1)
    other = frame.copy()
    other[40:100, 100:164] = rng.integers(0, 256, (60, 64, 3), np.uint8)
    assert (context_of(frame, [box]) == context_of(other, [box])).all()
    assert (context_of(frame, []) != context_of(other, [])).any()
    assert context_of(frame, [box]).shape == (128, 171, 3)
    # One pixel row further out is not the face's.
    other[39, 100:164] ^= 255
    assert (context_of(frame, [box]) != context_of(other, [box])).any()


def test_boxes_at_and_beyond_the_edge() -> None:
    frame = np.full((100, 200, 3), 7, np.uint8)
    whole = context_of(frame, [(-50, -50, 500, 500)], fill=(1, 2, 3))
    assert (whole == (1, 2, 3)).all()
    beside = context_of(frame, [(-30, -30, -10, -10)])
    assert (beside == 7).all()
    corner = face_crop(frame, (-50, -50, 50, 50))
    assert corner.shape == (96, 96, 3)
    assert tuple(corner[0, 0]) == MEAN_BGR
    assert tuple(corner[95, 95]) == (7, 7, 7)
    assert (face_crop(frame, (-90, -90, -50, -50)) == MEAN_BGR).all()


def test_a_face_is_a_square_around_its_box() -> None:
    frame = np.zeros((300, 300, 3), np.uint8)
    cv2.rectangle(frame, (102, 54), (197, 245), (255, 255, 255), -1)  # 96 wide, 192 high
    crop = face_crop(frame, (102, 54, 198, 246))
    columns = crop[48, :, 0]
    assert (columns[:23] < 10).all()
    assert (columns[25:71] > 245).all()
    assert (columns[73:] < 10).all()
    assert (crop[:, 48] > 245).all()
    wider = face_crop(frame, (102, 54, 198, 246), margin=0.25)
    assert (wider[:15, 48] < 10).all()
    box_alone = face_crop(frame, (102, 54, 198, 246), square=False)
    assert (box_alone > 245).all(), "stretched: nothing is beside it"
    # A margin of 0.25 is 48 px of the longer side, all around: 192 x 288.
    loose = face_crop(frame, (102, 54, 198, 246), margin=0.25, square=False)
    assert (loose[48, :23, 0] < 10).all()
    assert (loose[48, 25:71, 0] > 245).all()
    assert (loose[:15, 48] < 10).all()
    assert (loose[17:79, 48] > 245).all()

"""The frames that are taken out of files are those that the clock says."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from caer_build.caernet.footage import frames_of
from caer_build.caernet.windows import sampled
from caer_build.errors import DatasetError
from caer_build.media.times import frame_times_s
from caer_build.records import Item


def clip(file: Path, length_s: float | None = None) -> Item:
    return Item(file.stem, "clip", file.name, "train", "Happy", length_s=length_s)


@pytest.mark.parametrize("name", ["face_noface.mov", "single_face.mp4"])
def test_frames_are_those_of_the_clock(data: Path, name: str) -> None:
    """face_noface.mov has a variable rate."""
    file = data / "media" / name
    times = [t - frame_times_s(file)[0] for t in frame_times_s(file)]
    end_s = times[-1] + (times[-1] - times[-2])
    expected = sampled(times, end_s).tolist()
    shown = list(frames_of(file.parent, clip(file)))
    assert [s.frame for s in shown for _ in range(s.n_ticks)] == expected
    assert len(expected) == math.ceil(end_s * 10 - 0.01)
    reader, wanted = cv2.VideoCapture(str(file)), {s.frame: s for s in shown}
    for frame in range(len(times)):
        _, picture = reader.read()
        if frame in wanted:
            assert (wanted[frame].picture == picture).all()


def test_another_rate_takes_other_frames(data: Path) -> None:
    file = data / "media" / "single_face.mp4"
    times = [t - frame_times_s(file)[0] for t in frame_times_s(file)]
    end_s = times[-1] + (times[-1] - times[-2])
    for rate in (4.0, 12.5):
        shown = frames_of(file.parent, clip(file), rate)
        found = [s.frame for s in shown for _ in range(s.n_ticks)]
        assert found == sampled(times, end_s, rate).tolist()


def test_a_longer_last_frame_is_shown_longer(data: Path) -> None:
    file = data / "media" / "single_face.mp4"
    usual = sum(s.n_ticks for s in frames_of(file.parent, clip(file)))
    longer = sum(s.n_ticks for s in frames_of(file.parent, clip(file, length_s=usual / 10 + 0.5)))
    assert longer == usual + 5


def test_stills_whole_and_out_of_a_mosaic(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    whole = Item("a", "still", "a.png", "train", "Happy")
    (shown,) = frames_of(tmp_path, whole)
    assert (shown.frame, shown.n_ticks) == (0, 1)
    assert (shown.picture == picture).all()
    part = Item("b", "still", "a.png", "train", "Happy", crop_x=64, crop_y=0, crop_width=48,
                crop_height=40)  # fmt: skip
    assert (next(frames_of(tmp_path, part)).picture == picture[:40, 64:112]).all()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"no video")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"a\.avi cannot be read as a video"):
        list(frames_of(tmp_path, clip(tmp_path / "a.avi")))
    with pytest.raises(DatasetError, match=r"a\.png cannot be read as a picture"):
        list(frames_of(tmp_path, Item("a", "still", "a.png", "train", "Happy")))
    with pytest.raises(DatasetError, match="caer rebuild"):
        list(frames_of(tmp_path, Item("a", "still", None, "train", "Happy")))

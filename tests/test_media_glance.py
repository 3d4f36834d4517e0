"""Single pictures out of a file: the frame that is shown at a time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from caer_build.errors import ProbeError
from caer_build.media.encode import encode_frames
from caer_build.media.glance import glance

RATE = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 frames, each a little brighter than the one before; sound is silence."""

    def frames() -> Iterator[np.ndarray]:
        for number in range(120):
            yield np.full((180, 320, 3), 10 + 2 * number, np.uint8)

    path = tmp_path_factory.mktemp("glance") / "ramp.mp4"
    encode_frames(frames(), np.zeros((48000, 2), np.float32), RATE, path)
    return path


@pytest.mark.parametrize("number", [0, 1, 59, 60, 118, 119])
def test_the_frame_shown_at_a_time(ramp: Path, number: int) -> None:
    picture = glance(ramp, float(number / RATE), 160)
    assert picture.shape == (90, 160, 3)
    assert abs(float(picture.mean()) - (10 + 2 * number)) < 1.0


def test_after_the_end_it_is_the_last_one(ramp: Path) -> None:
    assert abs(float(glance(ramp, 99.0, 320).mean()) - 248) < 1.0


def test_small_pictures_are_not_enlarged(ramp: Path) -> None:
    assert glance(ramp, 0.0, 4000).shape == (180, 320, 3)


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("hello")
    with pytest.raises(ProbeError, match="text file"):
        glance(path, 0.0, 160)

"""Small pictures are those that ffmpeg's own scaler gives, upright and in the right order."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from tests.media import HEIGHT, WIDTH, number_in, numbered, write_video
from tests.media_kinds import KINDS


def test_thumbnails_are_close_to_what_shot_detectors_are_fed(data: Path) -> None:
    """TransNetV2 as shipped gets its 48x27 from ffmpeg's bicubic scaler."""
    path = data / "episodes" / "lobby.s01e01.mp4"
    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-frames:v", "40"]
    command += ["-s", "48x27", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(-1, 27, 48, 3).astype(int)
    found = []
    with Decoder(path, read_headers(path)) as decoder:
        for frame in decoder:
            if frame.ordinal == 40:
                break
            found.append(frame.rgb(48, 27))
    difference = np.abs(np.stack(found).astype(int) - expected)
    assert difference.mean() < 0.5
    assert difference.max() <= 8


@pytest.mark.parametrize("name", ["MP4", "rotation flag 90", "rotation flag 270", "odd size"])
def test_every_way_to_get_pixels_is_upright_and_of_the_size_asked(
    name: str, tmp_path: Path
) -> None:
    path = KINDS[name].make(tmp_path)
    headers = read_headers(path)
    with Decoder(path, headers) as decoder:
        frame = next(iter(decoder))
    full = frame.bgr_full()
    assert full.shape == (HEIGHT, WIDTH, 3)
    assert number_in(full) == 0
    small = frame.bgr(WIDTH * 2 // 3, HEIGHT // 2)
    assert small.shape == (HEIGHT // 2, WIDTH * 2 // 3, 3)
    assert number_in(small) == 0
    # The moving block is red: (200, 60, 40) RGB, at the left edge of the lower half.
    block = full[HEIGHT * 3 // 4, 12].astype(int)
    assert block[2] > 150
    assert block[1] < 100
    rgb, bgr = frame.rgb(96, 72).astype(int), frame.bgr(96, 72).astype(int)
    np.testing.assert_allclose(rgb[..., ::-1], bgr, atol=6)


def test_an_odd_column_is_left_off_not_squeezed_in(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "odd.mkv", ("-c:v", "ffv1", "-pix_fmt", "bgr0"), n=1, size=(33, 17)
    )
    headers = read_headers(path)
    with Decoder(path, headers) as decoder:
        full = next(iter(decoder)).bgr_full()
    np.testing.assert_array_equal(full[..., ::-1], numbered(0, 33, 17)[:16, :32])

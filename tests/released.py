"""A CAER as it was released, small: AVI clips of real people, and nothing said of faces.

::

    CAER/train/Anger/0001.avi        a man, 16 frames        320 x 180 px, 24000/1001 a second
         train/Happy/0001.avi        another man
         validation/Sad/0001.avi     a street: nobody
         test/Neutral/0001.avi       the first man, later
"""

from __future__ import annotations

from pathlib import Path

from tests.media import run_ffmpeg

CLIPS = {"train/Anger": 80, "train/Happy": 116, "validation/Sad": 30, "test/Neutral": 150}
"""folder -> the frame of lobby.s01e02 with which its clip begins"""
N_FRAMES = 16
NOBODY = "validation/Sad/0001.avi"


def released_clips(episode: Path, root: Path) -> Path:
    """Cut the clips out of ``lobby.s01e02``."""
    for folder, first in CLIPS.items():
        (root / folder).mkdir(parents=True)
        run_ffmpeg(
            "-i", str(episode), "-an", "-map_metadata", "-1", "-fflags", "+bitexact",
            "-vf", f"trim=start_frame={first}:end_frame={first + N_FRAMES},setpts=PTS-STARTPTS,"
            "scale=320:180", "-c:v", "mpeg4", "-q:v", "3", "-flags", "+bitexact",
            str(root / folder / "0001.avi"),
        )  # fmt: skip
    return root

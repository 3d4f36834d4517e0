"""A source is probed once and decoded once, and which of its sounds is taken concerns its clips."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from caer_build import pipeline, recipes, sources
from caer_build.errors import CaerError
from caer_build.media import decode, probe, sound, spans
from caer_build.media.headers_file import load_headers, save_headers
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.store import Workspace
from tests.media import run_ffmpeg
from tests.media_kinds import KINDS

LANGUAGE = "ingest.audio_language=fr"


class Here:
    """An engine that does the work at once, in this process, and remembers what it told."""

    slots = 1

    def __init__(self) -> None:
        self.told: list[tuple[str, float, float]] = []

    def submit(
        self,
        work: Any,
        *args: Any,
        tag: str,
        limit_s: float | None = None,  # noqa: ARG002
    ) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            done = work(*args, lambda done, total: self.told.append((tag, done, total)))
            future.set_result(done)
        except CaerError as error:
            future.set_exception(error)
        return future

    def progress(self) -> list[tuple[str, float, float]]:
        return []

    def close(self, kill: bool) -> None: ...


class Watcher:
    """An observer that notes which units were done anew."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def started(self, stage: str, unit: str) -> None: ...
    def progressed(self, stage: str, unit: str, done: float, total: float) -> None: ...
    def failed(self, stage: str, unit: str, error: CaerError) -> None: ...

    def finished(self, stage: str, unit: str, seconds: float | None) -> None:
        if seconds is not None:
            self.done.append((stage, unit))


@pytest.fixture(scope="module")
def bilingual(brief_episode: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The brief episode with a second track of sound: a tone of 2 kHz, in French."""
    path = tmp_path_factory.mktemp("bilingual") / "brief.mkv"
    run_ffmpeg(
        "-i", str(brief_episode), "-f", "lavfi", "-i", "sine=frequency=2000:sample_rate=48000",
        "-t", "12", "-map", "0:v", "-map", "0:a", "-map", "1:a", "-c:v", "copy", "-c:a", "aac",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre",
        "-disposition:a:0", "default", "-disposition:a:1", "0", str(path),
    )  # fmt: skip
    return path


def build_here(work: Path, file: Path, *assignments: str) -> tuple[pipeline.Outcome, Here, Watcher]:
    workspace, engine, watcher = Workspace.create(work), Here(), Watcher()
    outcome = pipeline.Build(
        workspace=workspace,
        recipe=recipes.load(pipeline.STAGES, "quick", list(assignments)),
        register=sources.register(workspace, [file]),
        engine=engine,
        observer=watcher,
    ).run()
    assert outcome.failures == []
    return outcome, engine, watcher


def share_of_tone(clip: Path) -> float:
    """How much of a clip's sound is at 2 kHz."""
    audio = read_headers(clip).audio
    assert audio is not None
    with SoundReader(clip, audio) as reader:
        spectrum = np.abs(np.fft.rfft(reader.read(0.0, 1.0)[:, 0]))
    return float(spectrum[1990:2010].sum() / max(1.0, spectrum.sum()))


def test_a_source_is_read_once_and_another_language_cuts_only(
    bilingual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    for room in (probe, decode, spans, sound):
        real = room.open_source

        def counting(path: Path, real: Any = real, room: Any = room) -> Any:
            if path == bilingual:
                opened.append(room.__name__.rpartition(".")[2])
            return real(path)

        monkeypatch.setattr(room, "open_source", counting)

    work = tmp_path / "work"
    outcome, engine, _ = build_here(work, bilingual, "cutting.jobs=1")
    assert opened == ["probe", "decode", "spans", "sound"]

    # Every frame once, and the first one to read the headers.
    episodes = pd.read_parquet(work / "tables" / "episodes.parquet")
    scanned, probed = (outcome.results[s, "brief"].facts for s in ("scan", "ingest"))
    assert probed["decoded_frames"] == 1
    assert scanned["decoded_frames"] == episodes.frame_count[0] + 1

    # Each clip is told as soon as it is there.
    clips = sorted((work / "clips").iterdir())
    assert len(clips) > 2
    told = [(done, total) for tag, done, total in engine.told if tag == "cutting\nbrief"]
    assert told == [(k, len(clips)) for k in range(len(clips) + 1)]

    columns = ["audio_codec", "audio_rate", "audio_channels", "audio_track"]
    assert episodes[columns].values.tolist() == [["aac", 48_000, 2, 1]]
    assert all(share_of_tone(clip) < 0.5 for clip in clips)

    _, _, watcher = build_here(work, bilingual, "cutting.jobs=1", LANGUAGE)
    assert watcher.done == [("ingest", "brief"), ("cutting", "brief")]
    again = pd.read_parquet(work / "tables" / "episodes.parquet")
    assert again[columns].values.tolist() == [["aac", 48_000, 1, 2]]
    pd.testing.assert_frame_equal(again.drop(columns=columns), episodes.drop(columns=columns))
    assert all(share_of_tone(clip) > 0.5 for clip in clips)
    assert set(pd.read_parquet(work / "tables" / "cuts.parquet").audio_language) == {"fre"}


def test_sound_that_cannot_be_decoded_is_said(tmp_path: Path) -> None:
    mute = KINDS["sound in a thousand channels"].make(tmp_path)
    outcome, _, _ = build_here(tmp_path / "work", mute)
    [warning] = pipeline.warnings_of(outcome.results)
    assert warning.startswith("loud.avi has sound, but none that can be decoded here")


@pytest.mark.parametrize("kind", ["several audio tracks", "no audio", "HDR", "variable frame rate"])
def test_headers_come_back_as_they_were_saved(kind: str, tmp_path: Path) -> None:
    headers = read_headers(KINDS[kind].make(tmp_path))
    save_headers(tmp_path / "headers.json", headers)
    assert load_headers(tmp_path / "headers.json") == headers

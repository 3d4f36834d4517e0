"""What a file may cost: one that asks for more is given up by name, and the others are built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from caer_build import engines, pipeline, recipes, sources, units
from caer_build.errors import CaerError
from caer_build.media.limits import MAX_AUDIO_RATE
from caer_build.media.memory import raise_if_short
from caer_build.media.mp4_index import read_index
from caer_build.store import Workspace, disk_errors
from tests.building import caer_apart
from tests.media import write_sound, write_video
from tests.media_damage import fragmented, long_index
from tests.media_kinds import KINDS


class Silent:
    """An observer that tells nobody."""

    def started(self, stage: str, unit: str) -> None: ...
    def progressed(self, stage: str, unit: str, done: float, total: float) -> None: ...
    def finished(self, stage: str, unit: str, seconds: float | None) -> None: ...
    def failed(self, stage: str, unit: str, error: CaerError) -> None: ...


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A small file of the largest pictures."""
    coding = ("-c:v", "mpeg4", "-q:v", "31", "-pix_fmt", "yuv420p")
    return write_video(
        tmp_path / "large.avi", coding, filters="scale=8000:8000:flags=neighbor", n=3
    )


def until_scanned(work: Path, *files: Path) -> pipeline.Outcome:
    workspace = Workspace.create(work)
    return pipeline.Build(
        workspace=workspace,
        recipe=recipes.load(pipeline.STAGES, "quick"),
        register=sources.register(workspace, files),
        engine=engines.load("local", 2),
        observer=Silent(),
        until="scan",
    ).run()


def test_a_file_that_needs_more_memory_than_it_may_have(large: Path, tmp_path: Path) -> None:
    good = KINDS["MP4"].make(tmp_path)
    given = ("build", large, good, "-o", tmp_path / "work", "--recipe", "quick", "--json")
    done = caer_apart(*given, "--until", "scan", "--max-memory", 1, check=False)
    totals: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert totals["episodes"] == 1
    [failure] = totals["failed"]
    assert (failure["unit"], failure["error"]) == ("large", "MediaError")
    assert failure["message"].startswith("large.avi was given up at scan: ")
    assert "more memory than the 1.0 GB" in failure["message"]
    assert "--max-memory" in failure["remedy"]

    totals = json.loads(caer_apart(*given, "--until", "scan", "--max-memory", 4).stdout)
    assert (totals["episodes"], totals["failed"]) == (2, [])


def test_a_file_that_takes_more_time_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = write_video(tmp_path / "slow.mp4")
    good = KINDS["MP4"].make(tmp_path)
    of_slow = slow.stat().st_size
    monkeypatch.setattr(
        pipeline, "time_limit_s", lambda n_bytes, *_: 0.02 if n_bytes == of_slow else 600
    )
    outcome = until_scanned(tmp_path / "work", slow, good)
    [failure] = outcome.failures
    assert (failure.unit, failure.error) == ("slow", "DecodeError")
    assert failure.message.startswith("slow.mp4 was given up: ")
    assert "--max-time" in failure.remedy
    assert ("scan", "plain") in outcome.results

    monkeypatch.undo()
    assert until_scanned(tmp_path / "work", slow, good).failures == []


def test_limits_are_in_no_key(tmp_path: Path) -> None:
    film = KINDS["MP4"].make(tmp_path)
    given = ("build", film, "-o", tmp_path / "work", "--recipe", "quick", "--until", "scan")
    caer_apart(*given)
    again = caer_apart(*given, "--max-memory", 2, "--max-time", 100)
    assert "plain  scan" not in again.stderr


@pytest.mark.parametrize(
    ("n_bytes", "claimed_s", "expected_s"),
    [
        (600_000_000, 2520.0, 600 + 20 * 2520),
        # A header that claims a second, and one that claims a year.
        (600_000_000, 1.0, 600 + 20 * 1200),
        (4_000_000, 3e7, 600 + 20 * 1000),
        (600_000_000, None, 600 + 20 * 1200),
    ],
)
def test_time_goes_by_length_and_size(
    n_bytes: int, claimed_s: float | None, expected_s: float
) -> None:
    assert units.time_limit_s(n_bytes, claimed_s, units.TIMES_LENGTH) == pytest.approx(expected_s)


def test_want_of_memory_is_not_taken_for_damage() -> None:
    raise_if_short(ValueError("invalid data"), 1920, 1080)
    with pytest.raises(MemoryError):
        raise_if_short(MemoryError(), 1920, 1080)


def test_indices_are_counted_as_they_claim(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "sound.wav", 2.0)
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le")
    plain = write_video(tmp_path / "plain.mov", coding, sounds=[sound])
    files = {
        # Of PCM libav makes no list, however many samples there are.
        plain: ("whole", 50),
        long_index(tmp_path, 1234): ("whole", 1234),
        fragmented(tmp_path, 99): ("whole", 99 + 5),
        KINDS["cut off before the index"].make(tmp_path): ("none", 0),
    }
    for path, expected in files.items():
        with path.open("rb") as file:
            found = read_index(file)
        assert (found.state, found.n_samples) == expected, path.name


def test_the_highest_rate_that_is_allowed_is_used(tmp_path: Path) -> None:
    from tests.media_damage import loud_avi
    from tests.scanned import scan

    audio = scan(loud_avi(tmp_path, MAX_AUDIO_RATE, 2)).headers.audio
    assert audio is not None
    assert audio.rate == MAX_AUDIO_RATE


def test_a_full_disk_is_named_as_the_user_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from caer_build.errors import StoreError
    from tests.scanned import scan

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    film, work = scan(KINDS["MP4"].make(tmp_path)), tmp_path / "work"
    draft = work / "stages" / ".draft-0"
    draft.mkdir(parents=True)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError) as caught, disk_errors(work):
        film.cut(draft, (0, 10))
    assert caught.value.message == f"The disk that holds {work} is full."
    assert list(draft.iterdir()) == []

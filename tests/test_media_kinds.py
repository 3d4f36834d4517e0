"""Every kind of file is handled right, to the frame, or refused with an error that says why."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from caer_build.errors import ProbeError
from caer_build.media.cut import CutResult
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.media.verify import AAC_FRAME_SAMPLES, verify_clip
from tests.media import HEIGHT, RATE, first_beep_s, run_ffmpeg
from tests.media_kinds import KINDS, SHORT_SOUND_S, Kind
from tests.scanned import Scanned, scan

HANDLED = {name: kind for name, kind in KINDS.items() if kind.refused is None}
REFUSED = {name: kind for name, kind in KINDS.items() if kind.refused is not None}
_UNSAID, _LIMITED, _FULL = 0, 1, 2
"""AVColorRange"""
_IN_STEP_S = 0.01
"""less than half an AAC frame of 21 ms"""
GUIDE = Path(__file__).parent.parent / "docs" / "media.md"


@pytest.mark.parametrize("kind", HANDLED.values(), ids=list(HANDLED))
def test_handled(kind: Kind, tmp_path: Path) -> None:
    seen = scan(kind.make(tmp_path))
    headers, report = seen.headers, seen.report

    assert (headers.width, headers.height) == kind.size
    assert (headers.audio is not None) == kind.sound
    assert headers.interlaced == kind.interlaced
    assert headers.is_hdr == kind.is_hdr
    assert report.n_frames == len(seen.numbers)
    assert kind.repaired in (None, report.repaired)
    assert kind.truncated in (None, report.truncated)
    assert kind.errors in (None, report.n_errors > 0)
    if kind.numbers:
        assert tuple(seen.numbers) == kind.numbers
    else:
        read = [number for number in seen.numbers if number is not None]
        assert len(read) > 15
        assert read == sorted(set(read))
    _check_times(seen, kind)

    n = report.n_frames
    spans = [(n // 4, n // 2), (n // 2, n)] if n > 1 else [(0, 1)]
    for (start, end), made in zip(spans, seen.cut(tmp_path, *spans), strict=True):
        wanted = seen.wanted(start, end)
        check = verify_clip(made.out, wanted, with_sound=kind.sound)
        assert check.n_frames == made.n_frames == end - start
        clip = scan(made.out)
        assert (clip.headers.width, clip.headers.height) == kind.size
        assert clip.headers.pixel_format == "yuv420p"
        assert clip.headers.color_range in (_UNSAID, _LIMITED)
        assert clip.headers.rotation == 0
        assert clip.headers.sample_aspect == 1
        assert not clip.headers.interlaced
        assert not clip.headers.is_hdr
        # Frame for frame what the source shows, and when it shows it.
        assert clip.numbers == seen.numbers[start:end]
        expected = seen.timeline.pts_s[start:end] - seen.timeline.pts_s[start]
        np.testing.assert_allclose(clip.timeline.pts_s, expected, atol=1e-3)
    if kind.sound and kind.beep_s is not None:
        _check_beep(seen, kind, kind.beep_s, tmp_path)


def _check_times(seen: Scanned, kind: Kind) -> None:
    """Frames are shown when it was meant, counted from the first one."""
    if kind.times_s is None:
        return
    known = [(k, number) for k, number in enumerate(seen.numbers) if number is not None]
    found = np.array([seen.timeline.pts_s[k] for k, _ in known])
    meant = np.array([kind.times_s(number) for _, number in known])
    np.testing.assert_allclose(found - found[0], meant - meant[0], atol=2e-3)


def _check_beep(seen: Scanned, kind: Kind, beep_s: float, folder: Path) -> None:
    """A clip that begins in silence lets the beep sound with the frame with which it was made."""
    number = int(beep_s * RATE)
    at = seen.numbers.index(number)
    start, end = max(0, at - 7), min(len(seen.numbers), at + 10)
    [made] = seen.cut(folder, (start, end))
    audio = read_headers(made.out).audio
    assert audio is not None
    assert audio.codec == "aac"
    assert audio.rate == 48_000
    with SoundReader(made.out, audio) as reader:
        heard_s = first_beep_s(reader.read(0.0, made.length_s)[:, 0], reader.rate)
    pts_s = seen.timeline.pts_s
    expected_s = pts_s[at] - pts_s[start] + (beep_s - number / RATE) + kind.late_s
    assert heard_s == pytest.approx(expected_s, abs=_IN_STEP_S)


def test_sound_that_a_file_has_late_is_late_in_it(tmp_path: Path) -> None:
    """The ffmpeg program hears the same as we do: it is not the cutting that delays it."""
    late = {name: kind for name, kind in HANDLED.items() if kind.late_s}
    assert late
    for kind in late.values():
        wav = tmp_path / "heard.wav"
        run_ffmpeg("-i", str(kind.make(tmp_path)), "-vn", "-ac", "1", "-ar", "48000", str(wav))
        with wave.open(str(wav)) as file:
            heard = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        second_s = 0.5 + first_beep_s(heard[24_000:], 48_000)
        assert second_s == pytest.approx(1.0 + kind.late_s, abs=1e-3)


def loudness(made: CutResult) -> np.ndarray:
    """Of each sample of a clip's first channel."""
    audio = read_headers(made.out).audio
    assert audio is not None
    with SoundReader(made.out, audio) as reader:
        return np.abs(reader.read(0.0, made.length_s)[:, 0])


def test_silence_follows_sound_that_ends_early(tmp_path: Path) -> None:
    seen = scan(KINDS["audio shorter than video"].make(tmp_path))
    [made] = seen.cut(tmp_path, (20, 50))
    heard = loudness(made)
    ends = round((SHORT_SOUND_S - 20 / RATE) * 48_000)
    assert heard[ends - 1000 : ends].max() > 0.3
    assert heard[ends + AAC_FRAME_SAMPLES :].max() < 1e-3


def test_silence_precedes_sound_that_begins_late(tmp_path: Path) -> None:
    seen = scan(KINDS["audio that begins late"].make(tmp_path))
    [made] = seen.cut(tmp_path, (0, 30))
    heard = loudness(made)
    begins = round(0.7 * 48_000)
    assert heard[: begins - AAC_FRAME_SAMPLES].max() < 1e-3
    assert heard[begins : begins + 1000].max() > 0.3


def test_deinterlaced_pictures_show_no_combs(tmp_path: Path) -> None:
    """Where two moments are woven into one picture, each row differs from both its neighbours."""

    def combs(path: Path) -> float:
        """How far rows stray from the mean of their neighbours where the block is, grey levels."""
        with av.open(str(path)) as container:
            grey = [f.to_ndarray(format="gray").astype(float) for f in container.decode(video=0)]
        lower = np.stack(grey)[10:20, HEIGHT * 11 // 16 : HEIGHT * 13 // 16]
        strays = np.abs(lower[:, 1:-1] - (lower[:, :-2] + lower[:, 2:]) / 2)
        return float(np.percentile(strays, 98))

    source = KINDS["interlaced"].make(tmp_path)
    seen = scan(source)
    [made] = seen.cut(tmp_path, (0, 30))
    assert combs(source) > 8
    assert combs(made.out) < 0.25 * combs(source)


def test_full_range_becomes_limited_range(tmp_path: Path) -> None:
    seen = scan(KINDS["full-range colours"].make(tmp_path))
    assert seen.headers.color_range == _FULL
    [made] = seen.cut(tmp_path, (0, 10))
    assert read_headers(made.out).color_range in (_UNSAID, _LIMITED)
    pictures = []
    for path in (seen.path, made.out):
        with av.open(str(path)) as container:
            pictures.append(next(container.decode(video=0)))
    luma = [np.median(p.to_ndarray()[HEIGHT // 8 : HEIGHT // 4, 2:8]) for p in pictures]
    # The bar code's white.
    assert luma[0] == pytest.approx(227, abs=4)
    assert luma[1] == pytest.approx(16 + 227 * 219 / 255, abs=4)


@pytest.mark.parametrize("kind", REFUSED.values(), ids=list(REFUSED))
def test_refused(kind: Kind, tmp_path: Path) -> None:
    path = kind.make(tmp_path)
    with pytest.raises(ProbeError) as caught:
        read_headers(path)
    assert kind.refused is not None
    assert kind.refused in caught.value.message
    assert path.name in caught.value.message
    assert caught.value.remedy
    assert str(tmp_path) not in str(caught.value)


def test_the_guide_lists_these_kinds_and_no_others() -> None:
    rows = re.findall(r"^\| ([^|]+?) \| (used|refused)", GUIDE.read_text(), re.MULTILINE)
    listed = {name: outcome for name, outcome in rows if name != "kind of file"}
    assert listed == {name: "refused" if kind.refused else "used" for name, kind in KINDS.items()}
    assert len(KINDS) >= 24

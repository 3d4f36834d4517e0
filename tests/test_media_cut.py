"""Clips: the same bytes each time, in step, never half-written, and wrong ones are found out."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from caer_build.errors import DecodeError, MediaError, SchemaError
from caer_build.frames import Span
from caer_build.media import decode, limits, sound, spans
from caer_build.media.clipfile import ClipCodec
from caer_build.media.cut import CutRequest, cut_clips
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.media.spans import TimedSpan
from caer_build.media.still import read_spans
from caer_build.media.verify import AAC_FRAME_SAMPLES, verify_clip
from tests.conftest import REPOSITORY
from tests.media import HEIGHT, WIDTH, first_beep_s, number_in, write_sound, write_video
from tests.media_kinds import KINDS
from tests.scanned import Scanned, scan

_LONG = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """Five seconds with a keyframe every 20 frames, B-frames, and a beep each second."""
    folder = tmp_path_factory.mktemp("film")
    sound = write_sound(folder / "sound.wav", 5.0)
    return scan(write_video(folder / "film.mkv", _LONG, n=125, sounds=[sound]))


def test_bytes_do_not_depend_on_what_else_is_cut(film: Scanned, tmp_path: Path) -> None:
    spans = [(3, 30), (30, 47), (47, 60), (70, 72), (101, 125)]
    together = [made.sha256 for made in film.cut(tmp_path, *spans)]
    assert [film.cut(tmp_path, span)[0].sha256 for span in spans] == together
    assert len(set(together)) == len(spans)


def test_bytes_do_not_depend_on_what_memory_held_before(film: Scanned, tmp_path: Path) -> None:
    """glibc fills what it gives out and takes back with another byte for each number."""
    spans = [(3, 30), (47, 60), (70, 110)]
    cut = (
        "import sys; from pathlib import Path; from tests.scanned import scan\n"
        f"for made in scan(Path(sys.argv[1])).cut(Path(sys.argv[2]), *{spans}): print(made.sha256)"
    )
    command = [sys.executable, "-c", cut, str(film.path), str(tmp_path)]
    found = {
        subprocess.run(
            command,
            env={**os.environ, "MALLOC_PERTURB_": number},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("0", "1", "255")
    }
    assert found == {"".join(f"{made.sha256}\n" for made in film.cut(tmp_path, *spans))}


def test_overlapping_clips(film: Scanned, tmp_path: Path) -> None:
    made = film.cut(tmp_path, (10, 50), (20, 60), (20, 60), (30, 40))
    found = {clip.out.name: scan(clip.out).numbers for clip in made}
    assert found == {
        "clip0.mp4": list(range(10, 50)),
        "clip1.mp4": list(range(20, 60)),
        "clip2.mp4": list(range(20, 60)),
        "clip3.mp4": list(range(30, 40)),
    }


@pytest.mark.parametrize("start", [3, 7, 20, 24])
def test_sound_is_in_step(film: Scanned, tmp_path: Path, start: int) -> None:
    [made] = film.cut(tmp_path, (start, start + 40))
    audio = scan(made.out).headers.audio
    assert audio is not None
    assert (audio.codec, audio.rate, audio.channels) == ("aac", 48_000, 1)
    with SoundReader(made.out, audio) as reader:
        heard_s = first_beep_s(reader.read(0.0, made.length_s)[:, 0], reader.rate)
    # The source's second beep begins with frame 25.
    assert abs(heard_s - (25 - start) / 25) < AAC_FRAME_SAMPLES / audio.rate


def test_times_that_need_repair_are_found_by_counting(film: Scanned, tmp_path: Path) -> None:
    by_time = film.cut(tmp_path, (33, 64))[0]
    [by_count] = cut_clips(
        film.path,
        film.headers,
        [CutRequest(film.wanted(33, 64), tmp_path / "counted.mp4")],
        ClipCodec(),
        timestamps_repaired=True,
    )
    assert scan(by_count.out).numbers == scan(by_time.out).numbers == list(range(33, 64))


def test_a_span_that_is_not_where_it_should_be_is_counted_out(
    film: Scanned, tmp_path: Path
) -> None:
    """Timestamps that match no frame: a keyframe cannot be trusted then, the count can."""
    off = dataclasses.replace(film.wanted(33, 64), start_pts=film.wanted(33, 64).start_pts + 1)
    [made] = cut_clips(film.path, film.headers, [CutRequest(off, tmp_path / "a.mp4")], ClipCodec())
    assert scan(made.out).numbers == list(range(33, 64))


def test_a_span_beyond_the_end_is_an_error_and_leaves_nothing(
    film: Scanned, tmp_path: Path
) -> None:
    beyond = TimedSpan(Span(120, 140), int(film.ticks[120]), 10**9, 4.8, 5.56, 5.6)
    with pytest.raises(MediaError, match="expected 20 frames from frame 120 on, found 5"):
        list(
            cut_clips(
                film.path, film.headers, [CutRequest(beyond, tmp_path / "a.mp4")], ClipCodec()
            )
        )
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_end_is_given_up(film: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PIXELS_IN_ALL", 100 * WIDTH * HEIGHT)
    with pytest.raises(DecodeError, match=r"film.mkv goes on after 100 frames"):
        scan(film.path)


def test_times_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(SchemaError, match="start <= last < stop"):
        TimedSpan(Span(0, 2), 0, 2, 0.0, 2.0, 1.0)


def test_a_folder_that_cannot_be_written_is_an_error(film: Scanned, tmp_path: Path) -> None:
    request = CutRequest(film.wanted(0, 5), tmp_path / "absent" / "a.mp4")
    with pytest.raises(MediaError, match="No such file"):
        list(cut_clips(film.path, film.headers, [request], ClipCodec()))


@pytest.mark.parametrize("video", ["mpeg4", "h264"])
def test_avi(film: Scanned, tmp_path: Path, video: str) -> None:
    codec = ClipCodec(container="avi", video=video)
    [made] = film.cut(tmp_path, (12, 60), codec=codec)
    verify_clip(made.out, film.wanted(12, 60), with_sound=True)
    assert scan(made.out).numbers == list(range(12, 60))
    assert scan(made.out).headers.container == "avi"


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [({"crf": 35}, {"crf": 18}), ({"quality": 31}, {"quality": 1})],
    ids=["h264", "mpeg4"],
)
def test_quality_is_heeded(
    data: Path, tmp_path: Path, coarse: dict[str, int], fine: dict[str, int]
) -> None:
    source = scan(data / "media" / "noface_face.mov")
    form = {"container": "avi", "video": "mpeg4"} if "quality" in fine else {}
    small, large = (
        source.cut(tmp_path, (0, 30), codec=ClipCodec.model_validate(form | asked))[0]
        .out.stat()
        .st_size
        for asked in (coarse, fine)
    )
    assert small < 0.7 * large


def test_avi_of_a_variable_rate_is_spread_evenly(tmp_path: Path) -> None:
    source = scan(KINDS["variable frame rate"].make(tmp_path))
    [made] = source.cut(tmp_path, (5, 45), codec=ClipCodec(container="avi", video="mpeg4"))
    clip = scan(made.out)
    assert clip.numbers == list(range(5, 45))
    assert clip.timeline.end_s == pytest.approx(source.wanted(5, 45).length_s, rel=0.01)


def test_a_clip_begins_its_index_before_its_data(film: Scanned, tmp_path: Path) -> None:
    data = film.cut(tmp_path, (0, 30))[0].out.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_surround_sound_is_mixed_down(tmp_path: Path) -> None:
    [made] = scan(KINDS["surround sound"].make(tmp_path)).cut(tmp_path, (20, 50))
    audio = scan(made.out).headers.audio
    assert audio is not None
    assert audio.channels == 2
    with SoundReader(made.out, audio) as reader:
        heard = reader.read(0.0, made.length_s)
    assert np.abs(heard[9600 : 9600 + 4800]).max(axis=0) == pytest.approx(0.95, abs=0.1)


def test_verifying_finds_what_is_wrong(film: Scanned, tmp_path: Path) -> None:
    [made] = film.cut(tmp_path, (10, 40))
    verify_clip(made.out, film.wanted(10, 40), with_sound=True)
    with pytest.raises(MediaError, match="expected 31 frames, found 30"):
        verify_clip(made.out, film.wanted(10, 41), with_sound=True)
    with pytest.raises(MediaError, match="expected no sound"):
        verify_clip(made.out, film.wanted(10, 40), with_sound=False)
    late = dataclasses.replace(film.wanted(10, 40), last_s=film.wanted(10, 40).last_s + 0.01)
    with pytest.raises(MediaError, match="its last frame"):
        verify_clip(made.out, late, with_sound=True)
    longer = dataclasses.replace(film.wanted(10, 40), stop_s=film.wanted(10, 40).stop_s + 0.1)
    with pytest.raises(MediaError, match="s of sound"):
        verify_clip(made.out, longer, with_sound=True)


def test_colours_are_said_to_be_what_the_source_says(tmp_path: Path) -> None:
    marks = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    source = scan(write_video(tmp_path / "marked.mp4", filters=marks))
    [made] = source.cut(tmp_path, (3, 9))
    with av.open(str(made.out)) as container:
        frame = next(container.decode(video=0))
    said = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    assert said == (1, 1, 1, 1)


def test_hdr_is_tone_mapped(tmp_path: Path) -> None:
    source = scan(KINDS["HDR"].make(tmp_path))
    [made] = source.cut(tmp_path, (0, 5))
    with av.open(str(made.out)) as container:
        frame = next(container.decode(video=0))
        mapped = frame.to_ndarray()[: frame.height].max()
    assert (frame.color_trc, frame.color_primaries) == (1, 1)
    # The bar code's white is a PQ signal of 0.89, some 3000 nits: it must end near white.
    assert mapped > 200


def test_single_frames_by_place(film: Scanned) -> None:
    wanted = [film.wanted(5, 6), film.wanted(58, 61), film.wanted(124, 125)]
    size = film.headers.width, film.headers.height
    for repaired in (False, True):
        frames = read_spans(film.path, film.headers, wanted, timestamps_repaired=repaired)
        found = [(f.ordinal, number_in(f.rgb(*size)), f.pts_s) for f in frames]
        expected = [(k, k, pytest.approx(film.timeline.pts_s[k])) for k in (5, 58, 59, 60, 124)]
        assert found == expected


def _ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two grey pictures (Wang et al. 2004: 11x11 Gaussian, sigma 1.5)."""

    def mean(picture: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(picture, (11, 11), 1.5)

    x, y = one.astype(np.float64), other.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(likeness.mean())


@pytest.mark.parametrize("file", ["episode", "noface_face.mov", "single_face.mp4"])
def test_clips_look_like_their_source(
    file: str, brief_episode: Path, data: Path, tmp_path: Path
) -> None:
    """Visually lossless, in figures: x264's own authors call 0.98 transparent."""
    path = brief_episode if file == "episode" else data / "media" / file
    source = scan(path)
    [made] = source.cut(tmp_path, (10, 60))

    def greys(video: Path, start: int, end: int) -> Iterator[np.ndarray]:
        with Decoder(video, read_headers(video)) as decoder:
            for frame in decoder:
                if start <= frame.ordinal < end:
                    yield cv2.cvtColor(frame.bgr_full(), cv2.COLOR_BGR2GRAY)

    pairs = list(zip(greys(path, 10, 60), greys(made.out, 0, 50), strict=True))
    assert len(pairs) == 50
    likeness = [_ssim(*pair) for pair in pairs]
    assert np.mean(likeness) > 0.97
    assert min(likeness) > 0.95
    noise = [np.mean((a.astype(float) - b) ** 2) for a, b in pairs]
    assert 10 * np.log10(255**2 / np.mean(noise)) > 38


@pytest.mark.parametrize(("rate", "kept"), [(44_100, 44_100), (22_050, 48_000), (96_000, 48_000)])
def test_rates_that_every_player_takes_stay(rate: int, kept: int, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "sound.wav", 2.0, rate=rate)
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")
    source = scan(write_video(tmp_path / "film.mov", coding, sounds=[sound]))
    [made] = source.cut(tmp_path, (18, 40))
    audio = read_headers(made.out).audio
    assert audio is not None
    assert audio.rate == kept
    with SoundReader(made.out, audio) as reader:
        heard_s = first_beep_s(reader.read(0.0, made.length_s)[:, 0], reader.rate)
    assert heard_s == pytest.approx((25 - 18) / 25, abs=0.005)


def test_a_source_is_opened_once_for_clips_that_follow_one_another(
    film: Scanned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    for room in (decode, spans, sound):
        real = room.open_source
        monkeypatch.setattr(
            room, "open_source", lambda path, real=real: (opened.append(path), real(path))[1]
        )
    cut = [(k, k + 10) for k in range(0, 120, 12)]
    assert len(film.cut(tmp_path, *cut)) == 10
    assert opened == [film.path] * 2
    opened.clear()
    # Clips that overlap take a pass more, not one each.
    film.cut(tmp_path, *cut, *((start + 6, end + 6) for start, end in cut[:-1]))
    assert opened == [film.path] * 4


def test_real_episode(data: Path, tmp_path: Path) -> None:
    source = scan(data / "media" / "noface_face.mov")
    for made, span in zip(
        source.cut(tmp_path, (10, 40), (100, 169)), [(10, 40), (100, 169)], strict=True
    ):
        verify_clip(made.out, source.wanted(*span), with_sound=True)

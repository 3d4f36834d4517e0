"""Files with parts missing or wrong are marked; good ones never are; times stay in step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.media.structure import breaks_off
from caer_build.stages.scan import doubts_of
from tests import media_damage
from tests.media import N_FRAMES, write_video
from tests.scanned import scan

_DAMAGED: dict[str, Callable[[Path], Path]] = {
    f"{suffix} {how.__name__}": partial(how, suffix=suffix)
    for suffix in ("mkv", "webm", "ts", "avi", "flv")
    for how in (media_damage.cut_off, media_damage.holed)
}
_DAMAGED |= {
    "mp4 holed": partial(media_damage.holed, suffix="mp4"),
    "ts lost packets": media_damage.lost_packets,
    "mkv flipped": partial(media_damage.flipped, suffix="mkv"),
    "mp4 flipped": partial(media_damage.flipped, suffix="mp4"),
}


@pytest.mark.parametrize("make", _DAMAGED.values(), ids=list(_DAMAGED))
def test_damage_is_marked_and_the_rest_is_used(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    seen = scan(make(tmp_path))
    assert seen.report.truncated
    assert seen.report.n_frames > 15
    times = seen.timeline.pts_s
    assert all(a < b for a, b in pairwise(times))
    assert times[-1] - times[0] < 2.5


def test_what_cannot_be_decoded_is_left_out_and_counted(tmp_path: Path) -> None:
    report = scan(media_damage.holed(tmp_path, "mp4")).report
    assert report.n_frames < N_FRAMES <= report.n_frames + report.n_errors


@pytest.mark.parametrize("share", [0.31, 0.5, 0.71, 0.97])
@pytest.mark.parametrize("suffix", ["mkv", "webm", "ts"])
def test_wherever_a_file_is_cut_off(suffix: str, share: float, tmp_path: Path) -> None:
    assert scan(media_damage.cut_off(tmp_path, suffix, share)).report.truncated


@pytest.mark.parametrize("options", [("-live", "1"), ("-cluster_time_limit", "100"), ()])
def test_whole_matroska_of_any_make_is_not_marked(options: tuple[str, ...], tmp_path: Path) -> None:
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", *options)
    path = write_video(tmp_path / "whole.mkv", coding)
    assert not scan(path).report.truncated
    with path.open("ab") as file:
        file.write(bytes(1000))
    assert not breaks_off(path, "matroska,webm", ()) or "-live" in options


def test_a_transport_stream_that_begins_inside_a_packet_is_not_marked(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.ts")
    path.write_bytes(path.read_bytes()[100:])
    assert not breaks_off(path, "mpegts", {256})


@pytest.mark.parametrize("begins", [0, 1])
def test_packets_with_time_codes_as_on_blu_ray(begins: int, tmp_path: Path) -> None:
    data = write_video(tmp_path / "whole.ts").read_bytes()
    packets = [data[k : k + 188] for k in range(0, len(data), 188)]
    path = tmp_path / "whole.m2ts"
    whole = b"".join(b"\x01\x02\x03\x04" + packet for packet in packets)
    path.write_bytes(whole)
    assert not breaks_off(path, "mpegts", {256})
    path.write_bytes(whole[: len(whole) // 2 // 192 * 192 + 100])
    assert breaks_off(path, "mpegts", {256})


def test_far_strays_leave_all_other_frames_where_they_were(tmp_path: Path) -> None:
    times = scan(media_damage.far_strays(tmp_path)).timeline.pts_s
    expected = np.arange(50) / 25
    expected[[12, 32]] = [11.5 / 25, 31.5 / 25]
    np.testing.assert_allclose(times, expected, atol=1e-6)


def test_repaired_times_of_another_length_than_claimed_are_doubtful(tmp_path: Path) -> None:
    report = scan(media_damage.far_strays_of_another_length(tmp_path, 0.5)).report
    assert report.repaired
    assert report.length_doubtful
    assert not report.truncated
    assert "says another length" in " ".join(doubts_of("x.mkv", report))
    report = scan(media_damage.far_strays(tmp_path)).report
    assert report.repaired
    assert not report.length_doubtful


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_b_frames_in_avi_are_shown_at_an_even_rate(threads: int, tmp_path: Path) -> None:
    path = media_damage.reordered_avi(tmp_path)
    with Decoder(path, read_headers(path), threads) as decoder:
        times = [frame.pts_s for frame in decoder]
    np.testing.assert_allclose(times, np.arange(50) / 25, atol=0.002)
    assert decoder.report.end_s == pytest.approx(2.0, abs=0.01)
    assert decoder.report.repaired
    assert not decoder.report.length_doubtful


def test_a_stream_that_turns_up_late_ends_nothing(tmp_path: Path) -> None:
    """PyAV 18.1 raises IndexError behind the last packet of such a file."""
    seen = scan(media_damage.late_stream(tmp_path))
    assert seen.numbers == list(range(media_damage.N_LATE))
    assert not seen.report.truncated

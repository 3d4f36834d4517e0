"""Files that are cut off, have holes or flipped bytes, or whose clock errs, made from good ones."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.media import N_FRAMES, remux, write_sound, write_video

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_FINE = (*_X264, "-crf", "5", "-c:a", "aac")
_B_FRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p")
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-pix_fmt", "yuv420p")


_CODING = {"webm": (*_VP9, "-c:a", "libopus"), "avi": ("-c:v", "mpeg4", "-q:v", "3")}


def _whole(folder: Path, suffix: str, coding: tuple[str, ...] = _FINE) -> Path:
    """A good file; its sound goes on for as long as its pictures."""
    sound = write_sound(folder / "sound.wav", N_FRAMES / 25)
    return write_video(folder / f"whole.{suffix}", _CODING.get(suffix, coding), sounds=[sound])


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def cut_off(folder: Path, suffix: str, share: float = 0.6) -> Path:
    """The first ``share`` of a file; a byte more, so that no unit ends there by chance."""
    data = _whole(folder, suffix).read_bytes()
    end = int(len(data) * share) // 188 * 188 + 1
    return _written(folder, f"cutoff.{suffix}", data[:end])


def cut_between_packets(folder: Path) -> Path:
    """An MPEG-TS that ends with a whole packet."""
    data = _whole(folder, "ts").read_bytes()
    return _written(folder, "packets.ts", data[: int(len(data) * 0.6) // 188 * 188])


def holed(folder: Path, suffix: str) -> Path:
    """A fifth of the file, in its middle, is zeros."""
    data = bytearray(_whole(folder, suffix).read_bytes())
    first, last = int(len(data) * 0.45), int(len(data) * 0.65)
    data[first:last] = bytes(last - first)
    return _written(folder, f"hole.{suffix}", bytes(data))


def lost_packets(folder: Path) -> Path:
    """An MPEG-TS out of which whole packets are missing."""
    data = _whole(folder, "ts").read_bytes()
    first = int(len(data) * 0.5) // 188 * 188
    return _written(folder, "lost.ts", data[:first] + data[first + 20 * 188 :])


def flipped(folder: Path, suffix: str) -> Path:
    """Bytes of one picture are wrong: libav guesses what it may have shown."""
    data = bytearray(_whole(folder, suffix).read_bytes())
    middle = len(data) // 2
    for offset in range(40):
        data[middle + offset] ^= 0x5A
    return _written(folder, f"flipped.{suffix}", bytes(data))


def far_strays(folder: Path) -> Path:
    """Frame 12 with a timestamp three seconds too late, frame 32 with one a second too early."""
    data = write_video(folder / "whole.mkv").read_bytes()
    # Milliseconds since the cluster's beginning, which is a keyframe: frames 12 and 32.
    right, late, early = (
        b"\x81" + ms.to_bytes(2, "big", signed=True) for ms in (12 * 40, 3480, 200 - 20 * 40)
    )
    parts = data.split(right)
    if len(parts) != 3:
        raise ValueError(f"expected two blocks of track 1 at 480 ms, found {len(parts) - 1}")
    return _written(folder, "far.mkv", parts[0] + late + parts[1] + early + parts[2])


def far_strays_of_another_length(folder: Path, claimed_s: float) -> Path:
    """:func:`far_strays`, in a file whose header claims another length than its two seconds."""
    data = bytearray(far_strays(folder).read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = struct.pack(">d", claimed_s * 1000)
    return _written(folder, "length.mkv", bytes(data))


def reordered_avi(folder: Path) -> Path:
    """H.264 with B-frames in AVI, which has no place for times of presentation."""
    whole = _whole(folder, "mp4", _B_FRAMES)
    return remux(whole, folder / "reordered.avi", "-bsf:v", "h264_mp4toannexb")


def loud_avi(folder: Path, rate: int, channels: int) -> Path:
    """An AVI whose header claims sound of that form; its bytes are those of two seconds."""
    sound = write_sound(folder / "sound.wav", N_FRAMES / 25)
    coding = (*_CODING["avi"], "-c:a", "pcm_s16le")
    data = bytearray(write_video(folder / "whole.avi", coding, sounds=[sound]).read_bytes())
    form = data.index(b"strf", data.index(b"auds")) + 8
    struct.pack_into("<HI", data, form + 2, channels, rate)
    return _written(folder, "loud.avi", bytes(data))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def fragmented(folder: Path, n_samples: int) -> Path:
    """An MP4 in fragments, before them one that lists so many samples and has none."""
    coding = (*_X264, "-movflags", "+frag_keyframe+empty_moov+default_base_moof")
    data = write_video(folder / "whole.mp4", coding, n=5).read_bytes()
    first = data.index(b"moof") - 4
    # version and flags (20008: sizes and lengths are the same for all), track, length, size
    header = _box(b"tfhd", struct.pack(">IIII", 0x020018, 1, 512, 0))
    run = _box(b"trun", struct.pack(">II", 0, n_samples))
    time = _box(b"tfdt", struct.pack(">II", 0, 0))
    number = _box(b"mfhd", struct.pack(">II", 0, 1))
    fragment = _box(b"moof", number + _box(b"traf", header + time + run))
    return _written(folder, "fragment.mp4", data[:first] + fragment + data[first:])


def long_index(folder: Path, n_samples: int) -> Path:
    """An MP4 whose index claims so many pictures, of a byte each."""
    data = bytearray(write_video(folder / "whole.mp4", _X264).read_bytes())
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 1, n_samples)
    return _written(folder, "index.mp4", bytes(data))


N_LATE = 300
"""frames of :func:`late_stream`: libav looks for streams in the first 10 s"""


def late_stream(folder: Path) -> Path:
    """An FLV that announces pictures only; sound turns up after 11 s."""
    sound = write_sound(folder / "sound.wav", N_LATE / 25)
    data = write_video(
        folder / "whole.flv", (*_X264, "-c:a", "aac"), n=N_LATE, sounds=[sound]
    ).read_bytes()
    kept, at, n_pictures = [data[:4] + b"\x01" + data[5:13]], 13, 0
    while at < len(data):
        end = at + 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
        n_pictures += data[at] == 9
        if data[at] == 9 or (data[at] == 8 and n_pictures > 275):
            kept.append(data[at:end])
        at = end
    return _written(folder, "late.flv", b"".join(kept))

"""Every kind of file the media room must handle or refuse, each with how it is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests import media_damage
from tests.media import (
    HEIGHT,
    N_FRAMES,
    RATE,
    WIDTH,
    numbered,
    remux,
    run_ffmpeg,
    write_sound,
    write_video,
)

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_B_FRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p")


PRIMING_S = 1024 / 48_000
"""An AAC stream begins with a frame of padding, of which AVI cannot say that it is none of the
sound: every player lets it sound so much too late."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: writes one into a folder and gives its path.
        refused: part of the error's message; None: it is handled.
        numbers: the frames it holds, as their bar codes say; empty: some of them, in order.
        size: (width, height) px as displayed.
        sound: whether it has sound.
        times_s: when the frame of a number is shown, seconds after that of number 0; None: some
            differ from what was meant.
        beep_s: the second of what was filmed in which a beep begins, after silence; None: none.
        late_s: how much later than it should the file itself sounds.
        errors: whether damage is found and counted; None: either is right.
        repaired: whether its timestamps cannot be used as they are; None: either is right.
        truncated: whether it breaks off; None: either is right.
    """

    make: Callable[[Path], Path]
    refused: str | None = None
    numbers: tuple[int, ...] = tuple(range(N_FRAMES))
    size: tuple[int, int] = (WIDTH, HEIGHT)
    sound: bool = False
    times_s: Callable[[int], float] | None = lambda number: number / RATE
    beep_s: float | None = 1.0
    late_s: float = 0.0
    errors: bool | None = False
    repaired: bool | None = False
    truncated: bool | None = False
    interlaced: bool = False
    is_hdr: bool = False


def _sound(folder: Path, length_s: float = N_FRAMES / 25, **form: int) -> Path:
    return write_sound(folder / f"sound{len(list(folder.glob('sound*')))}.wav", length_s, **form)


def _plain(folder: Path, name: str = "plain.mp4", coding: tuple[str, ...] = _X264) -> Path:
    return write_video(folder / name, coding, sounds=[_sound(folder)])


def _silent(folder: Path, name: str = "silent.mp4", coding: tuple[str, ...] = _X264) -> Path:
    return write_video(folder / name, coding)


def _vfr_s(number: int) -> float:
    return (number + 3 * (number // 5) + number // 7) / RATE


def _vfr(folder: Path, name: str = "vfr.mp4") -> Path:
    late = "settb=1/12800,setpts='512*(N+3*floor(N/5)+floor(N/7))'"
    coding = (*_B_FRAMES, "-fps_mode", "passthrough", "-enc_time_base:v", "1/12800")
    return write_video(folder / name, coding, filters=late)


def _turned(folder: Path, degrees: int) -> Path:
    """Stored turned, with the flag that turns it back; ``degrees`` clockwise for display."""
    store = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}[degrees]
    stored = write_video(folder / "stored.mp4", _X264, filters=store)
    flag = ("-display_rotation", str(-degrees))
    return remux(stored, folder / f"turned{degrees}.mp4", before=flag)


def _interlaced(folder: Path) -> Path:
    """Two moments in each frame: in its odd rows the block has moved on by ten pixels."""
    out = folder / "interlaced.ts"
    woven = [numbered(number) for number in range(N_FRAMES)]
    for picture in woven:
        picture[HEIGHT // 2 + 1 :: 2] = np.roll(picture[HEIGHT // 2 + 1 :: 2], 10, axis=1)
    run_ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE),
        "-i", "pipe:0", "-vf", "scale=interl=1,setfield=tff", "-pix_fmt", "yuv420p",
        "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct", "-bf", "2", "-threads", "1",
        str(out), given=np.stack(woven).tobytes(),
    )  # fmt: skip
    return out


def _hdr(folder: Path) -> Path:
    tags = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "smpte2084")
    coding = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1")
    marked = "format=yuv420p10le,setparams=colorspace=bt2020nc:color_primaries=bt2020:"
    return write_video(folder / "hdr.mkv", (*coding, *tags), filters=f"{marked}color_trc=smpte2084")


def _tracks(folder: Path) -> Path:
    coding = (*_X264, "-metadata:s:a:0", "language=fre", "-metadata:s:a:1", "language=eng")
    coding += ("-disposition:a:0", "0", "-disposition:a:1", "default")
    return write_video(folder / "tracks.mkv", coding, sounds=[_sound(folder), _sound(folder)])


def _edit_list(folder: Path) -> Path:
    whole = _plain(folder, "whole.mp4", _B_FRAMES)
    # A stream copy that begins between two keyframes hides the frames before it by an edit list.
    return remux(whole, folder / "edited.mp4", before=("-ss", "1.0"))


def _negative_dts(folder: Path) -> Path:
    whole = _silent(folder, "whole.mp4", _B_FRAMES)
    options = ("-avoid_negative_ts", "disabled", "-output_ts_offset", "-0.5")
    return remux(whole, folder / "negative.asf", *options)


def _stray_times(folder: Path) -> Path:
    """Two frames with the timestamp of their predecessor."""
    whole = _silent(folder, "whole.mp4")
    which = "eq(N,20)+eq(N,33)"
    again = f"setts=pts='if({which},PREV_OUTPTS,PTS)':dts='if({which},PREV_OUTDTS,DTS)'"
    return remux(whole, folder / "stray.mkv", "-bsf:v", again)


def _jumping_clock(folder: Path) -> Path:
    """Two recordings one behind the other, the second's clock begins anew.

    The sound of the first ends before its pictures do.
    """
    half = N_FRAMES // 2
    one = write_video(folder / "one.ts", _X264, n=half, sounds=[_sound(folder, 0.7)])
    two = write_video(folder / "two.ts", _X264, n=half, first=half, sounds=[_sound(folder, 1.0)])
    out = folder / "jump.ts"
    out.write_bytes(one.read_bytes() + two.read_bytes())
    return out


def _cover(folder: Path) -> Path:
    picture = write_video(folder / "cover.png", ("-frames:v", "1", "-update", "1"), n=1, first=999)
    plain = _plain(folder)
    before = ("-i", f"file:{picture}")
    return remux(
        plain,
        folder / "covered.mp4",
        "-map",
        "1",
        "-disposition:v:0",
        "attached_pic",
        before=before,
    )


def _renamed(folder: Path, name: bytes) -> Path:
    path = folder / os.fsdecode(name)
    return _silent(folder).rename(path)


def _cut_off(folder: Path) -> Path:
    whole = _silent(folder, "whole.mp4", (*_X264, "-crf", "5", "-movflags", "+faststart"))
    out = folder / "cutoff.mp4"
    data = whole.read_bytes()
    out.write_bytes(data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2])
    return out


def _without_index(folder: Path) -> Path:
    data = _silent(folder, "whole.mp4").read_bytes()
    out = folder / "noindex.mp4"
    out.write_bytes(data[: data.rindex(b"moov") - 4])
    return out


def _damaged(folder: Path) -> Path:
    """Some bytes in the middle are wrong; no frame is lost, what they show may be."""
    data = bytearray(_silent(folder, "whole.ts", (*_X264, "-crf", "5")).read_bytes())
    middle = len(data) // 2 // 188 * 188
    for offset in range(20, 60):
        data[middle + offset] ^= 0x5A
    out = folder / "damaged.ts"
    out.write_bytes(bytes(data))
    return out


def _new_size(folder: Path) -> Path:
    half = N_FRAMES // 2
    one = write_video(folder / "one.ts", _X264, n=half)
    later = (*_X264, "-output_ts_offset", "1.0")
    two = write_video(folder / "two.ts", later, n=half, first=half, size=(WIDTH * 2, HEIGHT * 2))
    out = folder / "newsize.ts"
    out.write_bytes(one.read_bytes() + two.read_bytes())
    return out


def _huge_claim(folder: Path) -> Path:
    data = bytearray(
        _silent(folder, "raw.avi", ("-c:v", "rawvideo", "-frames:v", "1")).read_bytes()
    )
    header = data.index(b"strf") + 8
    data[header + 4 : header + 12] = np.array([16_000, 10_000], "<i4").tobytes()
    out = folder / "huge.avi"
    out.write_bytes(bytes(data))
    return out


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


def _folder(folder: Path) -> Path:
    path = folder / "folder.mp4"
    path.mkdir()
    return path


def _sound_only(folder: Path) -> Path:
    return remux(_sound(folder), folder / "sound.mp4", "-c:a", "aac")


def _picture(folder: Path) -> Path:
    return write_video(folder / "picture.png", ("-frames:v", "1", "-update", "1"), n=1)


def _noise(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, 50_000, np.uint8).tobytes()
    return _written(folder, "noise.mp4", noise)


def _playlist(folder: Path) -> Path:
    _silent(folder, "segment.ts")
    text = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsegment.ts\n#EXT-X-ENDLIST\n"
    return _written(folder, "list.mp4", text)


def _concat(folder: Path) -> Path:
    _silent(folder, "part.mp4")
    return _written(folder, "list.mkv", b"ffconcat version 1.0\nfile part.mp4\n")


SHORT_SOUND_S = 1.05
"""in the middle of the second beep"""


def _short_sound(folder: Path) -> Path:
    return write_video(folder / "short.mp4", _X264, sounds=[_sound(folder, SHORT_SOUND_S)])


def _long_sound(folder: Path) -> Path:
    return write_video(folder / "long.mkv", _X264, sounds=[_sound(folder, 4.0)])


def _late_sound(folder: Path) -> Path:
    plain = _silent(folder)
    sound = _sound(folder)
    out = folder / "late.mkv"
    before = ("-itsoffset", "0.7", "-i", f"file:{sound}")
    return remux(plain, out, "-map", "1", "-c:a", "pcm_s16le", before=before)


def _surround(folder: Path) -> Path:
    return write_video(folder / "surround.mkv", _X264, sounds=[_sound(folder, channels=6)])


def _many_channels(folder: Path) -> Path:
    sound = _sound(folder, channels=16)
    return write_video(folder / "many.mkv", (*_X264, "-c:a", "pcm_s16le"), sounds=[sound])


def _low_rate_sound(folder: Path) -> Path:
    sound = _sound(folder, rate=8000)
    return write_video(folder / "low.mov", (*_X264, "-c:a", "pcm_s16le"), sounds=[sound])


def _webm(folder: Path) -> Path:
    coding = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
    return write_video(
        folder / "vp9.webm", (*coding, "-pix_fmt", "yuv420p"), sounds=[_sound(folder)]
    )


def _odd(folder: Path) -> Path:
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")
    return write_video(folder / "odd.mp4", coding, size=(WIDTH + 1, HEIGHT + 1))


def _deep(folder: Path) -> Path:
    coding = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1")
    return write_video(folder / "deep.mp4", (*coding, "-pix_fmt", "yuv420p10le"))


KINDS: dict[str, Kind] = {
    "MP4": Kind(_plain, sound=True),
    "MOV": Kind(lambda f: _plain(f, "plain.mov", _B_FRAMES), sound=True),
    "MKV": Kind(lambda f: _plain(f, "plain.mkv", _B_FRAMES), sound=True),
    "MPEG-TS": Kind(lambda f: _plain(f, "plain.ts", _B_FRAMES), sound=True),
    "AVI": Kind(
        lambda f: _plain(f, "plain.avi", ("-c:v", "mpeg4", "-q:v", "3", "-c:a", "pcm_s16le")),
        sound=True,
    ),
    "AVI without times for B-frames": Kind(
        lambda f: _silent(f, "b.avi", ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2")), repaired=None
    ),
    "AVI with B-frames in H.264": Kind(
        media_damage.reordered_avi, sound=True, repaired=True, late_s=PRIMING_S
    ),
    "AVI with empty packets": Kind(
        lambda f: write_video(
            f / "gaps.avi", ("-c:v", "mpeg4", "-q:v", "3"), filters="setpts='2*floor(N/2)+N'"
        ),
        times_s=lambda number: (number + 2 * (number // 2)) / RATE,
        repaired=None,
    ),
    "WebM": Kind(_webm, sound=True),
    "FLV": Kind(lambda f: _plain(f, "plain.flv", (*_X264, "-c:a", "aac")), sound=True),
    "MPEG-PS": Kind(
        lambda f: _plain(f, "plain.mpg", ("-c:v", "mpeg2video", "-q:v", "3")), sound=True
    ),
    "variable frame rate": Kind(_vfr, times_s=_vfr_s),
    "rotation flag 90": Kind(lambda f: _turned(f, 90)),
    "rotation flag 180": Kind(lambda f: _turned(f, 180)),
    "rotation flag 270": Kind(lambda f: _turned(f, 270)),
    "pixels wider than high": Kind(
        lambda f: write_video(f / "sar.mp4", filters="setsar=16/11"), size=(278, HEIGHT)
    ),
    "pixels higher than wide": Kind(
        lambda f: write_video(f / "sar.mp4", filters="setsar=8/9"), size=(WIDTH, 162)
    ),
    "interlaced": Kind(_interlaced, interlaced=True),
    "10 bit": Kind(_deep),
    "HDR": Kind(_hdr, is_hdr=True),
    "full-range colours": Kind(
        lambda f: _silent(f, "full.mp4", (*_X264[:-1], "yuvj420p", "-color_range", "pc"))
    ),
    "odd size": Kind(_odd),
    "several audio tracks": Kind(_tracks, sound=True),
    "no audio": Kind(_silent),
    "audio shorter than video": Kind(_short_sound, sound=True),
    "video shorter than audio": Kind(_long_sound, sound=True),
    "audio that begins late": Kind(_late_sound, sound=True, beep_s=0.7),
    "surround sound": Kind(_surround, sound=True),
    "sixteen audio channels": Kind(_many_channels, sound=True),
    "sound in a thousand channels": Kind(lambda f: media_damage.loud_avi(f, 48_000, 1000)),
    "8 kHz sound": Kind(_low_rate_sound, sound=True),
    "edit list": Kind(_edit_list, sound=True, numbers=tuple(range(25, N_FRAMES))),
    "negative timestamps": Kind(_negative_dts, repaired=None, times_s=None),
    "repeated timestamps": Kind(
        _stray_times, repaired=True, times_s=lambda n: (n - (0.5 if n in (20, 33) else 0)) / RATE
    ),
    "stray timestamps": Kind(
        media_damage.far_strays,
        repaired=True,
        times_s=lambda n: (n - (0.5 if n in (12, 32) else 0)) / RATE,
    ),
    "clock that jumps back": Kind(_jumping_clock, sound=True, repaired=True, errors=None),
    "cover picture": Kind(_cover, sound=True),
    "name that is no UTF-8": Kind(lambda f: _renamed(f, b"caf\xe9 \xff.mp4")),
    "name that begins with -": Kind(lambda f: _renamed(f, b"-i.mp4")),
    "name with a protocol": Kind(lambda f: _renamed(f, b"concat:a|b.mp4")),
    "one frame": Kind(lambda f: write_video(f / "one.mp4", n=1), numbers=(0,), repaired=None),
    "size changes midway": Kind(_new_size, errors=None),
    "wrong bytes": Kind(_damaged, truncated=None, numbers=(), repaired=None, errors=None),
    "cut off": Kind(_cut_off, truncated=True, numbers=(), repaired=None, errors=True),
    "MKV cut off": Kind(
        lambda f: media_damage.cut_off(f, "mkv"), truncated=True, numbers=(), sound=True
    ),
    "WebM cut off": Kind(
        lambda f: media_damage.cut_off(f, "webm"), truncated=True, numbers=(), sound=True
    ),
    "MPEG-TS cut off": Kind(
        lambda f: media_damage.cut_off(f, "ts"), truncated=True, numbers=(), sound=True
    ),
    "MPEG-TS cut off between two packets": Kind(
        media_damage.cut_between_packets, truncated=None, numbers=(), sound=True
    ),
    "WebM with a hole": Kind(
        lambda f: media_damage.holed(f, "webm"),
        truncated=True,
        numbers=(),
        sound=True,
        beep_s=None,
    ),
    "MKV with a damaged picture": Kind(
        lambda f: media_damage.flipped(f, "mkv"),
        truncated=True,
        numbers=(),
        sound=True,
        errors=True,
    ),
    "stream that turns up late": Kind(
        media_damage.late_stream, numbers=tuple(range(media_damage.N_LATE))
    ),
    "cut off before the index": Kind(_without_index, refused="index (moov) is missing"),
    "index longer than the file": Kind(
        lambda f: media_damage.long_index(f, 20_000_000),
        refused="claims 20000000 pictures and packets of sound",
    ),
    "fragment longer than the file": Kind(
        lambda f: media_damage.fragmented(f, 20_000_000),
        refused="claims 20000005 pictures and packets of sound",
    ),
    "fragment that is damaged": Kind(
        lambda f: media_damage.fragmented(f, 5), refused="whose index (moov, or moof of a fragment)"
    ),
    "sound of 100 million samples a second": Kind(
        lambda f: media_damage.loud_avi(f, 100_000_000, 1),
        refused="claims sound of 100000000 samples per second",
    ),
    "huge claimed size": Kind(_huge_claim, refused="16000x10000"),
    "empty": Kind(lambda f: _written(f, "empty.mp4", b""), refused="is empty"),
    "text": Kind(lambda f: _written(f, "a.mp4", b"Dear all,\n" * 50), refused="is a text file"),
    "HLS playlist": Kind(_playlist, refused="is a playlist"),
    "concat list": Kind(_concat, refused="is a playlist"),
    "picture": Kind(_picture, refused="is a picture"),
    "audio only": Kind(_sound_only, refused="holds no video"),
    "noise": Kind(_noise, refused="no video container"),
    "folder": Kind(_folder, refused="is a folder"),
    "pipe": Kind(_pipe, refused="is a device or pipe"),
    "absent": Kind(lambda f: f / "absent.mp4", refused="cannot be read"),
}

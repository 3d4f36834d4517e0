"""A video whose every picture is drawn upon, with its sound: for people to look at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from caer_build.errors import DecodeError
from caer_build.frames import Timeline
from caer_build.media.clipfile import ClipCodec, ClipForm, ClipWriter, timescale_for
from caer_build.media.decode import Decoder
from caer_build.media.picture import Pixels
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.store import disk_errors

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Draw = Callable[[int, Pixels], Pixels]
_BT601, _LIMITED = 6, 1
"""AVColorSpace and its like call SMPTE 170M 6, and AVColorRange 16 to 235 1"""


def redraw(
    source: Path, out: Path, timeline: Timeline, draw: Draw, *, timestamps_repaired: bool = False
) -> None:
    """Decode a file once and write what is made of its pictures as an MP4 that browsers play.

    Every frame is shown when it was; the sound is the source's. It is held in memory, about 1.4
    GB an hour of stereo.

    Args:
        out: ends in ``.mp4``; it gets its name when it is whole.
        timeline: when the file's frames are shown, as they were counted.
        draw: called with a frame's ordinal and its picture as displayed, (h, w, 3) BGR; gives
            the picture to write, of an even size, the same for all.
        timestamps_repaired: ``DecodeReport.repaired`` of the file.

    Raises:
        DecodeError: if other frames are decoded than were counted.
        MediaError, StoreError: if the file cannot be read or written.
    """
    headers, begin_s = read_headers(source), timeline.start_of(0)
    length_s = timeline.end_s - begin_s
    sound = None
    if headers.audio is not None:
        with SoundReader(source, headers.audio, timestamps_repaired) as reader:
            sound = reader.read(begin_s, timeline.end_s), reader.rate
    last_s = timeline.start_of(len(timeline) - 1) - begin_s
    form = ClipForm(timescale_for(headers.time_base), len(timeline), last_s, length_s, sound)
    codec = ClipCodec.model_validate({})
    n_drawn = 0
    with disk_errors(out.parent), ExitStack() as undo, Decoder(source, headers) as decoder:
        writer: ClipWriter | None = None
        for frame in decoder:
            if frame.ordinal >= len(timeline):
                break
            picture = _encodable(draw(frame.ordinal, frame.bgr_full()))
            picture.pts = round((timeline.start_of(frame.ordinal) - begin_s) * form.timescale)
            if writer is None:
                writer = ClipWriter(out, codec, form, picture)
                undo.callback(writer.abort)
            writer.add(picture)
            n_drawn += 1
        if writer is None or n_drawn != len(timeline):
            raise DecodeError(
                f"{source.name}: expected {len(timeline)} frames, decoded {n_drawn}.",
                "The file changed in between; run again.",
            )
        writer.close()
        undo.pop_all()


def _encodable(picture: Pixels) -> VideoFrame:
    """The picture as libav's frame, yuv420p of limited range."""
    import cv2
    from av.video.frame import VideoFrame

    planes = cast(Pixels, cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420))
    frame = VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.colorspace, frame.color_range = _BT601, _LIMITED
    frame.color_primaries, frame.color_trc = _BT601, _BT601
    return frame

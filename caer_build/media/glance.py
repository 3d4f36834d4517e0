"""One picture out of a video file, found by its time; for looking at, not for measuring."""

from __future__ import annotations

from pathlib import Path

from caer_build.errors import DecodeError
from caer_build.media.decode import video_stream
from caer_build.media.picture import Pixels, Scaler
from caer_build.media.probe import read_headers
from caer_build.media.source import name_of, open_source

_MAX_FRAMES = 1500
"""Frames decoded on the way from a keyframe to the picture, at most."""


def glance(path: Path, at_s: float, max_width: int, threads: int = 2) -> Pixels:
    """The frame shown at ``at_s``, reached by one seek; the last one if the file ends before.

    Args:
        at_s: seconds of the container's clock.
        max_width: px; a wider picture is scaled down to it.

    Returns:
        The picture as displayed, (h, w, 3) BGR.

    Raises:
        ProbeError: if the file cannot be opened.
        DecodeError: if no frame can be decoded there.
    """
    import av

    headers = read_headers(path)
    width = min(max_width, headers.width)
    height = max(1, round(headers.height * width / headers.width))
    # Half a frame early, so that rounded times do not lead to the frame after.
    wanted = (at_s - 0.5 / float(headers.frame_rate)) / float(headers.time_base)
    found = None
    with open_source(path) as container:
        stream = video_stream(container, headers, threads)
        try:
            container.seek(max(0, int(wanted)), stream=stream, backward=True)
            for number, frame in enumerate(container.decode(stream)):
                found = frame
                if number >= _MAX_FRAMES or (frame.pts is not None and frame.pts >= wanted):
                    break
        except (av.error.FFmpegError, IndexError) as error:
            if found is None:
                raise DecodeError(
                    f"{name_of(path)}: no picture at {at_s:.2f} s ({error})."
                ) from error
        if found is None:
            raise DecodeError(f"{name_of(path)}: no picture at {at_s:.2f} s.")
        return Scaler(headers).scaled(found, width, height, "bgr24")

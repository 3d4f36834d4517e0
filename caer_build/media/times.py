"""When the frames of a clip are shown, read from its index, without decoding."""

from __future__ import annotations

from pathlib import Path

from caer_build.errors import ProbeError
from caer_build.media.probe import read_headers
from caer_build.media.source import name_of, open_source


def frame_times_s(path: Path) -> list[float]:
    """Seconds since the first frame at which each frame is shown, in order.

    Raises:
        ProbeError: if the file cannot be opened, or a frame carries no time.
    """
    headers = read_headers(path)
    with open_source(path) as container:
        stream = container.streams[headers.video_stream]
        ticks = [packet.pts for packet in container.demux(stream) if packet.size]
    known = sorted(tick for tick in ticks if tick is not None)
    if not known or len(known) != len(ticks):
        raise ProbeError(f"{name_of(path)} has frames without a time.", "Build the clip again.")
    return [float((tick - known[0]) * headers.time_base) for tick in known]

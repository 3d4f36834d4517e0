"""Making decoded frames into what a clip holds: upright, square pixels, progressive, 8-bit SDR.

One frame in, one frame out, in order. An ordinary picture passes through untouched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from caer_build.errors import DecodeError
from caer_build.media.probe import Headers

if TYPE_CHECKING:
    from av.filter.graph import Graph
    from av.video.frame import VideoFrame

_FULL_RANGE = 2
"""AVColorRange of 0 to 255"""
_TURNS = {90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}
_SCALE = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
_TONE_MAP = (
    "out_transfer=bt709:out_primaries=bt709:out_color_matrix=bt709:out_range=tv:intent=perceptual"
)


def upright_pictures(
    frames: Iterable[tuple[VideoFrame, float]], headers: Headers, timescale: int
) -> Iterator[VideoFrame]:
    """The frames of a span as a clip shows them, in order.

    Args:
        frames: each with the seconds since the span's first one.
        timescale: ticks per second of the ``pts`` that they are given.
    """
    upright = Upright(headers)
    for picture, since_s in frames:
        yield from upright.feed(picture, round(since_s * timescale))
    yield from upright.flush()


class Upright:
    """Turns the frames of one clip into yuv420p at the display size.

    Interlaced frames are deinterlaced one for one (bwdif), PQ and HLG are tone-mapped to BT.709
    (libswscale, perceptual intent), other deep or full-range pictures are converted plainly.
    """

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None
        self._deinterlace = headers.interlaced
        self._pts: deque[int] = deque()

    def feed(self, frame: VideoFrame, pts: int) -> Iterator[VideoFrame]:
        """The frames that are ready once ``frame``, to be shown at ``pts`` ticks, has come."""
        self._deinterlace |= frame.interlaced_frame
        if self._graph is None and self._is_plain(frame):
            frame.pts = pts
            yield frame
            return
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is None or shape != self._shape:
            yield from self.flush()
            self._graph, self._shape = self._build(frame), shape
        self._pts.append(pts)
        frame.pts, frame.time_base = pts, Fraction(1, 1)
        self._graph.push(frame)
        yield from self._ready()

    def flush(self) -> Iterator[VideoFrame]:
        """The frames that are still held."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
            self._graph = None
        if self._pts:
            raise DecodeError(f"The picture filters kept {len(self._pts)} frames.", "Report this.")

    def _ready(self) -> Iterator[VideoFrame]:
        import av

        while self._graph is not None:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # Filters may change the time base; frames keep their order and their number.
            frame.pts = self._pts.popleft()
            yield frame

    def _is_plain(self, frame: VideoFrame) -> bool:
        h = self._headers
        size_as_is = (frame.width, frame.height) == (h.width, h.height) and h.rotation == 0
        plain = frame.format.name == "yuv420p" and frame.color_range != _FULL_RANGE
        return size_as_is and plain and not (self._deinterlace or h.is_hdr)

    def _build(self, frame: VideoFrame) -> Graph:
        from av.filter.graph import Graph

        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1)
        )
        nodes = [source]
        for spec in self._filters(frame):
            name, _, arguments = spec.partition("=")
            nodes.append(graph.add(name, arguments))
        nodes.append(graph.add("buffersink"))
        for before, after in pairwise(nodes):
            before.link_to(after)
        graph.configure()
        return graph

    def _filters(self, frame: VideoFrame) -> list[str]:
        h = self._headers
        width, height = (h.height, h.width) if h.rotation in (90, 270) else (h.width, h.height)
        if h.sample_aspect == 1 and (frame.width, frame.height) == (h.coded_width, h.coded_height):
            width, height = frame.width, frame.height
        scale = f"scale={width}:{height}:{_SCALE}:out_range=tv"
        if h.is_hdr:
            scale = f"scale={width}:{height}:{_SCALE}:{_TONE_MAP}"
        deinterlace = ["bwdif=mode=send_frame:deint=interlaced"] if self._deinterlace else []
        turn = _TURNS.get(h.rotation, [])
        # An odd last row or column of the picture as displayed is cut off, not squeezed in.
        crop = f"crop={h.width}:{h.height}:0:0:exact=1"
        return [*deinterlace, scale, "format=yuv420p", *turn, crop]

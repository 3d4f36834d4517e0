"""Times for frames of AVI, which stores them in the order of decoding and says no other.

AVI counts packets. Where pictures refer to later ones (B-frames), a packet's place is not when its
picture is shown, and the timestamps that libav makes up go back and forth. But the n-th picture
shown is shown at the n-th place: the places are dealt out in order.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_SLACK = 2
"""Places by which a made-up timestamp may be ahead, beyond the decoder's own delay."""


class Places:
    """Deals out the places of an AVI's packets to the frames that come out of the decoder.

    Attributes:
        n_moved: frames whose timestamp was replaced.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._free: list[int] = []
        self._reordered = False
        self.n_moved = 0

    def read(self, packet: Packet[VideoStream]) -> None:
        """Notes the place of a packet that goes into the decoder."""
        if packet.dts is not None:
            heapq.heappush(self._free, packet.dts)
            self._reordered |= self._stream.codec_context.reorder_depth > 0

    def deal(self, frame: VideoFrame) -> None:
        """Gives the next frame its place."""
        own = frame.pts
        if own is not None and not self._reordered:
            while self._free and self._free[0] <= own:
                heapq.heappop(self._free)
            return
        if not self._free:
            return
        if own is not None:
            # A decoder waits for so many pictures; what is older belonged to one that it dropped.
            waiting = self._stream.codec_context.reorder_depth + _SLACK
            for _ in range(sum(place <= own for place in self._free) - waiting):
                heapq.heappop(self._free)
        place = heapq.heappop(self._free)
        self.n_moved += place != own
        frame.pts = place

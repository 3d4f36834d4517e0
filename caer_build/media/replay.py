"""A second look at some spans of a file, in one pass from its beginning.

For methods that need the pictures between the scan's samples. Frames outside the spans are
decoded, since others refer to them, but never converted; nothing is decoded after the last span.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from caer_build.errors import DecodeError
from caer_build.frames import Span
from caer_build.media.decode import DecodedFrame, Decoder
from caer_build.media.picture import Pixels
from caer_build.media.probe import Headers
from caer_build.media.source import name_of


class Replay:
    """Gives the pictures of spans, which must be asked for in order.

    Args:
        width: px of the pictures; never more than the display width. Their height follows.
        threads: of the decoder, as in the scan, so that both see the same frames.

    Attributes:
        size: (width, height) of the pictures, px.
        n_frames: how many frames were given out or passed over so far.
    """

    def __init__(self, path: Path, headers: Headers, width: int, threads: int = 2) -> None:
        width = min(width, headers.width)
        self.size = width, max(1, round(headers.height * width / headers.width))
        self.n_frames = 0
        self._path = path
        self._decoder = Decoder(path, headers, threads)

    def __enter__(self) -> Replay:
        self._frames: Iterator[DecodedFrame] = iter(self._decoder.__enter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._decoder.__exit__(kind, error, trace)

    @property
    def n_decoded(self) -> int:
        """How many frames came out of the decoder so far."""
        return self._decoder.report.n_decoded

    def pictures(self, span: Span) -> Iterator[tuple[int, Pixels]]:
        """Every frame of a span in order: its ordinal and its picture, (h, w, 3) RGB.

        Raises:
            DecodeError: if the span begins before the end of the last one, or the file holds
                fewer frames.
        """
        if span.start < self.n_frames:
            raise DecodeError(
                f"Frame {span.start} of {name_of(self._path)} was asked for after frame "
                f"{self.n_frames - 1}; expected spans in order."
            )
        while self.n_frames < span.end:
            frame = next(self._frames, None)
            if frame is None:
                raise DecodeError(
                    f"{name_of(self._path)} had at least {span.end} frames when it was scanned, "
                    f"found {self.n_frames}.",
                    "The file changed in between; run again.",
                )
            self.n_frames += 1
            if frame.ordinal >= span.start:
                yield frame.ordinal, frame.rgb(*self.size)

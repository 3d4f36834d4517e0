"""Passes over a file for spans of frames that follow one another.

A pass gives the frames, and the sound, of spans that are asked for in order. Spans that overlap, or
that are asked for in another order, take a pass more.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from caer_build.frames import Span
from caer_build.media.probe import Headers
from caer_build.media.sound import SoundReader
from caer_build.media.spans import OrdinalReader, SpanReader, SpanSource

_MOST = 4
"""passes of a kind that are open at once; each holds some frames"""


class Pass:
    """One pass over the pictures and the sound of a file.

    Attributes:
        frames: finds the frames.
        sound: none where the file has none, or nobody asked for it.
        at_frame: where the next span may begin.
    """

    def __init__(self, frames: SpanSource, sound: SoundReader | None, opened: ExitStack) -> None:
        self.frames, self.sound = frames, sound
        self.at_frame = 0
        self._opened = opened

    def close(self) -> None:
        self._opened.close()


class Passes:
    """Opens passes over one file as they are needed.

    Args:
        headers: its audio track is the one that is read.
        threads: of the decoder.
    """

    def __init__(self, source: Path, headers: Headers, threads: int) -> None:
        self._source, self._headers, self._threads = source, headers, threads
        self._open: dict[bool, list[Pass]] = {False: [], True: []}

    def over(self, span: Span, by_counting: bool) -> Pass:
        """A pass that has not come to a span yet; whoever asks reads the span.

        Args:
            by_counting: frames are counted from the file's start, not found by their time.
        """
        own = self._open[by_counting]
        found = max(
            (one for one in own if one.at_frame <= span.start),
            key=lambda one: one.at_frame,
            default=None,
        )
        if found is None:
            if len(own) == _MOST:
                own.pop(0).close()
            found = self._opened(by_counting)
            own.append(found)
        found.at_frame = span.end
        return found

    def _opened(self, by_counting: bool) -> Pass:
        source, headers = self._source, self._headers
        with ExitStack() as opened:
            frames: SpanSource = (
                opened.enter_context(OrdinalReader(source, headers, self._threads))
                if by_counting
                else opened.enter_context(SpanReader(source, headers, self._threads))
            )
            sound = None
            if headers.audio is not None:
                sound = opened.enter_context(SoundReader(source, headers.audio, by_counting))
            return Pass(frames, sound, opened.pop_all())

    def close(self) -> None:
        for own in self._open.values():
            while own:
                own.pop().close()

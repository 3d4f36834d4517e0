"""Decodes a numbered video once, and cuts spans of it, as the stages do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caer_build.frames import Span, Timeline
from caer_build.media.clipfile import ClipCodec
from caer_build.media.cut import CutRequest, CutResult, cut_clips
from caer_build.media.decode import Decoder, DecodeReport
from caer_build.media.probe import Headers, read_headers
from caer_build.media.spans import TimedSpan, timed
from tests.media import number_in


@dataclass(frozen=True)
class Scanned:
    """What one decode of a file showed; ``numbers`` holds None for a picture without one."""

    path: Path
    headers: Headers
    numbers: list[int | None]
    ticks: np.ndarray
    timeline: Timeline
    report: DecodeReport

    def wanted(self, start: int, end: int) -> TimedSpan:
        return timed(Span(start, end), self.ticks, self.timeline, self.headers)

    def cut(
        self, out: Path, *spans: tuple[int, int], codec: ClipCodec | None = None
    ) -> list[CutResult]:
        """Clips of the spans, in order of time."""
        codec = codec or ClipCodec()
        requests = [
            CutRequest(self.wanted(*span), out / f"clip{k}{codec.suffix}")
            for k, span in enumerate(spans)
        ]
        return list(cut_clips(self.path, self.headers, requests, codec, self.report.repaired))


def scan(path: Path, audio_language: str | None = None) -> Scanned:
    headers = read_headers(path, audio_language)
    numbers: list[int | None] = []
    ticks, times = [], []
    with Decoder(path, headers) as decoder:
        for frame in decoder:
            assert frame.ordinal == len(numbers)
            try:
                numbers.append(number_in(frame.rgb(headers.width, headers.height)))
            except ValueError:
                numbers.append(None)
            ticks.append(frame.pts)
            times.append(frame.pts_s)
    timeline = Timeline(np.array(times), decoder.report.end_s)
    return Scanned(path, headers, numbers, np.array(ticks), timeline, decoder.report)

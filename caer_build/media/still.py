"""Single frames of a file, for reports, stills and the paper's recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from caer_build.media.decode import DecodedFrame
from caer_build.media.picture import Scaler
from caer_build.media.probe import Headers
from caer_build.media.spans import OrdinalReader, SpanReader, TimedSpan


def read_spans(
    path: Path, headers: Headers, wanted: Sequence[TimedSpan], timestamps_repaired: bool = False
) -> Iterator[DecodedFrame]:
    """The frames of spans that are in order of time and do not overlap.

    Only what lies between each span's last keyframe before it and its end is decoded.

    Args:
        timestamps_repaired: ``DecodeReport.repaired`` of the scan; the frames are then found by
            counting, which decodes the file from its start.

    Raises:
        DecodeError: if the frames found are not exactly those of the spans.
    """
    scaler = Scaler(headers)
    open_reader = OrdinalReader if timestamps_repaired else SpanReader
    with open_reader(path, headers) as reader:
        for span in wanted:
            for number, (picture, since_s) in enumerate(reader.frames(span)):
                pts = picture.pts if picture.pts is not None else span.start_pts
                yield DecodedFrame(
                    picture, scaler, span.span.start + number, pts, span.start_s + since_s
                )

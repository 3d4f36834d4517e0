"""Cutting clips out of a source: frame for frame, sound in step.

::

    source --one pass--> spans --Upright--> pictures --+
       '-----one pass--> sound ------------------------+--> encoders --> clip.mp4

The frames are picked by the same decoder that counted them, so a frame's ordinal means the same
in the tables and in the clips. A clip's bytes depend on the source,
the span and the codec alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.errors import DecodeError, MediaError
from caer_build.media.clipfile import ClipCodec, ClipForm, ClipWriter, timescale_for
from caer_build.media.probe import Headers
from caer_build.media.sound import SoundReader
from caer_build.media.spans import OrdinalReader, SpanReader, SpanSource, TimedSpan
from caer_build.media.upright import Upright

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass(frozen=True, slots=True)
class CutRequest:
    """A clip to cut: which frames, and the file to write (its folder exists)."""

    wanted: TimedSpan
    out: Path


@dataclass(frozen=True, slots=True)
class CutResult:
    """A clip that was cut."""

    out: Path
    n_frames: int
    length_s: float
    sha256: str


def cut_clips(
    source: Path,
    headers: Headers,
    requests: Sequence[CutRequest],
    codec: ClipCodec,
    timestamps_repaired: bool = False,
) -> Iterator[CutResult]:
    """Cuts the clips and yields each as soon as its file stands, ordered by time.

    Args:
        timestamps_repaired: ``DecodeReport.repaired`` of the scan; frames are then found by
            counting from the file's start.

    Raises:
        DecodeError: if a span's frames cannot be found again.
        MediaError: if a clip cannot be written. Clips yielded before stand.
        OSError: if the disk is full.
    """
    job = _Job(source, headers, codec)
    missed: list[CutRequest] = []
    for batch in _passes(requests):
        yield from job.one_pass(batch, timestamps_repaired, missed)
    # A stream that does not decode cleanly from its keyframes is decoded from its start.
    for batch in _passes(missed):
        yield from job.one_pass(batch, True, None)


def _passes(requests: Iterable[CutRequest]) -> list[list[CutRequest]]:
    """The requests in as few lists as possible, each in order of time and without overlap."""
    passes: list[list[CutRequest]] = []
    for request in sorted(requests, key=lambda r: (r.wanted.span, r.out.name)):
        start = request.wanted.span.start
        free = next((p for p in passes if p[-1].wanted.span.end <= start), None)
        if free is None:
            passes.append([request])
        else:
            free.append(request)
    return passes


@dataclass(frozen=True, slots=True)
class _Job:
    source: Path
    headers: Headers
    codec: ClipCodec

    def one_pass(
        self, batch: list[CutRequest], by_counting: bool, missed: list[CutRequest] | None
    ) -> Iterator[CutResult]:
        """Cuts the clips; those whose frames are not found go into ``missed``, if it is given."""
        with ExitStack() as stack:
            frames: SpanSource = (
                stack.enter_context(OrdinalReader(self.source, self.headers, self.codec.threads))
                if by_counting
                else stack.enter_context(SpanReader(self.source, self.headers, self.codec.threads))
            )
            sound = None
            if self.headers.audio is not None:
                sound = stack.enter_context(
                    SoundReader(self.source, self.headers.audio, by_counting)
                )
            for request in batch:
                try:
                    result = self._cut(request, frames, sound)
                except DecodeError:
                    if missed is None:
                        raise
                    missed.append(request)
                    continue
                yield result

    def _cut(self, request: CutRequest, source: SpanSource, sound: SoundReader | None) -> CutResult:
        wanted, n = request.wanted, len(request.wanted.span)
        samples = None
        if sound is not None:
            samples = (sound.read(wanted.start_s, wanted.stop_s), sound.rate)
        timescale = timescale_for(self.headers.time_base)
        form = ClipForm(timescale, n, wanted.last_s - wanted.start_s, wanted.length_s, samples)
        writer: ClipWriter | None = None
        n_made = 0
        try:
            for picture in self._upright(source, wanted, timescale):
                if writer is None:
                    writer = ClipWriter(request.out, self.codec, form, picture)
                writer.add(picture)
                n_made += 1
            if writer is None or n_made != n:
                raise DecodeError(f"{request.out.name}: expected {n} frames, made {n_made}.")
            writer.close()
        except BaseException:
            if writer is not None:
                writer.abort()
            raise
        return CutResult(request.out, n, form.length_s, _digest(request.out))

    def _upright(
        self, source: SpanSource, wanted: TimedSpan, timescale: int
    ) -> Iterator[VideoFrame]:
        upright = Upright(self.headers)
        for picture, since_s in source.frames(wanted):
            yield from upright.feed(picture, round(since_s * timescale))
        yield from upright.flush()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as written:
            return hashlib.file_digest(written, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read again: {error.strerror}.") from error

"""Cutting clips out of a source: frame for frame, sound in step.

::

    source --one pass--> spans --Upright--> pictures --+
       '-----one pass--> sound ------------------------+--> encoders --> clip.mp4

The frames are picked by the same decoder that counted them, so a frame's ordinal means the same
in the tables and in the clips. A clip's bytes depend on the source, the span and the codec alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from caer_build.errors import DecodeError, MediaError
from caer_build.media.clipfile import ClipCodec, ClipForm, ClipWriter, timescale_for
from caer_build.media.passes import Passes
from caer_build.media.probe import Headers
from caer_build.media.spans import TimedSpan
from caer_build.media.upright import upright_pictures


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

    Raises:
        DecodeError, MediaError, OSError: as :meth:`ClipCutter.cut`. Clips yielded before stand.
    """
    with ClipCutter(source, headers, codec, timestamps_repaired) as cutter:
        for request in sorted(requests, key=lambda r: (r.wanted.span, r.out.name)):
            yield cutter.cut(request)


class ClipCutter:
    """Cuts clips of one source; what it opened for one clip serves the next ones.

    Args:
        timestamps_repaired: ``DecodeReport.repaired`` of the scan; frames are then found by
            counting from the file's start.
    """

    def __init__(
        self, source: Path, headers: Headers, codec: ClipCodec, timestamps_repaired: bool = False
    ) -> None:
        self._headers, self._codec = headers, codec
        self._repaired = timestamps_repaired
        self._passes = Passes(source, headers, codec.threads)

    def __enter__(self) -> ClipCutter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._passes.close()

    def cut(self, request: CutRequest) -> CutResult:
        """Cuts a clip.

        Raises:
            DecodeError: if the span's frames cannot be found again.
            MediaError: if the clip cannot be written.
            OSError: if the disk is full.
        """
        if not self._repaired:
            try:
                return self._cut(request, by_counting=False)
            except DecodeError:
                # A stream that does not decode cleanly from its keyframes is decoded from its
                # start.
                pass
        return self._cut(request, by_counting=True)

    def _cut(self, request: CutRequest, by_counting: bool) -> CutResult:
        wanted, n = request.wanted, len(request.wanted.span)
        one = self._passes.over(wanted.span, by_counting)
        samples = None
        if one.sound is not None:
            shifts_s = wanted.shifts_s(self._headers.time_base)
            samples = (one.sound.read(wanted.start_s, wanted.stop_s, shifts_s), one.sound.rate)
        timescale = timescale_for(self._headers.time_base)
        form = ClipForm(timescale, n, wanted.last_s - wanted.start_s, wanted.length_s, samples)
        writer: ClipWriter | None = None
        n_made = 0
        try:
            for picture in upright_pictures(one.frames.frames(wanted), self._headers, timescale):
                if writer is None:
                    writer = ClipWriter(request.out, self._codec, form, picture)
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


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as written:
            return hashlib.file_digest(written, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read again: {error.strerror}.") from error

"""``SHA256SUMS`` of a data set, as ``sha256sum -c`` takes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.dataset.drafts import WORKSHOP
from caer_build.errors import IntegrityError
from caer_build.store import sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

CHECKSUMS = "SHA256SUMS"


def write_checksums(
    folder: Path, expected: pa.Table | None, tell: Callable[[int, int], None]
) -> int:
    """Reads every file once more, as it lies there, and writes down its digest.

    Args:
        expected: names of files that were written, relative to the folder, and their digests;
            None: nobody knows.

    Returns:
        The bytes of all files.

    Raises:
        IntegrityError: if a file is not what was written.
    """
    files = sorted(_files_of(folder))
    n_bytes = 0
    with (folder / CHECKSUMS).open("w", encoding="utf-8") as lines:
        for n_done, (name, meant) in enumerate(_with_meant(files, expected), start=1):
            file = folder / name
            digest = sha256_of(file)
            if meant not in (None, digest):
                raise IntegrityError(
                    f"{file} is not what was written there.", "Look at the disk, then export again."
                )
            lines.write(f"{digest}  {name}\n")
            n_bytes += file.stat().st_size
            tell(n_done, len(files))
    return n_bytes


def _with_meant(
    files: Sequence[str], expected: pa.Table | None
) -> Iterator[tuple[str, str | None]]:
    """Files with the digests that they should have, where there are such."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if expected is None:
        yield from ((name, None) for name in files)
        return
    names, digests = expected.columns
    found = digests.take(pc.index_in(pa.array(files, pa.string()), names))
    yield from ((name, digest.as_py()) for name, digest in zip(files, found, strict=True))


def _files_of(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name).relative_to(folder).as_posix()
            if file not in (*WORKSHOP, CHECKSUMS):
                yield file

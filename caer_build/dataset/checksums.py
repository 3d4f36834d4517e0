"""``SHA256SUMS`` of a data set, as ``sha256sum -c`` takes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from caer_build.dataset.drafts import WORKSHOP
from caer_build.errors import IntegrityError
from caer_build.store import sha256_of

CHECKSUMS = "SHA256SUMS"


def write_checksums(
    folder: Path, expected: Mapping[str | None, str | None], tell: Callable[[int, int], None]
) -> int:
    """Reads every file once more, as it lies there, and writes down its digest.

    Args:
        expected: digests of files that were written, by their names relative to the folder.

    Returns:
        The bytes of all files.

    Raises:
        IntegrityError: if a file is not what was written.
    """
    files = sorted(_files_of(folder))
    lines, n_bytes = [], 0
    for n_done, name in enumerate(files, start=1):
        file = folder / name
        digest = sha256_of(file)
        if expected.get(name, digest) != digest:
            raise IntegrityError(
                f"{file} is not what was written there.", "Look at the disk, then export again."
            )
        lines.append(f"{digest}  {name}\n")
        n_bytes += file.stat().st_size
        tell(n_done, len(files))
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")
    return n_bytes


def _files_of(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name).relative_to(folder).as_posix()
            if file not in (*WORKSHOP, CHECKSUMS):
                yield file

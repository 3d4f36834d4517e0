"""``SHA256SUMS`` of a data set, as ``sha256sum -c`` takes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from caer_build.dataset.drafts import WORKSHOP
from caer_build.errors import IntegrityError
from caer_build.records import Item
from caer_build.rows import Places, values_in
from caer_build.store import sha256_of

CHECKSUMS = "SHA256SUMS"
_AT_ONCE = 1000


def write_checksums(folder: Path, items: Sequence[Item], tell: Callable[[int, int], None]) -> int:
    """Reads every file once more, as it lies there, and writes down its digest.

    Args:
        items: whose files were written, with their digests.

    Returns:
        The bytes of all files.

    Raises:
        IntegrityError: if a file is not what was written.
    """
    files = sorted(_files_of(folder))
    n_bytes = 0
    with (folder / CHECKSUMS).open("w", encoding="utf-8") as lines:
        for n_done, (name, meant) in enumerate(_with_meant(files, items), start=1):
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


def _with_meant(files: Sequence[str], items: Sequence[Item]) -> Iterator[tuple[str, str | None]]:
    """Files with the digests that they should have, where they are those of items."""
    import pyarrow as pa

    places = Places(file or "" for file in values_in(items, "file"))
    digests = [bytes.fromhex(digest or "") for digest in values_in(items, "file_sha256")]
    for start in range(0, len(files), _AT_ONCE):
        some = files[start : start + _AT_ONCE]
        for file, place in zip(some, places.of(pa.chunked_array([some])), strict=True):
            yield file, digests[place].hex() if place >= 0 else None


def _files_of(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name).relative_to(folder).as_posix()
            if file not in (*WORKSHOP, CHECKSUMS):
                yield file

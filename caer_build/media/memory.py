"""Telling want of memory from damage.

What is damaged in a file is passed over, but a packet that could not be decoded for want of memory
is not damaged: results must not depend on how much memory there is. libav calls some of these
failures "invalid data".
"""

from __future__ import annotations

import mmap

from caer_build.media.limits import MAX_PIXELS

_BYTES_A_PIXEL = 16
"""some pictures of 8 bits, or a few of 16"""


def raise_if_short(error: Exception, width: int, height: int) -> None:
    """Pass a failure on if memory was, or now is, too short for a few pictures of that size.

    Raises:
        MemoryError: if so.
    """
    if isinstance(error, MemoryError):
        raise error
    n_bytes = max(1, min(width * height, MAX_PIXELS)) * _BYTES_A_PIXEL
    try:
        # Asked for and given back untouched: costs nothing, but counts against the limits.
        mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        raise MemoryError(f"{n_bytes} bytes cannot be had") from error

"""What an untrusted file may be and may cost.

A source is opened as bytes of one regular file: no network, no other file it may name, and
only by demuxers that read media (a playlist, a concat list or a picture is refused).
"""

from __future__ import annotations

from fractions import Fraction

DEMUXERS = ("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "mxf", "ogg", "nut", "wtv")
"""libav's names of the containers that are read; all others are refused."""

MAX_SIDE_PX = 16384
MAX_PIXELS = 16384 * 4320
"""A frame of this size takes about 100 MB; decoders hold a dozen of them."""
MAX_ASPECT = 8
"""A pixel more than this many times as wide as high (or the reverse) is a broken header."""
MAX_FRAME_RATE = 1000
MAX_PIXELS_IN_ALL = 10**13
"""What one file may decode to, 24 hours of 1920x1080 at 60 a second: bounds the time it can take,
and unlike a clock says the same on a slow machine."""
FALLBACK_FRAME_RATE = Fraction(25)
"""for headers that claim no rate at all"""
MAX_AUDIO_RATE = 384_000
"""samples per second; a second of sound takes as many numbers in memory"""
MAX_AUDIO_CHANNELS = 64
MAX_INDEX_ENTRIES = 20_000_000
"""What the index of an MP4 may list, all tracks together: 24 hours of 60 pictures a second with
three sound tracks. libav holds about 24 bytes of each in memory before anything is decoded."""

PROBE_BYTES = 16 * 1024 * 1024
PROBE_SECONDS = 10
FIRST_FRAME_PACKETS = 1000
"""Packets of video that may pass before the first frame must have come."""
READ_BUFFER_BYTES = 256 * 1024


def container_options() -> dict[str, str]:
    """The libav options under which every source is opened."""
    return {
        # The bytes come from an open file handle; whatever else the file points at stays shut.
        "protocol_whitelist": "none",
        "format_whitelist": ",".join(DEMUXERS),
        "probesize": str(PROBE_BYTES),
        "analyzeduration": str(PROBE_SECONDS * 1_000_000),
    }

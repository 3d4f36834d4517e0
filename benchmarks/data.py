"""Where the benchmarks find real data, and keep what is dear to make."""

from __future__ import annotations

import os
from pathlib import Path


def test_data() -> Path:
    """The folder of real episodes with their truth: ``CAER_TEST_DATA``, else ``../shared/data``.

    Raises:
        FileNotFoundError: if it is not there.
    """
    here = Path(__file__).parent.parent
    folder = Path(os.environ.get("CAER_TEST_DATA", here.parent / "shared" / "data"))
    if not folder.is_dir():
        raise FileNotFoundError(f"No test data in {folder}; set CAER_TEST_DATA to their folder.")
    return folder


def cache_folder() -> Path:
    """Where edited episodes are kept between runs: ``CAER_BENCH_CACHE``, else the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("CAER_BENCH_CACHE") or Path(cache) / "caer-build")
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""What all tests share: where the real data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """Real episodes, faces and votes with truth: ``CAER_TEST_DATA``, else ``../shared/data``."""
    folder = Path(os.environ.get("CAER_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set CAER_TEST_DATA to their folder")
    return folder

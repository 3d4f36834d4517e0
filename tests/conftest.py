"""What all tests share: where the real data is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.building import build

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """Real episodes, faces and votes with truth: ``CAER_TEST_DATA``, else ``../shared/data``."""
    folder = Path(os.environ.get("CAER_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set CAER_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def lobby(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished build of both lobby episodes with caer.toml, and what it printed.

    Made once for all worker processes of a test run. Not to be written into.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    work, printed = shared / "lobby-work", shared / "lobby.json"
    with FileLock(str(shared / "lobby.lock")):
        if not printed.exists():
            shutil.rmtree(work, ignore_errors=True)
            printed.write_text(json.dumps(build(work, data / "episodes")))
    found: dict[str, Any] = json.loads(printed.read_text())
    return work, found

"""What all tests share: where the real data is, what is dear to make, and which come first."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from caer_build.annotation.database import Database, sqlite_url
from caer_build.annotation.vote_files import write_csv
from caer_build.records import Clip
from caer_build.store import Workspace
from caer_build.tables import read_published
from tests.building import build, caer
from tests.databases import postgresql_programs, postgresql_server
from tests.media import remux
from tests.voting import votes_for

REPOSITORY = Path(__file__).parent.parent

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_LONG = (
    "test_build_lobby", "test_docs", "test_app_chain", "test_build_resume", "test_player",
    "test_player_trouble", "test_app_doors", "test_cli_dataset", "test_annotation_chaos",
    "test_build_decisions", "test_build_replaced", "test_cli_annotate", "test_sample_episode",
    "test_build_disk_full", "test_build_episodes", "test_build_folder", "test_player_leases",
    "test_player_in_streamlit", "test_recipe_paper", "test_player_looks", "test_build_browser",
    "test_cli_training", "test_caernet_learning", "test_caernet_training",
)  # fmt: skip
"""Files that take half a minute or more, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: one that begins last would keep one worker busy and the others idle."""
    items.sort(key=lambda item: _LONG.index(item.path.stem) if item.path.stem in _LONG else 99)


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


@pytest.fixture(scope="session")
def voted(lobby: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build of both episodes, its clips with three votes each; beside it votes.csv.

    Not to be written into, but for labels.
    """
    work = tmp_path_factory.mktemp("voted") / "work"
    shutil.copytree(lobby[0], work)
    kept = [c for c in read_published(Workspace.open(work), Clip) if c.reject_reason is None]
    votes = work.parent / "votes.csv"
    with votes.open("wb") as file:
        write_csv(file, votes_for(kept))
    caer("annotate", "init", work)
    caer("annotate", "import", work, votes)
    return work


@pytest.fixture(scope="session")
def brief_episode(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first twelve seconds of a real episode, of which three clips are kept."""
    whole = data / "episodes" / "lobby.s01e02.mp4"
    return remux(whole, tmp_path_factory.mktemp("brief") / "brief.mp4", "-t", "12")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that was started for this test run."""
    if postgresql_programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="caer-postgresql-") as folder:
        Path(folder).chmod(0o755)
        with postgresql_server(Path(folder, "server")) as url:
            yield url


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """torch computes with one thread: for pictures this small, threads that wait for one another
    on a busy machine take minutes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def fresh_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each model that has learnt nothing: ``caer-net``, ``caer-net-s``."""
    from tests.trained import fresh_run

    place = tmp_path_factory.mktemp("runs")
    for model in ("caer-net", "caer-net-s"):
        fresh_run(place / model, model)
    return place


@pytest.fixture(scope="session")
def operators() -> Iterator[None]:
    """torchvision, wherever it is installed.

    Its ordinary wheel is made for GPUs: beside a torch for CPUs its import ends at an operator
    that is not there. It is declared here, and never called.
    """
    if find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed (extra baselines)")
    library = None
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        from torch.library import Library

        library = Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield
    del library


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for all tests of a file; :func:`browser` closes what each test opened."""
    from tests.player_seat import chromium as start

    with start() as started:
        yield started


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """Chromium without a window.

    Windows that stay open go on playing their clips, and slow down everybody after them.
    """
    yield chromium
    for context in chromium.contexts:
        context.close()


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Streamlit's AppTest leaves its script behind as ``__main__``, which every process that is
    started afterwards would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


_numbers = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "votes.sqlite")
    server = make_url(request.getfixturevalue("postgresql"))
    name = f"test_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, of either kind."""
    opened = Database(database_url)
    yield opened
    opened.close()

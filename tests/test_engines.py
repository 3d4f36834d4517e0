"""Engines: work runs elsewhere, errors come back whole, a dead worker fails its own work only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from caer_build.engines import LocalEngine, WorkerDied, ray_options
from caer_build.errors import DecodeError

Tell = Callable[[float, float], None]


def square(x: int, tell: Tell) -> int:
    tell(1, 2)
    return x * x


def fail(tell: Tell) -> None:
    raise DecodeError("no frame", "copy it again")


def die(tell: Tell) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def whereabouts(tell: Tell) -> int:
    time.sleep(0.5)
    return os.getpid()


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine(2)
    yield engine
    engine.close(kill=True)


def test_work_runs_in_other_processes_at_once(engine: LocalEngine) -> None:
    pids = [engine.submit(whereabouts, tag="w") for _ in range(2)]
    found = {f.result(600) for f in pids}
    assert len(found) == 2
    assert os.getpid() not in found


def test_progress_is_told(engine: LocalEngine) -> None:
    assert engine.submit(square, 7, tag="seven").result(600) == 49
    told: list[tuple[str, int, int]] = []
    while not told:
        told = engine.progress()
    assert told == [("seven", 1, 2)]


def test_errors_keep_their_class_and_remedy(engine: LocalEngine) -> None:
    with pytest.raises(DecodeError) as caught:
        engine.submit(fail, tag="f").result(600)
    assert (caught.value.message, caught.value.remedy) == ("no frame", "copy it again")


def test_a_dead_worker_fails_only_its_own_work(engine: LocalEngine) -> None:
    dying, other = engine.submit(die, tag="d"), engine.submit(whereabouts, tag="w")
    with pytest.raises(WorkerDied):
        dying.result(600)
    assert other.result(600) > 0
    assert engine.submit(square, 3, tag="again").result(600) == 9


def test_ray_is_told_nothing_of_the_size_of_a_cluster_it_joins() -> None:
    assert ray_options(3, {"RAY_ADDRESS": "10.0.0.1:6379"}) == {}
    assert ray_options(3, {})["num_cpus"] == 3

"""Engines: work runs elsewhere, errors come back whole, a dead worker fails its own work only."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from caer_build.engines import LocalEngine, OutOfMemory, TimeIsUp, WorkerDied, ray_options
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


def hang(tell: Tell) -> None:
    """Inside native code that lets no other thread of the process run."""
    re.match("(a+)+b", "a" * 100)


def hoard(n_bytes: int, tell: Tell) -> int:
    assert len(bytearray(n_bytes)) == n_bytes
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


def test_work_that_hangs_is_ended_and_the_others_go_on(engine: LocalEngine) -> None:
    hanging = engine.submit(hang, tag="h", limit_s=1.0)
    other = engine.submit(whereabouts, tag="w", limit_s=600.0)
    with pytest.raises(TimeIsUp):
        hanging.result(600)
    assert other.result(600) > 0
    assert engine.submit(square, 3, tag="again", limit_s=600.0).result(600) == 9


def test_a_limit_ends_with_the_work_that_it_was_for(engine: LocalEngine) -> None:
    for _ in range(engine.slots + 1):
        engine.submit(square, 2, tag="s", limit_s=0.3).result(600)
    assert len({engine.submit(whereabouts, tag="w").result(600) for _ in range(2)}) == 1


def test_work_that_asks_for_too_much_memory_leaves_a_fresh_process() -> None:
    engine = LocalEngine(1, memory_bytes=200_000_000)
    try:
        before = engine.submit(hoard, 1000, tag="m").result(600)
        with pytest.raises(OutOfMemory, match=r"the 0\.2 GB that a worker may have"):
            engine.submit(hoard, 300_000_000, tag="m").result(600)
        assert engine.submit(hoard, 1000, tag="m").result(600) != before
    finally:
        engine.close(kill=True)


def test_ray_is_told_nothing_of_the_size_of_a_cluster_it_joins() -> None:
    assert ray_options(3, {"RAY_ADDRESS": "10.0.0.1:6379"}) == {}
    assert ray_options(3, {})["num_cpus"] == 3

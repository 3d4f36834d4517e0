"""Where units of work run: processes of this machine, or Ray. Engines know no stage.

An engine is handed callables with picklable arguments. A worker that dies (out of memory, a crash
in native code on a hostile file) fails its own unit only; the others never notice. What a worker
may take is bounded: where it asks for more memory than it may have, it is told that there is none,
and where its time is up the kernel ends it, whatever it is doing.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import queue
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from caer_build.errors import CaerError

Tell = Callable[[float, float], None]
Work = Callable[..., Any]


class Engine(Protocol):
    """Runs ``work(*args, tell)``; ``tell(done, total)`` may be called from there."""

    slots: int
    """how many units are worth submitting at once"""

    def submit(self, work: Work, *args: Any, tag: str, limit_s: float | None = None) -> Future[Any]:
        """Run it somewhere. The future raises what the work raised.

        Args:
            limit_s: seconds after which it is ended, and the future raises :class:`TimeIsUp`.
        """
        ...

    def progress(self) -> list[tuple[str, float, float]]:
        """What the running units have told since the last call: (tag, done, total)."""
        ...

    def close(self, kill: bool) -> None:
        """End the workers; at once if ``kill``."""
        ...


class WorkerDied(CaerError):
    """The process that did the work ended without an answer."""


class TimeIsUp(CaerError):
    """The work took longer than it may, and was ended."""


class OutOfMemory(CaerError):
    """The work asked for more memory than there is for it."""


MEMORY_BYTES = 4_000_000_000
"""What a worker may have where nobody says otherwise. An ordinary build takes less than 1.5 GB in
all, and to decode the largest picture that is allowed takes 1.1."""
_NO_MEMORY = (
    "bad alloc", "bad_alloc", "allocate memory", "insufficient memory", "start new thread",
    "cannot map", "failed to map",
)  # fmt: skip
"""What native libraries and the loader say, each in an error of its own, when they get none."""
_PR_SET_PDEATHSIG = 1
_told: Any = None  # in a worker: the queue on which it tells its progress


def _start(told: Any, memory_bytes: int | None) -> None:
    global _told  # noqa: PLW0603  a worker process serves one engine, for all its life
    _told = told
    _bound_memory(memory_bytes)
    # Numeric libraries read these when they are loaded, which is after this.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    _die_with_parent()
    # ^C goes to the whole group: the parent decides what happens to the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent: nobody writes behind a new build's back."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = multiprocessing.parent_process()
        if parent is not None and os.getppid() != parent.pid:
            os.kill(os.getpid(), signal.SIGKILL)


def _bound_memory(memory_bytes: int | None) -> None:
    """Let this process have so much memory of its own; threads' stacks count, files do not."""
    if memory_bytes is not None:
        # Not the address space: the runtimes of networks reserve more of that than they use.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        allowed = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, most))


def _call(work: Work, args: tuple[Any, ...], tag: str, limit_s: float | None) -> Any:
    def tell(done: float, total: float) -> None:
        if _told is not None:
            _told.put((tag, done, total))

    # The signal's default is to end the process, which no decoder can put off.
    signal.setitimer(signal.ITIMER_REAL, limit_s or 0.0)
    try:
        return work(*args, tell)
    except CaerError:
        raise
    except Exception as error:
        said = str(error).lower()
        if isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY):
            raise _out_of_memory() from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _out_of_memory() -> OutOfMemory:
    allowed, _ = resource.getrlimit(resource.RLIMIT_DATA)
    unlimited = allowed == resource.RLIM_INFINITY
    most = "there is" if unlimited else f"the {allowed / 1e9:.1f} GB that a worker may have"
    return OutOfMemory(f"The work needs more memory than {most}.", "Allow it more memory.")


def _why_it_ended(began_s: float, limit_s: float | None) -> CaerError:
    """The error for a process that is gone, whose work began at that reading of the clock."""
    if limit_s is not None and time.monotonic() - began_s >= limit_s:
        return TimeIsUp(f"The work was ended after {limit_s:.0f} s.", "Allow it more time.")
    return WorkerDied(
        "The worker process died without a word (out of memory, or a crash in a decoder).",
        "Try again with fewer --workers; if it dies again the file is at fault.",
    )


class LocalEngine:
    """``workers`` processes of this machine, started afresh (spawn) so that they share no state.

    Args:
        memory_bytes: that each of them may have; none: no limit.
    """

    def __init__(self, workers: int, memory_bytes: int | None = None) -> None:
        self.slots = workers
        self._memory_bytes = memory_bytes
        self._spawn = multiprocessing.get_context("spawn")
        self._told: Any = self._spawn.Queue()
        self._lanes: list[ProcessPoolExecutor | None] = [None] * workers
        self._busy: list[Future[Any] | None] = [None] * workers
        self._spent: set[int] = set()
        """lanes whose process is dead, or is to be replaced"""

    def submit(self, work: Work, *args: Any, tag: str, limit_s: float | None = None) -> Future[Any]:
        lane = next(i for i, f in enumerate(self._busy) if f is None or f.done())
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()
        pool = self._pool(lane)
        began_s = time.monotonic()

        def pass_on(inner: Future[Any]) -> None:
            error = inner.exception()
            if isinstance(error, BrokenProcessPool):
                # Python 3.12 holds the pool's lock here: to shut it down now would wait for ever.
                self._spent.add(lane)
                error = _why_it_ended(began_s, limit_s)
            if isinstance(error, OutOfMemory):
                # What it holds may not come free: the next work would pay for it.
                self._spent.add(lane)
            if error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(inner.result())

        # The lane is taken until the outer future is done, which is after it may be replaced.
        self._busy[lane] = outer
        pool.submit(_call, work, args, tag, limit_s).add_done_callback(pass_on)
        return outer

    def _pool(self, lane: int) -> ProcessPoolExecutor:
        """The lane's process, a new one where the last one is spent."""
        pool = self._lanes[lane]
        if pool is not None and lane in self._spent:
            pool.shutdown()
            pool = None
        if pool is None:
            pool = ProcessPoolExecutor(
                1,
                mp_context=self._spawn,
                initializer=_start,
                initargs=(self._told, self._memory_bytes),
            )
            self._lanes[lane] = pool
            self._spent.discard(lane)
        return pool

    def progress(self) -> list[tuple[str, float, float]]:
        told = []
        while True:
            try:
                told.append(self._told.get_nowait())
            except queue.Empty:
                return told

    def close(self, kill: bool) -> None:
        for pool in self._lanes:
            if pool is None:
                continue
            if kill:
                for process in list((pool._processes or {}).values()):
                    process.kill()
            pool.shutdown(wait=True, cancel_futures=True)
        self._told.close()
        self._told.cancel_join_thread()


def ray_options(workers: int | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``ray.init`` is told about the machine: nothing of a cluster that is only joined.

    Ray refuses to set the CPUs of a cluster that runs already.
    """
    if environment.get("RAY_ADDRESS"):
        return {}
    return {"num_cpus": workers, "include_dashboard": False}


class RayEngine:
    """The nodes of a Ray cluster, all of which see WORK and the sources under the same paths.

    The environment variable ``RAY_ADDRESS`` names a running cluster to join; without it Ray is
    started on this machine, with ``workers`` CPUs.

    Args:
        memory_bytes: that each task may have; none: no limit.
    """

    def __init__(self, workers: int | None = None, memory_bytes: int | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            from caer_build.errors import ModelMissing

            raise ModelMissing(
                "--engine ray needs the package ray.", "pip install 'caer-build[ray]'"
            ) from error
        if not ray.is_initialized():
            ray.init(**ray_options(workers, os.environ), log_to_driver=False)
        self._ray: Any = ray
        self._memory_bytes = memory_bytes
        self.slots = int(self._ray.cluster_resources().get("CPU", 1))

    def submit(self, work: Work, *args: Any, tag: str, limit_s: float | None = None) -> Future[Any]:
        remote = self._ray.remote(max_retries=0, num_cpus=1)(_call_bounded)
        began_s = time.monotonic()
        inner = remote.remote(work, args, tag, limit_s, self._memory_bytes).future()
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()

        def pass_on(done: Future[Any]) -> None:
            error = done.exception()
            if error is None:
                outer.set_result(done.result())
            elif isinstance(error, self._ray.exceptions.RayTaskError):
                outer.set_exception(error.cause)
            else:
                outer.set_exception(_why_it_ended(began_s, limit_s))

        inner.add_done_callback(pass_on)
        return outer

    def progress(self) -> list[tuple[str, float, float]]:
        return []

    def close(self, kill: bool) -> None:  # noqa: ARG002  Ray ends its own tasks
        self._ray.shutdown()


def _call_bounded(
    work: Work, args: tuple[Any, ...], tag: str, limit_s: float | None, memory_bytes: int | None
) -> Any:
    """:func:`_call` in a process that was started by others."""
    _bound_memory(memory_bytes)
    return _call(work, args, tag, limit_s)


def load(name: str, workers: int, memory_bytes: int = MEMORY_BYTES) -> Engine:
    """The engine of that name, ``local`` or ``ray``, with so much memory for each unit of work."""
    kind = RayEngine if name == "ray" else LocalEngine
    return kind(workers, memory_bytes)

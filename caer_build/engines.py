"""Where units of work run: processes of this machine, or Ray. Engines know no stage.

An engine is handed callables with picklable arguments. A worker that dies (out of memory, a crash
in native code on a hostile file) fails its own unit only; the others never notice.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import queue
import signal
import sys
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

    def submit(self, work: Work, *args: Any, tag: str) -> Future[Any]:
        """Run it somewhere. The future raises what the work raised."""
        ...

    def progress(self) -> list[tuple[str, float, float]]:
        """What the running units have told since the last call: (tag, done, total)."""
        ...

    def close(self, kill: bool) -> None:
        """End the workers; at once if ``kill``."""
        ...


class WorkerDied(CaerError):
    """The process that did the work ended without an answer."""


_PR_SET_PDEATHSIG = 1
_told: Any = None  # in a worker: the queue on which it tells its progress


def _start(told: Any) -> None:
    global _told  # noqa: PLW0603  a worker process serves one engine, for all its life
    _told = told
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


def _call(work: Work, args: tuple[Any, ...], tag: str) -> Any:
    def tell(done: float, total: float) -> None:
        if _told is not None:
            _told.put((tag, done, total))

    return work(*args, tell)


class LocalEngine:
    """``workers`` processes of this machine, started afresh (spawn) so that they share no state."""

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._spawn = multiprocessing.get_context("spawn")
        self._told: Any = self._spawn.Queue()
        self._lanes: list[ProcessPoolExecutor | None] = [None] * workers
        self._busy: list[Future[Any] | None] = [None] * workers
        self._broken: set[int] = set()

    def submit(self, work: Work, *args: Any, tag: str) -> Future[Any]:
        lane = next(i for i, f in enumerate(self._busy) if f is None or f.done())
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()
        pool = self._pool(lane)

        def pass_on(inner: Future[Any]) -> None:
            error = inner.exception()
            if isinstance(error, BrokenProcessPool):
                # Python 3.12 holds the pool's lock here: to shut it down now would wait for ever.
                self._broken.add(lane)
                error = WorkerDied(
                    "The worker process died without a word (out of memory, or a crash in a "
                    "decoder).",
                    "Try again with fewer --workers; if it dies again the file is at fault.",
                )
            if error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(inner.result())

        # The lane is taken until the outer future is done, which is after it may be replaced.
        self._busy[lane] = outer
        pool.submit(_call, work, args, tag).add_done_callback(pass_on)
        return outer

    def _pool(self, lane: int) -> ProcessPoolExecutor:
        """The lane's process, a new one where the last one died."""
        pool = self._lanes[lane]
        if pool is not None and lane in self._broken:
            pool.shutdown()
            pool = None
        if pool is None:
            pool = ProcessPoolExecutor(
                1, mp_context=self._spawn, initializer=_start, initargs=(self._told,)
            )
            self._lanes[lane] = pool
            self._broken.discard(lane)
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
    """

    def __init__(self, workers: int | None = None) -> None:
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
        self.slots = int(self._ray.cluster_resources().get("CPU", 1))

    def submit(self, work: Work, *args: Any, tag: str) -> Future[Any]:
        remote = self._ray.remote(max_retries=0, num_cpus=1)(_call)
        inner = remote.remote(work, args, tag).future()
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()

        def pass_on(done: Future[Any]) -> None:
            error = done.exception()
            if error is None:
                outer.set_result(done.result())
            elif isinstance(error, self._ray.exceptions.RayTaskError):
                outer.set_exception(error.cause)
            else:
                outer.set_exception(WorkerDied(f"The Ray worker died: {error}.", "Try again."))

        inner.add_done_callback(pass_on)
        return outer

    def progress(self) -> list[tuple[str, float, float]]:
        return []

    def close(self, kill: bool) -> None:  # noqa: ARG002  Ray ends its own tasks
        self._ray.shutdown()


def load(name: str, workers: int) -> Engine:
    """The engine of that name: ``local`` or ``ray``."""
    return RayEngine(workers) if name == "ray" else LocalEngine(workers)

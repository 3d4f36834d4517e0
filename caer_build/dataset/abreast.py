"""Some work at once, and no more in memory than that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 2
"""pieces a worker may be ahead of who takes what came of them"""


def abreast(work: Callable[[T], R], pieces: Iterable[T], jobs: int) -> Iterator[R]:
    """What comes of each piece, in their order.

    Whoever stops taking, or whose piece fails, waits for the few that are under way; no other
    begins.

    Args:
        jobs: threads.
    """
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for piece in pieces:
                running.append(pool.submit(work, piece))
                if len(running) > jobs * _AHEAD:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

"""How much one caller may ask for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Message, Receive

_CALLERS = 10_000


class Buckets:
    """For each caller a bucket of requests that fills steadily.

    Args:
        burst: requests a full bucket holds.
        per_s: how fast it fills.
    """

    def __init__(
        self, burst: float, per_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_s, self._clock_s = burst, per_s, clock_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> bool:
        """Takes a request out; False if the bucket is empty."""
        now = self._clock_s()
        left, at = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        self._left[caller] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > _CALLERS:
            self._left.popitem(last=False)
        return left >= 1


class TooLarge(Exception):
    """A body went on beyond what it may have."""


def at_most(n_bytes: int, receive: Receive) -> Receive:
    """A ``receive`` that raises :class:`TooLarge` once a body has more than so many bytes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > n_bytes:
                raise TooLarge
        return message

    return counted

"""Logging what was refused, so that a flood of it fills neither disk nor queue.

The same thing from the same address is written at once, and then once in ten minutes with how
often it came since; and an address has so many lines a minute, whatever it asks for. What was
only counted is written when the ten minutes are over, and when the server stops, whether it comes
again or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection
from starlette.types import Scope

from annotator_app.place import Place
from annotator_app.web.limits import Buckets
from caer_build.annotation.events import record
from caer_build.errors import StoreError

AGAIN_MS = 10 * 60 * 1000
_KEPT = 10_000
_BURST, _PER_S = 600, 2.0
_LOOK_EVERY_S = 20.0
_SETTLED = "refusal_is_logged"

_Line: TypeAlias = tuple[str, str, int | None]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    written_ms: int
    since: int = 0


def settle(connection: HTTPConnection) -> None:
    """Says that whatever this request is answered was logged, or is nothing to log."""
    connection.scope.setdefault("state", {})[_SETTLED] = True


def is_settled(scope: Scope) -> bool:
    """Whether :func:`settle` was called; what was not is logged by the gate."""
    return bool(scope.get("state", {}).get(_SETTLED))


class Refusals:
    """The log of one server."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._seen: OrderedDict[_Line, _Seen] = OrderedDict()
        self._room = Buckets(_BURST, _PER_S)
        self._unwritten: Counter[str] = Counter()

    async def note(self, what: str, address: str, annotator_id: int | None = None) -> None:
        """Logs a refusal.

        Args:
            what: the request and why, such as ``POST /api/answer: no token``.
        """
        now_ms = self._place.office.clock()
        line = (what, address, annotator_id)
        seen = self._seen.get(line)
        if seen is not None and now_ms - seen.written_ms < AGAIN_MS:
            seen.since += 1
            return
        if not self._room.take(address):
            self._unwritten[address] += 1
            return
        before = seen.since if seen is not None else 0
        self._seen[line] = _Seen(now_ms)
        self._seen.move_to_end(line)
        await self._put(line, f" ({before} times more before)" if before else "")
        if len(self._seen) > _KEPT:
            oldest, counted = self._seen.popitem(last=False)
            await self._put_count(oldest, counted)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Meanwhile, and at the end, what was only counted is written."""
        task = asyncio.create_task(self._watch(), name="caer-refusals")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.write_counts(0)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.write_counts(AGAIN_MS)

    async def write_counts(self, after_ms: int) -> None:
        """Writes what came again since its line was written, of lines that are so old."""
        now_ms = self._place.office.clock()
        for line, seen in list(self._seen.items()):
            if now_ms - seen.written_ms >= after_ms:
                self._seen.pop(line, None)
                await self._put_count(line, seen)
        unwritten, self._unwritten = self._unwritten, Counter()
        for address, n in unwritten.items():
            await self._put((f"{n} other requests, of which nothing was written", address, None))

    async def _put_count(self, line: _Line, seen: _Seen) -> None:
        if seen.since:
            await self._put(line, f" ({seen.since} times more)")

    async def _put(self, line: _Line, more: str = "") -> None:
        what, address, annotator_id = line
        # A path may hold line breaks, which would write lines of the caller's own.
        text = what.encode("unicode_escape").decode("ascii") + more
        _log.warning("refused %s from %s (%s)", text, address, annotator_id)
        try:
            await to_thread.run_sync(self._write, text, address, annotator_id)
        except (StoreError, SQLAlchemyError) as error:
            _log.warning("that stands here only, the database is away: %s", error)

    def _write(self, text: str, address: str, annotator_id: int | None) -> None:
        with self._place.office.database.writing() as connection:
            record(
                connection, "refused", self._place.office.clock(),
                annotator_id=annotator_id, address=address, detail=text,
            )  # fmt: skip

"""Logging what was refused, so that a flood of it fills neither disk nor queue.

Each refusal goes to the process's log. In the project's log of events an address has so many
lines a minute; what comes beyond them is counted and written as one.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from anyio import to_thread

from annotator_app.place import Place
from caer_build.annotation.events import record

LINES_A_MINUTE = 60
_ADDRESSES = 10_000
_MINUTE_MS = 60_000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Minute:
    began_ms: int
    lines: int = 0
    unwritten: int = 0


class Refusals:
    """The log of one server."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._minutes: OrderedDict[str, _Minute] = OrderedDict()

    async def note(self, what: str, address: str, annotator_id: int | None = None) -> None:
        """Logs a refusal.

        Args:
            what: the request and why, such as ``POST /api/answer: no token``.
        """
        # A path may hold line breaks, which would write lines of the caller's own.
        what = what.encode("unicode_escape").decode("ascii")
        _log.warning("refused %s from %s (%s)", what, address, annotator_id)
        now_ms = self._place.office.clock()
        minute = self._minutes.get(address)
        if minute is None or now_ms - minute.began_ms >= _MINUTE_MS:
            before = 0 if minute is None else minute.unwritten
            minute = self._minutes[address] = _Minute(now_ms)
            if before:
                await self._write(now_ms, f"{before} more in the minute before", address, None)
        self._minutes.move_to_end(address)
        if len(self._minutes) > _ADDRESSES:
            self._minutes.popitem(last=False)
        if minute.lines >= LINES_A_MINUTE:
            minute.unwritten += 1
            return
        minute.lines += 1
        await self._write(now_ms, what, address, annotator_id)

    async def _write(self, now_ms: int, what: str, address: str, annotator_id: int | None) -> None:
        def write() -> None:
            with self._place.office.database.writing() as connection:
                record(
                    connection, "refused", now_ms,
                    annotator_id=annotator_id, address=address, detail=what,
                )  # fmt: skip

        await to_thread.run_sync(write)

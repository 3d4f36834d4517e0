"""Logging what was refused, so that a flood of it fills neither disk nor queue.

The same thing from the same address is written once in ten minutes, with how often it came since;
and an address has so many lines a minute, whatever it asks for.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

from anyio import to_thread

from annotator_app.place import Place
from annotator_app.web.limits import Buckets
from caer_build.annotation.events import record

AGAIN_MS = 10 * 60 * 1000
_KEPT = 10_000
_BURST, _PER_S = 600, 2.0

_Line: TypeAlias = tuple[str, str, int | None]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    written_ms: int
    since: int = 0


class Refusals:
    """The log of one server."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._seen: OrderedDict[_Line, _Seen] = OrderedDict()
        self._room = Buckets(_BURST, _PER_S)
        self._unwritten = 0

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
            self._unwritten += 1
            return
        self._seen[line] = _Seen(now_ms)
        self._seen.move_to_end(line)
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        # A path may hold line breaks, which would write lines of the caller's own.
        text = what.encode("unicode_escape").decode("ascii")
        if seen is not None and seen.since:
            text += f" ({seen.since} times more before)"
        if self._unwritten:
            text += f" ({self._unwritten} others were not written)"
            self._unwritten = 0
        _log.warning("refused %s from %s (%s)", text, address, annotator_id)
        await to_thread.run_sync(self._write, now_ms, text, address, annotator_id)

    def _write(self, now_ms: int, text: str, address: str, annotator_id: int | None) -> None:
        with self._place.office.database.writing() as connection:
            record(
                connection, "refused", now_ms,
                annotator_id=annotator_id, address=address, detail=text,
            )  # fmt: skip

"""Open web sockets, each bound to its session: when the session ends, so does the socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator_app.place import Place
from caer_build.annotation import sessions
from caer_build.errors import StoreError

MOST_A_SESSION = 20
_LOOK_EVERY_S = 2.0
_FAREWELL_S = 1.0
_POLICY_VIOLATION = 1008

_log = logging.getLogger(__name__)


class Sockets:
    """The open sockets of one server."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._open: dict[str, set[asyncio.Event]] = {}

    def are_many(self, token: str) -> bool:
        """Whether a session has as many sockets as it may."""
        return len(self._open.get(token, ())) >= MOST_A_SESSION

    def end(self, token: str) -> None:
        """Closes the sockets of a session that is over."""
        for ended in self._open.get(token, ()):
            ended.set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Meanwhile, sockets of sessions that ended elsewhere are closed too."""
        task = asyncio.create_task(self._watch(), name="caer-sessions")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            tokens = list(self._open)
            if not tokens:
                continue
            try:
                alive = await to_thread.run_sync(self._alive, tokens)
            except (StoreError, SQLAlchemyError) as error:
                # A database that is away for a moment ends nobody's work; the next look tells.
                _log.warning("sessions could not be looked at: %s", error)
                continue
            for token in set(tokens) - alive:
                self.end(token)

    def _alive(self, tokens: list[str]) -> set[str]:
        with self._place.office.database.reading() as connection:
            return sessions.alive(connection, tokens, self._place.office.clock())

    async def carry(
        self, token: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Lets a socket live until its session ends."""
        ended = asyncio.Event()
        self._open.setdefault(token, set()).add(ended)
        waiting = asyncio.create_task(ended.wait())
        coming: asyncio.Task[Message] | None = None
        was_told = False

        async def listen() -> Message:
            nonlocal coming, was_told
            coming = coming or asyncio.ensure_future(receive())
            await asyncio.wait({coming, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                message, coming = coming.result(), None
                return message
            if not was_told:
                # The page runs once more, finds that its session is over, and leads to sign-in.
                was_told = True
                return {"type": "websocket.receive", "bytes": _run_again()}
            await asyncio.sleep(_FAREWELL_S)
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}

        try:
            await app(scope, listen, send)
        finally:
            waiting.cancel()
            if coming is not None:
                coming.cancel()
            others = self._open[token]
            others.discard(ended)
            if not others:
                del self._open[token]


def _run_again() -> bytes:
    """What Streamlit's page sends to have its script run."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.SetInParent()
    return bytes(message.SerializeToString())

"""Serving a project: one process, Streamlit behind a gate, routes of our own beside it."""

from __future__ import annotations

import gc
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from annotator_app.place import Place, serve_from
from annotator_app.styling import THEME
from caer_build.errors import CaerError

if TYPE_CHECKING:
    from streamlit import App

_SCRIPT = Path(__file__).parent / "streamlit_app.py"
_MB = 1024 * 1024
_BACKLOG = 2048
"""connections that wait to be accepted"""
_STREAMLIT: Mapping[str, object] = {
    "browser.gatherUsageStats": False,
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "logger.level": "warning",
    "server.headless": True,
    "server.showEmailPrompt": False,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.allowRunOnSave": False,
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "server.enableXsrfProtection": True,
    "server.enableWebsocketCompression": False,
    "server.maxUploadSize": 1,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "runner.magicEnabled": False,
    **THEME,
}
"""Streamlit's settings: no telemetry, nothing for developers, no uploads. They win over a
``config.toml`` that lies about."""


def build(place: Place) -> App:
    """The ASGI app of a project.

    Streamlit reads its settings once, so a process builds one app only.
    """
    import streamlit
    from starlette.middleware import Middleware
    from starlette.routing import Route
    from streamlit.web.bootstrap import load_config_options

    from annotator_app.player import assets
    from annotator_app.web.clips import Clips
    from annotator_app.web.doors import Doors
    from annotator_app.web.exports import Exports
    from annotator_app.web.gate import Gate
    from annotator_app.web.refusals import Refusals
    from annotator_app.web.rendering import icon
    from annotator_app.web.sockets import Sockets
    from annotator_app.web.ties import Ties
    from annotator_app.web.work import Work
    from caer_build.annotation.adjudication import DISPUTED, TIES

    load_config_options(dict(_STREAMLIT))
    serve_from(place)
    sockets, refusals = Sockets(place), Refusals(place)

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[None]:
        # What is loaded by now stays: looking through it again for garbage would hold everybody
        # up for a tenth of a second each time.
        gc.collect()
        gc.freeze()
        async with sockets.watched(), refusals.kept():
            yield

    return streamlit.App(
        _SCRIPT,
        secrets=dict(place.secrets) or None,
        lifespan=lifespan,
        routes=[
            *Doors(place, sockets, refusals).routes(),
            *Work(place, refusals).routes(),
            *Ties(place, refusals, "/api/ties", TIES).routes(),
            *Ties(place, refusals, "/api/disputes", DISPUTED).routes(),
            *Clips(place, refusals).routes(),
            *Exports(place, refusals).routes(),
            # Before Streamlit's own, which would show its logo in the browser's tab.
            *(Route(f"/favicon.{kind}", icon, methods=["GET"]) for kind in ("png", "ico")),
            *assets.routes(),
        ],
        middleware=[Middleware(Gate, place=place, sockets=sockets, refusals=refusals)],
    )


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        CaerError: if that cannot be: the port is taken, or the address is of another machine.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # By its protocol asyncio knows that answers are to be sent at once, whatever is on the way:
    # else some of them wait 40 ms for the browser's acknowledgement of what was sent before.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CaerError(
            f"Nothing can listen on {address}, port {port}: {error.strerror}.",
            "Stop what listens there, or take another one with --port (or --address).",
        ) from error
    return listener


def serve(place: Place, listener: socket.socket) -> None:
    """Serves until it is stopped."""
    import uvicorn

    config = uvicorn.Config(
        build(place),
        # The gate itself reads what proxies say, from those that are trusted.
        proxy_headers=False,
        server_header=False,
        # Its lines would hold invitations.
        access_log=False,
        log_config=None,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=_MB,
        ws_per_message_deflate=False,
        # An annotator answers every few seconds: the connection outlives the thinking.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        raise CaerError("The app could not be started: see above.")

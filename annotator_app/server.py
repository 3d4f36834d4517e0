"""Serving a project: one process, Streamlit behind a gate, routes of our own beside it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from annotator_app.place import Place, serve_from

if TYPE_CHECKING:
    from streamlit import App

_SCRIPT = Path(__file__).parent / "streamlit_app.py"
_MB = 1024 * 1024
_STREAMLIT: Mapping[str, str] = {
    "BROWSER_GATHER_USAGE_STATS": "false",
    "GLOBAL_DEVELOPMENT_MODE": "false",
    "LOGGER_HIDE_WELCOME_MESSAGE": "true",
    "LOGGER_LEVEL": "warning",
    "SERVER_HEADLESS": "true",
    "SERVER_SHOW_EMAIL_PROMPT": "false",
    "SERVER_FILE_WATCHER_TYPE": "none",
    "SERVER_RUN_ON_SAVE": "false",
    "SERVER_ALLOW_RUN_ON_SAVE": "false",
    "SERVER_ENABLE_STATIC_SERVING": "false",
    "SERVER_ENABLE_AGENT_API": "false",
    "SERVER_ENABLE_XSRF_PROTECTION": "true",
    "SERVER_ENABLE_WEBSOCKET_COMPRESSION": "false",
    "SERVER_MAX_UPLOAD_SIZE": "1",
    "CLIENT_TOOLBAR_MODE": "minimal",
    "CLIENT_SHOW_ERROR_DETAILS": "none",
    "CLIENT_SHOW_ERROR_LINKS": "false",
    "RUNNER_MAGIC_ENABLED": "false",
    "THEME_LIGHT_PRIMARY_COLOR": "#1257a8",
    "THEME_DARK_PRIMARY_COLOR": "#7db4f5",
}
"""Streamlit's settings, as its environment variables: no telemetry, nothing for developers, no
uploads. A ``config.toml`` that lies about changes none of them."""


def build(place: Place) -> App:
    """The ASGI app of a project.

    Streamlit reads its settings once, so a process builds one app only.
    """
    os.environ.update({f"STREAMLIT_{name}": value for name, value in _STREAMLIT.items()})
    import streamlit
    from starlette.middleware import Middleware

    from annotator_app.player import assets
    from annotator_app.web.clips import Clips
    from annotator_app.web.doors import Doors
    from annotator_app.web.gate import Gate
    from annotator_app.web.refusals import Refusals
    from annotator_app.web.sockets import Sockets
    from annotator_app.web.work import Work

    serve_from(place)
    sockets, refusals = Sockets(place), Refusals(place)

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[None]:
        async with sockets.watched():
            yield

    return streamlit.App(
        _SCRIPT,
        secrets=dict(place.secrets) or None,
        lifespan=lifespan,
        routes=[
            *Doors(place, sockets, refusals).routes(),
            *Work(place, refusals).routes(),
            *Clips(place, refusals).routes(),
            *assets.routes(),
        ],
        middleware=[Middleware(Gate, place=place, sockets=sockets, refusals=refusals)],
    )


def serve(place: Place, address: str, port: int) -> None:
    """Serves until it is stopped."""
    import uvicorn

    uvicorn.run(
        build(place),
        host=address,
        port=port,
        # The gate itself reads what proxies say, from those that are trusted.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=_MB,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
    )

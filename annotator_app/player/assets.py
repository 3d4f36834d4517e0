"""The player's modules under an address of their own, so that they can import each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent


def routes() -> list[Route]:
    """``/player/<module>.js``; the same for everybody, session or not."""
    modules = {file.name: file.read_bytes() for file in sorted(_FOLDER.glob("*.js"))}
    tags = {name: f'"{hashlib.sha256(text).hexdigest()[:32]}"' for name, text in modules.items()}

    async def module(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in modules:
            return PlainTextResponse("Not found.", 404)
        # Asked for anew each time: a page must never mix the modules of two versions.
        headers = {"ETag": tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(status_code=304, headers=headers)
        return Response(modules[name], media_type="text/javascript", headers=headers)

    return [Route("/player/{name}", module, methods=["GET"])]

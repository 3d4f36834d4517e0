"""The clips, read from their files piece by piece, with byte ranges.

A file is found by the name by which this person's page calls a clip that they may watch now; a
path of the caller's never touches the disk.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import open_file, to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from annotator_app.place import Place
from annotator_app.web.gate import visitor_of
from annotator_app.web.refusals import Refusals, settle
from caer_build.annotation.accounts import Account
from caer_build.annotation.freezing import media_file
from caer_build.annotation.viewing import watchable

_log = logging.getLogger(__name__)
_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_NAME = re.compile(r"([0-9A-Za-z]{1,40})\.mp4", re.ASCII)


class Unsatisfiable(Exception):
    """A range beyond the end."""


def asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The span [start, end) that a ``Range`` header asks for; None: the whole file.

    What is no single range of bytes is as good as not asked, as RFC 9110 allows; so many ranges
    in one header cost nothing.

    Raises:
        Unsatisfiable: if it begins behind the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, end


class Clips:
    """The route."""

    def __init__(self, place: Place, refusals: Refusals) -> None:
        self._place, self._refusals = place, refusals

    def routes(self) -> list[Route]:
        """``/clips/<public id>.mp4``."""
        return [Route("/clips/{name:path}", self.watch, methods=["GET", "HEAD"])]

    async def watch(self, request: Request) -> Response:
        """A clip, or a part of it, to whom it was given."""
        visitor = visitor_of(request)
        match, account = _NAME.fullmatch(request.path_params["name"]), visitor.account
        public_id = None
        if match is not None and account is not None:
            public_id = await to_thread.run_sync(self._watchable, account, match.group(1))
        if match is None or public_id is None:
            who = account.annotator_id if account else None
            what = f"{request.method} {request.url.path}: not given to them"
            await self._refusals.note(what, visitor.caller.address, who)
            settle(request)
            # The same whether there is such a clip or not.
            return PlainTextResponse("This clip was not given to you.", 403)
        file = media_file(self._place.workspace, public_id)
        return await to_thread.run_sync(_response, request, file, match.group(1))

    def _watchable(self, account: Account, name: str) -> str | None:
        office = self._place.office
        with office.database.reading() as connection:
            return watchable(connection, account, name, office.clock())


def _response(request: Request, file: Path, name: str) -> Response:
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        _log.error("%s is missing", file)
        settle(request)
        return PlainTextResponse("The file of this clip is missing.", 404)
    # A clip never changes under its name, so the name is its version too. It may be kept by the
    # browser, which must ask each time whether the clip may still be watched.
    tag = f'"{name}"'
    headers = {
        "Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "private, no-cache",
        "Content-Type": "video/mp4",
    }  # fmt: skip
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    if request.headers.get("if-range", tag) != tag:
        asked = None
    try:
        span = asked_range(asked, size)
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = span or (0, size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_pieces(file, start, end), status, headers)


async def _pieces(file: Path, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes [start, end), never more than a piece of them in memory."""
    async with await open_file(file, "rb") as source:
        await source.seek(start)
        while start < end:
            piece = await source.read(min(_PIECE, end - start))
            if not piece:
                raise EOFError(f"{file} became shorter while it was sent")
            start += len(piece)
            yield piece

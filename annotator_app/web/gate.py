"""The gate: plain ASGI middleware that every request and every socket passes, before Streamlit's.

What it lets through carries a :class:`Visitor` in ``scope["state"]``. Only sign-in, joining,
health and assets are open to strangers; roles, forged requests, paths and sizes are looked at
here, so that no route can forget to. On the way out every answer gets its headers, and one that
says no is logged if the route that gave it, ours or Streamlit's, has not done so.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator_app.pages import is_forbidden, is_home
from annotator_app.place import Place
from annotator_app.tokens import SESSION_COOKIE, is_csrf_token
from annotator_app.web.callers import Caller, caller_of
from annotator_app.web.headers import add_security_headers
from annotator_app.web.limits import Buckets, TooLarge, at_most
from annotator_app.web.refusals import Refusals, is_settled
from annotator_app.web.sockets import Sockets
from caer_build.annotation import accounts, sessions
from caer_build.annotation.accounts import Account
from caer_build.errors import NotAllowed, StoreError

MAX_BODY = 64 * 1024
_TOO_LARGE = 413
_STREAM = "/_stcore/stream"
_OPEN = ("/sign-in", "/join", "/doors", "/static", "/auth/login", "/oauth2callback")
"""paths, and all below them, that strangers may ask for"""
_OPEN_FILES = {
    "/favicon.png", "/favicon.ico", "/manifest.json", "/_stcore/health", "/_stcore/host-config",
}  # fmt: skip
_JOIN = "/join/"
_CLOSED = (
    "/_stcore/upload_file", "/_stcore/agent", "/_stcore/metrics", "/_stcore/script-health-check",
    "/auth/logout",
)  # fmt: skip
"""what Streamlit offers and nobody here needs"""
_GUESSES = ("/_stcore/health", "/_stcore/host-config")
"""Streamlit's page looks for these below its own address too, in case that is the app's root."""
_REVIEWERS = ("adjudicator", "manager")
_SAFE = {"GET", "HEAD"}
_RANGE_PAST_THE_END = 416
"""no attack: a player that asks once more"""
_OWN_POSTS = ("/api/", "/sign-in", "/sign-out", _JOIN, "/welcome")
_OUR_REQUESTS = ("/api/", "/clips/", "/_stcore/", "/media/", "/component/")
"""requests that pages make; whoever is refused gets a status instead of another page"""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at a route.

    Attributes:
        token: of the session; None with ``account`` None: a stranger.
    """

    caller: Caller
    account: Account | None
    token: str | None


def visitor_of(connection: HTTPConnection) -> Visitor:
    """The visitor that the gate let in."""
    found = connection.scope["state"]["visitor"]
    if not isinstance(found, Visitor):
        raise TypeError("The gate does not stand before this route.")
    return found


class _Refused(Exception):
    """Not let in.

    Args:
        reason: for the log; None: nothing worth a line.
        who: the annotator_id, where it is known.
    """

    def __init__(self, response: Response, reason: str | None, who: int | None = None) -> None:
        super().__init__(reason)
        self.response, self.reason, self.who = response, reason, who


class Gate:
    """The middleware.

    Args:
        app: what stands behind it.
    """

    def __init__(self, app: ASGIApp, place: Place, sockets: Sockets, refusals: Refusals) -> None:
        self._app, self._place = app, place
        self._sockets, self._refusals = sockets, refusals
        self._of_address = Buckets(burst=60, per_s=1)
        self._of_session = Buckets(burst=60, per_s=10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets one request or socket in, or says why not."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope, self._place)
        path: str = scope["path"]
        told = f"{scope['method']} {_without_token(path)}"
        has_begun = False
        visitor, who = Visitor(caller, None, None), None

        async def dressed(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                add_security_headers(MutableHeaders(scope=message), path, caller.is_tls)
            await send(message)

        async def looked_at(message: Message) -> None:
            if message["type"] == "http.response.start" and _says_no(message, scope):
                who = visitor.account.annotator_id if visitor.account else None
                await self._refusals.note(f"{told}: {message['status']}", caller.address, who)
            await dressed(message)

        try:
            visitor = await self._let_in(scope, caller)
            scope.setdefault("state", {})["visitor"] = visitor
            await self._app(scope, at_most(MAX_BODY, receive), looked_at)
            return
        except _Refused as refused:
            response, reason, who = refused.response, refused.reason, refused.who
        except TooLarge:
            if has_begun:
                raise
            response, reason = _plain(_TOO_LARGE, "Too large."), "a body that is too large"
        except (StoreError, SQLAlchemyError):
            if has_begun:
                raise
            response, reason = _plain(503, "The database cannot be reached. Try again."), None
        if reason is not None:
            who = visitor.account.annotator_id if visitor.account else who
            await self._refusals.note(f"{told}: {reason}", caller.address, who)
        if response.status_code != _TOO_LARGE:
            await _read_away(at_most(MAX_BODY, receive))
        await response(scope, receive, dressed)

    async def _let_in(self, scope: Scope, caller: Caller) -> Visitor:
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        _check_path(path, method)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise _Refused(_plain(_TOO_LARGE, "Too large."), "a body that is too large")
        if path in _OPEN_FILES or _is_below(path, ("/static", "/doors", "/player")):
            return Visitor(caller, None, None)
        token = session_token(headers)
        account = await to_thread.run_sync(self._resolve, token)
        if account is None and token is not None:
            told = f"{method} {_without_token(path)}"
            await self._refusals.note(f"{told}: no such session", caller.address)
        if method == "POST":
            self._check_post(path, headers, caller, account, token)
        if account is None:
            if not _is_below(path, _OPEN):
                raise _Refused(*_go_and_sign_in(path))
            return Visitor(caller, None, None)
        me = account.annotator_id
        is_media = path.startswith("/media/") and account.role not in _REVIEWERS
        if is_media or is_forbidden(path, account.role):
            raise _Refused(_plain(403, "Not for your role."), "not for this role", me)
        if is_home(path, account.role):
            raise _Refused(RedirectResponse("/", 303), None, me)
        if _is_page(path) and await to_thread.run_sync(self._is_new, account):
            raise _Refused(RedirectResponse("/welcome", 303), None, me)
        return Visitor(caller, account, token)

    def _check_post(
        self,
        path: str,
        headers: Headers,
        caller: Caller,
        account: Account | None,
        token: str | None,
    ) -> None:
        if account is None or token is None:
            who, has_room = None, self._of_address.take(caller.address)
        else:
            who, has_room = account.annotator_id, self._of_session.take(token)
        if not has_room:
            response = _error(429, "Too many requests.", "Wait a minute.")
            raise _Refused(response, "too many requests", who)
        if not _is_same_origin(headers, caller.origin):
            response = _error(403, "This request came from another site.")
            raise _Refused(response, "another origin", who)
        if account is None or token is None or not path.startswith("/api/"):
            return
        if not is_csrf_token(headers.get("x-csrf-token", ""), token):
            response = _error(403, "This request lacks its token.", "Load the page again.")
            raise _Refused(response, "no token, or another's", who)

    def _resolve(self, token: str | None) -> Account | None:
        """Whose session it is; notes that it is in use."""
        if token is None:
            return None
        office = self._place.office
        try:
            return sessions.visit(office.database, token, office.clock())
        except NotAllowed:
            return None

    def _is_new(self, account: Account) -> bool:
        """Whether there is something to say at the welcome first."""
        if account.role == "manager":
            return False
        if not account.consented:
            return True
        with self._place.office.database.reading() as connection:
            return bool(accounts.shows_to_ask(connection, account.annotator_id))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller, headers = caller_of(scope, self._place), Headers(scope=scope)
        token = session_token(headers)
        account = await to_thread.run_sync(self._resolve, token)
        if scope["path"] != _STREAM:
            reason = "no such socket"
        elif token is None or account is None:
            reason = "no live session"
        elif not account.consented and account.role != "manager":
            reason = "no consent"
        elif headers.get("origin") != caller.origin:
            reason = "another origin"
        elif self._sockets.are_many(token):
            reason = "too many sockets"
        else:
            # Pages ask Streamlit where a request comes from, and the proxy is not meant.
            seen = {**scope, "client": (caller.address, 0)}
            await self._sockets.carry(token, self._app, seen, receive, send)
            return
        who = account.annotator_id if account else None
        await self._refusals.note(f"socket {scope['path']}: {reason}", caller.address, who)
        await receive()
        await send({"type": "websocket.close", "code": 1008})


async def _read_away(receive: Receive) -> None:
    """Takes the body that nobody wants: a connection that is closed over it may lose the answer."""
    with suppress(TooLarge):
        while (message := await receive())["type"] == "http.request" and message.get("more_body"):
            pass


def session_token(headers: Headers) -> str | None:
    """The token in the session's cookie."""
    return cookie_parser(headers.get("cookie", "")).get(SESSION_COOKIE) or None


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def _check_path(path: str, method: str) -> None:
    """Refuses what nobody may ask for, whoever it is."""
    if _leads_out(path):
        raise _Refused(_plain(400, "Bad request."), "a path that leads out of its folder")
    if _is_below(path, _CLOSED):
        raise _Refused(_plain(404, "Not found."), "nobody may")
    if path.endswith(_GUESSES) and path not in _OPEN_FILES:
        raise _Refused(_plain(404, "Not found."), None)
    if method not in _SAFE and not (method == "POST" and path.startswith(_OWN_POSTS)):
        raise _Refused(_plain(405, "Not allowed."), "no such method here")


def _leads_out(path: str) -> bool:
    """Whether a path, as it was decoded, could mean a file elsewhere to anybody."""
    return "\0" in path or "\\" in path or path.startswith("//") or ".." in path.split("/")


def _without_token(path: str) -> str:
    """A path as it may stand in the log: an invitation must not."""
    return _JOIN if path.startswith(_JOIN) else path


def _says_no(start: Message, scope: Scope) -> bool:
    status = start["status"]
    return 400 <= status < 500 and status != _RANGE_PAST_THE_END and not is_settled(scope)


def _is_page(path: str) -> bool:
    """Whether it is Streamlit's: everything that is no request of a page and no door."""
    return not path.startswith(_OUR_REQUESTS) and not path.startswith(_OWN_POSTS)


def _is_same_origin(headers: Headers, origin: str) -> bool:
    """Whether a browser says that one of our own pages sent this; saying nothing is not enough."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    said = headers.get("origin")
    if said is None:
        return site == "same-origin"
    return said == origin


def _go_and_sign_in(path: str) -> tuple[Response, str | None]:
    if path.startswith(_OUR_REQUESTS):
        return _error(401, "You are not signed in.", "Sign in again."), "not signed in"
    return RedirectResponse("/sign-in", 303), None


def _error(status: int, error: str, remedy: str = "") -> Response:
    return JSONResponse({"error": error, "remedy": remedy}, status)


def _plain(status: int, text: str) -> Response:
    return PlainTextResponse(text, status)

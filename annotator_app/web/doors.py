"""The doors: signing in and out, joining by invitation, the welcome at the first visit.

Plain HTML pages that need neither script nor socket; only the way out has a script, which sends
answers that have not arrived.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from anyio import CapacityLimiter, sleep, to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from annotator_app.place import Place
from annotator_app.tokens import DEVICE_COOKIE, SESSION_COOKIE
from annotator_app.web import oidc
from annotator_app.web.forms import check_form_token, form_token, keep_form_token, read_form
from annotator_app.web.gate import Visitor, visitor_of
from annotator_app.web.headers import DOOR_POLICY, LEAVING_POLICY
from annotator_app.web.oidc import Identity
from annotator_app.web.refusals import Refusals, settle
from annotator_app.web.rendering import page, style
from annotator_app.web.sockets import Sockets
from caer_build.annotation import accounts, devices, new_passwords, passwords, sessions, signing_in
from caer_build.annotation import tables as t
from caer_build.annotation.texts import MAX_NAME
from caer_build.errors import NotAllowed, VoteError

_HASHES_AT_ONCE = 2
"""each takes 64 MiB and a core for a while"""
_JOINING = "caer_joining"
_JOINING_S = 900
_TOKEN = re.compile(r"[0-9A-Za-z_-]{20,64}", re.ASCII)

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class Doors:
    """The routes."""

    def __init__(self, place: Place, sockets: Sockets, refusals: Refusals) -> None:
        self._place, self._office = place, place.office
        self._sockets, self._refusals = sockets, refusals
        self._hashing = CapacityLimiter(_HASHES_AT_ONCE)

    def routes(self) -> list[Route]:
        """Signing in and out, joining, welcome, and their style."""
        both = ["GET", "POST"]
        return [
            Route("/sign-in", self._either(self.show_sign_in, self.sign_in), methods=both),
            Route("/sign-in/with/{provider}", self.to_provider, methods=["GET"]),
            Route("/sign-out", self._either(self.show_sign_out, self.sign_out), methods=both),
            Route("/join/{token}", self._either(self.show_join, self.join), methods=both),
            Route("/welcome", self._either(self.show_welcome, self.welcome), methods=both),
            Route("/doors/{name}", style, methods=["GET"]),
        ]

    def _either(self, shown: Handler, sent: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            if request.method != "POST":
                return await shown(request)
            visitor = visitor_of(request)
            try:
                # A page of ours may send its token in a header, without a form.
                told = request.headers.get("x-csrf-token")
                request.state.form = {} if told is not None else await read_form(request)
                check_form_token(request, visitor, told or request.state.form.get("csrf", ""))
                return await sent(request)
            except VoteError as error:
                request.state.error = error
                if not getattr(request.state, "is_logged", False):
                    path = request.url.path
                    where = path if not path.startswith("/join/") else "/join"
                    await self._note(request, f"POST {where}: {error.message}")
                settle(request)
                return await shown(request)

        return handle

    async def _note(self, request: Request, what: str) -> None:
        visitor = visitor_of(request)
        who = visitor.account.annotator_id if visitor.account else None
        await self._refusals.note(what, visitor.caller.address, who)
        settle(request)

    async def show_sign_in(self, request: Request) -> Response:
        """The page to sign in on."""
        visitor = visitor_of(request)
        if visitor.account is not None:
            return RedirectResponse("/", 303)
        joining = request.cookies.get(_JOINING, "")
        if _TOKEN.fullmatch(joining) and self._identity(request) is not None:
            response: Response = RedirectResponse(f"/join/{joining}", 303)
            response.delete_cookie(_JOINING)
            return response
        return self._page(
            request, "sign_in", identity=self._identity(request),
            providers=oidc.providers(self._place),
            # In a form whose name was filled in already, the name stays.
            name=getattr(request.state, "form", {}).get("name", ""),
        )  # fmt: skip

    async def sign_in(self, request: Request) -> Response:
        """Opens a session, for a password or for whom somebody vouches."""
        visitor, form = visitor_of(request), request.state.form
        if "vouched" in form:
            annotator_id = await to_thread.run_sync(self._known, self._identity(request))
        else:
            # It logs what fails by itself, and counts by that.
            request.state.is_logged = True
            annotator_id = await self._checked(request, visitor)
        response = await self._begin(request, visitor, annotator_id, "/")
        if "vouched" not in form:
            self._know_again(response, visitor, annotator_id)
        return response

    async def _checked(self, request: Request, visitor: Visitor) -> int:
        """The annotator_id of who signs in with a password."""
        form, database = request.state.form, self._office.database
        device = self._office.device(request.cookies.get(DEVICE_COOKIE))
        attempt = signing_in.Attempt(form.get("name", ""), visitor.caller.address, device)
        now_ms = self._office.clock()
        await sleep(await to_thread.run_sync(signing_in.delay_s, database, attempt, now_ms))
        return await to_thread.run_sync(
            signing_in.sign_in, database, attempt, form.get("password", ""), self._office.clock(),
            limiter=self._hashing,
        )  # fmt: skip

    def _know_again(self, response: Response, visitor: Visitor, annotator_id: int) -> None:
        """Lets the browser show the next time whose it is; see :mod:`signing_in`."""
        response.set_cookie(
            DEVICE_COOKIE, self._office.new_device(annotator_id), path="/sign-in", httponly=True,
            max_age=devices.DEVICE_DAYS * 24 * 3600, samesite="strict",
            secure=visitor.caller.is_tls,
        )  # fmt: skip

    async def to_provider(self, request: Request) -> Response:
        """Sends the browser to the identity provider."""
        provider = request.path_params["provider"]
        if provider not in oidc.providers(self._place):
            return PlainTextResponse("There is no such provider here.", 404)
        response = RedirectResponse(oidc.login_url(provider), 303)
        joining = request.query_params.get("joining")
        if joining is not None and not _TOKEN.fullmatch(joining):
            await self._note(request, "GET /sign-in/with: an invitation that cannot be")
            return PlainTextResponse("This invitation cannot be.", 400)
        if joining:
            response.set_cookie(
                _JOINING, joining, max_age=_JOINING_S, httponly=True, samesite="lax",
                secure=visitor_of(request).caller.is_tls,
            )  # fmt: skip
        return response

    async def show_sign_out(self, request: Request) -> Response:
        """Asks once more; a link alone signs nobody out."""
        # Who pressed "Sign out" on a page of ours has said it: the script goes on by itself.
        from_ours = request.headers.get("sec-fetch-site") == "same-origin"
        return self._page(
            request, "sign_out", policy=LEAVING_POLICY, account=visitor_of(request).account,
            at_once=from_ours and request.method == "GET",
        )  # fmt: skip

    async def sign_out(self, request: Request) -> Response:
        """Ends the session and all its sockets.

        What the player keeps in the browser stays there: answers that have not arrived are sent
        when the same person comes back, and nobody else's session takes or shows them.
        """
        visitor = visitor_of(request)
        if visitor.token is not None:
            token = visitor.token

            def end() -> None:
                with self._office.database.writing() as connection:
                    sessions.end_session(connection, token, self._office.clock())

            await to_thread.run_sync(end)
            self._sockets.end(token)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(SESSION_COOKIE)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    async def show_join(self, request: Request) -> Response:
        """The page behind an invitation, or why it leads nowhere any more."""
        token = request.path_params["token"]
        try:
            invitation = await self._invited(token)
        except NotAllowed as error:
            await self._note(request, "GET /join: an invitation that is not good")
            request.state.error = error
            return self._page(request, "message", status=410)
        if invitation.annotator_id is not None:
            owner = await to_thread.run_sync(self._name_of, invitation.annotator_id)
            return self._page(
                request, "new_password", owner=owner, min_password=passwords.MIN_PASSWORD
            )
        return self._page(
            request, "join", role=invitation.role, identity=self._identity(request),
            providers=oidc.providers(self._place), token=token,
            name=getattr(request.state, "form", {}).get("name", ""),
            min_password=passwords.MIN_PASSWORD, max_name=MAX_NAME,
        )  # fmt: skip

    async def join(self, request: Request) -> Response:
        """Makes an account, or sets its password anew, and signs its owner in."""
        visitor, form = visitor_of(request), request.state.form
        token, subject, password_hash = request.path_params["token"], None, None
        if "vouched" in form:
            identity = self._identity(request)
            subject = identity.subject if identity else None
        else:
            password = form.get("password", "")
            if password != form.get("again", ""):
                raise VoteError("The two passwords differ.", "Type the same one twice.")
            # Before the work of hashing: nobody without an invitation makes us do it.
            await self._invited(token)
            password_hash = await to_thread.run_sync(
                passwords.hashed, password, limiter=self._hashing
            )

        def make() -> tuple[int, str]:
            now_ms = self._office.clock()
            with self._office.database.writing() as connection:
                owner = accounts.invited(connection, token, now_ms).annotator_id
                if owner is not None and password_hash is not None:
                    return new_passwords.set_password(connection, token, password_hash, now_ms), "/"
                return accounts.join(
                    connection, token, form.get("name", ""), now_ms,
                    password_hash=password_hash, subject=subject,
                ), "/welcome"  # fmt: skip

        annotator_id, then = await to_thread.run_sync(make)
        response = await self._begin(request, visitor, annotator_id, then)
        if password_hash is not None:
            self._know_again(response, visitor, annotator_id)
        return response

    async def _invited(self, token: str) -> t.AnyRow:
        def look() -> t.AnyRow:
            with self._office.database.reading() as connection:
                return accounts.invited(connection, token, self._office.clock())

        return await to_thread.run_sync(look)

    def _name_of(self, annotator_id: int) -> str:
        with self._office.database.reading() as connection:
            return accounts.account(connection, annotator_id).name

    async def show_welcome(self, request: Request) -> Response:
        """Asks for consent, languages and known shows, as far as they are not known."""
        account = visitor_of(request).account
        if account is None or account.role == "manager":
            return RedirectResponse("/", 303)

        def shows() -> list[str]:
            with self._office.database.reading() as connection:
                return accounts.shows_to_ask(connection, account.annotator_id)

        open_shows = await to_thread.run_sync(shows)
        if account.consented and not open_shows:
            return RedirectResponse("/", 303)
        return self._page(
            request, "welcome", account=account, shows=open_shows,
            consent=self._office.settings.consent, form=getattr(request.state, "form", {}),
        )  # fmt: skip

    async def welcome(self, request: Request) -> Response:
        """Records what was said; the page comes again while something is open."""
        account, form = visitor_of(request).account, request.state.form
        if account is None or account.role == "manager":
            raise NotAllowed("There is nothing to agree to here.")
        me, settings = account.annotator_id, self._office.settings
        if not account.consented and form.get("agree") != "yes":
            raise VoteError("To take part, you have to agree.", "Or close this page.")

        def say() -> None:
            now_ms = self._office.clock()
            with self._office.database.writing() as connection:
                if not account.consented:
                    accounts.consent(connection, me, settings, form.get("languages", ""), now_ms)
                accounts.say_shows(connection, me, _known_shows(form), now_ms)

        await to_thread.run_sync(say)
        return RedirectResponse("/" if account.consented else "/guide", 303)

    def _known(self, identity: Identity | None) -> int:
        """The annotator_id of whom somebody vouches for.

        Raises:
            NotAllowed: if that person has no account here.
        """
        if identity is None:
            raise NotAllowed("Nobody vouches for you any more.", "Sign in there again.")
        with self._office.database.reading() as connection:
            account = accounts.by_subject(connection, identity.subject)
        if account is None:
            raise NotAllowed(
                f"{identity.display} does not take part here yet.", "Ask the manager for a link."
            )
        return account.annotator_id

    def _identity(self, request: Request) -> Identity | None:
        vouched = visitor_of(request).caller.vouched
        if vouched is not None:
            return Identity(f"header {vouched}", vouched)
        if not oidc.providers(self._place):
            return None
        return oidc.identity(request, self._office.clock() / 1000)

    async def _begin(
        self, request: Request, visitor: Visitor, annotator_id: int, then: str
    ) -> Response:
        def begin() -> str:
            now_ms = self._office.clock()
            with self._office.database.writing() as connection:
                if visitor.token is not None:
                    sessions.end_session(connection, visitor.token, now_ms)
                return sessions.open_session(connection, annotator_id, now_ms)

        token = await to_thread.run_sync(begin)
        response = RedirectResponse(then, 303)
        response.set_cookie(
            SESSION_COOKIE, token, httponly=True, samesite="lax", secure=visitor.caller.is_tls
        )
        oidc.forget(request, response)
        return response

    def _page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        policy: str = DOOR_POLICY,
        **said: object,
    ) -> Response:
        visitor = visitor_of(request)
        token = form_token(request, visitor)
        error = getattr(request.state, "error", None)
        if error is not None and status == 200:
            status = 403 if isinstance(error, NotAllowed) else 400
        response = page(
            template, status, policy,
            title=self._office.settings.title, csrf=token, error=error, **said,
        )  # fmt: skip
        keep_form_token(response, visitor, token)
        return response


def _known_shows(form: Mapping[str, str]) -> dict[str, bool]:
    """What the form says of each show: whether they know it.

    Raises:
        VoteError: if it says what no form of ours asks.
    """
    said = {}
    for name, value in form.items():
        kind, _, number = name.partition("-")
        if kind == "knows":
            if value not in {"yes", "no"}:
                raise VoteError("Say whether you know the show: yes or no.")
            said[form.get(f"show-{number}", "")] = value == "yes"
    return said

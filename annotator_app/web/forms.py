"""Forms of the doors: reading them, and telling ours from forged ones.

Before there is a session, the token is one that stands both in a cookie and in the form; after,
it is the session's.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from annotator_app.tokens import csrf_token, is_csrf_token
from annotator_app.web.gate import Visitor
from caer_build.errors import NotAllowed, VoteError

FORM_COOKIE = "caer_form"
_MAX_FIELDS = 200
_MIN_TOKEN = 20


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of a name that comes twice the first.

    Raises:
        VoteError: if it is no form.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise VoteError("Expected a form.")
    text = (await request.body()).decode("utf-8", "replace")
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise VoteError("The form has too many fields.") from error
    if "\0" in "".join(value for values in found.values() for value in values):
        raise VoteError("The form holds what nobody types.")
    return {name: values[0] for name, values in found.items()}


def form_token(request: Request, visitor: Visitor) -> str:
    """What a form of this visitor must hold."""
    if visitor.token is not None:
        return csrf_token(visitor.token)
    kept = request.cookies.get(FORM_COOKIE, "")
    return kept if len(kept) >= _MIN_TOKEN else secrets.token_urlsafe(24)


def keep_form_token(response: Response, visitor: Visitor, token: str) -> None:
    """Gives a stranger's browser the other half of the token."""
    if visitor.token is None:
        response.set_cookie(
            FORM_COOKIE, token, httponly=True, samesite="strict", secure=visitor.caller.is_tls
        )


def check_form_token(request: Request, visitor: Visitor, shown: str) -> None:
    """Refuses a form that none of our pages sent.

    Raises:
        NotAllowed: if its token is missing or another's.
    """
    if visitor.token is not None:
        is_ours = is_csrf_token(shown, visitor.token)
    else:
        kept = request.cookies.get(FORM_COOKIE, "")
        is_ours = len(kept) >= _MIN_TOKEN and hmac.compare_digest(shown.encode(), kept.encode())
    if not is_ours:
        raise NotAllowed("This form is too old, or came from another site.", "Send it once more.")

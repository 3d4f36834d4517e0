"""Signing in at the lab's identity provider (OpenID Connect), through Streamlit's own client.

``st.login`` sends the browser to ``/auth/login`` with a signed name of the provider, and on
return Streamlit keeps what the provider said in a signed cookie. A page would need an open socket
for that, and no socket opens without a session; so the sign-in page starts the same route and
reads the same cookie. The cookie serves once: it must be fresh, and goes when a session begins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from annotator_app.place import Place

_FRESH_S = 600
_PREFIX = "_streamlit_user"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom somebody else vouches for.

    Attributes:
        subject: never changes, is nobody else's.
        display: how to greet them.
    """

    subject: str
    display: str


def providers(place: Place) -> list[str]:
    """The names of the identity providers that the project's secrets describe."""
    auth: Mapping[str, Any] = place.secrets.get("auth", {})
    named = [name for name, value in auth.items() if isinstance(value, Mapping)]
    return [name for name in named if "client_id" in auth[name]] + (
        ["default"] if "client_id" in auth else []
    )


def login_url(provider: str) -> str:
    """Where ``st.login(provider)`` would send the browser."""
    from streamlit.auth_util import encode_provider_token

    return f"/auth/login?provider={encode_provider_token(provider)}"


def identity(request: Request, now_s: float) -> Identity | None:
    """What a provider said about this browser's person, within the last minutes."""
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    def signed(name: str) -> bytes | None:
        value = request.cookies.get(name)
        if value is None:
            return None
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))

    found = get_cookie_with_chunks(signed, _PREFIX)
    if found is None:
        return None
    said: dict[str, Any] = json.loads(found)
    issued = said.get("iat", 0)
    if not isinstance(issued, int | float) or now_s - issued > _FRESH_S:
        return None
    if not said.get("sub") or not said.get("iss"):
        return None
    display = str(said.get("name") or said.get("email") or said["sub"])
    return Identity(f"{said['iss']} {said['sub']}", display)


def forget(request: Request, response: Response) -> None:
    """Drops the provider's cookie."""
    for name in request.cookies:
        if name.startswith(_PREFIX):
            response.delete_cookie(name)

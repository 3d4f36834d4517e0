"""Who is looking at a page. Every run of a page asks anew, so that a session that has ended shows
nothing more, whatever socket is still open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import streamlit as st

from annotator_app.place import Place, current
from annotator_app.tokens import SESSION_COOKIE, csrf_token
from caer_build.annotation import sessions
from caer_build.annotation.accounts import Account
from caer_build.annotation.office import Office
from caer_build.errors import NotAllowed

_TO_SIGN_IN = "window.location.assign('/sign-in')"
_TO_SIGN_OUT = "window.location.assign('/sign-out')"
SCRIPTS = (_TO_SIGN_IN, _TO_SIGN_OUT)
"""the only ones that a page may run; their digests stand in the content security policy"""
_WHOSE = "whose_state_this_is"


@dataclass(frozen=True, slots=True)
class Visit:
    """A run of a page by somebody who is signed in.

    Attributes:
        csrf: what the page's own requests must carry as ``X-CSRF-Token``.
    """

    account: Account
    place: Place
    csrf: str

    @property
    def office(self) -> Office:
        # Streamlit says nothing of who comes from this very machine.
        return self.place.office.asked_from(st.context.ip_address or "127.0.0.1")


def visit() -> Visit:
    """Whose run this is; the run ends here if the session is over."""
    place = current()
    token = st.context.cookies.get(SESSION_COOKIE)
    try:
        account = sessions.visit(place.office.database, token, place.office.clock())
    except NotAllowed:
        _leave()
    # A socket that comes back with another person's cookie must not find this one's things.
    if st.session_state.setdefault(_WHOSE, account.annotator_id) != account.annotator_id:
        st.session_state.clear()
        st.session_state[_WHOSE] = account.annotator_id
    return Visit(account, place, csrf_token(token or ""))


def visit_as(*roles: str) -> Visit:
    """As :func:`visit`, for a page of some roles only; others see no more than a sentence."""
    found = visit()
    if found.account.role not in roles:
        error = NotAllowed("This page is not for your role.", "Ask the manager.")
        path = st.context.url or ""
        found.office.refused(NotAllowed(f"page {path}"), found.account.annotator_id)
        st.error(str(error))
        st.stop()
    return found


def sign_out() -> None:
    """Leads to the door out, which first sends what the browser still holds."""
    _run(_TO_SIGN_OUT)


def _leave() -> NoReturn:
    st.session_state.clear()
    st.info("You are signed out.")
    _run(_TO_SIGN_IN)
    st.stop()


def _run(script: str) -> None:
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)

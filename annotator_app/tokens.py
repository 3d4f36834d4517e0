"""The cookies of a session and of a device, and the token against forged requests."""

from __future__ import annotations

import hmac

SESSION_COOKIE = "caer_session"
DEVICE_COOKIE = "caer_device"


def csrf_token(session_token: str) -> str:
    """What a request that changes something must show beside its cookie.

    Only who can read the pages of the session knows it; the session cannot be told from it.
    """
    return hmac.digest(session_token.encode(), b"csrf", "sha256").hex()


def session_mark(session_token: str) -> str:
    """What tells a page one session from another; good for nothing else."""
    return hmac.digest(session_token.encode(), b"mark", "sha256").hex()[:16]


def is_csrf_token(shown: str, session_token: str) -> bool:
    """Whether the token is that of the session."""
    return hmac.compare_digest(shown.encode(), csrf_token(session_token).encode())

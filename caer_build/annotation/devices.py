"""Device cookies: how a browser shows that somebody signed in on it before.

::

    annotator_id . day of issue . number . signature

They sign nobody in. They only tell a person's own browser from one that may be anybody's, see
:mod:`caer_build.annotation.signing_in`. Signed with the project's key, so nothing is stored; the
number is random and tells two browsers of one person apart.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

DEVICE_DAYS = 180
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that somebody signed in on.

    Attributes:
        number: which of that person's browsers.
    """

    annotator_id: int
    number: str


def new_device(secret: str, annotator_id: int, now_ms: int) -> str:
    """The cookie for a browser on which somebody has just signed in."""
    told = f"{annotator_id}.{now_ms // _DAY_MS}.{secrets.token_hex(8)}"
    return f"{told}.{_signature(secret, told)}"


def known_device(secret: str, cookie: str | None, now_ms: int) -> Device | None:
    """Whose browser it is; None: nobody's that is known, or not for a long time."""
    told, _, signature = (cookie or "").rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(secret, told).encode()):
        return None
    annotator_id, day, number = told.split(".")
    if now_ms // _DAY_MS - int(day) > DEVICE_DAYS:
        return None
    return Device(int(annotator_id), number)


def _signature(secret: str, told: str) -> str:
    return hmac.digest(secret.encode(), f"device:{told}".encode(), "sha256").hex()

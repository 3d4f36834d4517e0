"""Tickets: what a browser shows to prove that a clip was given to this person.

::

    when it was issued (ms, 12 hex digits) | 4 random ones | signature (32)

A ticket is new at every lease, so it fences off answers that come from an earlier one: an answer
for a vote, a gold clip or a repeat is taken by the ticket of that very showing. It is signed: one
that was never given out, or was given to somebody else, is known without a look into the
database, and so is when it was given, by the server's own clock. It says nothing of the clip, nor
of why it is shown.
"""

from __future__ import annotations

import hmac
import secrets

_TIME_CHARACTERS, _NONCE_CHARACTERS = 12, 16
_SIGNATURE_CHARACTERS = 32


def new_secret() -> str:
    """A project's key for signing."""
    return secrets.token_hex(32)


def issue(secret: str, annotator_id: int, name: str, now_ms: int) -> str:
    """A fresh ticket for a person and a clip.

    Args:
        name: what the person's page calls the clip.
    """
    random = secrets.token_hex((_NONCE_CHARACTERS - _TIME_CHARACTERS) // 2)
    nonce = f"{now_ms:0{_TIME_CHARACTERS}x}{random}"
    return nonce + _signature(secret, nonce, annotator_id, name)


def is_genuine(ticket: str, secret: str, annotator_id: int, name: str) -> bool:
    """Whether the ticket was once given to this person for this clip."""
    nonce = ticket[:_NONCE_CHARACTERS]
    expected = nonce + _signature(secret, nonce, annotator_id, name)
    return hmac.compare_digest(ticket.encode(), expected.encode())


def issued_ms(ticket: str) -> int:
    """When a genuine ticket was given out (ms since 1970, UTC)."""
    return int(ticket[:_TIME_CHARACTERS], 16)


def _signature(secret: str, nonce: str, annotator_id: int, name: str) -> str:
    message = f"{nonce}:{annotator_id}:{name}".encode()
    return hmac.digest(secret.encode(), message, "sha256").hex()[:_SIGNATURE_CHARACTERS]

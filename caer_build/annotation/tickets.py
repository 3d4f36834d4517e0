"""Tickets: what a browser shows to prove that a clip was given to this person.

A ticket is new at every lease, so it fences off answers that come from an earlier one, and it is
signed: one that was never given out, or was given to somebody else, is known without a look into
the database. It says nothing of the clip, nor of why it is shown.
"""

from __future__ import annotations

import hmac
import secrets

_NONCE_CHARACTERS = 16
_SIGNATURE_CHARACTERS = 32


def new_secret() -> str:
    """A project's key for signing."""
    return secrets.token_hex(32)


def issue(secret: str, annotator_id: int, public_id: str) -> str:
    """A fresh ticket for a person and a clip."""
    nonce = secrets.token_hex(_NONCE_CHARACTERS // 2)
    return nonce + _signature(secret, nonce, annotator_id, public_id)


def is_genuine(ticket: str, secret: str, annotator_id: int, public_id: str) -> bool:
    """Whether the ticket was once given to this person for this clip."""
    nonce = ticket[:_NONCE_CHARACTERS]
    expected = nonce + _signature(secret, nonce, annotator_id, public_id)
    return hmac.compare_digest(ticket.encode(), expected.encode())


def _signature(secret: str, nonce: str, annotator_id: int, public_id: str) -> str:
    message = f"{nonce}:{annotator_id}:{public_id}".encode()
    return hmac.digest(secret.encode(), message, "sha256").hex()[:_SIGNATURE_CHARACTERS]

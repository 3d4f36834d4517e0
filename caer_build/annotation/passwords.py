"""Passwords as they are stored: argon2id, with the library's parameters."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

from caer_build.errors import VoteError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_PASSWORD, MAX_PASSWORD = 10, 200


def hashed(password: str) -> str:
    """A password as it is stored.

    Raises:
        VoteError: if it is too short or too long.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise VoteError(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return _hasher().hash(password)


def is_right(password: str, stored: str | None) -> bool:
    """Whether it is the password that was stored. It takes its time on purpose, about as long where
    nothing is stored, so that the time does not say which names exist."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(stored or _decoy(), password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@lru_cache(maxsize=1)
def _decoy() -> str:
    return _hasher().hash(secrets.token_hex(16))

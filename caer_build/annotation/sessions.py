"""Signed-in sessions: a random token in a cookie, its digest in the database.

Every request and every run of a page asks :func:`resolve`, so a session that was ended is ended
everywhere at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, and_, insert, select, update
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import Account, account, digest
from caer_build.errors import NotAllowed

SESSION_HOURS = 12
_IDLE_MS = 3 * 3600 * 1000
"""A session that nobody used for this long has ended."""
_NOTICE_MS = 60 * 1000
"""How exactly the time of last use is kept; it saves a write at almost every request."""


def open_session(connection: Connection, annotator_id: int, now_ms: int) -> str:
    """Signs a person in; returns the token for the cookie, which is stored nowhere."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(t.session).values(
            token_sha256=digest(token), annotator_id=annotator_id, created_at=now_ms,
            seen_at=now_ms, expires_at=now_ms + SESSION_HOURS * 3600 * 1000,
        )
    )  # fmt: skip
    return token


def resolve(connection: Connection, token: str | None, now_ms: int) -> Account:
    """Whose session it is.

    Raises:
        NotAllowed: if there is none, or it has ended.
    """
    row = None
    if token:
        row = connection.execute(
            select(t.session).where(t.session.c.token_sha256 == digest(token), _goes_on(now_ms))
        ).first()
    if row is None:
        raise NotAllowed("You are not signed in.", "Sign in again.")
    found = account(connection, row.annotator_id)
    if found.retired:
        raise NotAllowed("This account takes part in the project no more.", "Ask the manager.")
    return found


def is_stale(connection: Connection, token: str, now_ms: int) -> bool:
    """Whether the time of last use should be written again."""
    seen = connection.scalar(
        select(t.session.c.seen_at).where(t.session.c.token_sha256 == digest(token))
    )
    return seen is not None and seen < now_ms - _NOTICE_MS


def touch(connection: Connection, token: str, now_ms: int) -> None:
    """Notes that a session is in use."""
    connection.execute(
        update(t.session).where(t.session.c.token_sha256 == digest(token)).values(seen_at=now_ms)
    )


def end_session(connection: Connection, token: str, now_ms: int) -> None:
    """Signs out."""
    connection.execute(
        update(t.session)
        .where(t.session.c.token_sha256 == digest(token), t.session.c.ended_at.is_(None))
        .values(ended_at=now_ms)
    )


def alive(connection: Connection, tokens: Iterable[str], now_ms: int) -> set[str]:
    """Those of some sessions that go on."""
    by_digest = {digest(token): token for token in tokens}
    rows = connection.scalars(
        select(t.session.c.token_sha256)
        .join(t.annotator, t.annotator.c.annotator_id == t.session.c.annotator_id)
        .where(
            t.session.c.token_sha256.in_(by_digest), _goes_on(now_ms),
            t.annotator.c.retired_at.is_(None),
        )
    )  # fmt: skip
    return {by_digest[row] for row in rows}


def _goes_on(now_ms: int) -> ColumnElement[bool]:
    return and_(
        t.session.c.ended_at.is_(None),
        t.session.c.expires_at > now_ms,
        t.session.c.seen_at > now_ms - _IDLE_MS,
    )

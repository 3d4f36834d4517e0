"""Signed-in sessions: a random token in a cookie, its digest in the database.

Every request and every run of a page asks :func:`visit`, so a session that was ended is ended
everywhere at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import BindParameter, Connection, and_, bindparam, insert, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import Account, account_of, digest
from caer_build.annotation.database import Database
from caer_build.errors import NotAllowed

SESSION_HOURS = 12
_IDLE_MS = 3 * 3600 * 1000
"""A session that nobody used for this long has ended."""
_NOTICE_MS = 60 * 1000
"""How exactly the time of last use is kept; it saves a write at almost every request."""
_TOKEN: BindParameter[str] = bindparam("token")
_GOES_ON = and_(
    t.session.c.ended_at.is_(None),
    t.session.c.expires_at > bindparam("now"),
    t.session.c.seen_at > bindparam("idle_since"),
)
# Built once: building a statement costs more than running it.
_LIVE = (
    select(t.annotator, t.session.c.seen_at)
    .join(t.session, t.session.c.annotator_id == t.annotator.c.annotator_id)
    .where(t.session.c.token_sha256 == _TOKEN, _GOES_ON)
)
_ALIVE = (
    select(t.session.c.token_sha256)
    .join(t.annotator, t.annotator.c.annotator_id == t.session.c.annotator_id)
    .where(
        t.session.c.token_sha256.in_(bindparam("tokens", expanding=True)),
        _GOES_ON,
        t.annotator.c.retired_at.is_(None),
    )
)


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


def visit(database: Database, token: str | None, now_ms: int) -> Account:
    """Whose session it is; notes that it is in use.

    Raises:
        NotAllowed: if there is none, or it has ended.
    """
    row = None
    if token:
        with database.glancing() as connection:
            row = connection.execute(_LIVE, {"token": digest(token), **_times(now_ms)}).first()
    if row is None or token is None:
        raise NotAllowed("You are not signed in.", "Sign in again.")
    if row.retired_at is not None:
        raise NotAllowed("This account takes part in the project no more.", "Ask the manager.")
    if row.seen_at < now_ms - _NOTICE_MS:
        with database.writing() as connection:
            _touch(connection, token, now_ms)
    return account_of(row)


def _touch(connection: Connection, token: str, now_ms: int) -> None:
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
    rows = connection.scalars(_ALIVE, {"tokens": list(by_digest), **_times(now_ms)})
    return {by_digest[row] for row in rows}


def _times(now_ms: int) -> dict[str, int]:
    return {"now": now_ms, "idle_since": now_ms - _IDLE_MS}

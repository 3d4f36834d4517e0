"""A new password for somebody who forgot theirs: a link to the account they have, good once.

Nobody is invited a second time for it. A second account would be another person to every rule:
its owner could vote twice on one clip, and so be two of the three.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert, update

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import account, digest, invited, use_up
from caer_build.annotation.events import record
from caer_build.annotation.texts import MAX_NAME
from caer_build.errors import NotAllowed

LINK_DAYS = 3
_DAY_MS = 24 * 3600 * 1000


def link_to_account(connection: Connection, annotator_id: int, by: int | None, now_ms: int) -> str:
    """Makes the token of such a link; it is shown once and stored nowhere. Older ones end.

    Args:
        by: the manager; None: the command line.

    Raises:
        NotAllowed: if the person left, or signs in without a password.
    """
    person = account(connection, annotator_id)
    if person.retired:
        raise NotAllowed(f"{person.name} takes part in the project no more.")
    if not person.has_password:
        raise NotAllowed(
            f"{person.name} has no password here.", "They sign in through your identity provider."
        )
    theirs = t.invitation.c.annotator_id == annotator_id
    unused = (t.invitation.c.used_at.is_(None), t.invitation.c.revoked_at.is_(None))
    connection.execute(update(t.invitation).where(theirs, *unused).values(revoked_at=now_ms))
    token = secrets.token_urlsafe(24)
    connection.execute(
        insert(t.invitation).values(
            token_sha256=digest(token), role=person.role, annotator_id=annotator_id,
            note=f"a new password for {person.name}"[:MAX_NAME], created_by=by,
            created_at=now_ms, expires_at=now_ms + LINK_DAYS * _DAY_MS,
        )
    )  # fmt: skip
    record(
        connection, "new_password_link", now_ms, annotator_id=by, detail=str(annotator_id)
    )  # fmt: skip
    return token


def set_password(connection: Connection, token: str, password_hash: str, now_ms: int) -> int:
    """Uses the link up; returns whose password it was. All their sessions end.

    Raises:
        NotAllowed: if the link is not good, or its owner has left meanwhile.
    """
    invitation = invited(connection, token, now_ms)
    if invitation.annotator_id is None:
        raise NotAllowed("This link makes an account; it sets no password anew.")
    person = account(connection, invitation.annotator_id)
    if person.retired:
        raise NotAllowed("This account takes part in the project no more.", "Ask the manager.")
    me = person.annotator_id
    use_up(connection, token, me, now_ms)
    connection.execute(
        update(t.annotator)
        .where(t.annotator.c.annotator_id == me)
        .values(password_hash=password_hash)
    )
    connection.execute(
        update(t.session)
        .where(t.session.c.annotator_id == me, t.session.c.ended_at.is_(None))
        .values(ended_at=now_ms)
    )
    record(connection, "new_password", now_ms, annotator_id=me)
    return me

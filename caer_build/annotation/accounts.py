"""Who takes part: invitations that work once, roles, and what was agreed to.

There is no default password and no open registration: the first manager comes in by the link
that ``caer annotate init`` prints, everybody else by a link that a manager makes. Tokens are
stored as digests only, so a stolen database signs nobody in. Who forgot a password gets a link to
the account they have (:mod:`caer_build.annotation.new_passwords`), never a second account: two
accounts of one person could vote on one clip twice.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.events import record
from caer_build.annotation.leasing import take_back_all
from caer_build.annotation.project import SECRET, ProjectSettings
from caer_build.annotation.texts import MAX_NAME, checked_languages, checked_name, folded
from caer_build.errors import NotAllowed, VoteError

INVITATION_DAYS = 14
_DAY_MS = 24 * 3600 * 1000
_SAID_BEFORE = select(t.knows_show.c.show).where(t.knows_show.c.annotator_id == bindparam("me"))
_UNUSED = (t.invitation.c.used_at.is_(None), t.invitation.c.revoked_at.is_(None))


@dataclass(frozen=True, slots=True)
class Account:
    """A person who takes part, as the pages know them."""

    annotator_id: int
    alias: str
    name: str
    role: str
    consented: bool
    languages: str | None
    qualified: bool
    retired: bool
    has_password: bool


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that nobody has used yet.

    Attributes:
        note: whom it is meant for; of one that sets a password anew, it says so.
        expires_at: ms.
    """

    token_sha256: str
    role: str
    note: str
    expires_at: int


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def invite(connection: Connection, role: str, note: str, by: int | None, now_ms: int) -> str:
    """Makes an invitation and returns its token, which is shown once and stored nowhere.

    Args:
        note: whom it is meant for.
        by: the manager; None: the command line.

    Raises:
        VoteError: if there is no such role, or the note is nobody's name.
    """
    if role not in t.ROLES:
        raise VoteError(f"Expected a role of {', '.join(t.ROLES)}, found {role!r}.")
    note = checked_name(note[:MAX_NAME], "A note") if note.strip() else ""
    token = secrets.token_urlsafe(24)
    connection.execute(
        insert(t.invitation).values(
            token_sha256=digest(token), role=role, note=note, created_by=by,
            created_at=now_ms, expires_at=now_ms + INVITATION_DAYS * _DAY_MS,
        )
    )  # fmt: skip
    return token


def open_invitations(connection: Connection, now_ms: int) -> list[Invitation]:
    """Invitations that can still be used, oldest first."""
    rows = connection.execute(
        select(t.invitation)
        .where(*_UNUSED, t.invitation.c.expires_at >= now_ms)
        .order_by(t.invitation.c.created_at, t.invitation.c.token_sha256)
    )
    return [Invitation(r.token_sha256, r.role, r.note, r.expires_at) for r in rows]


def revoke(connection: Connection, token_sha256: str, by: int | None, now_ms: int) -> None:
    """Takes an invitation back that nobody has used; its link then says so.

    Args:
        token_sha256: :func:`digest` of its token.
        by: the manager; None: the command line.

    Raises:
        VoteError: if it was used or taken back already.
    """
    row = connection.execute(
        update(t.invitation)
        .where(t.invitation.c.token_sha256 == token_sha256, *_UNUSED)
        .values(revoked_at=now_ms)
        .returning(t.invitation.c.role, t.invitation.c.note)
    ).first()
    if row is None:
        raise VoteError(
            "This invitation was used or taken back already.", "Whoever joined can be retired."
        )
    record(
        connection, "invitation_revoked", now_ms, annotator_id=by, detail=f"{row.role}: {row.note}"
    )


def invited(connection: Connection, token: str, now_ms: int) -> t.AnyRow:
    """The row of an invitation that can be used.

    Raises:
        NotAllowed: if it was used or taken back, ran out, or never was.
    """
    row = connection.execute(
        select(t.invitation).where(t.invitation.c.token_sha256 == digest(token))
    ).first()
    if row is not None and row.revoked_at is not None:
        raise NotAllowed("This invitation was taken back.", "Ask the manager for a new link.")
    if row is None or row.used_at is not None or row.expires_at < now_ms:
        raise NotAllowed(
            "This invitation was used already or has run out.", "Ask the manager for a new link."
        )
    return row


def use_up(connection: Connection, token: str, annotator_id: int, now_ms: int) -> None:
    """Notes who used an invitation; nobody can from then on.

    Raises:
        NotAllowed: if somebody else was faster.
    """
    used = connection.execute(
        update(t.invitation)
        .where(t.invitation.c.token_sha256 == digest(token), *_UNUSED)
        .values(used_at=now_ms, used_by=annotator_id)
    )
    if used.rowcount != 1:
        raise NotAllowed(
            "This invitation was used or taken back a moment ago.",
            "Ask the manager for a new link.",
        )


def join(
    connection: Connection,
    token: str,
    name: str,
    now_ms: int,
    *,
    password_hash: str | None = None,
    subject: str | None = None,
) -> int:
    """Uses an invitation up and makes the account; returns its annotator_id.

    Args:
        name: to sign in with; unique, whatever its case.
        password_hash: see :mod:`caer_build.annotation.passwords`; None: signs in through an
            identity provider, as ``subject``.

    Raises:
        NotAllowed: if the invitation is not good.
        VoteError: if the name is taken or will not do.
    """
    invitation = invited(connection, token, now_ms)
    if invitation.annotator_id is not None:
        raise NotAllowed("This link belongs to an account that is there already.")
    name = checked_name(name)
    one_by_one(connection)
    taken = select(t.annotator.c.annotator_id).where(t.annotator.c.name_key == folded(name))
    if connection.execute(taken).first() is not None:
        raise VoteError("This name is taken.", "Choose another one.")
    if (password_hash is None) == (subject is None):
        raise VoteError("Choose a password.")
    n_before = connection.scalar(select(func.count()).select_from(t.annotator)) or 0
    annotator_id: int = connection.execute(
        insert(t.annotator)
        .values(
            alias=f"a{n_before + 1:03d}", name=name, role=invitation.role, subject=subject,
            password_hash=password_hash, created_at=now_ms,
        )
        .returning(t.annotator.c.annotator_id)
    ).scalar_one()  # fmt: skip
    use_up(connection, token, annotator_id, now_ms)
    if not needs_practice(connection) or invitation.role == "manager":
        qualify(connection, annotator_id, now_ms)
    record(connection, "joined", now_ms, annotator_id=annotator_id, detail=invitation.role)
    return annotator_id


def one_by_one(connection: Connection) -> None:
    """Has whoever makes accounts wait for whoever does so already: aliases are counted, and two
    people who join at the same moment would be called the same.
    """
    connection.execute(select(t.setting).where(t.setting.c.key == SECRET).with_for_update())


def account(connection: Connection, annotator_id: int) -> Account:
    """The account of a person.

    Raises:
        NotAllowed: if there is none.
    """
    row = connection.execute(
        select(t.annotator).where(t.annotator.c.annotator_id == annotator_id)
    ).first()
    if row is None:
        raise NotAllowed("There is no such account.")
    return account_of(row)


def by_subject(connection: Connection, subject: str) -> Account | None:
    """The account of whom an identity provider vouches for, if there is one in use."""
    row = connection.execute(
        select(t.annotator).where(
            t.annotator.c.subject == subject, t.annotator.c.retired_at.is_(None)
        )
    ).first()
    return None if row is None else account_of(row)


def everyone(connection: Connection) -> list[Account]:
    """All accounts, in the order in which they joined."""
    rows = connection.execute(select(t.annotator).order_by(t.annotator.c.annotator_id))
    return [account_of(row) for row in rows]


def consent(
    connection: Connection,
    annotator_id: int,
    settings: ProjectSettings,
    languages: str,
    now_ms: int,
) -> None:
    """Records that a person agreed to the project's text, and the languages they understand.

    Raises:
        VoteError: if no languages are named.
    """
    connection.execute(
        update(t.annotator)
        .where(t.annotator.c.annotator_id == annotator_id)
        .values(
            consented_at=now_ms,
            consent_sha256=digest(settings.consent),
            languages=checked_languages(languages),
        )
    )


def shows_to_ask(connection: Connection, annotator_id: int) -> list[str]:
    """Shows of which this person has not yet said whether they know them."""
    asked = select(t.knows_show.c.show).where(t.knows_show.c.annotator_id == annotator_id)
    rows = connection.scalars(
        select(t.clip.c.show).distinct().where(t.clip.c.show.not_in(asked)).order_by(t.clip.c.show)
    )
    return list(rows)


def say_shows(
    connection: Connection, annotator_id: int, knows: Mapping[str, bool], now_ms: int
) -> None:
    """Records which shows a person knows; once a show.

    Raises:
        VoteError: if somebody names a show that the project has not.
    """
    asked = set(shows_to_ask(connection, annotator_id))
    said = set(connection.scalars(_SAID_BEFORE, {"me": annotator_id}))
    if strange := set(knows) - asked - said:
        raise VoteError(f"The project has no show {sorted(strange)[0]!r}.")
    for show in sorted(set(knows) & asked):
        connection.execute(
            insert(t.knows_show).values(
                annotator_id=annotator_id, show=show, knows=knows[show], at=now_ms
            )
        )


def needs_practice(connection: Connection) -> bool:
    """Whether the project has a qualification round."""
    return (
        connection.scalar(select(t.clip.c.clip_id).where(t.clip.c.is_practice).limit(1)) is not None
    )


def qualify(connection: Connection, annotator_id: int, now_ms: int) -> None:
    """Lets a person label clips that count."""
    connection.execute(
        update(t.annotator)
        .where(t.annotator.c.annotator_id == annotator_id, t.annotator.c.qualified_at.is_(None))
        .values(qualified_at=now_ms)
    )


def retire(connection: Connection, annotator_id: int, by: int | None, now_ms: int) -> None:
    """Ends a person's part: sessions end and leases go back, answers stay."""
    connection.execute(
        update(t.annotator)
        .where(t.annotator.c.annotator_id == annotator_id, t.annotator.c.retired_at.is_(None))
        .values(retired_at=now_ms)
    )
    connection.execute(
        update(t.session)
        .where(t.session.c.annotator_id == annotator_id, t.session.c.ended_at.is_(None))
        .values(ended_at=now_ms)
    )
    take_back_all(connection, annotator_id)
    record(connection, "retired", now_ms, annotator_id=by, detail=str(annotator_id))


def account_of(found: t.AnyRow) -> Account:
    """The account in a row of annotators."""
    return Account(
        found.annotator_id, found.alias, found.name, found.role, found.consented_at is not None,
        found.languages, found.qualified_at is not None, found.retired_at is not None,
        found.password_hash is not None,
    )  # fmt: skip

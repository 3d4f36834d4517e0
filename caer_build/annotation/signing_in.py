"""Signing in with a password, and how guessing is held up without locking people out.

Whoever counts failures by name alone lets anybody lock a colleague out: ten wrong guesses, and the
name is shut (OWASP Authentication Cheat Sheet, "Account Lockout"). Whoever counts by address alone
lets a guesser with many addresses go on. So failures of the last 15 minutes are counted in ways
that cost the guesser, not the owner of the name:

=====================  ========  ===============================================================
failures of            from      then
=====================  ========  ===============================================================
address and name       10        the address is not listened to about this name
address                50        the address is not listened to about any name
name, any address      20        each attempt waits before it is looked at, up to 4 s
name, any address      200       strangers are not listened to about this name
a browser of theirs    10        this browser is a stranger
=====================  ========  ===============================================================

The first row lets one address add ten failures to a name, so it takes twenty addresses to shut it,
and at most 200 passwords are tried on a name in a quarter of an hour. Even then it is open to a
browser on which its owner signed in before: that shows a device cookie (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies"), is counted by itself, and none of the other rows is about
it. Who has a session is not asked at all. What is left: while a name is attacked, its owner may
have to wait a quarter of an hour on a browser that is new to them, if the attack comes from twenty
addresses or from the owner's own.

The answer never says which names exist: names that do not are counted and slowed alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.devices import Device
from caer_build.annotation.events import record
from caer_build.annotation.passwords import is_right
from caer_build.annotation.texts import MAX_NAME, folded
from caer_build.errors import NotAllowed

FAILED, FAILED_ON_DEVICE, THROTTLED = (
    "sign_in_failed", "sign_in_failed_on_device", "sign_in_throttled",
)  # fmt: skip
WINDOW_MS = 15 * 60 * 1000
BY_ADDRESS_AND_NAME, BY_ADDRESS, BY_DEVICE = 10, 50, 10
SLOWED_FROM, BY_NAME = 20, 200
_MOST_FOLDED = 3 * MAX_NAME
"""characters; "ß" is two of them when it is folded, and a few letters are three"""
_SLOWEST_S, _STEP_S = 4.0, 0.1


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who wants to sign in.

    Attributes:
        name: as it was typed.
        address: where they come from.
        device: the browser, if somebody signed in on it before.
    """

    name: str
    address: str
    device: Device | None = None

    @property
    def called(self) -> str:
        """The name as it is looked up and logged."""
        return folded(self.name)[:_MOST_FOLDED]


def delay_s(database: Database, attempt: Attempt, now_ms: int) -> float:
    """How long an attempt has to wait before it is looked at (s)."""
    with database.reading() as connection:
        if _is_theirs(connection, attempt, now_ms):
            return 0.0
        n_failed = _failures(connection, now_ms, FAILED, t.event.c.detail == attempt.called)
    return min(_SLOWEST_S, max(0, n_failed + 1 - SLOWED_FROM) * _STEP_S)


def sign_in(database: Database, attempt: Attempt, password: str, now_ms: int) -> int:
    """The annotator_id of the person who signs in with a password.

    Hashing takes its time on purpose, so no transaction is open meanwhile.

    Raises:
        NotAllowed: if name and password do not belong together, or there were too many attempts.
            The sentence is the same whether the name exists or not.
    """
    with database.reading() as connection:
        is_theirs = _is_theirs(connection, attempt, now_ms)
        too_many = not is_theirs and _failed_often(connection, attempt, now_ms)
        row = _person(connection, attempt)
    if too_many:
        _note(database, THROTTLED, attempt, now_ms)
        raise NotAllowed("Too many attempts failed.", "Come back in a quarter of an hour.")
    right = is_right(password, None if row is None else row.password_hash)
    if row is None or not right or row.retired_at is not None:
        _note(database, FAILED_ON_DEVICE if is_theirs else FAILED, attempt, now_ms)
        raise NotAllowed("Name and password do not belong together.")
    return int(row.annotator_id)


def _person(connection: Connection, attempt: Attempt) -> t.AnyRow | None:
    return connection.execute(
        select(t.annotator).where(t.annotator.c.name_key == attempt.called)
    ).first()


def _is_theirs(connection: Connection, attempt: Attempt, now_ms: int) -> bool:
    """Whether it comes from a browser of the very person whose name it is."""
    if attempt.device is None:
        return False
    row = _person(connection, attempt)
    if row is None or row.annotator_id != attempt.device.annotator_id:
        return False
    on_it = t.event.c.detail == _on_device(attempt)
    return _failures(connection, now_ms, FAILED_ON_DEVICE, on_it) < BY_DEVICE


def _failed_often(connection: Connection, attempt: Attempt, now_ms: int) -> bool:
    """Whether so many attempts of strangers failed that a further one is not looked at."""
    here, named = t.event.c.address == attempt.address, t.event.c.detail == attempt.called
    limits = (
        ((here, named), BY_ADDRESS_AND_NAME),
        ((here,), BY_ADDRESS),
        ((named,), BY_NAME),
    )
    return any(_failures(connection, now_ms, FAILED, *of) >= most for of, most in limits)


def _failures(connection: Connection, now_ms: int, kind: str, *of: ColumnElement[bool]) -> int:
    recent = (t.event.c.kind == kind, t.event.c.at > now_ms - WINDOW_MS)
    return connection.scalar(select(func.count()).where(*recent, *of)) or 0


def _note(database: Database, kind: str, attempt: Attempt, now_ms: int) -> None:
    detail = _on_device(attempt) if kind == FAILED_ON_DEVICE else attempt.called
    with database.writing() as connection:
        record(connection, kind, now_ms, address=attempt.address, detail=detail)


def _on_device(attempt: Attempt) -> str:
    number = attempt.device.number if attempt.device else ""
    return f"{attempt.called} on {number}"

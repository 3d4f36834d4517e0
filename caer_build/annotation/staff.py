"""What a manager decides about people: their role, their practice, and when they leave.

A manager sees the votes. So nobody who was one labels clips afterwards, and a project always
keeps one manager.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import Account, account, qualify, retire
from caer_build.annotation.events import record
from caer_build.annotation.leasing import take_back_all
from caer_build.annotation.new_passwords import link_to_account
from caer_build.errors import NotAllowed, VoteError


def set_role(connection: Connection, annotator_id: int, role: str, by: int, now_ms: int) -> None:
    """Gives a person another role. What they hold goes back.

    Raises:
        NotAllowed: if ``by`` is no manager, or the person is one.
        VoteError: if there is no such role.
    """
    _require_manager(connection, by)
    if role not in t.ROLES:
        raise VoteError(f"Expected a role of {', '.join(t.ROLES)}, found {role!r}.")
    person = _active(connection, annotator_id)
    if person.role == role:
        return
    if person.role == "manager":
        raise NotAllowed(
            "A manager has seen the votes and cannot give any.", "Retire the account instead."
        )
    take_back_all(connection, annotator_id)
    connection.execute(
        update(t.annotator).where(t.annotator.c.annotator_id == annotator_id).values(role=role)
    )
    if role == "manager":
        qualify(connection, annotator_id, now_ms)
    record(connection, "role", now_ms, annotator_id=by, detail=f"{annotator_id} {role}")


def pass_practice(connection: Connection, annotator_id: int, by: int, now_ms: int) -> None:
    """Lets a person label clips that count, however their practice went.

    Raises:
        NotAllowed: if ``by`` is no manager.
    """
    _require_manager(connection, by)
    qualify(connection, _active(connection, annotator_id).annotator_id, now_ms)
    record(connection, "passed_by_hand", now_ms, annotator_id=by, detail=str(annotator_id))


def practise_again(connection: Connection, annotator_id: int, by: int, now_ms: int) -> int:
    """Begins another round of practice, on practice clips that the person has not seen.

    Their votes stay; what they hold goes back, and clips that count come after the round.

    Returns:
        How many practice clips there are for it.

    Raises:
        NotAllowed: if ``by`` is no manager.
        VoteError: if the person has seen all practice clips.
    """
    _require_manager(connection, by)
    person = _active(connection, annotator_id)
    if person.role == "manager":
        raise NotAllowed("A manager labels no clips.")
    take_back_all(connection, annotator_id)
    seen = select(t.errand.c.clip_id).where(t.errand.c.annotator_id == annotator_id)
    voted = select(t.slot.c.clip_id).where(t.slot.c.annotator_id == annotator_id)
    n_left = connection.scalar(
        select(func.count()).where(
            t.clip.c.is_practice, t.clip.c.clip_id.not_in(seen), t.clip.c.clip_id.not_in(voted)
        )
    )
    if not n_left:
        raise VoteError(
            f"{person.name} has seen all practice clips.", "Add some, or pass them by hand."
        )
    connection.execute(
        update(t.annotator)
        .where(t.annotator.c.annotator_id == annotator_id)
        .values(qualified_at=None, practice_from=now_ms)
    )
    record(connection, "practice_again", now_ms, annotator_id=by, detail=str(annotator_id))
    return n_left


def new_password_link(connection: Connection, annotator_id: int, by: int, now_ms: int) -> str:
    """The token of a link with which a person sets a new password, once.

    Raises:
        NotAllowed: if ``by`` is no manager, or the person left or signs in without a password.
    """
    _require_manager(connection, by)
    return link_to_account(connection, annotator_id, by, now_ms)


def let_go(connection: Connection, annotator_id: int, by: int, now_ms: int) -> None:
    """Ends a person's part: sessions end and clips go back, answers stay.

    Raises:
        NotAllowed: if ``by`` is no manager, or the person is the last one.
    """
    _require_manager(connection, by)
    person = _active(connection, annotator_id)
    others = connection.scalar(
        select(func.count()).where(
            t.annotator.c.role == "manager",
            t.annotator.c.retired_at.is_(None),
            t.annotator.c.annotator_id != annotator_id,
        )
    )
    if person.role == "manager" and not others:
        raise NotAllowed("A project keeps one manager.", "Invite another one first.")
    retire(connection, annotator_id, by, now_ms)


def _active(connection: Connection, annotator_id: int) -> Account:
    person = account(connection, annotator_id)
    if person.retired:
        raise NotAllowed(f"{person.name} takes part in the project no more.")
    return person


def _require_manager(connection: Connection, annotator_id: int) -> None:
    if _active(connection, annotator_id).role != "manager":
        raise NotAllowed("Only a manager decides about people.")

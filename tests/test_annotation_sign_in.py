"""Signing in with a password: who is held up by whose failures, on both databases."""

from __future__ import annotations

import pytest

from caer_build.annotation.accounts import (
    digest,
    invite,
    invited,
    join,
    open_invitations,
    retire,
    revoke,
)
from caer_build.annotation.database import Database
from caer_build.annotation.devices import DEVICE_DAYS, known_device, new_device
from caer_build.annotation.events import record
from caer_build.annotation.passwords import hashed
from caer_build.annotation.signing_in import (
    BY_ADDRESS,
    BY_ADDRESS_AND_NAME,
    BY_DEVICE,
    BY_NAME,
    FAILED,
    SLOWED_FROM,
    WINDOW_MS,
    Attempt,
    delay_s,
    sign_in,
)
from caer_build.errors import NotAllowed, VoteError
from tests.annotating import Project, make_project

PASSWORD, NAME = "correct horse battery", "Ada"
_HASH = hashed(PASSWORD)
HOME, AWAY = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def project(database: Database) -> Project:
    """A project in which Ada takes part, as the first."""
    made = make_project(database, n_clips=1, n_people=0)
    with database.writing() as connection:
        token = invite(connection, "annotator", "", None, made.clock())
        made.people.append(join(connection, token, NAME, made.clock(), password_hash=_HASH))
    return made


def may_enter(project: Project, attempt: Attempt, password: str = PASSWORD) -> bool:
    """Whether it is looked at, and the password right."""
    try:
        return sign_in(project.database, attempt, password, project.clock()) == project.people[0]
    except NotAllowed:
        return False


def failed(project: Project, n: int, name: str, address: str) -> None:
    """Failures as they are noted; hashing so often would only take its time."""
    with project.database.writing() as connection:
        for _ in range(n):
            record(connection, FAILED, project.clock(), address=address, detail=name)


def own_browser(project: Project) -> Attempt:
    cookie = project.office.new_device(project.people[0])
    return Attempt(NAME, AWAY, project.office.device(cookie))


def test_an_attacker_locks_out_himself_only(project: Project) -> None:
    attacker = Attempt(NAME, AWAY)
    for number in range(BY_ADDRESS_AND_NAME):
        assert not may_enter(project, attacker, f"guess number {number}")
    assert not may_enter(project, attacker), "not even rightly"
    assert may_enter(project, Attempt(" ADA ", HOME)), "the name is open to others"
    assert may_enter(project, own_browser(project)), "and so is this address to her own browser"
    project.clock.pass_s(WINDOW_MS / 1000 + 1)
    assert may_enter(project, attacker)


def test_many_names_from_one_address(project: Project) -> None:
    failed(project, BY_ADDRESS, "somebody else", AWAY)
    assert not may_enter(project, Attempt(NAME, AWAY))
    assert may_enter(project, Attempt(NAME, HOME))
    assert may_enter(project, own_browser(project))


def test_many_addresses_slow_a_name_down_and_shut_it_at_last(project: Project) -> None:
    at_home, mine = Attempt(NAME, HOME), own_browser(project)

    def delays() -> tuple[float, float]:
        now = project.clock()
        return delay_s(project.database, at_home, now), delay_s(project.database, mine, now)

    assert delays() == (0, 0)
    failed(project, SLOWED_FROM, NAME.lower(), AWAY)
    slow, own = delays()
    assert (0 < slow < 1, own) == (True, 0)
    assert may_enter(project, at_home)
    failed(project, BY_NAME - SLOWED_FROM - 1, NAME.lower(), AWAY)
    assert delays() == (4, 0)
    assert may_enter(project, at_home), "slowed, and still looked at"
    failed(project, 1, NAME.lower(), AWAY)
    assert not may_enter(project, at_home)
    assert may_enter(project, mine)
    assert delay_s(project.database, Attempt("nobody", HOME), project.clock()) == 0


def test_a_stolen_browser_is_a_stranger_after_some_guesses(project: Project) -> None:
    mine = own_browser(project)
    for number in range(BY_DEVICE):
        assert not may_enter(project, mine, f"guess number {number}")
    assert may_enter(project, mine), "as anybody who comes from there"
    failed(project, BY_ADDRESS_AND_NAME, NAME.lower(), AWAY)
    assert not may_enter(project, mine)
    assert may_enter(project, own_browser(project)), "her other browser is another one"


def test_a_device_is_known_for_its_owner_only_and_not_for_ever(project: Project) -> None:
    now, owner = project.clock(), project.people[0]
    cookie = project.office.new_device(owner)
    known = project.office.device(cookie)
    assert known is not None
    assert known.annotator_id == owner
    assert project.office.device(project.office.new_device(owner)) != known
    told, _, signature = cookie.rpartition(".")
    for forged in (
        None, "", ".", "..", "...", told, f"{told}.", f"{told}.{signature[:-1]}0x",
        f"9{cookie}", new_device("a guess", owner, now), "\xff.\xff.\xff.\xff",
    ):  # fmt: skip
        assert project.office.device(forged) is None, forged
    failed(project, BY_ADDRESS_AND_NAME, "bob", AWAY)
    with project.database.writing() as connection:
        token = invite(connection, "annotator", "", None, now)
        join(connection, token, "Bob", now, password_hash=_HASH)
    with pytest.raises(NotAllowed, match="Too many"):
        sign_in(project.database, Attempt("Bob", AWAY, known), PASSWORD, now)
    later = now + (DEVICE_DAYS + 1) * 24 * 3600 * 1000
    assert known_device("x", new_device("x", owner, now), later) is None
    with project.database.writing() as connection:
        retire(connection, owner, None, now)
    assert not may_enter(project, own_browser(project))


def test_an_invitation_is_taken_back(project: Project) -> None:
    database, now = project.database, project.clock()
    manager = project.add_person(role="manager")
    with database.writing() as connection:
        token = invite(connection, "adjudicator", "Grace", None, now)
        other = invite(connection, "annotator", "Joan", None, now)
        [grace, joan] = sorted(open_invitations(connection, now), key=lambda i: i.note)
        assert (grace.note, grace.role, grace.token_sha256) == (
            "Grace",
            "adjudicator",
            digest(token),
        )
        revoke(connection, grace.token_sha256, manager, now)
        assert open_invitations(connection, now) == [joan]
    with pytest.raises(NotAllowed, match="was taken back"), database.reading() as connection:
        invited(connection, token, now)
    with pytest.raises(NotAllowed, match="was taken back"), database.writing() as connection:
        join(connection, token, "Grace", now, password_hash=_HASH)
    with pytest.raises(VoteError, match="already"), database.writing() as connection:
        revoke(connection, grace.token_sha256, manager, now)
    with database.writing() as connection:
        join(connection, other, "Joan", now, password_hash=_HASH)
    with pytest.raises(VoteError, match="already"), database.writing() as connection:
        revoke(connection, joan.token_sha256, manager, now)

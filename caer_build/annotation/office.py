"""The one door to a project for whoever works in it: pages, routes, commands and tests.

Each method is one transaction, tried again when the database asks for it. What is refused is
logged before the error goes on, with where the request came from (see :meth:`Office.asked_from`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from caer_build.annotation import adjudication, assignment, leasing, votes
from caer_build.annotation import tables as t
from caer_build.annotation.accounts import account
from caer_build.annotation.answers import Answer
from caer_build.annotation.database import Database
from caer_build.annotation.devices import Device, known_device, new_device
from caer_build.annotation.events import record
from caer_build.annotation.leasing import Desk, Lease, lock_annotator
from caer_build.annotation.practice import Feedback, after_practice
from caer_build.annotation.project import SECRET, load_settings
from caer_build.annotation.votes import Receipt
from caer_build.errors import LeaseLost, VoteError

R = TypeVar("R")
_TRIES = 5

_log = logging.getLogger(__name__)


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows an answer.

    Attributes:
        leases: what the person holds now, the clip to show first.
        feedback: after a practice clip.
    """

    receipt: Receipt
    leases: tuple[Lease, ...]
    feedback: Feedback | None


class Office:
    """A project at work.

    Args:
        clock: milliseconds since 1970, UTC.

    Raises:
        VoteError: if the database holds no project.
    """

    def __init__(self, database: Database, clock: Callable[[], int] = now_ms) -> None:
        self.database = database
        self.clock = clock
        with database.reading() as connection:
            self.settings = load_settings(connection)
            secret = connection.scalar(select(t.setting.c.value).where(t.setting.c.key == SECRET))
        if secret is None:
            raise VoteError("The project has no key of its own.", "Make it again.")
        self._secret = secret
        self._address = ""

    def asked_from(self, address: str) -> Office:
        """The same office for requests that come from an address, which the log then names."""
        here = copy(self)
        here._address = address
        return here

    def device(self, cookie: str | None) -> Device | None:
        """Whose browser it is that shows this device cookie; None: nobody's that is known."""
        return known_device(self._secret, cookie, self.clock())

    def new_device(self, annotator_id: int) -> str:
        """The device cookie for a browser on which this person has signed in."""
        return new_device(self._secret, annotator_id, self.clock())

    def leases(self, annotator_id: int) -> tuple[Lease, ...]:
        """What a person holds, after being given clips up to two; the one to show first."""
        return self._do(annotator_id, _fill)

    def renew(self, annotator_id: int) -> None:
        """Prolongs what a person holds: clips to answer, and a tie to decide."""
        self._do(annotator_id, leasing.renew)

    def answer(self, annotator_id: int, answer: Answer) -> Outcome:
        """Takes an answer and gives the next clip, in one transaction.

        Raises:
            VoteError: see :func:`caer_build.annotation.votes.submit`.
        """

        def work(connection: Connection, desk: Desk) -> Outcome:
            person = lock_annotator(connection, desk.annotator_id)
            receipt = votes.submit(connection, desk, person, answer)
            feedback = None
            if receipt.purpose == "practice":
                feedback = after_practice(connection, desk, receipt.clip_id)
                person = lock_annotator(connection, desk.annotator_id)  # they may be qualified now
            is_first = answer.revises is None and receipt.purpose != "adjudication"
            leases = assignment.fill(connection, desk, person, has_answered=is_first)
            return Outcome(receipt, tuple(leases), feedback)

        return self._do(annotator_id, work)

    def decline(self, annotator_id: int, public_id: str, ticket: str) -> tuple[Lease, ...]:
        """Gives a clip back for good, and the next one out."""

        def work(connection: Connection, desk: Desk) -> tuple[Lease, ...]:
            person = lock_annotator(connection, desk.annotator_id)
            votes.decline(connection, desk, public_id, ticket)
            return tuple(assignment.fill(connection, desk, person))

        return self._do(annotator_id, work)

    def reopen(self, annotator_id: int) -> tuple[Lease, Mapping[str, object]] | None:
        """A person's last answer, to be given again; see :func:`votes.reopen`."""
        with self.database.reading() as connection:
            return votes.reopen(connection, self._desk(annotator_id))

    def dispute(self, annotator_id: int, statuses: Collection[str]) -> Lease | None:
        """The clip that an adjudicator is at, else the next one that waits for one.

        Raises:
            NotAllowed: if the person is no adjudicator.
        """
        for _ in range(_TRIES):
            desk = self._desk(annotator_id)
            # The search is long, so it holds nobody up; what it found may be gone when it is taken.
            with self.database.reading() as connection:
                adjudication.require_adjudicator(account(connection, annotator_id).role)
                held = adjudication.held_dispute(connection, desk)
                clip_id = None
                if held is None:
                    clip_id = adjudication.find_dispute(connection, desk, statuses)
            if held is not None or clip_id is None:
                return held
            taken = self._do(annotator_id, partial(_take_dispute, clip_id))
            if taken is not None:
                return taken
        return None

    def decide(self, annotator_id: int, answer: Answer) -> Receipt:
        """Takes an adjudicator's answer.

        Raises:
            VoteError: see :func:`caer_build.annotation.votes.submit`.
        """

        def work(connection: Connection, desk: Desk) -> Receipt:
            person = lock_annotator(connection, desk.annotator_id)
            return votes.submit(connection, desk, person, answer)

        return self._do(annotator_id, work)

    def n_disputes(self, annotator_id: int, statuses: Collection[str]) -> int:
        """How many clips wait for this adjudicator; see :func:`adjudication.n_waiting`."""
        with self.database.reading() as connection:
            return adjudication.n_waiting(connection, self._desk(annotator_id), statuses)

    def leave_dispute(self, annotator_id: int, public_id: str, ticket: str) -> None:
        """Passes a disputed clip on to other adjudicators."""

        def work(connection: Connection, desk: Desk) -> None:
            lock_annotator(connection, desk.annotator_id)
            votes.decline(connection, desk, public_id, ticket)

        self._do(annotator_id, work)

    def refused(self, error: VoteError, annotator_id: int | None) -> None:
        """Logs that something was refused."""
        with self.database.writing() as connection:
            kind = "lease_lost" if isinstance(error, LeaseLost) else "refused"
            record(
                connection, kind, self.clock(),
                annotator_id=annotator_id, address=self._address, detail=error.message,
            )  # fmt: skip

    def _desk(self, annotator_id: int) -> Desk:
        return Desk(self.settings, self._secret, annotator_id, self.clock())

    def _do(self, annotator_id: int, work: Callable[[Connection, Desk], R]) -> R:
        for left in reversed(range(_TRIES)):
            try:
                with self.database.writing() as connection:
                    return work(connection, self._desk(annotator_id))
            except OperationalError as error:
                # PostgreSQL ends one of two transactions that wait for each other.
                if not left or not is_worth_a_retry(error):
                    raise
                _log.info("tried again: %s", error.orig)
            except VoteError as error:
                self.refused(error, annotator_id)
                raise
        raise AssertionError("unreachable")


def _fill(connection: Connection, desk: Desk) -> tuple[Lease, ...]:
    person = lock_annotator(connection, desk.annotator_id)
    return tuple(assignment.fill(connection, desk, person))


def _take_dispute(clip_id: str, connection: Connection, desk: Desk) -> Lease | None:
    return adjudication.take_dispute(connection, desk, clip_id)


def is_worth_a_retry(error: OperationalError) -> bool:
    """Whether the database gave up a transaction that may well succeed now."""
    state = getattr(error.orig, "sqlstate", None)
    return state in {"40P01", "40001"} or "locked" in str(error.orig)

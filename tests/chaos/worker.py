"""A process with some annotators, each a thread, who do everything that people and networks do.

::

    python -m tests.chaos.worker URL FOLDER NAME SEED ANNOTATORS [--naive]

They work until the process is killed. Time runs a hundred times as fast, so leases run out while
their holders are paused.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Protocol

from sqlalchemy.exc import OperationalError

from caer_build.annotation.answers import Answer
from caer_build.annotation.database import Database
from caer_build.annotation.leasing import Lease
from caer_build.annotation.office import Office, is_worth_a_retry, now_ms
from caer_build.annotation.votes import Receipt
from caer_build.errors import VoteError
from caer_build.records import EMOTIONS
from tests.annotating import answer_to
from tests.chaos.history import History
from tests.chaos.naive import NaiveOffice

SPEED_UP = 100


def fast_clock() -> int:
    """Milliseconds that pass a hundred times too fast."""
    return now_ms() * SPEED_UP


class Door(Protocol):
    """What an annotator uses of a project."""

    def leases(self, annotator_id: int) -> tuple[Lease, ...]: ...

    def take(self, annotator_id: int, answer: Answer) -> Receipt: ...

    def decline(self, annotator_id: int, public_id: str, ticket: str) -> object: ...

    def renew(self, annotator_id: int) -> None: ...

    def undo(self, annotator_id: int) -> tuple[Lease, str] | None: ...


class RealDoor:
    """The office itself."""

    def __init__(self, url: str) -> None:
        self._office = Office(Database(url), fast_clock)

    def leases(self, annotator_id: int) -> tuple[Lease, ...]:
        return self._office.leases(annotator_id)

    def take(self, annotator_id: int, answer: Answer) -> Receipt:
        return self._office.answer(annotator_id, answer).receipt

    def decline(self, annotator_id: int, public_id: str, ticket: str) -> object:
        return self._office.decline(annotator_id, public_id, ticket)

    def renew(self, annotator_id: int) -> None:
        self._office.renew(annotator_id)

    def undo(self, annotator_id: int) -> tuple[Lease, str] | None:
        found = self._office.reopen(annotator_id)
        return None if found is None else (found[0], str(found[1]["request_id"]))


class Annotator(threading.Thread):
    """One window of one annotator."""

    def __init__(self, door: Door, history: History, annotator_id: int, window: str) -> None:
        super().__init__(name=window)
        self._door, self._history, self._me = door, history, annotator_id
        self._random = Random(window)
        self._window = window
        self._n = 0
        self._sent: deque[Answer] = deque(maxlen=5)
        """answers that the network may deliver once more"""
        self._forgotten: deque[Lease] = deque(maxlen=5)
        """clips that were on the screen of a laptop that was closed"""

    def run(self) -> None:
        try:
            while True:
                self._try()
        except BaseException:
            # A thread that dies ends no process: somebody else has to hear of it.
            self._history.note("crashed", of=traceback.format_exc())
            raise

    def _try(self) -> None:
        try:
            self._step()
        except VoteError as refusal:
            self._history.note("refused", kind=type(refusal).__name__)
        except OperationalError as error:
            # The office has tried some times; the page of a browser would try again later.
            if not is_worth_a_retry(error):
                raise
            self._history.note("busy", of=str(error.orig))

    def _step(self) -> None:
        random = self._random
        drawn = random.random()
        if drawn < 0.08 and self._sent:
            self._send(random.choice(self._sent))
        elif drawn < 0.14 and self._forgotten:
            self._send(self._new(random.choice(self._forgotten)))
        elif drawn < 0.20:
            self._history.note("undo", annotator=self._me)
            reopened = self._door.undo(self._me)
            if reopened is not None:
                lease, request_id = reopened
                self._send(replace(self._new(lease), revises=request_id))
        else:
            self._work()

    def _work(self) -> None:
        self._history.note("asked", annotator=self._me)
        leases = self._door.leases(self._me)
        self._history.note("leases", annotator=self._me, clips=[x.clip_id for x in leases])
        if len(leases) > 2:
            self._history.note("fault", of=f"{self._me} holds {len(leases)} leases")
        if not leases:
            time.sleep(0.05)
            return
        random, lease = self._random, leases[0]
        drawn = random.random()
        if drawn < 0.05:
            self._forgotten.append(lease)
            time.sleep(random.random())
            if random.random() < 0.5:  # the lid was open for a moment, before it is sent
                self._history.note("renew", annotator=self._me)
                self._door.renew(self._me)
        elif drawn < 0.08:
            self._history.note("decline", annotator=self._me)
            self._door.decline(self._me, lease.public_id, lease.ticket)
            self._history.note("declined", annotator=self._me, clip=lease.clip_id)
        else:
            self._send(self._new(lease))

    def _new(self, lease: Lease) -> Answer:
        self._n += 1
        answer = answer_to(lease, self._random.choice(EMOTIONS))
        return replace(answer, request_id=f"{self._window}-{self._n:06d}")

    def _send(self, answer: Answer) -> None:
        self._sent.append(answer)
        self._history.note("send", annotator=self._me, answer=asdict(answer))
        receipt = self._door.take(self._me, answer)
        self._history.note(
            "taken", annotator=self._me, request_id=answer.request_id, clip=receipt.clip_id,
            purpose=receipt.purpose, revision=receipt.revision, emotion=answer.emotion,
        )  # fmt: skip


def main() -> None:
    """Works until it is killed."""
    url, folder, name, seed, annotators, *rest = sys.argv[1:]
    door: Door = NaiveOffice(url) if "--naive" in rest else RealDoor(url)
    history = History(Path(folder, f"{name}.jsonl"))
    windows = [
        Annotator(door, history, int(who), f"{name}-{seed}-{who}-{tab}")
        for who in annotators.split(",")
        for tab in range(2 if int(who) % 5 == 0 else 1)
    ]
    for window in windows:
        window.start()
    for window in windows:
        window.join()


if __name__ == "__main__":
    main()

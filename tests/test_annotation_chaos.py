"""Annotators in processes that are paused and killed, while clips are withdrawn: nothing doubled,
nothing lost, and nobody is left with what is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import Self

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from caer_build.annotation.withdrawal import withdraw
from tests.annotating import make_project
from tests.chaos.checker import (
    crashes,
    faults_of_books,
    faults_of_votes,
    loose_votes,
    stored_votes,
)
from tests.chaos.history import read
from tests.chaos.naive import N_VOTES, NaiveOffice, loose_vote
from tests.chaos.worker import fast_clock

REPOSITORY = Path(__file__).parent.parent
_EACH_AT_LEAST = 3
"""kills, pauses and withdrawals that a storm has, however fast the work is done"""
_WITHDRAWN_AT_ONCE = 5
_KINDS = {"taken", "refused", "declined", "undo"}
_REQUESTS = ("asked", "send", "undo", "decline", "renew")
"""lines of the history that stand for one request each; what came of it is another line"""
_N_GOLD = 40


class Crew:
    """Processes with some people each; one that was killed is replaced by another."""

    def __init__(self, url: str, folder: Path, shares: list[list[int]], *options: str) -> None:
        self._command = [sys.executable, "-m", "tests.chaos.worker", url, str(folder)]
        self._folder, self._shares, self._options = folder, shares, options
        self._running: list[subprocess.Popen[bytes]] = []
        self._written: dict[int, Path] = {}
        self._n_started = 0

    def __enter__(self) -> Self:
        self._running = [self._start(share) for share in self._shares]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()
            process.wait()

    def _start(self, people: list[int]) -> subprocess.Popen[bytes]:
        name = f"worker{self._n_started:04d}"
        self._n_started += 1
        command = [*self._command, name, "1", ",".join(map(str, people)), *self._options]
        started = subprocess.Popen(command, cwd=REPOSITORY)
        self._written[started.pid] = self._folder / f"{name}.jsonl"
        return started

    def look(self) -> None:
        """Nobody has ended but those who were killed here."""
        if crashed := crashes(self._folder):
            pytest.fail("\n".join(crashed))
        assert [process.poll() for process in self._running] == [None] * len(self._running)

    def kill(self, number: int) -> None:
        """Ends a process in the middle of whatever it does; another one goes on for its people."""
        while not self._has_begun(number):  # who is killed at the start has done nothing
            self.look()
            time.sleep(0.1)
        self._running[number].kill()
        self._running[number].wait()
        self._running[number] = self._start(self._shares[number])

    def _has_begun(self, number: int) -> bool:
        written = self._written[self._running[number].pid]
        return written.is_file() and written.stat().st_size > 0

    def pause(self, number: int) -> None:
        """Longer than a lease: whoever wakes up believes to hold what it lost."""
        self._running[number].send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        self._running[number].send_signal(signal.SIGCONT)


def _withdraw_one(database: Database, random: Random) -> int:
    """Withdraws a clip that somebody has on the screen, or is on the way to another."""
    with database.reading() as connection:
        held = select(t.slot.c.clip_id).where(t.slot.c.expires_at.is_not(None))
        clips = connection.scalars(held.order_by(t.slot.c.clip_id)).all()
    if not clips:
        return 0
    # Processes that never rest may keep SQLite from one more for longer than it waits.
    with suppress(OperationalError), database.writing() as connection:
        withdraw(connection, random.choice(clips), fast_clock())
        return 1
    return 0


def _storm(database: Database, folder: Path, n_people: int, least: int) -> None:
    """Lets people work in processes that are paused and killed, until enough was done."""
    random = Random(7)
    url = database.engine.url.render_as_string(hide_password=False)
    n_shares, n_withdrawn = 4, 0
    shares = [list(range(k + 1, n_people + 1, n_shares)) for k in range(n_shares)]
    with Crew(url, folder, shares) as crew:
        for blow in count():
            for _ in range(_WITHDRAWN_AT_ONCE):
                time.sleep(random.random() / _WITHDRAWN_AT_ONCE)
                n_withdrawn += _withdraw_one(database, random)
            time.sleep(1)
            crew.look()
            done = Counter(line["what"] for line in read(folder))
            n_requests = sum(done[kind] for kind in _REQUESTS)
            enough = n_requests >= least and done.keys() >= _KINDS
            if enough and blow >= 2 * _EACH_AT_LEAST and n_withdrawn >= _EACH_AT_LEAST:
                return
            [crew.kill, crew.pause][blow % 2](random.randrange(n_shares))


def _examine(url: str, folder: Path, n_people: int, n_clips: int, least: int) -> None:
    database = Database(url)
    make_project(database, n_clips=n_clips, n_people=n_people, lease_s=30, gold_share=0.05,
                 repeat_share=0.05, repeat_after=5)  # fmt: skip
    with database.writing() as connection:
        gold = t.clip.c.position < _N_GOLD
        connection.execute(
            update(t.clip).where(gold).values(gold_emotion="Happy", gold_reason="she laughs")
        )
    _storm(database, folder, n_people, least)
    with database.reading() as connection:
        assert faults_of_books(connection) == []
        votes = stored_votes(connection)
    assert {"vote", "gold", "repeat"} <= {vote.purpose for vote in votes}
    database.close()
    assert faults_of_votes(folder, votes, 3) == []
    assert len(votes) > least // 10


def test_a_short_storm(database_url: str, tmp_path: Path) -> None:
    _examine(database_url, tmp_path, n_people=20, n_clips=300, least=800)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_annotators_and_a_hundred_thousand_operations(
    database_url: str, tmp_path: Path
) -> None:
    _examine(database_url, tmp_path, n_people=50, n_clips=20_000, least=100_000)


def test_the_checker_finds_the_faults_of_a_naive_assignment(
    database_url: str, tmp_path: Path
) -> None:
    door = NaiveOffice(database_url)
    missing = {f"has {N_VOTES + 1} votes", "was taken 2 times", "voted 2 times"}
    with Crew(database_url, tmp_path, [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], "--naive") as crew:
        while missing:
            time.sleep(0.5)
            crew.look()
            with door.engine.connect() as connection:
                found = faults_of_votes(tmp_path, loose_votes(connection), N_VOTES)
            missing = {fault for fault in missing if not any(fault in said for said in found)}


def test_an_annotator_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    """What they write into is taken away from under them."""
    door = NaiveOffice(sqlite_url(tmp_path / "votes.sqlite"))
    url = door.engine.url.render_as_string()
    with Crew(url, tmp_path, [[1, 2, 3, 4, 5]], "--naive") as crew:
        while not any(read(tmp_path)):
            time.sleep(0.1)
        loose_vote.drop(door.engine)
        with pytest.raises(pytest.fail.Exception, match="no such table: loose_vote"):
            while True:
                crew.look()
                time.sleep(0.1)

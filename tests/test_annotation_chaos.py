"""Annotators in processes that are paused and killed, while clips are withdrawn: nothing doubled,
nothing lost, and nobody is left with what is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.withdrawal import withdraw
from tests.annotating import make_project
from tests.chaos.checker import faults_of_books, faults_of_votes, loose_votes, stored_votes
from tests.chaos.history import read
from tests.chaos.naive import N_VOTES, NaiveOffice
from tests.chaos.worker import fast_clock

REPOSITORY = Path(__file__).parent.parent
_WITHDRAWN_AT_ONCE = 5


def _start(
    url: str, folder: Path, name: str, people: list[int], *rest: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.chaos.worker", url, str(folder), name, "1"]
    command += [",".join(map(str, people)), *rest]
    return subprocess.Popen(command, cwd=REPOSITORY)


def _withdraw_one(database: Database, random: Random) -> None:
    """Withdraws a clip that somebody has on the screen, or is on the way to another."""
    with database.reading() as connection:
        held = select(t.slot.c.clip_id).where(t.slot.c.expires_at.is_not(None))
        clips = connection.scalars(held.order_by(t.slot.c.clip_id)).all()
    # Five processes that never rest may keep SQLite from a sixth for longer than it waits.
    with suppress(OperationalError):
        if clips:
            with database.writing() as connection:
                withdraw(connection, random.choice(clips), fast_clock())


def _storm(
    database: Database, folder: Path, n_people: int, least: int, n_processes: int = 4
) -> int:
    """Lets people work in processes that are paused and killed, until enough was done."""
    random = Random(7)
    url = database.engine.url.render_as_string(hide_password=False)
    shares = [list(range(k + 1, n_people + 1, n_processes)) for k in range(n_processes)]
    n_started, n_done = 0, 0
    running: list[tuple[subprocess.Popen[bytes], list[int]]] = []
    try:
        while n_done < least:
            busy = [people for process, people in running if process.poll() is None]
            running = [(process, people) for process, people in running if process.poll() is None]
            for people in shares:
                if people not in busy:
                    name = f"worker{n_started:04d}"
                    running.append((_start(url, folder, name, people, "3600"), people))
                    n_started += 1
            for _ in range(_WITHDRAWN_AT_ONCE):
                time.sleep(random.random() / _WITHDRAWN_AT_ONCE)
                _withdraw_one(database, random)
            time.sleep(1)
            victim, _ = random.choice(running)
            if random.random() < 0.5:
                victim.kill()
            else:
                # A pause longer than a lease: whoever wakes up believes to hold what it lost.
                victim.send_signal(signal.SIGSTOP)
                time.sleep(0.5)
                victim.send_signal(signal.SIGCONT)
            n_done = sum(1 for _ in read(folder))
    finally:
        for process, _ in running:
            process.kill()
            process.wait()
    return n_started


def _examine(url: str, folder: Path, n_people: int, n_clips: int, least: int) -> None:
    database = Database(url)
    make_project(database, n_clips=n_clips, n_people=n_people, lease_s=30, gold_share=0.0,
                 repeat_share=0.05, repeat_after=5)  # fmt: skip
    n_started = _storm(database, folder, n_people, least)
    with database.reading() as connection:
        assert faults_of_books(connection) == []
        gone = select(func.count()).where(t.clip.c.withdrawn_at.is_not(None))
        n_withdrawn = connection.scalar(gone) or 0
        votes = stored_votes(connection)
    database.close()
    assert faults_of_votes(folder, votes, 3) == []
    kinds = {line["what"] for line in read(folder)}
    assert {"taken", "refused", "declined", "undo"} <= kinds
    assert n_started > 4
    assert n_withdrawn > _WITHDRAWN_AT_ONCE
    assert len(votes) > least // 20


@pytest.mark.timeout(300)
def test_a_short_storm(database_url: str, tmp_path: Path) -> None:
    _examine(database_url, tmp_path, n_people=20, n_clips=400, least=3000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_annotators_and_a_hundred_thousand_operations(
    database_url: str, tmp_path: Path
) -> None:
    _examine(database_url, tmp_path, n_people=50, n_clips=20_000, least=100_000)


@pytest.mark.timeout(120)
def test_the_checker_finds_the_faults_of_a_naive_assignment(
    database_url: str, tmp_path: Path
) -> None:
    door = NaiveOffice(database_url)
    workers = [
        _start(database_url, tmp_path, f"w{k}", list(range(k + 1, 21, 4)), "4", "--naive")
        for k in range(4)
    ]
    for worker in workers:
        worker.wait()
    with door.engine.connect() as connection:
        found = faults_of_votes(tmp_path, loose_votes(connection), N_VOTES)
    assert any("has 4 votes" in fault or "has 5 votes" in fault for fault in found)
    assert any("was taken 2 times" in fault for fault in found)
    assert any("voted 2 times" in fault for fault in found)

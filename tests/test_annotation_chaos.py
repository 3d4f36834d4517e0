"""Annotators in processes that are paused and killed: nothing doubled, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from caer_build.annotation.database import Database
from tests.annotating import make_project
from tests.chaos.checker import faults_of_books, faults_of_votes, loose_votes, stored_votes
from tests.chaos.history import read
from tests.chaos.naive import N_VOTES, NaiveOffice

REPOSITORY = Path(__file__).parent.parent


def _start(
    url: str, folder: Path, name: str, people: list[int], *rest: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.chaos.worker", url, str(folder), name, "1"]
    command += [",".join(map(str, people)), *rest]
    return subprocess.Popen(command, cwd=REPOSITORY)


def _storm(url: str, folder: Path, n_people: int, least: int, n_processes: int = 4) -> int:
    """Lets people work in processes that are paused and killed, until enough was done."""
    random = Random(7)
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
            time.sleep(1 + random.random())
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
    n_started = _storm(url, folder, n_people, least)
    with database.reading() as connection:
        assert faults_of_books(connection) == []
        votes = stored_votes(connection)
    database.close()
    assert faults_of_votes(folder, votes, 3) == []
    kinds = {line["what"] for line in read(folder)}
    assert {"taken", "refused", "declined", "undo"} <= kinds
    assert n_started > 4
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

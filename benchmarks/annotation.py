"""The annotation server under load, on SQLite and PostgreSQL, over HTTP as browsers use it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

from benchmarks.reporting import Row

if TYPE_CHECKING:
    import httpx
    from websockets.typing import Subprotocol

PROTOCOL = """
`caer annotate serve` in a process of its own on a project of 100,000 clips (CAER_BENCH_CLIPS),
three answers each, gold 5 % and repeats 3 %; 50 people, each with a session of their own, send
answers over HTTP from another process on the same machine. An operation is POST /api/answer, which
saves and gives the next clip. paced: each person answers every 6 s on average (uniform 3 to 9 s)
for 120 s, with 10 s in every 60 in which everybody answers five times as fast; p50 and p99 are
over all answers, p99_ms.burst over those of the bursts. most: every person answers as soon as the
last answer was taken, 20 s. The clips are recorded as 0.2 s long, for the server takes no answer
before a clip can have been heard; their files and boxes are those of 4 s. Memory is the
proportional set size of the server, with 50 pages open, each with its web socket (rss_mb.pages is
what it takes with them before anybody works); growth_mb is what it gained while 1,000 more clips
were loaded whole and answered, after 200 to warm up.
"""
N_CLIPS = int(os.environ.get("CAER_BENCH_CLIPS", "100000"))
N_PEOPLE = 50
_PACED_S, _MOST_S = 120.0, 20.0
_EVERY_S, _BURST_EVERY_S, _BURST_S, _BURST = 6.0, 60.0, 10.0, 5.0
_WARM_UP, _LOADED = 200, 1000
_RECORDED_MS = 200
_SETTLED_S = 3.0
_STREAMLIT = cast("Subprotocol", "streamlit")


def run() -> Iterator[Row]:
    for name, database in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        with tempfile.TemporaryDirectory(prefix="caer-bench-", dir="/tmp") as scratch:
            Path(scratch).chmod(0o755)
            with database(Path(scratch)) as url:
                yield from _measure(name, url, Path(scratch, "work"))


def _measure(name: str, url: str, work: Path) -> Iterator[Row]:
    tokens = _found(url, work)
    with _served(work, url) as server:
        asyncio.run(_paced(server.base, tokens, 10.0))  # to warm up
        paced = asyncio.run(_paced(server.base, tokens, _PACED_S))
        yield Row(name, "ours", "p50_ms", _share(paced.all_ms, 0.50), "ms")
        yield Row(name, "ours", "p99_ms", _share(paced.all_ms, 0.99), "ms")
        yield Row(name, "ours", "p99_ms.burst", _share(paced.burst_ms, 0.99), "ms")
        yield Row(name, "ours", "answers", len(paced.all_ms), "answers")
        most = asyncio.run(_unpaced(server.base, tokens, _MOST_S))
        yield Row(name, "ours", "votes_per_s", most / _MOST_S, "votes/s")
        asyncio.run(_loaded(server.base, tokens, _WARM_UP))
        with _pages(server.base, tokens):
            before = server.memory_mb()
            yield Row(name, "ours", "rss_mb.pages", before, "MB")
            asyncio.run(_loaded(server.base, tokens, _LOADED))
            after = server.memory_mb()
        yield Row(name, "ours", "rss_mb", after, "MB")
        yield Row(name, "ours", "growth_mb", after - before, "MB")


def _share(values: list[float], share: float) -> float:
    import numpy as np

    return float(np.quantile(values, share))


@contextmanager
def _sqlite(scratch: Path) -> Iterator[str]:
    from caer_build.annotation.database import sqlite_url

    yield sqlite_url(scratch / "votes.sqlite")


@contextmanager
def _postgresql(scratch: Path) -> Iterator[str]:
    from tests.databases import postgresql_server

    with postgresql_server(scratch / "server") as url:
        yield url


def _found(url: str, work: Path) -> list[str]:
    """Makes the project, its people and its media; gives everybody's session."""
    from sqlalchemy import insert, update

    from caer_build.annotation import tables as t
    from caer_build.annotation.database import Database
    from caer_build.annotation.founding import found
    from caer_build.annotation.freezing import media_file
    from caer_build.annotation.office import now_ms
    from caer_build.annotation.project import ProjectSettings
    from caer_build.annotation.sessions import open_session
    from caer_build.store import Workspace

    workspace = Workspace.create(work)
    database = Database(url)
    clips = [(_clip(k), f"p{k:06d}", k) for k in range(N_CLIPS)]
    found(database, ProjectSettings.model_validate({}), clips)
    tokens = []
    with database.writing() as connection:
        now = now_ms()
        connection.execute(
            update(t.clip)
            .where(t.clip.c.position % 100 == 0)
            .values(gold_emotion="Happy", gold_reason="she laughs")
        )
        for number in range(1, N_PEOPLE + 1):
            connection.execute(
                insert(t.annotator).values(
                    alias=f"a{number:03d}", name=f"Person {number}", role="annotator",
                    created_at=now, qualified_at=now, consented_at=now, consent_sha256="0",
                    languages="English",
                )
            )  # fmt: skip
            tokens.append(open_session(connection, number, now))
    database.close()
    # Any clip may be asked for: each is a name of one of a few files, which have many names.
    media_file(workspace, "x").parent.mkdir(parents=True)
    one: Path | None = None
    for number, (_, public_id, _) in enumerate(clips):
        file = media_file(workspace, public_id)
        if one is None or number % 30_000 == 0:
            file.write_bytes(secrets.token_bytes(300_000))
            one = file
        else:
            os.link(one, file)
    return tokens


def _clip(number: int) -> Any:
    from caer_build.annotation.project import Face, FrozenClip

    n_frames = 100
    boxes = tuple((300.0 + k, 100.0, 500.0 + k, 340.0) for k in range(n_frames))
    return FrozenClip(
        clip_id=f"show.s01e{number // 400:02d}-s{number:06d}-t00-{number:06d}",
        show="show",
        episode_id=f"show.s01e{number // 400:02d}",
        shot_id=f"show.s01e{number // 400:02d}-s{number // 2:06d}",
        person_id=None,
        source_sha256="0" * 64,
        start_frame=0,
        end_frame=n_frames,
        length_ms=_RECORDED_MS,
        width=1280,
        height=720,
        has_audio=True,
        file_sha256="1" * 64,
        times_ms=tuple(40 * k for k in range(n_frames)),
        faces=(Face(True, boxes),),
    )


@dataclass
class _Server:
    base: str
    pid: int

    def memory_mb(self) -> float:
        import psutil

        root = psutil.Process(self.pid)
        family = [root, *root.children(recursive=True)]
        return float(sum(each.memory_full_info().pss for each in family) / 1e6)


@contextmanager
def _served(work: Path, url: str) -> Iterator[_Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "caer_build.cli", "annotate", "serve", str(work)]
    process = subprocess.Popen(
        [*command, "--db", url, "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait(base)
        yield _Server(base, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait(base: str) -> None:
    import httpx

    for _ in range(600):
        try:
            httpx.get(f"{base}/sign-in")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("The server did not start within a minute.")


@dataclass
class _Paced:
    all_ms: list[float] = field(default_factory=list)
    burst_ms: list[float] = field(default_factory=list)


class _Person:
    """Somebody who labels."""

    def __init__(self, client: httpx.AsyncClient, base: str, token: str) -> None:
        self._client, self._base = client, base
        self._headers = {"Cookie": f"caer_session={token}", "Origin": base}
        self._tasks: list[dict[str, Any]] = []

    async def begin(self) -> None:
        reply = await self._client.get(f"{self._base}/api/work", headers=self._headers)
        reply.raise_for_status()
        self._headers["X-CSRF-Token"] = reply.json()["csrf"]
        self._tasks = reply.json()["tasks"]

    async def answer(self) -> float:
        """Answers the clip on the screen; how long that took, ms."""
        task = self._tasks[0]
        answer = {
            "request_id": secrets.token_hex(8), "clip": task["clip"], "ticket": task["ticket"],
            "emotion": "Happy", "flag": None, "reason": None, "confidence_step": 3,
            "shown_ms": 6000, "waited_ms": 0, "play_count": 1, "heard": True, "speed": 100,
            "audio_on": True, "revises": None,
        }  # fmt: skip
        began = time.perf_counter()
        reply = await self._client.post(
            f"{self._base}/api/answer", json=answer, headers=self._headers
        )
        took = (time.perf_counter() - began) * 1000
        reply.raise_for_status()
        self._tasks = reply.json()["tasks"]
        return took

    async def load(self) -> None:
        """Fetches the clip on the screen, as a browser does."""
        reply = await self._client.get(self._base + self._tasks[0]["src"], headers=self._headers)
        reply.raise_for_status()


@contextmanager
def _pages(base: str, tokens: list[str]) -> Iterator[None]:
    """The page of everybody, open: a socket each, over which Streamlit has run the script."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import ClientConnection, connect

    message = BackMsg()
    message.rerun_script.SetInParent()
    url = f"{base.replace('http', 'ws')}/_stcore/stream"

    def listen(page: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                page.recv()

    with ExitStack() as opened:
        for token in tokens:
            headers = {"Cookie": f"caer_session={token}", "Origin": base}
            page = connect(url, additional_headers=headers, subprotocols=[_STREAMLIT])
            opened.callback(page.close)
            page.send(message.SerializeToString())
            threading.Thread(target=listen, args=(page,), daemon=True).start()
        time.sleep(_SETTLED_S)
        yield


def _client() -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=N_PEOPLE))


async def _paced(base: str, tokens: list[str], seconds: float) -> _Paced:
    found = _Paced()
    began = time.monotonic()

    async def work(person: _Person, random: Random) -> None:
        await person.begin()
        while (at := time.monotonic() - began) < seconds:
            bursts = at % _BURST_EVERY_S > _BURST_EVERY_S - _BURST_S
            pause_s = random.uniform(0.5, 1.5) * _EVERY_S / (_BURST if bursts else 1)
            await asyncio.sleep(pause_s)
            took = await person.answer()
            found.all_ms.append(took)
            if bursts:
                found.burst_ms.append(took)

    async with _client() as client:
        people = [_Person(client, base, token) for token in tokens]
        await asyncio.gather(*(work(p, Random(k)) for k, p in enumerate(people)))
    return found


async def _unpaced(base: str, tokens: list[str], seconds: float) -> int:
    n_votes = 0
    began = time.monotonic()

    async def work(person: _Person) -> None:
        nonlocal n_votes
        await person.begin()
        while time.monotonic() - began < seconds:
            await person.answer()
            n_votes += 1

    async with _client() as client:
        await asyncio.gather(*(work(_Person(client, base, token)) for token in tokens))
    return n_votes


async def _loaded(base: str, tokens: list[str], n: int) -> None:
    async with _client() as client:
        people = [_Person(client, base, token) for token in tokens]
        for person in people:
            await person.begin()
        for number in range(n):
            person = people[number % len(people)]
            await person.load()
            await person.answer()

"""A real server process with a small project, and browsers without a screen that visit it."""

from __future__ import annotations

import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from sqlalchemy import func, select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import accounts, sessions
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.founding import found
from caer_build.annotation.freezing import media_file, media_folder
from caer_build.annotation.office import Office, now_ms
from caer_build.annotation.project import Face, FrozenClip, ProjectSettings
from caer_build.annotation.whereabouts import database_url, remember
from caer_build.arrow import to_table
from caer_build.records import ClipBox
from caer_build.store import Workspace, sha256_of
from tests.annotating import frozen
from tests.media import HEIGHT, N_FRAMES, RATE, WIDTH, write_sound, write_video
from tests.toy_workspace import Toy, add_episode

PASSWORD = "correct horse battery"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_RECORDED_MS = 200
REFUSED = ("refused", "lease_lost", "sign_in_failed", "sign_in_throttled")
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")


def clip_files(folder: Path, n_files: int, n_frames: int = N_FRAMES) -> list[Path]:
    """Clips of two seconds with sound, each with its own frame numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = write_sound(folder / "sound.wav", n_frames / RATE)
    return [
        write_video(
            folder / f"{k}.mp4", coding=_H264, n=n_frames, sounds=[sound], first=k * n_frames
        )
        for k in range(n_files)
    ]


def real_clip(number: int, n_frames: int = N_FRAMES) -> FrozenClip:
    """The record of one of :func:`clip_files`; the target's box moves to the right."""
    boxes = tuple((10.0 + k, 20.0, 70.0 + k, 100.0) for k in range(n_frames))
    return replace(
        frozen(number),
        length_ms=n_frames * 1000 // RATE, width=WIDTH, height=HEIGHT,
        times_ms=tuple(k * 1000 // RATE for k in range(n_frames)), faces=(Face(True, boxes),),
    )  # fmt: skip


def built(root: Path, n_clips: int) -> Workspace:
    """A workspace as a build leaves it, with so many kept clips of its one episode."""
    toy = Toy()
    add_episode(toy, "toy.s01e01", n_clips)
    files = clip_files(root.parent / f"made-{root.name}", n_clips)
    clips_folder = root / "clips"
    kept, boxes = [], []
    for clip, file in zip(toy.clips, files, strict=True):
        kept.append(replace(clip, file=f"clips/{clip.clip_id}.mp4", file_sha256=sha256_of(file)))
        boxes += [
            ClipBox(clip.clip_id, k, str(clip.track_id), True, 1.0, 2.0, 30.0, 40.0, False)
            for k in range(N_FRAMES)
        ]
    toy.clips[:] = kept
    workspace = toy.write(root)
    clips_folder.mkdir(exist_ok=True)
    for clip, file in zip(kept, files, strict=True):
        (root / str(clip.file)).write_bytes(file.read_bytes())
    pq.write_table(to_table(ClipBox, boxes), workspace.tables / "clip_boxes.parquet")
    return workspace


def make_workspace(
    root: Path,
    n_clips: int = 12,
    url: str | None = None,
    n_frames: int | None = None,
    **settings: object,
) -> Workspace:
    """A workspace with a project of real clips, as ``caer annotate init`` leaves it.

    Only that they are recorded as shorter than they are: tests answer at once, and a server takes
    no answer before the clip can have been heard.

    Args:
        n_frames: of clips that are recorded as long as they are.
    """
    workspace = Workspace.create(root)
    files = clip_files(root / "made", min(n_clips, 8), n_frames or N_FRAMES)
    media_folder(workspace).mkdir(parents=True)
    placed = []
    for number in range(n_clips):
        public_id = secrets.token_hex(9)
        media_file(workspace, public_id).hardlink_to(files[number % len(files)])
        clip = real_clip(number, n_frames or N_FRAMES)
        if n_frames is None:
            clip = replace(clip, length_ms=_RECORDED_MS)
        placed.append((clip, public_id, number))
    database = Database(database_url(workspace, url))
    plain: dict[str, object] = {"gold_share": 0.0, "repeat_share": 0.0}
    found(database, ProjectSettings.model_validate(plain | settings), placed)
    database.close()
    remember(workspace, url, None)
    return workspace


@dataclass
class Served:
    """A server that runs, and the same project as the tests see it."""

    base_url: str
    workspace: Workspace
    office: Office
    process: subprocess.Popen[bytes]
    log: Path
    browsers: list[httpx.Client] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.office.database

    def invitation(self, role: str = "annotator") -> str:
        """A token to join with."""
        with self.database.writing() as connection:
            return accounts.invite(connection, role, "a test", None, now_ms())

    def browser(self, **headers: str) -> Browser:
        """A browser without cookies, at an address of its own as a proxy says it.

        Only a server that trusts this machine as its proxy believes that.
        """
        address = f"198.18.{len(self.browsers) // 250}.{len(self.browsers) % 250 + 1}"
        browser = Browser(self.base_url, {"X-Forwarded-For": address} | headers)
        self.browsers.append(browser.client)
        return browser

    def member(self, name: str, role: str = "annotator") -> Browser:
        """A browser whose owner has joined and is signed in, without going through the doors."""
        now, token = now_ms(), self.invitation(role)
        with self.database.writing() as connection:
            me = accounts.join(connection, token, name, now, subject=f"test {name}")
            accounts.consent(connection, me, self.office.settings, "English", now)
            accounts.say_shows(connection, me, {"lobby": False}, now)
            session = sessions.open_session(connection, me, now)
        browser = self.browser()
        browser.client.cookies.set(SESSION_COOKIE, session)
        return browser

    def annotator_id(self, name: str) -> int:
        """Of somebody by name."""
        with self.database.reading() as connection:
            query = select(t.annotator.c.annotator_id).where(t.annotator.c.name == name)
            return int(connection.scalar(query) or 0)

    def events(self, kind: str = "refused") -> list[str]:
        """What the log says, oldest first."""
        with self.database.reading() as connection:
            query = select(t.event.c.detail).where(t.event.c.kind == kind)
            return list(connection.scalars(query.order_by(t.event.c.event_id)))


def refused_and_logged(served: Served, attack: Callable[[], httpx.Response]) -> httpx.Response:
    """Does something that must be refused; the log must have a line of this very request.

    What one address asks for again within ten minutes is only counted. So attacks that are to be
    told apart come from browsers of their own, each of which has an address of its own: the server
    must trust this machine as its proxy.
    """
    newest = select(func.max(t.event.c.event_id))
    with served.database.reading() as connection:
        before = connection.scalar(newest) or 0
    answer = attack()
    with served.database.reading() as connection:
        rows = connection.execute(
            select(t.event).where(t.event.c.event_id > before, t.event.c.kind.in_(REFUSED))
        ).all()
    assert 400 <= answer.status_code < 500, answer.status_code
    address = answer.request.headers["X-Forwarded-For"]
    assert address in {row.address for row in rows}, [row.detail for row in rows]
    assert "content-security-policy" in answer.headers
    return answer


class Browser:
    """What a browser does without a screen: keeps cookies, says where it comes from."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self.base_url = base_url
        self.client = httpx.Client(base_url=base_url, headers=headers, timeout=120)

    @property
    def token(self) -> str | None:
        return self.client.cookies.get(SESSION_COOKIE)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def form(self, path: str, **fields: str) -> httpx.Response:
        """Loads the page with a form, fills it in and sends it."""
        shown = self.client.get(path)
        hidden = _CSRF.search(shown.text)
        sent = {"csrf": hidden[1] if hidden else "", **fields}
        return self.client.post(path, data=sent, headers={"Origin": self.base_url})

    def join(self, token: str, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.form(f"/join/{token}", name=name, password=password, again=password)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.form("/sign-in", name=name, password=password)

    def welcome(self, languages: str = "English") -> httpx.Response:
        return self.form(
            "/welcome", agree="yes", languages=languages,
            **{"show-0": "lobby", "knows-0": "no"},
        )  # fmt: skip

    def work(self) -> dict[str, Any]:
        """What there is to do."""
        found: dict[str, Any] = self.client.get("/api/work").json()
        return found

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """A request as the page sends it."""
        csrf = self.client.get("/api/work").json().get("csrf", "")
        sent = {"X-CSRF-Token": csrf, "Origin": self.base_url} | headers
        return self.client.post(path, json=body, headers=sent)


def answer_body(task: dict[str, Any], **changes: object) -> dict[str, object]:
    """An answer to a task as the page sends it."""
    body: dict[str, object] = {
        "request_id": secrets.token_hex(8), "clip": task["clip"], "ticket": task["ticket"],
        "emotion": "Happy", "flag": None, "reason": None, "confidence_step": 3,
        "shown_ms": 4000, "waited_ms": 0, "play_count": 1, "heard": True, "speed": 100,
        "audio_on": True, "revises": None,
    }  # fmt: skip
    return body | changes


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(workspace: Workspace, *options: str, port: int | None = None) -> Iterator[Served]:
    """Serves a workspace by the command line, in a process of its own."""
    port = port or free_port()
    command = [sys.executable, "-m", "caer_build.cli", "annotate", "serve", str(workspace.root)]
    log = workspace.root / "server.log"
    database = Database(database_url(workspace, None))
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port), *options], stdout=out, stderr=subprocess.STDOUT
        )
    base_url = f"http://127.0.0.1:{port}"
    served = Served(base_url, workspace, Office(database), process, log)
    try:
        _wait(served)
        yield served
    finally:
        for browser in served.browsers:
            browser.close()
        process.terminate()
        process.wait(30)
        database.close()


def _wait(served: Served) -> None:
    while True:
        if served.process.poll() is not None:
            raise RuntimeError(f"The server ended:\n{served.log.read_text()}")
        try:
            httpx.get(f"{served.base_url}/_stcore/health", timeout=60)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return

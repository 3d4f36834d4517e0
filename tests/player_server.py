"""The player without Streamlit: the app's own routes behind its own gate, one bare page instead.

Everything behind it is real: clips with picture and sound, a project in SQLite, people with
sessions. The server can be stopped and started again at the same address.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from annotator_app.place import Place
from annotator_app.player import assets
from annotator_app.tokens import SESSION_COOKIE
from annotator_app.web.clips import Clips
from annotator_app.web.doors import Doors
from annotator_app.web.gate import Gate
from annotator_app.web.refusals import Refusals
from annotator_app.web.sockets import Sockets
from annotator_app.web.work import Work
from caer_build.annotation import accounts, sessions
from caer_build.annotation import tables as t
from caer_build.annotation.database import Database, sqlite_url
from caer_build.annotation.founding import found
from caer_build.annotation.freezing import media_file
from caer_build.annotation.office import Office, now_ms
from caer_build.annotation.project import Face, FrozenClip, ProjectSettings
from caer_build.store import Workspace
from tests.media import RATE, write_sound, write_video

SIZE = (640, 360)
_shelf = tempfile.TemporaryDirectory(prefix="caer-clips-")
PLAYER = Path(assets.__file__).parent
THEMES = {
    "light": ("#ffffff", "#f0f2f6", "#31333f", "#1257a8"),
    "dark": ("#0e1117", "#262730", "#fafafa", "#7db4f5"),
}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Player</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
html {{ color-scheme: {theme}; background: {paper}; }}
body {{ margin: 60px 20px 8px; --st-background-color: {paper}; --st-text-color: {ink};
  --st-secondary-background-color: {card}; --st-primary-color: {accent};
  --st-font: "Source Sans", sans-serif; }}
@media (max-width: 640px) {{ body {{ margin: 56px 10px 0; }} }}
</style></head><body><div id="host"><template shadowrootmode="open">{html}<style>{css}</style>
</template></div><script type="module" src="/bench.js"></script></body></html>"""
_START = """import { mount } from "/player/main.js";
mount(document.querySelector("#host").shadowRoot);"""


def real_clip(workspace: Workspace, number: int, n_frames: int, has_audio: bool) -> FrozenClip:
    """A clip with its file: a small square that moves, marked as the face; a beep a second."""
    file = media_file(workspace, f"p{number:05d}")
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_made(number, n_frames, has_audio), file)
    first = _first(number)
    boxes = tuple(face_box(first + k) for k in range(n_frames))
    return FrozenClip(
        clip_id=f"lobby.s01e01-s{number:06d}-t00-{number:06d}", show="lobby",
        episode_id="lobby.s01e01", shot_id=f"lobby.s01e01-s{number:06d}", person_id=None,
        source_sha256="0" * 64, start_frame=0, end_frame=n_frames,
        length_ms=n_frames * 1000 // RATE, width=SIZE[0], height=SIZE[1], has_audio=has_audio,
        file_sha256="1" * 64, times_ms=tuple(k * 1000 // RATE for k in range(n_frames)),
        faces=(Face(True, boxes),),
    )  # fmt: skip


@cache
def _made(number: int, n_frames: int, has_audio: bool) -> Path:
    """The file of a clip, encoded once for all tests of a process."""
    file = Path(_shelf.name, f"{number}-{n_frames}-{has_audio}.mp4")
    sounds = [write_sound(file.with_suffix(".wav"), n_frames / RATE)] if has_audio else []
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
              "-c:a", "aac", "-movflags", "+faststart")  # fmt: skip
    return write_video(
        file, coding=coding, n=n_frames, size=SIZE, sounds=sounds, first=_first(number)
    )


def _first(number: int) -> int:
    """The number that the first frame of a clip carries."""
    return number * 50 % 800


def face_box(number: int) -> tuple[float, float, float, float]:
    """Where :func:`tests.media.numbered` draws the square that moves."""
    left = number * 3 % (SIZE[0] - 24)
    return float(left), SIZE[1] * 5 / 8, float(left + 24), SIZE[1] * 7 / 8


@dataclass
class Bench:
    """A project that is served, and its people.

    Attributes:
        tokens: of their sessions, for the cookie.
    """

    place: Place
    port: int
    people: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bench"

    @property
    def office(self) -> Office:
        return self.place.office

    def add_person(self, qualified: bool = True) -> str:
        """Somebody who has said all that is asked at the welcome; returns the session's token."""
        office, name = self.office, f"Person {len(self.people) + 1}"
        now_ms = office.clock()
        with office.database.writing() as connection:
            link = accounts.invite(connection, "annotator", name, None, now_ms)
            me = accounts.join(connection, link, name, now_ms, subject=name)
            accounts.consent(connection, me, office.settings, "English", now_ms)
            accounts.say_shows(connection, me, {"lobby": True}, now_ms)
            if qualified:
                accounts.qualify(connection, me, now_ms)
            token = sessions.open_session(connection, me, now_ms)
        self.people.append(me)
        self.tokens.append(token)
        return token

    def sign_in(self, context: Any, person: int) -> None:
        """Gives a browser a new session of somebody."""
        office = self.office
        with office.database.writing() as connection:
            token = sessions.open_session(connection, self.people[person], office.clock())
        context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": self.url}])

    def votes(self, **where: object) -> list[t.AnyRow]:
        """Rows of votes, oldest first."""
        query = select(t.vote).filter_by(**where).order_by(t.vote.c.vote_id)
        with self.office.database.reading() as connection:
            return list(connection.execute(query))

    def change(self, table: str, **values: object) -> None:
        """Writes into all rows of a table, as if time or somebody else had."""
        with self.office.database.writing() as connection:
            connection.execute(update(t.metadata.tables[table]).values(**values))

    def start(self) -> None:
        """Serves."""
        refusals, sockets = Refusals(self.place), Sockets(self.place)
        app = Starlette(
            routes=[
                Route("/bench", _page),
                Route("/bench.js", _start),
                *Work(self.place, refusals).routes(),
                *Clips(self.place, refusals).routes(),
                *Doors(self.place, sockets, refusals).routes(),
                *assets.routes(),
            ],
            middleware=[Middleware(Gate, place=self.place, sockets=sockets, refusals=refusals)],
        )
        config = uvicorn.Config(
            app, host="127.0.0.1", port=self.port, log_level="error", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError(f"port {self.port} cannot be served")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stops serving."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(20)
        self._server = self._thread = None


async def _page(request: Request) -> HTMLResponse:
    theme = request.query_params.get("theme", "light")
    paper, card, ink, accent = THEMES[theme]
    text = _PAGE.format(
        theme=theme, paper=paper, card=card, ink=ink, accent=accent,
        html=(PLAYER / "player.html").read_text(), css=(PLAYER / "player.css").read_text(),
    )  # fmt: skip
    return HTMLResponse(text)


async def _start(_request: Request) -> HTMLResponse:
    return HTMLResponse(_START, media_type="text/javascript")


@contextmanager
def bench(
    folder: Path,
    lengths: Sequence[int] = (20, 20, 20, 20),
    silent: Sequence[int] = (),
    practice: Sequence[tuple[str, str]] = (),
    clock: Callable[[], int] = now_ms,
    **settings: object,
) -> Iterator[Bench]:
    """A served project with one annotator.

    Args:
        lengths: frames a clip, at 25 a second.
        silent: numbers of the clips without sound.
        practice: (emotion, reason) of the first clips, which are the qualification round.
        clock: the server's, in ms since 1970.
    """
    workspace = Workspace(folder)
    clips = [real_clip(workspace, k, n, k not in silent) for k, n in enumerate(lengths)]
    plain: dict[str, object] = {"gold_share": 0.0, "repeat_share": 0.0, "practice_clips": 5}
    database = Database(sqlite_url(folder / "votes.sqlite"))
    found(
        database,
        ProjectSettings.model_validate(plain | settings),
        [(clip, f"p{k:05d}", k) for k, clip in enumerate(clips)],
    )
    with database.writing() as connection:
        for clip, (emotion, reason) in zip(clips, practice, strict=False):
            connection.execute(
                update(t.clip)
                .where(t.clip.c.clip_id == clip.clip_id)
                .values(gold_emotion=emotion, gold_reason=reason, is_practice=True)
            )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = Bench(Place(workspace, Office(database, clock)), port)
    served.add_person(qualified=not practice)
    served.start()
    try:
        yield served
    finally:
        served.stop()
        database.close()

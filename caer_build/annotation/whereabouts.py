"""Where a workspace's project keeps its votes, and under which address it is served.

``WORK/annotation/project.json`` remembers both, never a password: that comes with the URL each
time, or from ``PGPASSWORD`` or ``~/.pgpass``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from caer_build.annotation.database import sqlite_url
from caer_build.annotation.freezing import FOLDER
from caer_build.errors import StoreError
from caer_build.store import Workspace, read_json, write_json

DEFAULT_BASE_URL = "http://127.0.0.1:8501"
_FILE, _VOTES = "project.json", "votes.sqlite"
_SECRET_QUERY = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is remembered.

    Attributes:
        database: its URL without a password; None: SQLite beside the clips.
    """

    database: str | None = None
    base_url: str | None = None


def recall(workspace: Workspace) -> Whereabouts:
    """What a project's commands were told earlier."""
    file = _folder(workspace) / _FILE
    return Whereabouts(**read_json(file)) if file.is_file() else Whereabouts()


def remember(workspace: Workspace, database: str | None, base_url: str | None) -> Whereabouts:
    """Keeps what is given, leaves what is None."""
    before = recall(workspace)
    now = before
    if database is not None:
        now = replace(now, database=_without_password(database))
    if base_url is not None:
        now = replace(now, base_url=base_url.rstrip("/"))
    if now != before:
        write_json(_folder(workspace) / _FILE, asdict(now))
    return now


def database_url(workspace: Workspace, given: str | None) -> str:
    """The URL of the project's database: the one given, else the one remembered, else SQLite."""
    url = given or recall(workspace).database
    if url is None:
        _folder(workspace).mkdir(parents=True, exist_ok=True)
        return sqlite_url(votes_file(workspace))
    return url


def votes_file(workspace: Workspace) -> Path:
    """Where SQLite keeps the votes if nothing else was said."""
    return _folder(workspace) / _VOTES


def _folder(workspace: Workspace) -> Path:
    return workspace.root / FOLDER


def _without_password(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "The database URL cannot be read.",
            "Give sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
        ) from error
    # `parsed.set(password=None)` would leave it in place.
    kept = URL.create(
        parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database,
        parsed.difference_update_query(_SECRET_QUERY).query,
    )  # fmt: skip
    return kept.render_as_string()

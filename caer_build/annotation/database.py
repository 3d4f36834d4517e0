"""Opening the database of votes: SQLite beside the clips, or PostgreSQL by its URL.

Both give the same promises. Writers of SQLite stand in line (``BEGIN IMMEDIATE``), so a
transaction sees nothing change under it; PostgreSQL locks the rows that are about to change.
What was committed survives a loss of power (SQLite: WAL with synchronous FULL; PostgreSQL: its
default).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DatabaseError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from caer_build.errors import StoreError

_BUSY_MS = 20_000
_SQLITE_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    f"busy_timeout = {_BUSY_MS}",
    "foreign_keys = ON",
)
_POOL_SIZE = 20
"""Streamlit and the routes run in threads; more would only wait for each other."""
_RESTED_S = 10.0
"""A connection that was not used for so long is asked whether it is still there."""


class Database:
    """A project's database, its tables up to date.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``.

    Raises:
        StoreError: if it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.engine = _engine(parsed)
        self._glances = self.engine
        if not self.is_sqlite:
            self._glances = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite lets waiting writers poll; in one process a lock lets them in as they came.
        self._turn = threading.Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or leaves no trace.

        Raises:
            StoreError: if the database cannot be reached.
        """
        with self._turn, _reachable(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, from one unchanging view on SQLite."""
        with _reachable(), self.engine.connect() as connection:
            reader = connection.execution_options(caer_reads=True)
            with reader.begin():
                yield reader

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """For looks that need not fit each other, without the way to PostgreSQL and back that
        beginning and ending a transaction take.
        """
        with _reachable(), self._glances.connect() as connection:
            if self.is_sqlite:
                connection.execution_options(caer_reads=True)
            yield connection

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def _parsed(url: str) -> URL:
    expected = "expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url!r} is no database URL, {expected}.") from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise StoreError(f"Databases of {parsed.drivername} are not supported, {expected}.")
    return parsed


def _engine(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_size=_POOL_SIZE)
    except (NoSuchModuleError, ImportError) as error:
        raise StoreError(
            f"The driver for {url.drivername} is not installed.", "pip install 'caer-build[app]'"
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", partial(_ask_after_rest, engine))
    return engine


def _note_rest(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = time.monotonic()


def _ask_after_rest(
    engine: Engine, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """The pool's own ``pool_pre_ping`` asks each time, three ways there and back for an answer.

    A server that went away and came back in the middle of work is noticed by the first statement;
    then all connections are made anew, and whoever asked asks again.
    """
    since = record.info.get("rests_since")
    if since is None or time.monotonic() - since < _RESTED_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError("PostgreSQL has closed this connection.") from error


def _prepare_sqlite(connection: object, _record: object) -> None:
    # The driver would begin transactions when it sees fit; `_begin_sqlite` says when.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("caer_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if not error.connection_invalidated and "unable to open" not in str(error):
            raise
        raise StoreError(
            "The database of votes cannot be reached.", "Check that it runs, and its URL."
        ) from error

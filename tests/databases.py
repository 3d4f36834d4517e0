"""Real databases for tests: a SQLite file, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_USER = "postgres"


def postgresql_programs() -> Path | None:
    """The folder with initdb and postgres, if PostgreSQL is installed."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def _user() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        return "nobody"
    return _USER


@contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """A server of its own; gives the URL of its database ``postgres``.

    Args:
        folder: must not be there yet; its parents let everybody pass.
    """
    programs, user = postgresql_programs(), _user()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed.")
    folder.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-locale"],
        check=True, capture_output=True, user=user, cwd="/",
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder,
         "-c", "max_connections=200"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd="/",
    )  # fmt: skip
    try:
        _wait(programs, port, server)
        yield f"postgresql+psycopg://{_USER}@127.0.0.1:{port}/postgres"
    finally:
        # At once: nobody will open these data again, and to settle them first can take a minute.
        server.send_signal(signal.SIGQUIT)
        server.wait(30)


def _wait(programs: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    asking = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asking, check=False).returncode != 0:
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with {server.returncode} instead of starting.")
        time.sleep(0.05)

"""Bringing a database's tables up to date."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from caer_build.errors import StoreError

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, version: str = "head") -> None:
    """Applies the migrations that the database lacks, inside the caller's transaction.

    Args:
        version: up to this one.

    Raises:
        StoreError: if the database was made by a newer version of this package.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, version)
    except CommandError as error:
        raise StoreError(
            f"The database of votes does not fit this version: {error}.",
            "Install the version of caer-build that made it, or a newer one.",
        ) from error

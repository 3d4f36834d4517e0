"""What alembic runs; the connection is handed over by :mod:`caer_build.annotation.upgrading`."""

from __future__ import annotations

from alembic import context

from caer_build.annotation.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

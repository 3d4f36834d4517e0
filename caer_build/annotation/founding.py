"""Making a project in an empty database."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import insert

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.project import (
    SECRET,
    FrozenClip,
    ProjectSettings,
    add_clips,
    save_settings,
)
from caer_build.annotation.tickets import new_secret
from caer_build.annotation.upgrading import upgrade


def found(
    database: Database,
    settings: ProjectSettings,
    clips: Iterable[tuple[FrozenClip, str, int]],
) -> None:
    """Makes the tables, the settings and the slots of all clips, in one transaction.

    Args:
        clips: each with its public id and its position in the random order.

    Raises:
        VoteError: if the database holds a project already.
    """
    with database.writing() as connection:
        upgrade(connection)
        save_settings(connection, settings)
        connection.execute(insert(t.setting).values(key=SECRET, value=new_secret()))
        add_clips(connection, list(clips), settings.votes_per_clip)

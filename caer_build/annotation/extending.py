"""Making the project of a workspace, adding what a later build cut, and withdrawing the clips of
persons who were deleted since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Connection, func, inspect, select

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.founding import found
from caer_build.annotation.freezing import freeze, remove_strays
from caer_build.annotation.project import ProjectSettings, add_clips, load_settings
from caer_build.annotation.upgrading import upgrade
from caer_build.annotation.withdrawal import withdraw_deleted
from caer_build.errors import RecipeError, VoteError
from caer_build.records import Clip
from caer_build.store import Workspace
from caer_build.tables import read_published


@dataclass(frozen=True, slots=True)
class Extent:
    """What became of a project.

    Attributes:
        is_new: whether there was none before.
        added: clips that were frozen now.
        before: clips that it had, without those withdrawn earlier.
        withdrawn: of those, how many were taken out now, because a person was deleted.
        dropped: how many others of those the build keeps no more; they stay in the project.
    """

    is_new: bool
    added: int
    before: int
    withdrawn: int
    dropped: int


def settings_from(assignments: Mapping[str, str]) -> ProjectSettings:
    """The settings of a new project.

    Raises:
        RecipeError: naming all that is wrong at once.
    """
    try:
        return ProjectSettings.model_validate(dict(assignments))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, p['loc'])) or 'settings'}: {p['msg']}, found {p['input']!r}"
            for p in error.errors(include_url=False)
        ]
        names = ", ".join(ProjectSettings.model_fields)
        raise RecipeError("\n".join(problems), f"Settings are: {names}.") from error


def extend(
    workspace: Workspace,
    database: Database,
    assignments: Mapping[str, str],
    tell: Callable[[int, int], None],
    now_ms: int,
) -> Extent:
    """Founds the project if there is none, else adds the clips that it lacks.

    Frozen clips never change, but those of a person who was deleted are withdrawn.

    Args:
        assignments: settings of a new project.
        tell: called with (done, all) clips.

    Raises:
        RecipeError: if a setting is wrong, or the project has its settings already.
    """
    with database.writing() as connection:
        upgrade(connection)
        is_new = not _has_project(connection)
        rows = connection.execute(
            select(t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.withdrawn_at)
        ).all()
        settings = None if is_new else load_settings(connection)
    known = frozenset(row.clip_id for row in rows)
    present = {row.clip_id: row.public_id for row in rows if row.withdrawn_at is None}
    remove_strays(workspace, present.values())
    if settings is None:
        settings = settings_from(assignments)
        clips = list(freeze(workspace, settings.seed, frozenset(), tell))
        found(database, settings, clips)
        return Extent(True, len(clips), 0, 0, 0)
    if assignments:
        raise RecipeError(
            "The project has its settings already; they hold for all its votes.",
            "Leave --set away.",
        )
    withdrawn = withdraw_deleted(workspace, database, now_ms)
    clips = list(freeze(workspace, settings.seed, known, tell))
    with database.writing() as connection:
        add_clips(connection, clips, settings.votes_per_clip)
    kept = {clip.clip_id for clip in read_published(workspace, Clip) if clip.file}
    dropped = len(present.keys() - kept) - len(withdrawn)
    return Extent(False, len(clips), len(present), len(withdrawn), dropped)


def require_project(connection: Connection) -> None:
    """Brings the tables of a project up to date.

    Raises:
        VoteError: if there is no project; then nothing is made either.
    """
    if not _has_project(connection):
        raise VoteError(
            "There is no project to label here yet.", "Make one: caer annotate init WORK"
        )
    upgrade(connection)


def has_manager(connection: Connection) -> bool:
    """Whether somebody runs the project already."""
    n_managers = connection.scalar(
        select(func.count()).where(
            t.annotator.c.role == "manager", t.annotator.c.retired_at.is_(None)
        )
    )
    return bool(n_managers)


def _has_project(connection: Connection) -> bool:
    return (
        inspect(connection).has_table(t.setting.name)
        and connection.scalar(select(t.setting.c.key).limit(1)) is not None
    )

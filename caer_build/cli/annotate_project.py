"""What the commands of an annotation project share: its options, and opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from caer_build.annotation.database import Database
    from caer_build.store import Workspace

Work = Annotated[Path, typer.Argument(help="The workspace.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help="The database; postgresql+psycopg://USER@HOST/NAME. Remembered, without its password.",
    ),
]


@contextmanager
def opened(
    work: Path, url: str | None, must_exist: bool = True
) -> Iterator[tuple[Workspace, Database]]:
    """The workspace and the database of its project, its tables up to date.

    Raises:
        VoteError: if the project must exist and does not.
        ModelMissing: if the packages of the extra are not installed.
    """
    from caer_build.errors import ModelMissing
    from caer_build.store import Workspace

    try:
        from caer_build.annotation.database import Database
        from caer_build.annotation.extending import require_project
        from caer_build.annotation.whereabouts import database_url, remember
    except ImportError as error:
        raise ModelMissing(
            f"Labelling needs a package that is not installed: {error.name}.",
            "pip install 'caer-build[app]'",
        ) from error

    workspace = Workspace.open(work.absolute())
    database = Database(database_url(workspace, url))
    try:
        if must_exist:
            with database.writing() as connection:
                require_project(connection)
        yield workspace, database
        # Only what has worked is worth remembering.
        remember(workspace, url, None)
    finally:
        database.close()

"""Reading the published tables of a workspace."""

from __future__ import annotations

from typing import Any, TypeVar

from caer_build.arrow import from_table
from caer_build.errors import StoreError
from caer_build.store import Workspace

R = TypeVar("R")


def read_published(workspace: Workspace, record_type: type[R]) -> list[R]:
    """All rows of a published table as records.

    Raises:
        StoreError: if no build has published it yet.
    """
    import pyarrow.parquet as pq

    named: Any = record_type
    path = workspace.tables / f"{named.table}.parquet"
    if not path.is_file():
        raise StoreError(
            f"{workspace.root} has no table {named.table} yet.", "Run `caer build` to its end."
        )
    return from_table(record_type, pq.read_table(path))

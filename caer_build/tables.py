"""The tables of a workspace: reading those that a build published, and keeping those made since.

A table that is made outside the build carries facts in its own metadata, such as what it was made
of: they can neither be lost nor belong to another table.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from caer_build.arrow import from_table, read_table, schema
from caer_build.errors import StoreError
from caer_build.rows import Rows
from caer_build.store import Workspace, write_atomically

if TYPE_CHECKING:
    pass

R = TypeVar("R")
_FACTS = b"caer"
_MADE_BY = {
    "counted_votes": "caer label",
    "labels": "caer label",
    "splits": "caer split",
    "stills": "caer stills",
}


def read_published(workspace: Workspace, record_type: type[R]) -> list[R]:
    """All rows of a published table as records.

    Raises:
        StoreError: if no build has published it yet.
    """
    return from_table(record_type, read_table(_there(workspace, record_type)))


def published_rows(workspace: Workspace, record_type: type[R]) -> Rows[R]:
    """All rows of a published table, read when they are asked for: of tens of thousands.

    Raises:
        StoreError: if no build has published it yet.
    """
    return Rows.stored(record_type, _there(workspace, record_type))


def has_table(workspace: Workspace, record_type: type) -> bool:
    """Whether a table is there."""
    return _place(workspace, record_type).is_file()


def save(
    workspace: Workspace, record_type: type, rows: Iterable[Any], facts: Mapping[str, Any]
) -> None:
    """Replace a table that the build does not publish.

    Args:
        facts: kept with it; JSON.
    """
    import pyarrow.parquet as pq

    table = Rows.of(record_type, rows).table(schema(record_type).names)
    table = table.replace_schema_metadata({_FACTS: json.dumps(facts)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomically(_place(workspace, record_type), buffer.getvalue())


def facts_of(workspace: Workspace, record_type: type) -> dict[str, Any]:
    """The facts that a table was kept with.

    Raises:
        StoreError: if it is not there yet.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_schema(_there(workspace, record_type)).metadata or {}
    facts: dict[str, Any] = json.loads(metadata.get(_FACTS, b"{}"))
    return facts


def _place(workspace: Workspace, record_type: Any) -> Path:
    return workspace.tables / f"{record_type.table}.parquet"


def _there(workspace: Workspace, record_type: Any) -> Path:
    path = _place(workspace, record_type)
    if not path.is_file():
        name = record_type.table
        raise StoreError(
            f"{workspace.root} has no table {name} yet.",
            f"Run `{_MADE_BY[name]}`." if name in _MADE_BY else "Run `caer build` to its end.",
        )
    return path

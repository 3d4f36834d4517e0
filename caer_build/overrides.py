"""What a person decided: kept as a table of its own, applied by the stages that obey it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from caer_build.arrow import from_table, to_table
from caer_build.records import Override
from caer_build.store import Workspace, write_atomically


def _place(workspace: Workspace) -> Path:
    return workspace.root / "overrides.parquet"


def load(workspace: Workspace) -> list[Override]:
    """All decisions, oldest first."""
    import pyarrow.parquet as pq

    path = _place(workspace)
    return from_table(Override, pq.read_table(path)) if path.is_file() else []


def add(
    workspace: Workspace, action: str, target: str, value: str | None, reason: str | None
) -> Override:
    """Append a decision; it takes effect at the next build."""
    import pyarrow.parquet as pq

    past = load(workspace)
    new = Override(len(past), action, target, value, reason)  # type: ignore[arg-type]
    buffer = io.BytesIO()
    pq.write_table(to_table(Override, [*past, new]), buffer)
    write_atomically(_place(workspace), buffer.getvalue())
    return new


def concerning(
    overrides: Sequence[Override], unit: str, scope: str, obeys: Sequence[str]
) -> list[Override]:
    """Those a unit must obey: by action, and by the ids that begin with its own."""
    return [o for o in overrides if o.action in obeys and belongs_to(o.target, unit, scope)]


def belongs_to(target: str, unit: str, scope: str) -> bool:
    """Whether an id is one of a unit's: the ids of things begin with that of their episode."""
    return scope == "show" or target.startswith(f"{unit}-")

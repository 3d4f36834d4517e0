"""What a person decided: kept as a table of its own, applied by the stages that obey it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from caer_build.arrow import from_table, read_table, to_table
from caer_build.errors import CaerError
from caer_build.records import Anchor, Override
from caer_build.store import Workspace, write_atomically

ABOUT_PERSONS = ("name", "merge", "delete")
ABOUT_CLIPS = ("keep", "reject")
R = TypeVar("R")


def _place(workspace: Workspace, record_type: Any) -> Path:
    return workspace.root / f"{record_type.table}.parquet"


def _read(workspace: Workspace, record_type: type[R]) -> list[R]:
    path = _place(workspace, record_type)
    return from_table(record_type, read_table(path)) if path.is_file() else []


def _write(workspace: Workspace, record_type: type, rows: Iterable[Any]) -> None:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(to_table(record_type, rows), buffer)
    write_atomically(_place(workspace, record_type), buffer.getvalue())


def load(workspace: Workspace) -> list[Override]:
    """All decisions, oldest first."""
    return _read(workspace, Override)


def load_anchors(workspace: Workspace) -> list[Anchor]:
    """Where the tracks stood whose persons were decided about."""
    return _read(workspace, Anchor)


def next_number(past: Sequence[Override]) -> int:
    """The number of the decision that follows these."""
    return max((override.number for override in past), default=-1) + 1


def in_force(past: Sequence[Override], action: str, target: str, value: str | None) -> bool:
    """Whether this is what was decided last about the target; of a clip, kept or rejected."""
    kinds = ABOUT_CLIPS if action in ABOUT_CLIPS else (action,)
    last = next((o for o in reversed(past) if o.target == target and o.action in kinds), None)
    return last is not None and (last.action, last.value) == (action, value)


def add(
    workspace: Workspace, action: str, target: str, value: str | None, reason: str | None
) -> Override:
    """Append a decision; it takes effect at the next build."""
    past = load(workspace)
    new = Override(next_number(past), action, target, value, reason)  # type: ignore[arg-type]
    _write(workspace, Override, [*past, new])
    return new


def add_anchors(workspace: Workspace, anchors: Sequence[Anchor]) -> None:
    """Keep anchors of a decision that is about to be added.

    Before the decision: anchors without one are of no consequence, and the next one of their
    number replaces them.
    """
    numbers = {anchor.number for anchor in anchors}
    older = [anchor for anchor in load_anchors(workspace) if anchor.number not in numbers]
    _write(workspace, Anchor, [*older, *anchors])


def take_back(workspace: Workspace, actions: Sequence[str]) -> Override:
    """Remove the last decision of these kinds, with its anchors; the next build goes without it.

    Raises:
        CaerError: if there is none.
    """
    past = load(workspace)
    last = next((override for override in reversed(past) if override.action in actions), None)
    if last is None:
        raise CaerError(
            f"Nothing was decided in {workspace.root} that could be taken back.",
            f"This takes back decisions to {', '.join(actions)}.",
        )
    _write(workspace, Override, [override for override in past if override is not last])
    anchors = load_anchors(workspace)
    if any(anchor.number == last.number for anchor in anchors):
        _write(workspace, Anchor, [a for a in anchors if a.number != last.number])
    return last


def concerning(
    overrides: Sequence[Override], unit: str, scope: str, obeys: Sequence[str]
) -> list[Override]:
    """Those a unit must obey: by action, and by the ids that begin with its own."""
    return [o for o in overrides if o.action in obeys and belongs_to(o.target, unit, scope)]


def belongs_to(target: str, unit: str, scope: str) -> bool:
    """Whether an id is one of a unit's: the ids of things begin with that of their episode."""
    return scope == "show" or target.startswith(f"{unit}-")


def in_words(override: Override) -> str:
    """``merge A into B``, as a person would say it."""
    if override.action == "merge":
        return f"merge {override.target} into {override.value}"
    if override.action == "name":
        return f"name {override.target} {override.value!r}"
    return f"{override.action} {override.target}"

"""No export with leaks, unless somebody asks for it; and then it says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from caer_build.dataset.auditing.findings import Finding
from caer_build.errors import DatasetError

_BY_NATURE = ("episode", "clip")
_OF_PEOPLE = ("same_person", "person_seen")


def refuse_leaks(
    name: str, leaks: Sequence[Finding], split_by: str | None, *, kept: Path | None = None
) -> None:
    """Stops an export that leaks.

    Args:
        name: of the data set.
        split_by: what its split keeps together, if that is known.
        kept: the draft, if there is one already.

    Raises:
        DatasetError: if there are leaks.
    """
    if not leaks:
        return
    said = "; ".join(
        f"{leak.message} ({leak.examples[0]})" if leak.examples else leak.message for leak in leaks
    )
    people = any(leak.kind in _OF_PEOPLE for leak in leaks)
    why = (
        f"A split by {split_by} shares people by nature: split by person or show "
        "(`caer split WORK --by person --anew`). "
        if people and split_by in _BY_NATURE
        else ""
    )
    again = (
        f" What was made lies in {kept}: the same command with --allow-leaks goes on from there, "
        "another one removes it."
        if kept is not None
        else ""
    )
    raise DatasetError(
        f"{name} would leak: {said}.",
        f"{why}Or say --allow-leaks: the data set is made, and its dataset.json and card say so."
        f"{again}",
    )


def said_of(leaks: Sequence[Finding]) -> Mapping[str, Any]:
    """Leaks as ``dataset.json`` has them, by kind; empty without any."""
    return {
        leak.kind: {"n": leak.n, "message": leak.message, "examples": list(leak.examples)}
        for leak in leaks
    }

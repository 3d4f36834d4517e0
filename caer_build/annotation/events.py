"""The log of what was refused and decided; rows are only ever added."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from caer_build.annotation import tables as t

_MAX_DETAIL = 500


def record(
    connection: Connection,
    kind: str,
    now_ms: int,
    *,
    annotator_id: int | None = None,
    address: str = "",
    detail: str = "",
) -> None:
    """Adds a line to the log.

    Args:
        kind: one word, such as ``sign_in_failed``, ``refused`` or ``retired``.
        address: where the request came from.
    """
    connection.execute(
        insert(t.event).values(
            at=now_ms, annotator_id=annotator_id, kind=kind, address=address[:100],
            detail=detail[:_MAX_DETAIL],
        )
    )  # fmt: skip

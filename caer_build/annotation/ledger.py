"""The votes of a project as records, and what people are called where votes leave it."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, exists, func, select

from caer_build.annotation import tables as t
from caer_build.annotation.project import SECRET
from caer_build.annotation.standing import takes_part
from caer_build.errors import VoteError
from caer_build.records import Vote

_CHARACTERS = 12
"""of a pseudonym; 48 bits: no two of a project's people are alike"""
_AT_ONCE = 5000
_COLUMNS = tuple(name for name in Vote.__dataclass_fields__ if name != "table")


def aliases(connection: Connection) -> dict[int, str]:
    """What pages call people, by annotator_id: a001 joined first."""
    rows = connection.execute(select(t.annotator.c.annotator_id, t.annotator.c.alias))
    return {row.annotator_id: row.alias for row in rows}


def pseudonyms(connection: Connection) -> dict[int, str]:
    """What exports call people, by annotator_id.

    The same in every export of a project. Made with the project's own key, so that neither names
    nor the order of joining, which an alias gives away, can be told from them or tried out.

    Raises:
        VoteError: if there is no project.
    """
    secret = connection.scalar(select(t.setting.c.value).where(t.setting.c.key == SECRET))
    if secret is None:
        raise VoteError("The database holds no project.", "Make one: caer annotate init WORK")
    people = connection.scalars(select(t.annotator.c.annotator_id))
    return {person: _pseudonym(secret, person) for person in people}


def recorded_votes(connection: Connection, called: Mapping[int, str]) -> list[Vote]:
    """All votes with all their revisions, oldest first; see :func:`each_vote`.

    Args:
        called: what each annotator is called, such as :func:`pseudonyms`.
    """
    return list(each_vote(connection, called))


def each_vote(
    connection: Connection,
    called: Mapping[int, str],
    *,
    only_latest: bool = False,
    by_clip: bool = False,
) -> Iterator[Vote]:
    """The votes one by one, oldest first; some thousands are in memory at a time.

    Votes on clips that were withdrawn are left out: what was said of somebody who is not to be in
    the data set is no business of its users either.

    Args:
        only_latest: without those that a later revision replaces.
        by_clip: all of one clip after the other.
    """
    query = select(*(t.vote.c[name] for name in _COLUMNS)).where(takes_part(t.vote.c.clip_id))
    if only_latest:
        later = t.vote.alias()
        same = [later.c[name] == t.vote.c[name] for name in ("clip_id", "annotator_id", "purpose")]
        query = query.where(~exists().where(*same, later.c.revision > t.vote.c.revision))
    order = [t.vote.c.clip_id, t.vote.c.vote_id] if by_clip else [t.vote.c.vote_id]
    rows = connection.execute(
        query.order_by(*order), execution_options={"yield_per": _AT_ONCE}
    )  # fmt: skip
    who = _COLUMNS.index("annotator_id")
    for row in rows:
        values: tuple[Any, ...] = (*row[:who], called[row[who]], *row[who + 1 :])
        yield Vote(*values)


def n_left_out(connection: Connection) -> int:
    """Votes, with all their revisions, that :func:`each_vote` leaves out."""
    return connection.scalar(select(func.count()).where(~takes_part(t.vote.c.clip_id))) or 0


def is_pseudonym(name: str) -> bool:
    """Whether an export may have called somebody so."""
    return re.fullmatch(rf"p[0-9a-f]{{{_CHARACTERS}}}", name) is not None


def _pseudonym(secret: str, annotator_id: int) -> str:
    made = hmac.digest(secret.encode(), f"annotator:{annotator_id}".encode(), "sha256").hex()
    return f"p{made[:_CHARACTERS]}"

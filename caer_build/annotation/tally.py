"""How many answers a person has given, without counting them all again at each answer."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, select

from caer_build.annotation import tables as t

_IS_FIRST = t.vote.c.revision == 1
# Built once: building a statement costs more than running it.
_NEWER = select(
    func.count(case((_IS_FIRST, 1))),
    func.count(case((_IS_FIRST & (t.vote.c.answered_at >= bindparam("today")), 1))),
    func.max(t.vote.c.vote_id),
).where(t.vote.c.annotator_id == bindparam("me"), t.vote.c.vote_id > bindparam("after"))


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers of one person; changes of mind are not counted again.

    Attributes:
        n_today: since ``day_began_ms``.
        last_vote: up to which vote this counts.
    """

    n_answers: int = 0
    n_today: int = 0
    day_began_ms: int = 0
    last_vote: int = 0


def counted_on(
    connection: Connection, before: Tally, annotator_id: int, day_began_ms: int
) -> Tally:
    """The tally now, from an earlier one: only newer votes are looked at.

    A person's votes are given one after the other, so their numbers only grow.
    """
    if before.day_began_ms != day_began_ms:
        before = Tally(day_began_ms=day_began_ms)
    given = {"me": annotator_id, "after": before.last_vote, "today": day_began_ms}
    row = connection.execute(_NEWER, given).one()
    n_new, n_new_today, last = row
    return Tally(
        before.n_answers + n_new, before.n_today + n_new_today, day_began_ms,
        last or before.last_vote,
    )  # fmt: skip

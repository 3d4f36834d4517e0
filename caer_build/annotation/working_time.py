"""Hours worked, for paying: from when answers were given, of whatever purpose.

The rule, which people who are paid by it should be told:

- From one answer to the next counts in full if it took at most five minutes.
- A longer stretch was a pause. Then the time counts for which the clip was on the screen before
  it was answered, five minutes at most. So does that of the very first answer.

Changing an answer is work, and so are practice, gold clips, repeats and adjudication. Nobody can
gather more time than went by, however long a browser says that it showed a clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, case, func, select

from caer_build.annotation import tables as t

PAUSE_MS = 5 * 60 * 1000
_DAY_MS = 24 * 3600 * 1000
_EPOCH = date(1970, 1, 1)
RULE = (
    "From one answer to the next counts in full if it took at most 5 minutes. After a longer "
    "pause the time counts for which the clip was on the screen, 5 minutes at most. Practice, "
    "changed answers and adjudication count too."
)


@dataclass(frozen=True, slots=True)
class Worked:
    """One person's day.

    Attributes:
        n_answers: changes of mind included.
    """

    annotator_id: int
    day: date
    worked_ms: int
    n_answers: int


def worked(
    connection: Connection, since_ms: int, until_ms: int, offset_ms: int = 0
) -> list[Worked]:
    """Working time by person and day, of answers given in [since_ms, until_ms).

    Args:
        offset_ms: of the clock by which days begin, east of UTC.
    """
    at = t.vote.c.answered_at
    before = func.lag(at).over(partition_by=t.vote.c.annotator_id, order_by=at)
    answers = (
        select(
            t.vote.c.annotator_id,
            at.label("at"),
            (at - before).label("gap"),
            (at - t.vote.c.shown_at).label("shown"),
        )
        # One answer more may be needed in front, to know since when.
        .where(
            t.vote.c.annotator_id.in_(select(t.annotator.c.annotator_id)),
            at >= since_ms - PAUSE_MS,
            at < until_ms,
        )
        .subquery()
    )
    shown = case((answers.c.shown > PAUSE_MS, PAUSE_MS), else_=answers.c.shown)
    counted = case((answers.c.gap <= PAUSE_MS, answers.c.gap), else_=shown)
    day = ((answers.c.at + offset_ms) // _DAY_MS).label("day")
    rows = connection.execute(
        select(
            answers.c.annotator_id, day, func.sum(counted).label("worked"), func.count().label("n")
        )
        .where(answers.c.at >= since_ms)
        .group_by(answers.c.annotator_id, day)
        .order_by(answers.c.annotator_id, day)
    )
    return [
        Worked(row.annotator_id, _EPOCH + timedelta(days=row.day), int(row.worked), row.n)
        for row in rows
    ]

"""Signs that somebody clicks through: a manager looks at the evidence and talks to the person.

Nothing is done by itself: each sign has innocent readings, and nobody loses an answer by it.
Looked at are a person's latest answers only, so a person who was talked to has a way back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Literal

from sqlalchemy import Connection, select

from caer_build.annotation import tables as t
from caer_build.annotation.standing import stands

RECENT = 300
"""answers of a person that are looked at"""
_LEAST_FAST = 3
_LONGEST_RUN = 15
_LEAST_FOR_ONE_KEY, _ONE_KEY_SHARE = 40, 0.9
_LEAST_GOLD, _GOLD_SHARE = 5, 0.5
_EXAMPLES = 5

Kind = Literal["too_fast", "one_key", "gold"]


@dataclass(frozen=True, slots=True)
class Sign:
    """Something about a person's answers that a manager should look at.

    Attributes:
        evidence: a sentence with the numbers.
        clip_ids: some of the clips it is about.
    """

    annotator_id: int
    kind: Kind
    evidence: str
    clip_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recent:
    """One of a person's latest answers.

    Attributes:
        shown_ms: from when the clip appeared to the answer, as the page says, but never longer
            than since the answer before it came.
    """

    clip_id: str
    emotion: str | None
    flag: str | None
    confidence_step: int | None
    shown_ms: int
    length_ms: int


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer for a gold clip."""

    clip_id: str
    said: str | None
    expected: str


def signs(connection: Connection) -> list[Sign]:
    """What stands out in the latest answers of people who take part, by person."""
    found = []
    people = connection.scalars(
        select(t.annotator.c.annotator_id)
        .where(t.annotator.c.retired_at.is_(None))
        .order_by(t.annotator.c.annotator_id)
    ).all()
    gold = _gold_answers(connection)
    for person in people:
        recent = recent_answers(connection, person)
        signs_of = (too_fast(recent), one_key(recent), against_gold(gold[person]))
        kinds: tuple[Kind, ...] = ("too_fast", "one_key", "gold")
        found += [
            Sign(person, kind, *sign)
            for kind, sign in zip(kinds, signs_of, strict=True)
            if sign is not None
        ]
    return found


def too_fast(recent: Sequence[Recent]) -> tuple[str, tuple[str, ...]] | None:
    """Answers given before the clip can have been heard to its end; broken clips aside."""
    looked_at = [r for r in recent if r.flag != "broken"]
    fast = [r for r in looked_at if r.shown_ms < r.length_ms]
    if len(fast) < _LEAST_FAST:
        return None
    return (
        f"{len(fast)} of the last {len(looked_at)} answers came before the clip was over.",
        tuple(r.clip_id for r in fast[:_EXAMPLES]),
    )


def one_key(recent: Sequence[Recent]) -> tuple[str, tuple[str, ...]] | None:
    """One and the same answer many times in a row, or nearly always the same emotion."""
    runs = [list(run) for _, run in groupby(recent, key=_key)]
    longest = max(runs, key=len, default=[])
    if len(longest) >= _LONGEST_RUN:
        examples = tuple(r.clip_id for r in longest[:_EXAMPLES])
        said = longest[0].emotion or str(longest[0].flag).replace("_", " ")
        sure = "" if longest[0].emotion is None else ", always with the same confidence"
        return f"{len(longest)} answers in a row were {said}{sure}.", examples
    emotions = Counter(r.emotion for r in recent if r.emotion is not None)
    n = emotions.total()
    for emotion, most in emotions.most_common(1):
        if n >= _LEAST_FOR_ONE_KEY and most >= _ONE_KEY_SHARE * n:
            examples = tuple(r.clip_id for r in recent if r.emotion == emotion)[:_EXAMPLES]
            return f"{most} of the last {n} emotions were {emotion}.", examples
    return None


def against_gold(answers: Sequence[Checked]) -> tuple[str, tuple[str, ...]] | None:
    """Fewer than half of the gold clips answered as expected."""
    wrong = [a for a in answers if a.said != a.expected]
    right = len(answers) - len(wrong)
    if len(answers) < _LEAST_GOLD or right >= _GOLD_SHARE * len(answers):
        return None
    return (
        f"{right} of {len(answers)} gold clips were answered as expected.",
        tuple(a.clip_id for a in wrong[:_EXAMPLES]),
    )


def recent_answers(connection: Connection, annotator_id: int) -> list[Recent]:
    """A person's latest answers, newest first. They cannot tell what an answer was for, so all
    that come up at work are looked at."""
    rows = connection.execute(
        select(
            t.vote.c.clip_id, t.vote.c.emotion, t.vote.c.flag, t.vote.c.confidence_step,
            (t.vote.c.answered_at - t.vote.c.shown_at).label("shown_ms"), t.clip.c.length_ms,
            t.vote.c.received_at,
        )
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .where(
            t.vote.c.annotator_id == annotator_id,
            t.vote.c.purpose.in_(("vote", "gold", "repeat")),
            # A change of mind looks at the clip once more, for as long as it likes.
            t.vote.c.revision == 1,
            # A manager could not look at it.
            t.clip.c.withdrawn_at.is_(None),
        )
        .order_by(t.vote.c.vote_id.desc())
        .limit(RECENT)
    ).all()  # fmt: skip
    found = []
    for row, earlier in zip_longest(rows, rows[1:]):
        shown_ms = row.shown_ms
        if earlier is not None:
            shown_ms = min(shown_ms, row.received_at - earlier.received_at)
        said = (row.clip_id, row.emotion, row.flag, row.confidence_step)
        found.append(Recent(*said, shown_ms, row.length_ms))
    return found


def _gold_answers(connection: Connection) -> dict[int, list[Checked]]:
    """Everybody's answers for gold clips, newest first. Practice is for making mistakes."""
    rows = connection.execute(
        select(t.vote.c.annotator_id, t.vote.c.clip_id, t.vote.c.emotion, t.clip.c.gold_emotion)
        .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
        .where(t.vote.c.purpose == "gold", t.clip.c.gold_emotion.is_not(None), stands())
        .order_by(t.vote.c.vote_id.desc())
    )
    found: dict[int, list[Checked]] = defaultdict(list)
    for annotator_id, *checked in rows:
        if len(found[annotator_id]) < RECENT:
            found[annotator_id].append(Checked(*checked))
    return found


def _key(recent: Recent) -> tuple[str | None, str | None, int | None]:
    return recent.emotion, recent.flag, recent.confidence_step

"""What the answers of each clip come to at this moment.

Nothing of it is stored, so nothing can be stale. The rule itself stands in ``consensus.py``. For
the funnel the database counts how many clips were answered alike, and the rule is applied once
to each kind (three answers come in some thousand kinds, however many clips there are).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.sql import ColumnElement

from caer_build.annotation import tables as t
from caer_build.annotation.consensus import STATUSES, Consensus, paper_rule
from caer_build.records import EMOTIONS

_CHOICES = (*EMOTIONS, *t.FLAGS)
_BITS = 5
_MOST = 2**_BITS - 1
"""answers for one choice that fit into a packed number"""
_SURE = 1 << (_BITS * len(_CHOICES))
_UNLIKE = 1 << 57
"""in a packed number: the clip has an answer that has to be looked at by itself"""
_CHUNK = 500
_FLAGGED = frozenset(t.FLAGS)


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as the rule looks at it."""

    emotion: str | None
    flag: str | None
    confidence_step: int | None
    confidence_steps: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A clip and what its answers come to."""

    clip_id: str
    answers: tuple[Given, ...]
    consensus: Consensus


def stands() -> ColumnElement[bool]:
    """Whether no later revision replaces a row of ``vote``."""
    later = t.vote.alias()
    return ~exists().where(
        later.c.clip_id == t.vote.c.clip_id,
        later.c.annotator_id == t.vote.c.annotator_id,
        later.c.purpose == t.vote.c.purpose,
        later.c.revision == t.vote.c.revision + 1,
    )


def takes_part(clip_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the clip that a row is about was not withdrawn; for tables other than ``clip``."""
    gone = t.clip.alias("gone")
    return clip_id.not_in(select(gone.c.clip_id).where(gone.c.withdrawn_at.is_not(None)))


def counts() -> ColumnElement[bool]:
    """Whether a row of ``vote`` counts for its clip's label."""
    return and_(t.vote.c.purpose == "vote", takes_part(t.vote.c.clip_id), stands())


def funnel(connection: Connection) -> dict[str, int]:
    """How many clips have each status, in the order of ``consensus.STATUSES``."""
    steps = _usual_steps(connection)
    found: Counter[str] = Counter()
    for row in connection.execute(_alike(connection, steps)):
        if row.packed < _UNLIKE:
            found[_of_kind(row.packed, steps, row.n_slots).status] += row.n_clips
    unlike = (
        select(t.vote.c.clip_id)
        .where(t.vote.c.purpose == "vote", takes_part(t.vote.c.clip_id), ~_is_plain(steps))
        .distinct()
    )
    for standing in standing_of(connection, connection.scalars(unlike).all()).values():
        found[standing.consensus.status] += 1
    present = select(func.count()).where(t.clip.c.withdrawn_at.is_(None))
    n_clips = connection.scalar(present) or 0
    found["incomplete"] += n_clips - found.total()
    return {status: found[status] for status in STATUSES}


def standing_of(connection: Connection, clip_ids: Sequence[str]) -> dict[str, Standing]:
    """What the answers of some clips come to; without those that have none or were withdrawn."""
    found = {}
    for start in range(0, len(clip_ids), _CHUNK):
        chunk = clip_ids[start : start + _CHUNK]
        slots = select(t.clip.c.clip_id, t.clip.c.n_slots).where(t.clip.c.clip_id.in_(chunk))
        n_slots = {row.clip_id: row.n_slots for row in connection.execute(slots)}
        found.update({s.clip_id: s for s in _judge(connection, n_slots)})
    return found


def with_status(
    connection: Connection,
    statuses: Collection[str],
    after: str = "",
    which: ColumnElement[bool] | None = None,
) -> Iterator[Standing]:
    """Clips that somebody answered and that have one of some statuses, by clip_id, after one.

    They come as they are asked for, so taking the first few is cheap; and the database passes
    over those of other kinds, so finding none is cheap too.

    Args:
        which: a condition on ``clip`` besides.
    """
    steps = _usual_steps(connection)
    kinds = {
        row.packed
        for row in connection.execute(_alike(connection, steps))
        if row.packed < _UNLIKE and _of_kind(row.packed, steps, row.n_slots).status in statuses
    }
    packed = _packed(steps)
    ids = (
        select(t.vote.c.clip_id)
        .where(t.vote.c.purpose == "vote", takes_part(t.vote.c.clip_id))
        .group_by(t.vote.c.clip_id)
        .having(or_(packed.in_(sorted(kinds)), packed >= literal(_UNLIKE, BigInteger)))
        .order_by(t.vote.c.clip_id)
        .limit(_CHUNK)
    )
    while chunk := connection.scalars(ids.where(t.vote.c.clip_id > after)).all():
        slots = select(t.clip.c.clip_id, t.clip.c.n_slots).where(t.clip.c.clip_id.in_(chunk))
        if which is not None:
            slots = slots.where(which)
        n_slots = {row.clip_id: row.n_slots for row in connection.execute(slots)}
        for standing in _judge(connection, n_slots):
            if standing.consensus.status in statuses:
                yield standing
        after = chunk[-1]


def _usual_steps(connection: Connection) -> int:
    """A scale of confidence that answers have; those on another one cost more time."""
    return connection.scalar(select(t.vote.c.confidence_steps).limit(1)) or 2


def _is_plain(steps: int) -> ColumnElement[bool]:
    """Whether an answer is a first one, on the project's scale of confidence."""
    return and_(t.vote.c.revision == 1, t.vote.c.confidence_steps == steps)


def _packed(steps: int) -> ColumnElement[int]:
    """Of a clip's answers: what was chosen how often, and the sum of confidences.

    All of it is one number: counting anything more would take the database twice as long.
    """
    said = func.coalesce(t.vote.c.emotion, t.vote.c.flag)
    choice = case({name: 1 << (_BITS * k) for k, name in enumerate(_CHOICES)}, value=said)
    sure = func.coalesce(t.vote.c.confidence_step, 0) * literal(_SURE, BigInteger)
    weight = case((_is_plain(steps), choice + sure), else_=literal(_UNLIKE, BigInteger))
    return cast(func.sum(weight), BigInteger)


def _alike(connection: Connection, steps: int) -> Select[tuple[int, int, int]]:
    """How many clips were answered alike."""
    by_clip = (
        select(t.vote.c.clip_id, _packed(steps).label("packed"))
        .where(t.vote.c.purpose == "vote", takes_part(t.vote.c.clip_id))
        .group_by(t.vote.c.clip_id)
        .subquery()
    )
    n_clips = func.count().label("n_clips")
    needs = select(t.clip.c.n_slots).where(t.clip.c.withdrawn_at.is_(None)).distinct()
    numbers = connection.scalars(needs.limit(2)).all()
    if len(numbers) == 1:
        needed = literal(numbers[0]).label("n_slots")
        return select(by_clip.c.packed, needed, n_clips).group_by(by_clip.c.packed)
    return (
        select(by_clip.c.packed, t.clip.c.n_slots, n_clips)
        .join(t.clip, t.clip.c.clip_id == by_clip.c.clip_id)
        .group_by(by_clip.c.packed, t.clip.c.n_slots)
    )


def _of_kind(packed: int, steps: int, needed: int) -> Consensus:
    """The consensus of answers that were counted.

    The rule asks for the mean of the confidences only, so it does not matter who was how sure.
    """
    answers, sure = [], packed // _SURE
    for number, name in enumerate(_CHOICES):
        for _ in range(packed >> (_BITS * number) & _MOST):
            if name in _FLAGGED:
                answers.append(Given(None, name, None, steps))
            else:
                step = min(sure, steps - 1)
                answers.append(Given(name, None, step, steps))
                sure -= step
    return paper_rule(answers, needed)


def _judge(connection: Connection, n_slots: Mapping[str, int]) -> Iterator[Standing]:
    """What the answers of clips come to, by clip_id.

    Args:
        n_slots: of each clip.
    """
    by_clip: dict[str, list[Given]] = defaultdict(list)
    said = (t.vote.c.emotion, t.vote.c.flag, t.vote.c.confidence_step, t.vote.c.confidence_steps)
    rows = connection.execute(
        select(t.vote.c.clip_id, *said)
        .where(t.vote.c.clip_id.in_(list(n_slots)), counts())
        .order_by(t.vote.c.clip_id)
    )
    for clip_id, *values in rows:
        by_clip[clip_id].append(Given(*values))
    for clip_id, unordered in by_clip.items():
        answers = tuple(sorted(unordered, key=_in_order))
        yield Standing(clip_id, answers, _judged(answers, n_slots[clip_id]))


def _in_order(given: Given) -> tuple[str, str, int, int]:
    return given.emotion or "", given.flag or "", given.confidence_step or 0, given.confidence_steps


@lru_cache(maxsize=20_000)
def _judged(answers: tuple[Given, ...], needed: int) -> Consensus:
    return paper_rule(answers, needed)

"""How far a project is: clips and answers, pace, and what will not be finished by itself.

Counted in the database from the answers of the purpose "vote" in their newest revision, never
from rows that are read one by one. Clips that were withdrawn are none of the project's: only the
pace, which is about work, has their answers still. Written for a page that is looked at often: no
query reads a clip's row as a whole, for its boxes make it wide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from caer_build.annotation import tables as t
from caer_build.annotation.practice import untried
from caer_build.annotation.standing import counts, takes_part

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Progress:
    """Clips by what they need and have.

    Attributes:
        clips: (answers needed, answers given) -> clips.
        n_leased: slots that somebody is at, or has loaded as the next one.
    """

    clips: Mapping[tuple[int, int], int]
    n_leased: int

    @property
    def n_clips(self) -> int:
        return sum(self.clips.values())

    @property
    def n_complete(self) -> int:
        return sum(n for (needed, given), n in self.clips.items() if given >= needed)

    @property
    def n_needed(self) -> int:
        """answers, of all clips"""
        return sum(needed * n for (needed, _), n in self.clips.items())

    @property
    def n_answers(self) -> int:
        return sum(given * n for (_, given), n in self.clips.items())

    @property
    def n_left(self) -> int:
        """answers still to be given"""
        return self.n_needed - self.n_answers


@dataclass(frozen=True, slots=True)
class Person:
    """What one person did.

    Attributes:
        is_untried: labels clips that count without having practised, for there was no practice
            when they joined.
        n_votes: clips answered that count.
        n_today: answers of every purpose since the day began.
        n_held: clips given to them at this moment.
        last_at: ms; None: nothing answered yet.
    """

    annotator_id: int
    alias: str
    name: str
    role: str
    is_retired: bool
    is_qualified: bool
    is_untried: bool
    n_votes: int
    n_today: int
    n_held: int
    last_at: int | None


@dataclass(frozen=True, slots=True)
class HourOfWork:
    """Answers that count, of one person in one hour.

    Attributes:
        began_at: ms.
    """

    began_at: int
    annotator_id: int
    n_votes: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """A clip with more open places than people who may still take it.

    Attributes:
        n_free: people who may.
        is_gold: its emotion is known, so it is no loss.
    """

    clip_id: str
    public_id: str
    n_open: int
    n_free: int
    is_gold: bool


@dataclass(frozen=True, slots=True)
class Flagged:
    """A clip about which somebody could not tell, or which they found broken.

    Attributes:
        reasons: of those who found it broken, each once.
        n_answers: all that count, flagged or not.
    """

    clip_id: str
    public_id: str
    n_flags: int
    n_answers: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A clip that people would rather not see. Who they are is told to nobody.

    Attributes:
        n_people: how many.
    """

    clip_id: str
    public_id: str
    n_people: int


def progress(connection: Connection) -> Progress:
    """Clips by the answers they need and have.

    A slot that nobody holds is open, one that is leased is not answered: the rest is.
    """
    clips: Counter[tuple[int, int]] = Counter()
    kinds = select(t.clip.c.n_slots, t.clip.c.n_open, func.count().label("n"))
    kinds = kinds.where(t.clip.c.withdrawn_at.is_(None))
    for row in connection.execute(kinds.group_by(t.clip.c.n_slots, t.clip.c.n_open)):
        clips[row.n_slots, row.n_slots - row.n_open] += row.n
    # Grouped here: SQLite would go through all slots to have them by clip.
    leased = Counter(
        connection.scalars(select(t.slot.c.clip_id).where(t.slot.c.expires_at.is_not(None)))
    )
    held = select(t.clip.c.clip_id, t.clip.c.n_slots, t.clip.c.n_open)
    for row in connection.execute(held.where(t.clip.c.clip_id.in_(list(leased)))):
        taken = row.n_slots - row.n_open
        clips[row.n_slots, taken] -= 1
        clips[row.n_slots, taken - leased[row.clip_id]] += 1
    return Progress({kind: n for kind, n in sorted(clips.items()) if n}, leased.total())


def people(connection: Connection, day_began_ms: int) -> list[Person]:
    """What everybody did, in the order in which they joined; managers too."""
    slots = connection.execute(
        select(
            t.slot.c.annotator_id,
            func.count(case((t.slot.c.expires_at.is_(None), 1))).label("answered"),
            func.count(t.slot.c.expires_at).label("held"),
        )
        .where(t.slot.c.annotator_id.is_not(None), takes_part(t.slot.c.clip_id))
        .group_by(t.slot.c.annotator_id)
    )
    taken = {row.annotator_id: row for row in slots}
    found = []
    mine = t.vote.c.annotator_id == t.annotator.c.annotator_id
    last = select(func.max(t.vote.c.answered_at)).where(mine).scalar_subquery()
    today = (
        select(func.count())
        .where(mine, t.vote.c.answered_at >= day_began_ms, t.vote.c.revision == 1)
        .scalar_subquery()
    )
    for row in connection.execute(
        select(
            t.annotator,
            last.label("last_at"),
            today.label("n_today"),
            untried().label("is_untried"),
        ).order_by(t.annotator.c.annotator_id)
    ):
        me = row.annotator_id
        held = taken.get(me)
        found.append(
            Person(
                me, row.alias, row.name, row.role, row.retired_at is not None,
                row.qualified_at is not None, bool(row.is_untried),
                held.answered if held else 0, row.n_today, held.held if held else 0, row.last_at,
            )
        )  # fmt: skip
    return found


def by_hour(connection: Connection, since_ms: int) -> list[HourOfWork]:
    """Answers that count, by hour and person, oldest first. A change of mind is no new answer."""
    hour = (t.vote.c.answered_at // HOUR_MS).label("hour")
    rows = connection.execute(
        select(hour, t.vote.c.annotator_id, func.count().label("n"))
        .where(
            t.vote.c.annotator_id.in_(select(t.annotator.c.annotator_id)),
            t.vote.c.answered_at >= since_ms,
            # Not a plain comparison, or SQLite would go through all votes by their purpose.
            t.vote.c.purpose.concat("") == "vote",
            t.vote.c.revision == 1,
        )
        .group_by(hour, t.vote.c.annotator_id)
        .order_by(hour, t.vote.c.annotator_id)
    )
    return [HourOfWork(row.hour * HOUR_MS, row.annotator_id, row.n) for row in rows]


def days_left(n_left: int, hours: Sequence[HourOfWork], now_ms: int) -> float | None:
    """Days until the last answer at the pace of some recent hours; None: nobody worked in them.

    The pace is that of whole days, nights and weekends in it; less than a day counts as a day.
    """
    n_recent = sum(hour.n_votes for hour in hours)
    if not n_recent:
        return None
    days = max(1.0, (now_ms - min(hour.began_at for hour in hours)) / DAY_MS)
    return n_left * days / n_recent


def flagged(connection: Connection, flag: str, limit: int = 200) -> list[Flagged]:
    """Clips with answers of one flag that stand, those with the most first."""
    n_flags = func.count().label("n_flags")
    rows = connection.execute(
        select(t.vote.c.clip_id, n_flags)
        .where(t.vote.c.flag == flag, counts())
        .group_by(t.vote.c.clip_id)
        .order_by(n_flags.desc(), t.vote.c.clip_id)
        .limit(limit)
    ).all()
    ids = [row.clip_id for row in rows]
    public = _public_ids(connection, ids)
    n_answers: Counter[str] = Counter()
    reasons: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(
        select(t.vote.c.clip_id, t.vote.c.reason).where(t.vote.c.clip_id.in_(ids), counts())
    ):
        n_answers[row.clip_id] += 1
        if row.reason:
            reasons[row.clip_id].add(row.reason)
    return [
        Flagged(r.clip_id, public[r.clip_id], r.n_flags, n_answers[r.clip_id],
                tuple(sorted(reasons[r.clip_id])) if flag == "broken" else ())
        for r in rows
    ]  # fmt: skip


def passed_on(connection: Connection, limit: int = 200) -> list[PassedOn]:
    """Clips that people would rather not see, those of the most people first."""
    n_people = func.count().label("n_people")
    rows = connection.execute(
        select(t.declined.c.clip_id, n_people)
        .where(takes_part(t.declined.c.clip_id))
        .group_by(t.declined.c.clip_id)
        .order_by(n_people.desc(), t.declined.c.clip_id)
        .limit(limit)
    ).all()
    public = _public_ids(connection, [row.clip_id for row in rows])
    return [PassedOn(row.clip_id, public[row.clip_id], row.n_people) for row in rows]


def n_workers(connection: Connection) -> int:
    """People who take clips: annotators and adjudicators who have not left."""
    return connection.scalar(select(func.count()).where(_is_worker())) or 0


def stuck(connection: Connection, limit: int = 200) -> list[Stuck]:
    """Clips that cannot be finished by the people there are, by clip_id.

    Nobody takes a clip that they have, had as gold, practice or adjudication, or passed on, nor an
    example of the guide. While there are as many people as a clip needs answers, only such clips
    can be stuck.
    """
    n_people = n_workers(connection)
    worker = t.annotator.alias()
    has = [
        exists().where(
            table.c.clip_id == t.clip.c.clip_id, table.c.annotator_id == worker.c.annotator_id
        )
        for table in (t.slot, t.errand, t.declined)
    ]
    has.append(exists().where(t.example.c.clip_id == t.clip.c.clip_id))
    n_free = (
        select(func.count())
        .select_from(worker)
        .where(worker.c.retired_at.is_(None), worker.c.role != "manager", ~or_(*has))
        .scalar_subquery()
    )
    candidates = [
        t.clip.c.clip_id.in_(select(table.c.clip_id)) for table in (t.errand, t.declined, t.example)
    ]
    rows = connection.execute(
        select(
            t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.n_open, n_free.label("n_free"),
            t.clip.c.gold_emotion,
        )
        .where(
            t.clip.c.n_open > 0,
            or_(t.clip.c.n_slots > n_people, *candidates),
            t.clip.c.n_open > n_free,
        )
        .order_by(t.clip.c.clip_id)
        .limit(limit)
    )  # fmt: skip
    return [
        Stuck(r.clip_id, r.public_id, r.n_open, r.n_free, r.gold_emotion is not None) for r in rows
    ]


def _is_worker() -> ColumnElement[bool]:
    return and_(t.annotator.c.retired_at.is_(None), t.annotator.c.role != "manager")


def _public_ids(connection: Connection, clip_ids: Sequence[str]) -> dict[str, str]:
    rows = connection.execute(
        select(t.clip.c.clip_id, t.clip.c.public_id).where(t.clip.c.clip_id.in_(clip_ids))
    )
    return {row.clip_id: row.public_id for row in rows}

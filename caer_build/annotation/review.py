"""One clip with everything that was said of it, and lists of clips: for managers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, exists, false, or_, select

from caer_build.annotation import tables as t
from caer_build.annotation.consensus import Consensus, paper_rule
from caer_build.annotation.gold import use_of
from caer_build.annotation.project import raise_votes
from caer_build.annotation.standing import Given, standing_of, with_status
from caer_build.annotation.viewing import Film, film
from caer_build.errors import VoteError

MOST_VOTES = 25
_LISTED = (
    t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.length_ms, t.clip.c.n_slots,
    t.clip.c.gold_emotion,
)  # fmt: skip
_is_example = exists().where(t.example.c.clip_id == t.clip.c.clip_id).label("is_example")


@dataclass(frozen=True, slots=True)
class Listed:
    """A clip in a list."""

    clip_id: str
    public_id: str
    length_ms: int
    n_slots: int
    gold_emotion: str | None
    consensus: Consensus
    answers: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """An answer with its author.

    Attributes:
        is_standing: no later one replaces it.
    """

    name: str
    alias: str
    purpose: str
    revision: int
    emotion: str | None
    flag: str | None
    reason: str | None
    confidence_step: int | None
    confidence_steps: int
    shown_at: int
    answered_at: int
    is_standing: bool


@dataclass(frozen=True, slots=True)
class Dossier:
    """A clip as a manager sees it.

    Attributes:
        gold_use: what a gold clip is used for; see :data:`gold.USES`.
        said: all answers of all purposes, oldest first.
    """

    listed: Listed
    film: Film
    show: str
    episode_id: str
    person_id: str | None
    gold_reason: str | None
    gold_use: str | None
    said: tuple[Said, ...]


def clips_by_status(
    connection: Connection, statuses: Sequence[str], after: str = "", limit: int = 50
) -> list[Listed]:
    """Clips that somebody answered and that have one of some statuses, by clip_id, after one."""
    found = list(islice(with_status(connection, statuses, after), limit))
    rows = _rows(connection, [standing.clip_id for standing in found])
    return [_listed(rows[s.clip_id], s.consensus, s.answers) for s in found]


def has_begun(connection: Connection) -> bool:
    """Whether anything was answered yet."""
    return connection.scalar(select(t.vote.c.vote_id).limit(1)) is not None


def untouched(connection: Connection, after: str = "", limit: int = 50) -> list[Listed]:
    """Clips that nobody has answered, in the order of their positions, which is a random one.

    Args:
        after: the clip_id that they come behind; empty: from the start.
    """
    is_answered = exists().where(t.vote.c.purpose == "vote", t.vote.c.clip_id == t.clip.c.clip_id)
    query = (
        select(*_LISTED)
        .where(t.clip.c.withdrawn_at.is_(None), is_answered.is_(false()))
        .order_by(t.clip.c.position)
        .limit(limit)
    )
    if after:
        behind = select(t.clip.c.position).where(t.clip.c.clip_id == after).scalar_subquery()
        query = query.where(t.clip.c.position > behind)
    rows = connection.execute(query)
    return [_listed(row, paper_rule((), row.n_slots), ()) for row in rows]


def find_clip(connection: Connection, text: str) -> str | None:
    """The clip_id of a clip that is called so, by its id or its public id, and takes part."""
    text = text.strip()
    called = or_(t.clip.c.clip_id == text, t.clip.c.public_id == text)
    return connection.scalar(
        select(t.clip.c.clip_id).where(called, t.clip.c.withdrawn_at.is_(None))
    )


def dossier(connection: Connection, clip_id: str) -> Dossier:
    """Everything about a clip.

    Raises:
        VoteError: if there is no such clip.
    """
    present = (t.clip.c.clip_id == clip_id, t.clip.c.withdrawn_at.is_(None))
    clip = connection.execute(
        select(
            *_LISTED, t.clip.c.show, t.clip.c.episode_id, t.clip.c.person_id,
            t.clip.c.gold_reason, t.clip.c.is_practice, _is_example,
        ).where(*present)
    ).first()  # fmt: skip
    if clip is None:
        raise VoteError(f"The project has no clip {clip_id}.")
    standing = standing_of(connection, [clip_id]).get(clip_id)
    answers = () if standing is None else standing.answers
    consensus = paper_rule((), clip.n_slots) if standing is None else standing.consensus
    use = use_of(clip.is_practice, clip.is_example) if clip.gold_emotion else None
    return Dossier(
        _listed(clip, consensus, answers), film(connection, clip_id), clip.show, clip.episode_id,
        clip.person_id, clip.gold_reason, use, tuple(_said(connection, clip_id)),
    )  # fmt: skip


def ask_for_more(connection: Connection, clip_ids: Sequence[str], votes: int) -> int:
    """Lets clips take ``votes`` answers where they take fewer; how many clips that changed.

    Raises:
        VoteError: for more than :data:`MOST_VOTES`.
    """
    if votes > MOST_VOTES:
        raise VoteError(f"A clip takes at most {MOST_VOTES} answers, found {votes}.")
    return raise_votes(connection, sorted(clip_ids), votes)


def _rows(connection: Connection, clip_ids: Sequence[str]) -> Mapping[str, t.AnyRow]:
    rows = connection.execute(select(*_LISTED).where(t.clip.c.clip_id.in_(clip_ids)))
    return {row.clip_id: row for row in rows}


def _listed(row: t.AnyRow, consensus: Consensus, answers: tuple[Given, ...]) -> Listed:
    return Listed(
        row.clip_id, row.public_id, row.length_ms, row.n_slots, row.gold_emotion, consensus,
        answers,
    )  # fmt: skip


def _said(connection: Connection, clip_id: str) -> list[Said]:
    rows = connection.execute(
        select(t.vote, t.annotator.c.name, t.annotator.c.alias)
        .join(t.annotator, t.annotator.c.annotator_id == t.vote.c.annotator_id)
        .where(t.vote.c.clip_id == clip_id)
        .order_by(t.vote.c.vote_id)
    ).all()
    newest = {(r.annotator_id, r.purpose): r.revision for r in sorted(rows, key=_revision)}
    return [
        Said(
            r.name, r.alias, r.purpose, r.revision, r.emotion, r.flag, r.reason,
            r.confidence_step, r.confidence_steps, r.shown_at, r.answered_at,
            newest[r.annotator_id, r.purpose] == r.revision,
        )
        for r in rows
    ]  # fmt: skip


def _revision(row: t.AnyRow) -> int:
    return int(row.revision)

"""Gold clips: clips whose emotion a manager vouches for, to teach people and to check them.

A gold clip keeps the votes it has. What it is used for is one of three: it comes up unseen among
the others, as a check; it is for practice, which everybody goes through first, with feedback, and
is never mixed in later; or it is an example that the guide shows, which nobody is given at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.events import record
from caer_build.annotation.practice import send_newcomers_back
from caer_build.errors import NotAllowed, VoteError
from caer_build.records import EMOTIONS

CHECK, PRACTICE, EXAMPLE = "check", "practice", "example"
USES = (CHECK, PRACTICE, EXAMPLE)
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class GoldClip:
    """A gold clip.

    Attributes:
        use: one of :data:`USES`.
        by: who vouches for it; None: the command line.
    """

    clip_id: str
    public_id: str
    emotion: str
    reason: str
    use: str
    by: str | None


def gold_clips(connection: Connection) -> list[GoldClip]:
    """All gold clips, by clip_id."""
    rows = connection.execute(
        select(
            t.clip.c.clip_id, t.clip.c.public_id, t.clip.c.gold_emotion, t.clip.c.gold_reason,
            t.clip.c.is_practice, t.annotator.c.name,
        )
        .join(t.annotator, t.annotator.c.annotator_id == t.clip.c.gold_by, isouter=True)
        .where(t.clip.c.gold_emotion.is_not(None))
    ).all()  # fmt: skip
    shown = set(connection.scalars(select(t.example.c.clip_id)))
    found = [
        GoldClip(
            r.clip_id, r.public_id, r.gold_emotion, r.gold_reason,
            use_of(r.is_practice, r.clip_id in shown), r.name,
        )
        for r in rows
    ]  # fmt: skip
    # Sorted here: SQLite would look through all clips to have them in order.
    return sorted(found, key=lambda gold: gold.clip_id)


def use_of(is_practice: bool, is_example: bool) -> str:
    """The use of a gold clip, as its rows tell it."""
    return EXAMPLE if is_example else PRACTICE if is_practice else CHECK


def mark_gold(
    connection: Connection, clip_id: str, emotion: str, reason: str, *, by: int | None, now_ms: int
) -> None:
    """Makes a clip gold, or changes what a gold clip is known to show.

    Args:
        reason: shown to people in practice, and beside an example.
        by: the manager; None: the command line.

    Raises:
        NotAllowed: if ``by`` is no manager.
        VoteError: without a reason, or for what is no emotion or clip.
    """
    _require_manager(connection, by)
    reason = reason.strip()
    if emotion not in EMOTIONS:
        raise VoteError(f"Expected one of {', '.join(EMOTIONS)}, found {emotion!r}.")
    if not 1 <= len(reason) <= MAX_REASON:
        raise VoteError(f"A gold clip needs a reason of 1 to {MAX_REASON} characters.")
    changed = connection.execute(
        update(t.clip)
        .where(t.clip.c.clip_id == clip_id, t.clip.c.withdrawn_at.is_(None))
        .values(gold_emotion=emotion, gold_reason=reason, gold_by=by)
    )
    if changed.rowcount != 1:
        raise VoteError(f"The project has no clip {clip_id}.")
    record(connection, "gold", now_ms, annotator_id=by, detail=f"{clip_id} {emotion}: {reason}")


def unmark_gold(connection: Connection, clip_id: str, by: int, now_ms: int) -> None:
    """Makes a gold clip one like others again. What was answered of it stays.

    Raises:
        NotAllowed: if ``by`` is no manager.
        VoteError: if it is none.
    """
    _require_manager(connection, by)
    changed = connection.execute(
        update(t.clip)
        .where(t.clip.c.clip_id == clip_id, t.clip.c.gold_emotion.is_not(None))
        .values(gold_emotion=None, gold_reason=None, gold_by=None, is_practice=False)
    )
    if changed.rowcount != 1:
        raise VoteError(f"{clip_id} is no gold clip.")
    connection.execute(delete(t.example).where(t.example.c.clip_id == clip_id))
    _end_practice(connection, clip_id)
    record(connection, "gold_ended", now_ms, annotator_id=by, detail=clip_id)


def set_use(connection: Connection, clip_id: str, use: str, by: int | None, now_ms: int) -> None:
    """Says what a gold clip is used for.

    With the first practice clips, people who joined before there were any and have not begun
    yet have to practise, too.

    Args:
        use: one of :data:`USES`.
        by: the manager; None: the command line.

    Raises:
        NotAllowed: if ``by`` is no manager.
        VoteError: if it is no gold clip, or there is no such use.
    """
    _require_manager(connection, by)
    if use not in USES:
        raise VoteError(f"Expected a use of {', '.join(USES)}, found {use!r}.")
    changed = connection.execute(
        update(t.clip)
        .where(t.clip.c.clip_id == clip_id, t.clip.c.gold_emotion.is_not(None))
        .values(is_practice=use == PRACTICE)
    )
    if changed.rowcount != 1:
        raise VoteError(f"{clip_id} is no gold clip.", "Mark it as gold first.")
    connection.execute(delete(t.example).where(t.example.c.clip_id == clip_id))
    if use == EXAMPLE:
        connection.execute(insert(t.example).values(clip_id=clip_id))
    if use == PRACTICE:
        send_newcomers_back(connection)
    else:
        _end_practice(connection, clip_id)
    record(connection, "gold_use", now_ms, annotator_id=by, detail=f"{clip_id} {use}")


def _end_practice(connection: Connection, clip_id: str) -> None:
    """Takes the clip from those who are practising on it at this moment: it teaches nothing now."""
    connection.execute(
        delete(t.errand).where(
            t.errand.c.clip_id == clip_id, t.errand.c.purpose == "practice", ~t.errand.c.answered
        )
    )


def _require_manager(connection: Connection, annotator_id: int | None) -> None:
    if annotator_id is None:
        return
    role = connection.scalar(
        select(t.annotator.c.role).where(
            t.annotator.c.annotator_id == annotator_id, t.annotator.c.retired_at.is_(None)
        )
    )
    if role != "manager":
        raise NotAllowed("Only a manager decides which clips are gold.")

"""Gold clips: clips whose emotion a manager vouches for, to teach people and to check them.

A gold clip keeps the votes it has. Practice clips are gold clips that everybody sees first, with
feedback; they are never mixed in later.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from caer_build.annotation import tables as t
from caer_build.annotation.events import record
from caer_build.errors import NotAllowed, VoteError
from caer_build.records import EMOTIONS

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class GoldClip:
    """A gold clip.

    Attributes:
        by: who vouches for it.
    """

    clip_id: str
    public_id: str
    emotion: str
    reason: str
    is_practice: bool
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
    )  # fmt: skip
    # Sorted here: SQLite would look through all clips to have them in order.
    return sorted((GoldClip(*row) for row in rows), key=lambda gold: gold.clip_id)


def mark_gold(
    connection: Connection, clip_id: str, emotion: str, reason: str, *, by: int, now_ms: int
) -> None:
    """Makes a clip gold, or changes what a gold clip is known to show.

    Args:
        reason: shown to people in practice.

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
    _end_practice(connection, clip_id)
    record(connection, "gold_ended", now_ms, annotator_id=by, detail=clip_id)


def set_practice(
    connection: Connection, clip_id: str, is_practice: bool, by: int, now_ms: int
) -> None:
    """Puts a gold clip into the practice set, or takes it out.

    Raises:
        NotAllowed: if ``by`` is no manager.
        VoteError: if it is no gold clip.
    """
    _require_manager(connection, by)
    changed = connection.execute(
        update(t.clip)
        .where(t.clip.c.clip_id == clip_id, t.clip.c.gold_emotion.is_not(None))
        .values(is_practice=is_practice)
    )
    if changed.rowcount != 1:
        raise VoteError(f"{clip_id} is no gold clip.", "Mark it as gold first.")
    if not is_practice:
        _end_practice(connection, clip_id)
    kind = "practice" if is_practice else "practice_ended"
    record(connection, kind, now_ms, annotator_id=by, detail=clip_id)


def _end_practice(connection: Connection, clip_id: str) -> None:
    """Takes the clip from those who are practising on it at this moment: it teaches nothing now."""
    connection.execute(
        delete(t.errand).where(
            t.errand.c.clip_id == clip_id, t.errand.c.purpose == "practice", ~t.errand.c.answered
        )
    )


def _require_manager(connection: Connection, annotator_id: int) -> None:
    role = connection.scalar(
        select(t.annotator.c.role).where(
            t.annotator.c.annotator_id == annotator_id, t.annotator.c.retired_at.is_(None)
        )
    )
    if role != "manager":
        raise NotAllowed("Only a manager decides which clips are gold.")

"""Taking answers: exactly those whose slot is held by, or still open to, the person who sends them.

Nothing is ever overwritten. A change of mind is a new revision of the same vote; an answer that
is sent twice is taken once; one that comes too late is refused with a sentence that says so.

What a page says about itself (played, heard, shown for so long) is believed as far as the server's
own clock allows it. A page shows a clip when the server has the answer for the one before, so
between these two moments the clip must have had the time to be heard once. What comes sooner is
refused, not only flagged: the times are the server's own, so a browser's wrong clock has no part
in it, and who waits a moment and sends again loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import (
    BindParameter,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from caer_build.annotation import tables as t
from caer_build.annotation.answers import Answer
from caer_build.annotation.hearing import given_ms, may_be_heard
from caer_build.annotation.leasing import (
    CLIP_NAMED,
    IS_ANOTHERS,
    Desk,
    Lease,
    take_back_one,
    take_slot,
)
from caer_build.annotation.tickets import is_genuine
from caer_build.errors import DuplicateVote, LeaseLost, NotAllowed, VoteError

# In one order everywhere, so that two people who meet twice never wait for each other.
_MEET = text(
    "INSERT INTO pair (first, second, n_clips) "
    "SELECT CASE WHEN annotator_id < :me THEN annotator_id ELSE :me END AS one, "
    "CASE WHEN annotator_id < :me THEN :me ELSE annotator_id END AS other, 1 FROM slot "
    "WHERE clip_id = :this_clip AND answered AND annotator_id <> :me ORDER BY one, other "
    "ON CONFLICT (first, second) DO UPDATE SET n_clips = pair.n_clips + 1"
)
_FINAL = ("practice", "adjudication")
"""after these a person is told what others, or a manager, saw in the clip"""
_ME: BindParameter[int] = bindparam("me")
_CLIP: BindParameter[str] = bindparam("this_clip")
# Built once: building a statement costs more than running it.
_before = t.vote.alias("before")
_SENT = (
    select(
        t.clip.c.clip_id,
        t.clip.c.has_audio,
        t.clip.c.length_ms,
        t.clip.c.withdrawn_at,
        t.errand.c.errand_id,
        t.errand.c.purpose,
        t.errand.c.answered.label("is_done"),
        IS_ANOTHERS.label("is_anothers"),
        t.slot.c.slot,
        t.slot.c.answered,
        _before.c.vote_id,
        _before.c.annotator_id.label("by"),
        _before.c.clip_id.label("about"),
        _before.c.purpose.label("taken_as"),
        _before.c.revision,
        *(_before.c[name] for name in ("emotion", "flag", "reason", "confidence_step")),
    )
    .join_from(
        t.clip,
        t.errand,
        and_(
            t.errand.c.ticket == bindparam("ticket"),
            t.errand.c.clip_id == t.clip.c.clip_id,
            t.errand.c.annotator_id == _ME,
        ),
        isouter=True,
    )
    .join(
        t.slot,
        and_(t.slot.c.clip_id == t.clip.c.clip_id, t.slot.c.annotator_id == _ME),
        isouter=True,
    )
    .join(_before, _before.c.request_id == bindparam("request"), isouter=True)
    .where(t.clip.c.clip_id == CLIP_NAMED)
    # Locked, so that people who answer one clip at once are counted with each other.
    .with_for_update(key_share=True, of=t.clip)
)
"""all that decides about an answer: its clip, the errand and slot of its author, and whether the
same request came before"""
_END_ERRAND = (
    update(t.errand)
    .where(t.errand.c.errand_id == bindparam("this_errand"))
    .values(answered=True, expires_at=None)
)
_FILL_SLOT = (
    update(t.slot)
    .where(t.slot.c.clip_id == _CLIP, t.slot.c.annotator_id == _ME, ~t.slot.c.answered)
    .values(answered=True, expires_at=None)
    .returning(t.slot.c.slot)
)
_MY_VOTE = (
    select(t.vote.c.vote_id).where(t.vote.c.annotator_id == _ME, t.vote.c.clip_id == _CLIP).limit(1)
)
_LAST = (
    select(
        t.vote,
        func.coalesce(t.errand.c.shown_as, t.clip.c.public_id).label("public_id"),
        t.clip.c.withdrawn_at,
    )
    .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
    .join(
        t.errand,
        and_(
            t.errand.c.clip_id == t.vote.c.clip_id,
            t.errand.c.annotator_id == t.vote.c.annotator_id,
            t.errand.c.purpose == t.vote.c.purpose,
        ),
        isouter=True,
    )
    .where(
        t.vote.c.annotator_id == _ME,
        t.vote.c.purpose != "practice",
        t.vote.c.purpose != "adjudication",
    )
    .order_by(t.vote.c.vote_id.desc())
    .limit(1)
)
_ADJUDICATED = select(t.vote.c.vote_id).where(
    t.vote.c.purpose == "adjudication", t.vote.c.clip_id == _CLIP, t.vote.c.annotator_id != _ME
)
_NEW_VOTE = insert(t.vote).returning(t.vote.c.vote_id)
_SAID = ("emotion", "flag", "reason", "confidence_step")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an answer; it stands in the database when the transaction has ended."""

    vote_id: int
    clip_id: str
    purpose: str
    revision: int


@dataclass(frozen=True, slots=True)
class Taken:
    """As what an answer is taken.

    Attributes:
        since_ms: since when its author can have had the clip before them, by the server's clock.
    """

    since_ms: int
    clip_id: str
    purpose: str
    slot: int | None = None
    revision: int = 1


def submit(connection: Connection, desk: Desk, person: t.AnyRow, answer: Answer) -> Receipt:
    """Takes an answer. The same request again gives the same receipt.

    Args:
        person: the row of who sends it, see :func:`caer_build.annotation.leasing.lock_annotator`.

    Raises:
        LeaseLost: if somebody else has the clip now, or it was taken back or withdrawn.
        DuplicateVote: if this person has answered this clip, or the request id is another's.
        NotAllowed: if the clip was never given to this person, or was not heard.
        VoteError: if there is no such step of confidence.
    """
    sent = _sent(connection, desk, answer.public_id, answer.ticket, answer.request_id)
    if sent.vote_id is not None:
        return _again(sent, desk, answer)
    if sent.withdrawn_at is not None:
        raise LeaseLost(
            "This clip was taken out of the project while you had it, so your answer could not be "
            "taken.",
            "Go on with the next clip.",
        )
    is_adjudication = sent.purpose == "adjudication"
    since_ms = given_ms(desk, answer.ticket)
    if not is_adjudication:
        since_ms = max(since_ms, person.answered_at or 0)
    _check(desk, sent, answer)
    if answer.revises is not None:
        return _revise(connection, desk, sent.clip_id, answer)
    taken = Taken(since_ms, sent.clip_id, "vote")
    if sent.errand_id is not None:
        _end_errand(connection, desk, sent)
        taken = replace(taken, purpose=sent.purpose)
    elif person.qualified_at is None:
        raise LeaseLost("This clip was taken out of your practice.", "Go on with the next clip.")
    else:
        taken = replace(taken, slot=_fill_slot(connection, desk, sent))
    # At last: whose clip is gone, or answered in another window, is told so, not to wait.
    if answer.flag != "broken" and not may_be_heard(desk, sent, since_ms):
        raise NotAllowed(
            "Less time has passed than this clip takes to be heard once.",
            "Hear it to its end, and send your answer again.",
        )
    receipt = _insert(connection, desk, answer, taken)
    if taken.slot is not None:
        connection.execute(_MEET, {"me": desk.annotator_id, "this_clip": sent.clip_id})
    return receipt


def decline(connection: Connection, desk: Desk, public_id: str, ticket: str) -> None:
    """Gives a clip back for good ("rather not"): it goes to others, and leaves no mark.

    Raises:
        NotAllowed: if the clip was never given to this person.
        DuplicateVote: if it is answered already.
    """
    sent = _sent(connection, desk, public_id, ticket)
    if sent.withdrawn_at is not None:
        return
    me = desk.annotator_id
    declined = connection.scalar(
        select(t.declined.c.at).where(
            t.declined.c.clip_id == sent.clip_id, t.declined.c.annotator_id == me
        )
    )
    if declined is not None:
        return
    if sent.errand_id is not None and not sent.is_done:
        connection.execute(delete(t.errand).where(t.errand.c.errand_id == sent.errand_id))
    elif _answered(connection, me, sent.clip_id):
        raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
    take_back_one(connection, me, sent.clip_id)
    connection.execute(
        insert(t.declined).values(clip_id=sent.clip_id, annotator_id=me, at=desk.now_ms)
    )


def last_answer(connection: Connection, annotator_id: int) -> t.AnyRow | None:
    """The newest row of votes of a person, practice and adjudication aside.

    None, too, if its clip was withdrawn: an undo would be of that answer, not of the one before.
    """
    last = connection.execute(_LAST, {"me": annotator_id}).first()
    return None if last is None or last.withdrawn_at is not None else last


def reopen(connection: Connection, desk: Desk) -> tuple[Lease, Mapping[str, object]] | None:
    """A person's last answer, to be given again: its clip, and what was said (with its vote_id).

    Nothing changes by asking; answering with ``revises`` does.
    """
    last = last_answer(connection, desk.annotator_id)
    if last is None:
        return None
    said = {name: getattr(last, name) for name in (*_SAID, "request_id", "play_count", "audio_on")}
    ticket = desk.ticket(last.public_id)
    return Lease(ticket, last.clip_id, last.public_id, last.purpose, last.received_at), said


def _sent(
    connection: Connection, desk: Desk, public_id: str, ticket: str, request_id: str = ""
) -> t.AnyRow:
    if not is_genuine(ticket, desk.secret, desk.annotator_id, public_id):
        raise NotAllowed("This clip was not given to you.")
    given = {"name": public_id, "me": desk.annotator_id, "ticket": ticket, "now": desk.now_ms}
    sent = connection.execute(_SENT, given | {"request": request_id}).first()
    if sent is None:
        raise NotAllowed("This clip was not given to you.")
    return sent


def _check(desk: Desk, clip: t.AnyRow, answer: Answer) -> None:
    steps = desk.settings.confidence_steps
    if answer.confidence_step is not None and answer.confidence_step not in range(steps):
        raise VoteError(f"Confidence has {steps} steps, counted from 0.")
    if answer.flag == "broken":
        return
    if not answer.heard:
        raise NotAllowed("Play the clip once to its end at normal speed first.")
    if clip.has_audio and not answer.audio_on:
        raise NotAllowed("Turn the sound on: the voice is part of the clip.")


def _again(sent: t.AnyRow, desk: Desk, answer: Answer) -> Receipt:
    """The receipt of an answer that was taken already, if it is the same one."""
    same = (sent.by, sent.about) == (desk.annotator_id, sent.clip_id) and all(
        getattr(sent, name) == getattr(answer, name) for name in _SAID
    )
    if not same:
        raise DuplicateVote("This request was used for another answer.", "Send a new one.")
    return Receipt(sent.vote_id, sent.clip_id, sent.taken_as, sent.revision)


def _revise(connection: Connection, desk: Desk, clip_id: str, answer: Answer) -> Receipt:
    old = connection.execute(
        select(t.vote).where(
            t.vote.c.request_id == answer.revises,
            t.vote.c.annotator_id == desk.annotator_id,
            t.vote.c.clip_id == clip_id,
        )
    ).first()
    if old is None:
        raise NotAllowed("Only your own answers can be changed.")
    if old.purpose in _FINAL:
        raise NotAllowed("You were told more about this clip since, so your answer stands.")
    newest = connection.scalar(
        select(func.max(t.vote.c.revision)).where(
            t.vote.c.annotator_id == desk.annotator_id,
            t.vote.c.clip_id == clip_id,
            t.vote.c.purpose == old.purpose,
        )
    )
    if old.revision != newest:
        raise DuplicateVote("This answer was changed already, in another window.")
    since_ms = max(old.received_at, given_ms(desk, answer.ticket))
    taken = Taken(since_ms, clip_id, old.purpose, old.slot, old.revision + 1)
    return _insert(connection, desk, answer, taken)


def _end_errand(connection: Connection, desk: Desk, sent: t.AnyRow) -> None:
    """Takes the answer of an errand: by its own ticket only, and of a tie that is still theirs."""
    if sent.is_done:
        raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
    if sent.purpose == "adjudication":
        others = {"this_clip": sent.clip_id, "me": desk.annotator_id}
        if sent.is_anothers or connection.execute(_ADJUDICATED, others).first() is not None:
            raise LeaseLost(
                "This clip waited for you too long and was given to another adjudicator, so your "
                "answer could not be taken.",
                "Go on with the next clip.",
            )
    connection.execute(_END_ERRAND, {"this_errand": sent.errand_id})


def _answered(connection: Connection, annotator_id: int, clip_id: str) -> bool:
    given = {"me": annotator_id, "this_clip": clip_id}
    return connection.scalar(_MY_VOTE, given) is not None


def _fill_slot(connection: Connection, desk: Desk, sent: t.AnyRow) -> int:
    """The slot that an answer fills: the person's own, else one that is open still."""
    mine = {"me": desk.annotator_id, "this_clip": sent.clip_id}
    if sent.answered:
        raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
    slot = None
    if sent.slot is not None:
        # It may have been taken back in the moment between the look and the lock.
        slot = connection.scalar(_FILL_SLOT, mine)
    if slot is None:
        if _answered(connection, desk.annotator_id, sent.clip_id):
            raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
        if take_slot(connection, desk, sent.clip_id) is not None:
            slot = connection.scalar(_FILL_SLOT, mine)
    if slot is None:
        raise LeaseLost(
            "This clip waited for you too long and was given to somebody else, so your answer "
            "could not be taken.",
            "Go on with the next clip.",
        )
    return int(slot)


def _insert(connection: Connection, desk: Desk, answer: Answer, taken: Taken) -> Receipt:
    # A browser says how long ago it was, but nobody answers before they were shown it, nor was
    # shown it before they had it: hours worked are counted from these times.
    answered_at = max(desk.now_ms - answer.waited_ms, taken.since_ms)
    row = {
        "request_id": answer.request_id, "clip_id": taken.clip_id,
        "annotator_id": desk.annotator_id, "purpose": taken.purpose, "slot": taken.slot,
        "revision": taken.revision, "emotion": answer.emotion, "flag": answer.flag,
        "reason": answer.reason, "confidence_step": answer.confidence_step,
        "confidence_steps": desk.settings.confidence_steps,
        "shown_at": max(answered_at - answer.shown_ms, taken.since_ms),
        "answered_at": answered_at, "received_at": desk.now_ms,
        "play_count": answer.play_count, "speed": answer.speed, "audio_on": answer.audio_on,
    }  # fmt: skip
    vote_id: int = connection.execute(_NEW_VOTE, row).scalar_one()
    return Receipt(vote_id, taken.clip_id, taken.purpose, taken.revision)

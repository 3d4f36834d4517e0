"""Taking answers: exactly those whose slot is held by, or still open to, the person who sends them.

Nothing is ever overwritten. A change of mind is a new revision of the same vote; an answer that
is sent twice is taken once; one that comes too late is refused with a sentence that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from caer_build.annotation import tables as t
from caer_build.annotation.leasing import Desk, Lease, lock_annotator, take_back_one, take_slot
from caer_build.annotation.tickets import is_genuine, issue
from caer_build.errors import DuplicateVote, LeaseLost, NotAllowed, VoteError
from caer_build.records import EMOTIONS

_MAX_REASON = 500
_MAX_MS = 24 * 3600 * 1000
_SPEEDS = range(50, 151)
# In one order everywhere, so that two people who meet twice never wait for each other.
_MEET = text(
    "INSERT INTO pair (first, second, n_clips) "
    "SELECT CASE WHEN annotator_id < :me THEN annotator_id ELSE :me END AS one, "
    "CASE WHEN annotator_id < :me THEN :me ELSE annotator_id END AS other, 1 FROM slot "
    "WHERE clip_id = :this_clip AND answered AND annotator_id <> :me ORDER BY one, other "
    "ON CONFLICT (first, second) DO UPDATE SET n_clips = pair.n_clips + 1"
)
_ME: BindParameter[int] = bindparam("me")
_CLIP: BindParameter[str] = bindparam("this_clip")
# Built once: building a statement costs more than running it.
_CLIP_BY_NAME = (
    select(t.clip.c.clip_id, t.clip.c.has_audio, t.clip.c.withdrawn_at)
    .where(t.clip.c.public_id == bindparam("name"))
    .with_for_update(key_share=True)
)
_BY_REQUEST = select(t.vote).where(t.vote.c.request_id == bindparam("request"))
_OPEN_ERRAND = (
    select(t.errand)
    .where(t.errand.c.annotator_id == _ME, t.errand.c.clip_id == _CLIP, ~t.errand.c.answered)
    .order_by(t.errand.c.errand_id)
    .limit(1)
)
_END_ERRAND = (
    update(t.errand).where(t.errand.c.errand_id == bindparam("this_errand")).values(answered=True)
)
_MY_SLOT = (
    select(t.slot)
    .where(t.slot.c.clip_id == _CLIP, t.slot.c.annotator_id == _ME)
    .with_for_update(key_share=True)
)
_FILL_SLOT = (
    update(t.slot)
    .where(t.slot.c.clip_id == _CLIP, t.slot.c.annotator_id == _ME)
    .values(answered=True, expires_at=None)
)
_MY_VOTE = (
    select(t.vote.c.vote_id).where(t.vote.c.annotator_id == _ME, t.vote.c.clip_id == _CLIP).limit(1)
)
_LAST = (
    select(t.vote, t.clip.c.public_id, t.clip.c.withdrawn_at)
    .join(t.clip, t.clip.c.clip_id == t.vote.c.clip_id)
    .where(
        t.vote.c.annotator_id == _ME,
        t.vote.c.purpose != "practice",
        t.vote.c.purpose != "adjudication",
    )
    .order_by(t.vote.c.vote_id.desc())
    .limit(1)
)
_NEW_VOTE = insert(t.vote).returning(t.vote.c.vote_id)
_SAID = ("emotion", "flag", "reason", "confidence_step")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person sends for one clip.

    Attributes:
        request_id: made by the sender, the same when the same answer is sent again.
        public_id, ticket: of the lease.
        emotion: one of the seven; or ``flag``: "cannot_tell" or "broken", with a ``reason``.
        confidence_step: 0-based; of an emotion only.
        shown_ms: how long the clip was on the screen.
        waited_ms: how long ago it was answered, when the connection was lost meanwhile.
        play_count: how often it was played to its end.
        heard: whether it was once played from start to end at normal speed, with the sound on
            where it has any.
        speed: the last one used, percent.
        revises: the vote that this one replaces, after an undo.

    Raises:
        VoteError: if it is no answer at all.
    """

    request_id: str
    public_id: str
    ticket: str
    emotion: str | None
    flag: str | None
    reason: str | None
    confidence_step: int | None
    shown_ms: int
    waited_ms: int
    play_count: int
    heard: bool
    speed: int
    audio_on: bool
    revises: int | None = None

    def __post_init__(self) -> None:
        if not 8 <= len(self.request_id) <= 64:
            raise VoteError("An answer needs a request_id of 8 to 64 characters.")
        if (self.emotion is None) == (self.flag is None):
            raise VoteError("Choose one of the emotions, or say why you cannot.")
        if self.emotion is not None and self.emotion not in EMOTIONS:
            raise VoteError(f"Expected one of {', '.join(EMOTIONS)}.")
        if self.flag is not None and self.flag not in t.FLAGS:
            raise VoteError(f"Expected one of {', '.join(t.FLAGS)}.")
        if (self.flag == "broken") != bool(self.reason):
            raise VoteError("A broken clip needs a reason, and nothing else has one.")
        if self.reason is not None and len(self.reason) > _MAX_REASON:
            raise VoteError(f"A reason may have {_MAX_REASON} characters.")
        if (self.emotion is None) != (self.confidence_step is None):
            raise VoteError("Say how sure you are of the emotion.")
        for ms in (self.shown_ms, self.waited_ms):
            if not 0 <= ms <= _MAX_MS:
                raise VoteError("Times are milliseconds, at most a day.")
        if not 0 <= self.play_count <= 10_000 or self.speed not in _SPEEDS:
            raise VoteError("Plays are counted from 0, speeds are 50 to 150 percent.")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an answer; it stands in the database when the transaction has ended."""

    vote_id: int
    clip_id: str
    purpose: str
    revision: int


def submit(connection: Connection, desk: Desk, answer: Answer) -> Receipt:
    """Takes an answer. The same request again gives the same receipt.

    Raises:
        LeaseLost: if somebody else has the clip now, or it was taken back or withdrawn.
        DuplicateVote: if this person has answered this clip, or the request id is another's.
        NotAllowed: if the clip was never given to this person, or was not heard.
        VoteError: if there is no such step of confidence.
    """
    person = lock_annotator(connection, desk.annotator_id)
    clip = _clip_of(connection, desk, answer.public_id, answer.ticket)
    before = connection.execute(_BY_REQUEST, {"request": answer.request_id}).first()
    if before is not None:
        return _again(before, desk, clip.clip_id, answer)
    if clip.withdrawn_at is not None:
        raise LeaseLost(
            "This clip was taken out of the project while you had it, so your answer could not be "
            "taken.",
            "Go on with the next clip.",
        )
    _check(desk, clip, answer)
    if answer.revises is not None:
        return _revise(connection, desk, clip.clip_id, answer)
    errand = _open_errand(connection, desk.annotator_id, clip.clip_id)
    if errand is not None:
        connection.execute(_END_ERRAND, {"this_errand": errand.errand_id})
        return _insert(connection, desk, answer, clip_id=clip.clip_id, purpose=errand.purpose)
    if person.qualified_at is None:
        raise LeaseLost("This clip was taken out of your practice.", "Go on with the next clip.")
    slot = _own_slot(connection, desk, clip.clip_id)
    connection.execute(_FILL_SLOT, {"this_clip": clip.clip_id, "me": desk.annotator_id})
    receipt = _insert(connection, desk, answer, clip_id=clip.clip_id, purpose="vote", slot=slot)
    connection.execute(_MEET, {"me": desk.annotator_id, "this_clip": clip.clip_id})
    return receipt


def decline(connection: Connection, desk: Desk, public_id: str, ticket: str) -> None:
    """Gives a clip back for good ("rather not"): it goes to others, and leaves no mark.

    Raises:
        NotAllowed: if the clip was never given to this person.
        DuplicateVote: if it is answered already.
    """
    lock_annotator(connection, desk.annotator_id)
    clip = _clip_of(connection, desk, public_id, ticket)
    if clip.withdrawn_at is not None:
        return
    me = desk.annotator_id
    declined = connection.scalar(
        select(t.declined.c.at).where(
            t.declined.c.clip_id == clip.clip_id, t.declined.c.annotator_id == me
        )
    )
    if declined is not None:
        return
    errand = _open_errand(connection, me, clip.clip_id)
    if errand is not None:
        connection.execute(delete(t.errand).where(t.errand.c.errand_id == errand.errand_id))
    elif _answered(connection, me, clip.clip_id):
        raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
    take_back_one(connection, me, clip.clip_id)
    connection.execute(
        insert(t.declined).values(clip_id=clip.clip_id, annotator_id=me, at=desk.now_ms)
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
    ticket = issue(desk.secret, desk.annotator_id, last.public_id)
    said = {name: getattr(last, name) for name in (*_SAID, "vote_id", "play_count", "audio_on")}
    return Lease(ticket, last.clip_id, last.public_id, last.purpose, last.received_at), said


def _clip_of(connection: Connection, desk: Desk, public_id: str, ticket: str) -> t.AnyRow:
    if not is_genuine(ticket, desk.secret, desk.annotator_id, public_id):
        raise NotAllowed("This clip was not given to you.")
    # Locked, so that people who answer one clip at once are counted with each other.
    clip = connection.execute(_CLIP_BY_NAME, {"name": public_id}).first()
    if clip is None:
        raise NotAllowed("This clip was not given to you.")
    return clip


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


def _again(before: t.AnyRow, desk: Desk, clip_id: str, answer: Answer) -> Receipt:
    """The receipt of an answer that was taken already, if it is the same one."""
    same = (before.annotator_id, before.clip_id) == (desk.annotator_id, clip_id) and all(
        getattr(before, name) == getattr(answer, name) for name in _SAID
    )
    if not same:
        raise DuplicateVote("This request was used for another answer.", "Send a new one.")
    return Receipt(before.vote_id, before.clip_id, before.purpose, before.revision)


def _revise(connection: Connection, desk: Desk, clip_id: str, answer: Answer) -> Receipt:
    old = connection.execute(
        select(t.vote).where(
            t.vote.c.vote_id == answer.revises,
            t.vote.c.annotator_id == desk.annotator_id,
            t.vote.c.clip_id == clip_id,
        )
    ).first()
    if old is None:
        raise NotAllowed("Only your own answers can be changed.")
    newest = connection.scalar(
        select(func.max(t.vote.c.revision)).where(
            t.vote.c.annotator_id == desk.annotator_id,
            t.vote.c.clip_id == clip_id,
            t.vote.c.purpose == old.purpose,
        )
    )
    if old.revision != newest:
        raise DuplicateVote("This answer was changed already, in another window.")
    return _insert(
        connection, desk, answer,
        clip_id=clip_id, purpose=old.purpose, slot=old.slot, revision=old.revision + 1,
    )  # fmt: skip


def _open_errand(connection: Connection, annotator_id: int, clip_id: str) -> t.AnyRow | None:
    return connection.execute(_OPEN_ERRAND, {"me": annotator_id, "this_clip": clip_id}).first()


def _answered(connection: Connection, annotator_id: int, clip_id: str) -> bool:
    given = {"me": annotator_id, "this_clip": clip_id}
    return connection.scalar(_MY_VOTE, given) is not None


def _own_slot(connection: Connection, desk: Desk, clip_id: str) -> int:
    """The slot that an answer may fill: the person's own, else one that is open still."""
    me = desk.annotator_id
    mine = {"me": me, "this_clip": clip_id}
    row = connection.execute(_MY_SLOT, mine).first()
    if row is None and _answered(connection, me, clip_id):
        raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
    if row is None and take_slot(connection, desk, clip_id) is not None:
        row = connection.execute(_MY_SLOT, mine).first()
    if row is None:
        raise LeaseLost(
            "This clip waited for you too long and was given to somebody else, so your answer "
            "could not be taken.",
            "Go on with the next clip.",
        )
    if row.answered:
        raise DuplicateVote("You have answered this clip already.", "Undo changes an answer.")
    return int(row.slot)


def _insert(
    connection: Connection,
    desk: Desk,
    answer: Answer,
    *,
    clip_id: str,
    purpose: str,
    slot: int | None = None,
    revision: int = 1,
) -> Receipt:
    answered_at = desk.now_ms - answer.waited_ms
    row = {
        "request_id": answer.request_id, "clip_id": clip_id, "annotator_id": desk.annotator_id,
        "purpose": purpose, "slot": slot, "revision": revision, "emotion": answer.emotion,
        "flag": answer.flag, "reason": answer.reason, "confidence_step": answer.confidence_step,
        "confidence_steps": desk.settings.confidence_steps,
        "shown_at": answered_at - answer.shown_ms, "answered_at": answered_at,
        "received_at": desk.now_ms, "play_count": answer.play_count, "speed": answer.speed,
        "audio_on": answer.audio_on,
    }  # fmt: skip
    vote_id: int = connection.execute(_NEW_VOTE, row).scalar_one()
    return Receipt(vote_id, clip_id, purpose, revision)

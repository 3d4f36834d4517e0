"""An answer as its author's page sends it, before anybody has looked whether it may be taken."""

from __future__ import annotations

import re
from dataclasses import dataclass

from caer_build.annotation import tables as t
from caer_build.annotation.texts import checked_reason
from caer_build.errors import VoteError
from caer_build.records import EMOTIONS

_REQUEST = re.compile(r"[0-9A-Za-z_-]{8,64}", re.ASCII)
_MAX_MS = 24 * 3600 * 1000
_SPEEDS = range(50, 151)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person sends for one clip.

    Attributes:
        request_id: made by the sender, the same when the same answer is sent again; of letters,
            digits, - and _.
        public_id, ticket: of the lease.
        emotion: one of the seven; or ``flag``: "cannot_tell" or "broken", with a ``reason``.
        confidence_step: 0-based; of an emotion only.
        shown_ms: how long the clip was on the screen.
        waited_ms: how long ago it was answered, when the connection was lost meanwhile.
        play_count: how often it was played to its end.
        heard: whether it was once played from start to end at normal speed, with the sound on
            where it has any.
        speed: the last one used, percent.
        revises: the request_id of the answer that this one replaces, after an undo. A number of
            the vote would count what others answered meanwhile.

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
    revises: str | None = None

    def __post_init__(self) -> None:
        if not _REQUEST.fullmatch(self.request_id):
            raise VoteError("An answer needs a request_id of 8 to 64 letters, digits, - and _.")
        if (self.emotion is None) == (self.flag is None):
            raise VoteError("Choose one of the emotions, or say why you cannot.")
        if self.emotion is not None and self.emotion not in EMOTIONS:
            raise VoteError(f"Expected one of {', '.join(EMOTIONS)}.")
        if self.flag is not None and self.flag not in t.FLAGS:
            raise VoteError(f"Expected one of {', '.join(t.FLAGS)}.")
        if (self.flag == "broken") != bool(self.reason):
            raise VoteError("A broken clip needs a reason, and nothing else has one.")
        if self.reason is not None:
            checked_reason(self.reason)
        if (self.emotion is None) != (self.confidence_step is None):
            raise VoteError("Say how sure you are of the emotion.")
        for ms in (self.shown_ms, self.waited_ms):
            if not 0 <= ms <= _MAX_MS:
                raise VoteError("Times are milliseconds, at most a day.")
        if not 0 <= self.play_count <= 10_000 or self.speed not in _SPEEDS:
            raise VoteError("Plays are counted from 0, speeds are 50 to 150 percent.")

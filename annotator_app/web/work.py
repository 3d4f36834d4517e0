"""The JSON requests of the page on which clips are labelled.

Nothing they answer tells one person of another, nor a clip that counts from one that does not: of
whatever kind a clip is, replies have the same fields, names of one shape, and the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from anyio import to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotator_app.place import Place
from annotator_app.tokens import csrf_token, session_mark
from annotator_app.web.gate import Visitor, visitor_of
from annotator_app.web.refusals import Refusals, settle
from caer_build.annotation import votes
from caer_build.annotation.accounts import Account
from caer_build.annotation.answers import Answer
from caer_build.annotation.leasing import Lease
from caer_build.annotation.office import Office, Outcome
from caer_build.annotation.project import STEP_WORDS
from caer_build.annotation.tally import Tally, counted_on
from caer_build.annotation.viewing import Task, practice_is_failed, tasks
from caer_build.errors import DuplicateVote, LeaseLost, NotAllowed, VoteError
from caer_build.records import EMOTIONS

Found: TypeAlias = dict[str, object]
Handler: TypeAlias = Callable[[Visitor, Account, bytes], Found]
_BIG = 2**53
_TEXT = r"^[^\x00]*$"
_MOST_TALLIES = 10_000
_TASK = tuple(field.name for field in fields(Task))


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SentHeld(_Sent):
    """A clip that is held, as pages name it."""

    clip: str = Field(max_length=64, pattern=_TEXT)
    ticket: str = Field(max_length=100, pattern=r"^[!-~]*$")


class _Answer(SentHeld):
    request_id: str = Field(max_length=64)
    emotion: str | None
    flag: str | None
    reason: str | None = Field(max_length=500)
    confidence_step: int | None = Field(ge=0, le=100)
    shown_ms: int = Field(ge=0, le=_BIG)
    waited_ms: int = Field(ge=0, le=_BIG)
    play_count: int = Field(ge=0, le=_BIG)
    heard: bool
    speed: int = Field(ge=0, le=1000)
    audio_on: bool
    revises: str | None = Field(max_length=64, pattern=_TEXT)


class _Nothing(_Sent):
    pass


class _Unreadable(VoteError):
    """A body that no page of ours sends. The office never saw it, so it is not in the log yet."""


class _NothingToUndo(VoteError):
    """No answer was given yet."""


class Work:
    """The routes."""

    def __init__(self, place: Place, refusals: Refusals) -> None:
        self._place, self._office, self._refusals = place, place.office, refusals
        self._tallies: dict[int, Tally] = {}

    def routes(self) -> list[Route]:
        """All requests below ``/api/``."""
        return [
            Route("/api/work", self._guarded(self._work), methods=["GET"]),
            Route("/api/last", self._guarded(self._last), methods=["GET"]),
            Route("/api/answer", self._guarded(self._answer), methods=["POST"]),
            Route("/api/decline", self._guarded(self._decline), methods=["POST"]),
            Route("/api/renew", self._guarded(self._renew), methods=["POST"]),
        ]

    def _guarded(self, handle: Handler) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Runs a request in a thread, and turns what it refuses into an answer."""

        async def run(request: Request) -> Response:
            visitor, body = visitor_of(request), await request.body()
            account = visitor.account
            if account is None or visitor.token is None:
                return _refusal(401, NotAllowed("You are not signed in.", "Sign in again."))
            if not account.consented and account.role != "manager":
                error = NotAllowed("You have not agreed to take part yet.", "Open the welcome.")
                await self._note(request, visitor, error)
                return _refusal(403, error, next="/welcome")
            try:
                return await to_thread.run_sync(_told, handle, visitor, account, body)
            except VoteError as error:
                if isinstance(error, _Unreadable):
                    await self._note(request, visitor, error)
                settle(request)
                return await to_thread.run_sync(self._refused, visitor, account, error)

        return run

    async def _note(self, request: Request, visitor: Visitor, error: VoteError) -> None:
        who = visitor.account.annotator_id if visitor.account else None
        what = f"{request.url.path}: {error.message}"
        await self._refusals.note(what, visitor.caller.address, who)
        settle(request)

    def _refused(self, visitor: Visitor, account: Account, error: VoteError) -> Response:
        """An answer that was not taken; where work goes on, with what comes next."""
        if isinstance(error, LeaseLost | DuplicateVote):
            kind = "lease_lost" if isinstance(error, LeaseLost) else "duplicate"
            return _refusal(409, error, kind=kind, **self._state(visitor, account))
        if isinstance(error, _NothingToUndo):
            return _refusal(404, error)
        return _refusal(403 if isinstance(error, NotAllowed) else 400, error)

    def _work(self, visitor: Visitor, account: Account, _body: bytes) -> Found:
        settings = self._office.settings
        return {
            "person": {"name": account.name},
            "csrf": csrf_token(visitor.token or ""),
            "session": session_mark(visitor.token or ""),
            "title": settings.title,
            "emotions": list(EMOTIONS),
            "confidence": list(STEP_WORDS[settings.confidence_steps]),
            "break_after_min": settings.break_after_min,
            "lease_s": settings.lease_s,
            **self._state(visitor, account),
        }

    def _answer(self, visitor: Visitor, account: Account, body: bytes) -> Found:
        outcome: Outcome = self._at(visitor).answer(account.annotator_id, answer_in(body))
        feedback = None if outcome.feedback is None else asdict(outcome.feedback)
        if outcome.feedback is not None and outcome.feedback.passed:
            account = replace(account, qualified=True)
        # Practice cannot be undone; that the answer before it can be is looked up.
        can_undo = outcome.receipt.purpose != "practice" or None
        return {**self._state(visitor, account, outcome.leases, can_undo), "feedback": feedback}

    def _decline(self, visitor: Visitor, account: Account, body: bytes) -> Found:
        held = read(SentHeld, body)
        leases = self._at(visitor).decline(account.annotator_id, held.clip, held.ticket)
        return {**self._state(visitor, account, leases), "feedback": None}

    def _renew(self, visitor: Visitor, account: Account, body: bytes) -> Found:
        read(_Nothing, body)
        self._at(visitor).renew(account.annotator_id)
        return {}  # how many of what was prolonged would tell of which kind it is

    def _at(self, visitor: Visitor) -> Office:
        return self._office.asked_from(visitor.caller.address)

    def _last(self, _visitor: Visitor, account: Account, _body: bytes) -> Found:
        found = self._office.reopen(account.annotator_id)
        if found is None:
            raise _NothingToUndo("There is nothing to undo.")
        lease, said = found
        with self._office.database.reading() as connection:
            task = tasks(connection, [lease])[0]
        names = ("request_id", "emotion", "flag", "reason", "confidence_step", "audio_on")
        return {"task": task_told(task), "said": {name: said[name] for name in names}}

    def _state(
        self,
        visitor: Visitor,
        account: Account,
        leases: tuple[Lease, ...] | None = None,
        can_undo: bool | None = None,
    ) -> Found:
        """What there is to do, and how much was done; what is known already is not looked up."""
        me = account.annotator_id
        if leases is None:
            leases = self._at(visitor).leases(me)
        with self._office.database.glancing() as connection:
            shown = [task_told(task) for task in tasks(connection, leases)]
            tally = self._counted(connection, me)
            if can_undo is None:
                can_undo = votes.last_answer(connection, me) is not None
            state = "work"
            if not shown:
                is_over = not account.qualified and practice_is_failed(connection, me)
                state = "practice_failed" if is_over else "nothing_left"
            elif not account.qualified and not any(task["is_practice"] for task in shown):
                state = "practice_cut_short"
        return {
            "tasks": shown, "can_undo": can_undo, "n_answers": tally.n_answers,
            "n_today": tally.n_today, "state": state,
        }  # fmt: skip

    def _counted(self, connection: Connection, annotator_id: int) -> Tally:
        now = datetime.fromtimestamp(self._office.clock() / 1000).astimezone()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        before = self._tallies.get(annotator_id, Tally())
        tally = counted_on(connection, before, annotator_id, round(midnight.timestamp() * 1000))
        if len(self._tallies) > _MOST_TALLIES:
            self._tallies.clear()
        self._tallies[annotator_id] = tally
        return tally


class _Json(JSONResponse):
    """JSON made by pydantic: boxes of every frame are many numbers for Python's own encoder."""

    def render(self, content: object) -> bytes:
        return to_json(content)


def _told(handle: Handler, visitor: Visitor, account: Account, body: bytes) -> Response:
    return _Json(handle(visitor, account, body))


S = TypeVar("S", bound=_Sent)


def read(kind: type[S], body: bytes) -> S:
    """The body of a request.

    Raises:
        _Unreadable: if it is not what the page sends.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _Unreadable(f"This is no answer: {where} {first['msg']}.") from error


def answer_in(body: bytes) -> Answer:
    """The answer in the body of a request.

    Raises:
        _Unreadable: if it is none.
    """
    said = read(_Answer, body).model_dump()
    try:
        return Answer(public_id=said.pop("clip"), **said)
    except VoteError as error:
        raise _Unreadable(error.message, error.remedy) from error


def task_told(task: Task) -> Mapping[str, object]:
    """A task as pages are told of it."""
    # Not asdict, which would copy every box.
    told: dict[str, object] = {name: getattr(task, name) for name in _TASK}
    return told | {"src": f"/clips/{task.clip}.mp4"}


def _refusal(status: int, error: VoteError, **more: object) -> JSONResponse:
    return _Json({"error": error.message, "remedy": error.remedy, **more}, status)

"""The JSON requests of the page on which adjudicators decide ties.

They are those of labelling at another address. What others said of a clip comes with the receipt
of one's own decision, without names, and never before it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from starlette.routing import Route

from annotator_app.place import Place
from annotator_app.web.gate import Visitor
from annotator_app.web.refusals import Refusals
from annotator_app.web.work import Found, SentHeld, Work, answer_in, read, task_told
from caer_build.annotation.accounts import Account
from caer_build.annotation.adjudication import require_adjudicator
from caer_build.annotation.leasing import Lease
from caer_build.annotation.standing import standing_of
from caer_build.annotation.viewing import tasks
from caer_build.errors import NotAllowed

_COUNT_EVERY_MS = 20_000


class Ties(Work):
    """The routes.

    Args:
        at: the address that they are below.
        statuses: what the answers of the clips come to that are decided here.
    """

    def __init__(
        self, place: Place, refusals: Refusals, at: str, statuses: Collection[str]
    ) -> None:
        super().__init__(place, refusals)
        self._address, self._statuses = at, statuses
        self._counts: dict[int, tuple[int, int]] = {}

    def routes(self) -> list[Route]:
        """``work``, ``answer`` and ``decline``, as for labelling."""
        return [
            Route(f"{self._address}/work", self._guarded(self._work), methods=["GET"]),
            Route(f"{self._address}/answer", self._guarded(self._answer), methods=["POST"]),
            Route(f"{self._address}/decline", self._guarded(self._decline), methods=["POST"]),
        ]

    def _answer(self, visitor: Visitor, account: Account, body: bytes) -> Found:
        me = self._adjudicator(visitor, account)
        receipt = self._at(visitor).decide(me, answer_in(body))
        others: list[Found] = []
        # An adjudicator labels clips, too: of those nothing is told.
        if receipt.purpose == "adjudication":
            with self._office.database.reading() as connection:
                standing = standing_of(connection, [receipt.clip_id]).get(receipt.clip_id)
            others = [asdict(given) for given in standing.answers] if standing else []
        self._counts.pop(me, None)
        return {**self._state(visitor, account), "others": others}

    def _decline(self, visitor: Visitor, account: Account, body: bytes) -> Found:
        me, held = self._adjudicator(visitor, account), read(SentHeld, body)
        self._at(visitor).leave_dispute(me, held.clip, held.ticket)
        self._counts.pop(me, None)
        return self._state(visitor, account)

    def _state(
        self,
        visitor: Visitor,
        account: Account,
        _leases: tuple[Lease, ...] | None = None,
        _can_undo: bool | None = None,
    ) -> Found:
        me = self._adjudicator(visitor, account)
        lease = self._at(visitor).dispute(me, self._statuses)
        shown = []
        if lease is not None:
            with self._office.database.glancing() as connection:
                shown = [task_told(task) for task in tasks(connection, [lease])]
        return {
            "tasks": shown, "can_undo": False, "n_waiting": self._n_waiting(me),
            "state": "work" if shown else "nothing_left",
        }  # fmt: skip

    def _n_waiting(self, annotator_id: int) -> int:
        """Others that wait for this person; counted now and then, for it reads many votes."""
        now_ms = self._office.clock()
        counted_at, n_waiting = self._counts.get(annotator_id, (0, 0))
        if now_ms - counted_at > _COUNT_EVERY_MS:
            n_waiting = self._office.n_disputes(annotator_id, self._statuses)
            self._counts[annotator_id] = (now_ms, n_waiting)
        return n_waiting

    def _adjudicator(self, visitor: Visitor, account: Account) -> int:
        """The annotator_id of an adjudicator.

        Raises:
            NotAllowed: for any other role.
        """
        try:
            require_adjudicator(account.role)
        except NotAllowed as error:
            self._at(visitor).refused(error, account.annotator_id)
            raise
        return account.annotator_id

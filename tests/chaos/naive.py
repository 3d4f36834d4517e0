"""The assignment that most tools have: look who needs a vote, and later write one.

Kept as a control: a checker that does not find its faults finds nothing. Its votes go into a
table without the constraints that make the real ones right, and between looking and writing it
takes its time, as a server with much to do might: until one more has looked than may vote.
"""

from __future__ import annotations

import threading
from itertools import count

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    func,
    select,
)
from sqlalchemy import insert as insert_into
from sqlalchemy.engine import make_url

from caer_build.annotation.answers import Answer
from caer_build.annotation.leasing import Lease
from caer_build.annotation.votes import Receipt

metadata = MetaData()
loose_vote = Table(
    "loose_vote",
    metadata,
    Column("vote_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("request_id", Text),
    Column("clip_id", Text),
    Column("annotator_id", Integer),
    Column("emotion", Text),
)
N_VOTES = 3


class NaiveOffice:
    """Read, think, insert. There are always more clips."""

    def __init__(self, url: str) -> None:
        patience = {"timeout": 60} if make_url(url).get_backend_name() == "sqlite" else {}
        self.engine = create_engine(url, connect_args=patience)
        metadata.create_all(self.engine)
        self._thinking = threading.Barrier(N_VOTES + 1)

    def leases(self, annotator_id: int) -> tuple[Lease, ...]:
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(loose_vote.c.clip_id, func.count()).group_by(loose_vote.c.clip_id)
            )
            n_votes = {clip: int(n) for clip, n in rows}
            mine = set(
                connection.scalars(
                    select(loose_vote.c.clip_id).where(loose_vote.c.annotator_id == annotator_id)
                )
            )
        self._thinking.wait()
        clips = (f"clip-{number}" for number in count())
        free = next(c for c in clips if c not in mine and n_votes.get(c, 0) < N_VOTES)
        return (Lease("ticket", free, free, "vote", 0),)

    def take(self, annotator_id: int, answer: Answer) -> Receipt:
        with self.engine.begin() as connection:
            connection.execute(
                insert_into(loose_vote).values(
                    request_id=answer.request_id, clip_id=answer.public_id,
                    annotator_id=annotator_id, emotion=answer.emotion,
                )
            )  # fmt: skip
        return Receipt(0, answer.public_id, "vote", 1)

    def decline(self, *_: object) -> object:
        return None

    def renew(self, *_: object) -> None:
        return None

    def undo(self, *_: object) -> tuple[Lease, str] | None:
        return None

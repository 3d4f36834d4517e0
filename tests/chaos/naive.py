"""The assignment that most tools have: look who needs a vote, and later write one.

Kept as a control: a checker that does not find its faults finds nothing. Its votes go into a
table without the constraints that make the real ones right.
"""

from __future__ import annotations

import time

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

from caer_build.annotation.leasing import Lease
from caer_build.annotation.votes import Answer, Receipt

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
N_CLIPS, N_VOTES = 40, 3


class NaiveOffice:
    """Read, think, insert."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        metadata.create_all(self.engine)

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
        time.sleep(0.002)
        for number in range(N_CLIPS):
            clip = f"clip-{number}"
            if clip not in mine and n_votes.get(clip, 0) < N_VOTES:
                return (Lease("ticket", clip, clip, "vote", 0),)
        return ()

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

    def undo(self, *_: object) -> tuple[Lease, int] | None:
        return None

"""Which of some clips a person gets next. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip that still needs somebody, and who has it already.

    Attributes:
        shot_id: two clips of one shot never come in a row.
    """

    clip_id: str
    shot_id: str
    others: tuple[int, ...] = field(default=())
    """annotators who answered it or hold it"""


def ranked(
    candidates: Sequence[Candidate],
    met: Mapping[int, int],
    last_shot: str | None,
    random: Random,
) -> list[Candidate]:
    """The candidates, best first.

    A clip of the shot seen last comes at the very end. Then clips that others have begun, so
    that clips are finished instead of all being half done; among those the one whose other
    annotators this person has met least, so that over a project every two people share about as
    many clips as any other two.

    Args:
        met: for every other annotator, how many clips they have answered with this person.
    """
    shuffled = list(candidates)
    random.shuffle(shuffled)

    def cost(candidate: Candidate) -> tuple[bool, int, int]:
        meetings = sum(met.get(other, 0) for other in candidate.others)
        return candidate.shot_id == last_shot, -len(candidate.others), meetings

    return sorted(shuffled, key=cost)

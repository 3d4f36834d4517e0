"""From candidates to kept clips: what each reject reason takes away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from caer_build.records import REJECT_REASONS, Clip


@dataclass(frozen=True)
class Step:
    """One reason: how many it took of those that had come so far."""

    reason: str
    n_taken: int
    n_left: int


@dataclass(frozen=True)
class Funnel:
    """All steps, in the order in which the reasons are tried; decisions of people come first."""

    n_candidates: int
    n_kept: int
    steps: tuple[Step, ...]

    def share(self, number: int) -> float:
        """Of all candidates, per cent."""
        return 100 * number / self.n_candidates if self.n_candidates else 0.0


def funnel(clips: Sequence[Clip]) -> Funnel:
    """Count the reasons over all rows."""
    taken: Counter[str | None] = Counter(c.reject_reason for c in clips)
    left = len(clips)
    steps = []
    for reason in REJECT_REASONS:
        left -= taken[reason]
        steps.append(Step(reason, taken[reason], left))
    return Funnel(len(clips), taken[None], tuple(steps))

"""Votes with a known truth: annotators of different skill who are sure with or without reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caer_build.dataset.ballots import Ballot
from caer_build.records import EMOTIONS

STEPS = 5
SHARES = (0.123, 0.058, 0.044, 0.207, 0.347, 0.157, 0.064)
"""of the emotions, about as in the paper's table 1"""
_SURE = (0.1, 0.15, 0.25, 0.3, 0.2)
_WORTH = (0.3, 0.6, 0.8, 1.0, 1.08)
"""where confidence says something: times the annotator's skill, by step"""
_CONFUSED = 0.6
"""share of an annotator's errors that go to the emotion they mix it up with"""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as the rules look at it."""

    annotator_id: str
    emotion: str
    confidence_step: int | None
    confidence_steps: int = STEPS
    flag: None = None


def simulate(
    seed: int, *, informative: bool, n_clips: int = 3000, n_people: int = 6, n_votes: int = 3
) -> tuple[list[Ballot], list[str]]:
    """Ballots, and the true emotion of each.

    Args:
        informative: whether who is unsure errs more often; else confidence is drawn at random.
    """
    rng = np.random.default_rng(seed)
    k = len(EMOTIONS)
    truth = rng.choice(k, n_clips, p=np.array(SHARES) / sum(SHARES))
    skill = rng.uniform(0.55, 0.9, n_people)
    mixed_up = np.array([rng.permutation(k) for _ in range(n_people)])
    ballots = []
    for number, true in enumerate(truth):
        answers = []
        for person in sorted(rng.choice(n_people, n_votes, replace=False)):
            step = int(rng.choice(STEPS, p=_SURE))
            right = skill[person] * (_WORTH[step] if informative else 1.0)
            if rng.random() < right:
                said = true
            elif rng.random() < _CONFUSED:
                said = mixed_up[person, true]
            else:
                said = rng.integers(k)
            answers.append(Said(f"a{person}", EMOTIONS[said], step))
        ballots.append(Ballot(f"clip{number:05d}", tuple(answers), None, n_votes))
    return ballots, [EMOTIONS[true] for true in truth]

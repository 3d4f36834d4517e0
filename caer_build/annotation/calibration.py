"""Whether confidence means something: who is surer should agree more often with the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from caer_build.annotation.estimates import RESAMPLES, Estimate, share
from caer_build.annotation.ratings import emotion_ratings
from caer_build.annotation.revisions import latest
from caer_build.records import Vote


@dataclass(frozen=True, slots=True)
class Step:
    """Answers of one step of confidence.

    Attributes:
        step: 0-based, of ``steps``.
        n_answers: given with it.
        n_others: answers of other annotators for the same clips, as often as they were compared.
        n_agreeing: those of them with the same emotion.
        agreement: n_agreeing / n_others, [0, 1].
    """

    step: int
    steps: int
    n_answers: int
    n_others: int
    n_agreeing: int
    agreement: Estimate


def calibration(votes: Iterable[Vote], *, resamples: int = RESAMPLES, seed: int = 0) -> list[Step]:
    """The share of other annotators who agree, for each step of confidence.

    Scales of different length, which imports can bring, are kept apart. Steps that nobody used
    are there too, with the reason in place of a share.
    """
    standing = [v for v in latest(votes) if v.purpose == "vote" and v.emotion is not None]
    # By clip and then annotator, the order of the ratings.
    standing.sort(key=lambda v: (v.clip_id, v.annotator_id))
    rated = emotion_ratings(standing)
    counts = rated.counts()
    others = counts.sum(axis=1)[rated.clip] - 1
    agreeing = counts[rated.clip, rated.category] - 1
    scale = np.array([v.confidence_steps for v in standing], dtype=np.int64)
    chosen = np.array([v.confidence_step for v in standing], dtype=np.int64)
    n_clips = len(rated.clips)
    found = []
    for steps in sorted(set(scale.tolist())):
        for step in range(steps):
            mine = (scale == steps) & (chosen == step)
            clip = rated.clip[mine]
            right, asked = (
                np.bincount(clip, weights=w[mine], minlength=n_clips).astype(np.int64)
                for w in (agreeing, others)
            )
            reason = "Nobody else answered these clips." if mine.any() else "Nobody chose it."
            found.append(
                Step(
                    step, steps, int(mine.sum()), int(others[mine].sum()),
                    int(agreeing[mine].sum()),
                    share(right, asked, reason, resamples=resamples, seed=seed),
                )
            )  # fmt: skip
    return found

"""The answers behind labels, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from caer_build.annotation.estimates import Counts, Estimate
from caer_build.annotation.ratings import Ratings, ratings
from caer_build.annotation.reliability import fleiss_kappa, krippendorff_alpha
from caer_build.dataset.statistics import pairs_of
from caer_build.records import EMOTIONS, CountedVote, Item


@dataclass(frozen=True, slots=True)
class Worker:
    """An annotator under a pseudonym.

    Attributes:
        n_answers: that count, flags among them.
        n_as_label: answers that name the emotion that became the label.
        n_compared: answers that name an emotion.
    """

    annotator_id: str
    n_answers: int
    n_as_label: int
    n_compared: int


@dataclass(frozen=True)
class Voting:
    """The votes of a data set.

    Attributes:
        rated: emotions that were chosen; adjudicators are left out.
        workers: by answers, most first.
        steps: answers by (confidence step, steps), of those that name an emotion.
        flags: answers that name none.
        n_adjudicated: clips that an adjudicator answered for.
    """

    rated: Ratings
    alpha: Estimate
    kappa: Estimate
    workers: Sequence[Worker]
    steps: Mapping[tuple[int, int], int]
    flags: Mapping[str, int]
    n_adjudicated: int

    @property
    def n_answers(self) -> int:
        return sum(worker.n_answers for worker in self.workers)


def count_votes(votes: Sequence[CountedVote], items: Sequence[Item]) -> Voting:
    """The votes for the clips of some items."""
    label = {str(clip_id): emotion for clip_id, emotion in pairs_of(items, "clip_id", "emotion")}
    said: list[tuple[str, str, str]] = []
    answers, compared, right = Counter[str](), Counter[str](), Counter[str]()
    steps, flags = Counter[tuple[int, int]](), Counter[str]()
    decided = set()
    for vote in votes:
        who, emotion = vote.annotator_id, vote.emotion
        if vote.clip_id not in label:
            continue
        if vote.purpose == "adjudication":
            decided.add(vote.clip_id)
        if vote.purpose != "vote":
            continue
        answers[who] += 1
        if vote.flag is not None:
            flags[vote.flag] += 1
        if emotion is None:
            continue
        said.append((vote.clip_id, who, emotion))
        compared[who] += 1
        right[who] += emotion == label[vote.clip_id]
        if vote.confidence_step is not None:
            steps[vote.confidence_step, vote.confidence_steps] += 1
    rated = ratings(said, EMOTIONS)
    return Voting(
        rated,
        krippendorff_alpha(rated),
        fleiss_kappa(rated),
        [
            Worker(who, n, right[who], compared[who])
            for who, n in sorted(answers.items(), key=lambda row: (-row[1], row[0]))
        ],
        dict(sorted(steps.items())),
        dict(sorted(flags.items())),
        len(decided),
    )


def together(counts: Counts) -> Counts:
    """How often two people said A and B of one clip.

    Args:
        counts: (n_clips, n), how many gave each answer.

    Returns:
        (n, n), symmetric; each two answers that differ are counted in both their cells, two that
        are the same twice in theirs.
    """
    both = counts.T @ counts
    both[np.diag_indices_from(both)] -= counts.sum(axis=0)
    return both


def mixed_up(counts: Counts, names: Sequence[str] = EMOTIONS) -> list[tuple[str, str, int]]:
    """Pairs of answers that people gave to one clip, the most frequent first; never a pair of
    the same."""
    both = together(counts)
    pairs = [
        (names[a], names[b], int(both[a, b]))
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if both[a, b]
    ]
    return sorted(pairs, key=lambda pair: -pair[2])

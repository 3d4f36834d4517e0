"""What single annotators agree with: themselves, the gold clips, and each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from caer_build.annotation.estimates import RESAMPLES, Counts, Estimate, share
from caer_build.annotation.ratings import Ratings
from caer_build.annotation.revisions import latest
from caer_build.records import Vote


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of answers that agree, [0, 1].

    Attributes:
        overall: over all annotators' answers.
        by_annotator: of everyone who has voted, by name.
        n_compared: answers that were compared, of each of them.
    """

    overall: Estimate
    by_annotator: Mapping[str, Estimate]
    n_compared: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Who says A where others say B.

    Attributes:
        counts: (n, n); row: what the annotator said, column: what each other annotator of the
            same clip said. With k others an answer is counted k times.
    """

    categories: tuple[str, ...]
    counts: Counts


def self_agreement(
    votes: Iterable[Vote], *, resamples: int = RESAMPLES, seed: int = 0
) -> Agreement:
    """How often people say the same of a clip that they see again.

    The newest revision of the vote is compared with that of the repeat. "Cannot tell" and
    "broken" are answers here: saying the same again is agreement.
    """
    standing = latest(votes)
    first = {(v.clip_id, v.annotator_id): _said(v) for v in standing if v.purpose == "vote"}
    again = [v for v in standing if v.purpose == "repeat"]
    compared = [
        (v.annotator_id, v.clip_id, _said(v) == first[v.clip_id, v.annotator_id])
        for v in again
        if (v.clip_id, v.annotator_id) in first
    ]
    everyone = {v.annotator_id for v in standing}
    return _agreement(compared, everyone, "No clip was shown a second time yet.", resamples, seed)


def gold_agreement(
    votes: Iterable[Vote], gold: Mapping[str, str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Agreement:
    """How often people say of a gold clip what it is known to show.

    Practice is left out, and "cannot tell" and "broken" do not agree.

    Args:
        gold: the emotion of each gold clip, by clip_id.
    """
    standing = latest(votes)
    compared = [
        (v.annotator_id, v.clip_id, v.emotion == gold[v.clip_id])
        for v in standing
        if v.purpose == "gold" and v.clip_id in gold
    ]
    everyone = {v.annotator_id for v in standing}
    return _agreement(compared, everyone, "No gold clip was answered yet.", resamples, seed)


def confusion(rated: Ratings, annotator: str | None = None) -> Confusion:
    """Who says A where others say B.

    Args:
        annotator: whose answers stand in the rows; None: everybody's, which is symmetric.
    """
    people, said = rated.meetings()
    n = len(rated.categories)
    counts = np.zeros((n, n), np.int64)
    for me in (0, 1):
        mine, theirs = said[:, me], said[:, 1 - me]
        if annotator is not None:
            is_me = np.array([name == annotator for name in rated.annotators], dtype=bool)
            rows = is_me[people[:, me]] if len(people) else np.zeros(0, dtype=bool)
            mine, theirs = mine[rows], theirs[rows]
        counts += np.bincount(mine * n + theirs, minlength=n * n).reshape(n, n)
    return Confusion(rated.categories, counts)


def _said(vote: Vote) -> str | None:
    return vote.emotion or vote.flag


def _agreement(
    compared: Sequence[tuple[str, str, bool]],
    everyone: Collection[str],
    reason: str,
    resamples: int,
    seed: int,
) -> Agreement:
    """Of comparisons (annotator, clip, whether they agree)."""
    mine: dict[str, list[tuple[str, str, bool]]] = {name: [] for name in sorted(everyone)}
    for row in compared:
        mine[row[0]].append(row)

    def of(rows: Sequence[tuple[str, str, bool]]) -> Estimate:
        names = sorted({clip for _, clip, _ in rows})
        number = {name: k for k, name in enumerate(names)}
        clip = np.array([number[c] for _, c, _ in rows], dtype=np.int64)
        right = np.array([agrees for _, _, agrees in rows], dtype=bool)
        asked = np.bincount(clip, minlength=len(names))
        agreeing = np.bincount(clip[right], minlength=len(names))
        return share(agreeing, asked, reason, resamples=resamples, seed=seed)

    return Agreement(
        of(compared),
        {name: of(rows) for name, rows in mine.items()},
        {name: len(rows) for name, rows in mine.items()},
    )

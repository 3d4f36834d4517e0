"""Who said what of which clip, as numbers that can be counted fast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from caer_build.annotation.estimates import Counts
from caer_build.annotation.revisions import latest
from caer_build.errors import SchemaError
from caer_build.records import EMOTIONS, Vote


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """One answer of each annotator for each clip that they answered; others are missing.

    Attributes:
        clips, annotators, categories: names; the arrays refer to them by position.
        clip, annotator, category: (n_answers,), by clip and then annotator.
    """

    clips: tuple[str, ...]
    annotators: tuple[str, ...]
    categories: tuple[str, ...]
    clip: Counts
    annotator: Counts
    category: Counts

    def counts(self) -> Counts:
        """(n_clips, n_categories): how many gave each answer."""
        n = len(self.categories)
        cells = np.bincount(self.clip * n + self.category, minlength=len(self.clips) * n)
        return cells.reshape(len(self.clips), n).astype(np.int64)

    def meetings(self) -> tuple[Counts, Counts]:
        """Every two answers for one clip: (n, 2) annotators, the lower first; (n, 2) categories."""
        n_answers = np.bincount(self.clip, minlength=len(self.clips))
        found = []
        for step in range(1, int(n_answers.max(initial=0))):
            first = np.flatnonzero(self.clip[step:] == self.clip[:-step])
            found.append(np.stack([first, first + step], axis=1))
        rows = np.concatenate(found) if found else np.empty((0, 2), np.int64)
        return self.annotator[rows], self.category[rows]


def ratings(
    answers: Iterable[tuple[str, str, str]], categories: Sequence[str] | None = None
) -> Ratings:
    """Ratings of (clip, annotator, answer) rows in any order.

    Args:
        categories: all that there are, in order; None: those that occur, sorted.

    Raises:
        SchemaError: if somebody answered for a clip twice, or outside the categories.
    """
    columns = list(zip(*answers, strict=True)) or [(), (), ()]
    names = [tuple(sorted(set(column))) for column in columns]
    if categories is not None:
        strange = set(names[2]) - set(categories)
        if strange:
            raise SchemaError(f"Expected answers among {categories}, found {sorted(strange)}.")
        names[2] = tuple(categories)
    codes = []
    for column, known in zip(columns, names, strict=True):
        code_of = {name: code for code, name in enumerate(known)}
        codes.append(np.fromiter((code_of[v] for v in column), np.int64, len(column)))
    clip, annotator, category = codes
    order = np.lexsort((annotator, clip))
    clip, annotator, category = clip[order], annotator[order], category[order]
    twice = np.flatnonzero((np.diff(clip) == 0) & (np.diff(annotator) == 0))
    if len(twice):
        who, what = names[1][annotator[twice[0]]], names[0][clip[twice[0]]]
        raise SchemaError(f"Expected one answer of {who} for {what}, found two or more.")
    return Ratings(names[0], names[1], names[2], clip, annotator, category)


def emotion_ratings(votes: Iterable[Vote]) -> Ratings:
    """The emotions that stand for the clips: the votes that count, newest revisions.

    Who could not tell, or found the clip broken, gave no emotion: a missing answer here, which
    the consensus and the manager's list of such clips deal with.
    """
    return ratings(
        (
            (v.clip_id, v.annotator_id, v.emotion)
            for v in latest(v for v in votes if v.purpose == "vote")
            if v.emotion is not None
        ),
        EMOTIONS,
    )

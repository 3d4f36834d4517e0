"""Aggregation models of crowd-kit (https://github.com/Toloka/crowd-kit, Apache-2.0), as arrays.

crowd-kit chooses between equally likely labels by the order of rows or names; here only its
probabilities are taken, and ties stay ties. MACE begins at random, worker by worker in the order in
which they come: here they come in an order that what they said alone decides, so that a new name
changes nobody's label.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caer_build.dataset.ballots import Ballot
from caer_build.errors import ModelMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_DAWID_SKENE_ROUNDS = 1000
_SEED = 0


def dawid_skene(ballots: Sequence[Ballot], categories: Sequence[str]) -> Numbers:
    """Posteriors, (n_clips, n_categories), of Dawid and Skene's model."""
    return _fitted("DawidSkene", ballots, categories, n_iter=_DAWID_SKENE_ROUNDS)


def mace(ballots: Sequence[Ballot], categories: Sequence[str]) -> Numbers:
    """Posteriors, (n_clips, n_categories), of MACE (variational Bayes)."""
    # With a seed, its ten restarts all begin at the same place.
    return _fitted("MACE", ballots, categories, random_state=_SEED, n_restarts=1)


def glad(ballots: Sequence[Ballot], categories: Sequence[str]) -> Numbers:
    """Posteriors, (n_clips, n_categories), of GLAD."""
    return _fitted("GLAD", ballots, categories, silent=True)


def answer_rows(ballots: Sequence[Ballot], categories: Sequence[str]) -> list[tuple[str, int, str]]:
    """(clip, number of the annotator, what was said), in an order that no name decides.

    Annotators are numbered by their answers; who gave the same to the same clips can change places.
    """
    said: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for ballot in ballots:
        for answer in ballot.answers:
            if answer.emotion is not None and answer.emotion in categories:
                said[answer.annotator_id].append((ballot.clip_id, answer.emotion))
    everybody = sorted(sorted(own) for own in said.values())
    return sorted(
        (clip, who, emotion) for who, own in enumerate(everybody) for clip, emotion in own
    )


def _fitted(
    name: str, ballots: Sequence[Ballot], categories: Sequence[str], **settings: Any
) -> Numbers:
    try:
        import pandas as pd
        from crowdkit import aggregation
    except ImportError as error:
        raise ModelMissing(
            f"The rules dawid-skene, mace and glad need a package that is not installed: "
            f"{error.name}.",
            "pip install 'caer-build[dataset]'",
        ) from error

    rows = answer_rows(ballots, categories)
    flat = np.full((len(ballots), len(categories)), 1 / len(categories))
    if not rows:
        return flat
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    model = getattr(aggregation, name)(**settings)
    # It warns of pandas' future ways at every round, which says nothing to our users.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probabilities = model.fit_predict_proba(table)
    # Of tasks without an answer it knows nothing, of labels that nobody chose neither.
    found = probabilities.reindex(columns=list(categories), fill_value=0.0)
    by_clip = dict(zip(found.index, found.to_numpy(dtype=float), strict=True))
    return np.array([by_clip.get(ballot.clip_id, flat[0]) for ballot in ballots])

"""How far people agree where only the counts of their votes are known. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from caer_build.annotation.estimates import RESAMPLES, Estimate
from caer_build.annotation.reliability import fleiss_kappa, krippendorff_alpha
from caer_build.dataset.reading.votes import VoteCounts


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the votes for some items come to.

    Attributes:
        n_items: items with a vote.
        n_votes: all votes; ``fewest`` and ``most`` are those of an item.
        alpha: Krippendorff's, over the votes that name an emotion.
        alpha_all: the same with "unknown", "cannot tell" and the like as categories of their own.
        kappa: Fleiss', likewise over all votes, of the items with the usual number of them.
        shares: of all votes, those for each category, [0, 1].
        labels: how many items get each emotion by the paper's rule, more than half of an item's
            votes (of confidence these votes say nothing).
        n_plurality: items that have one emotion that more people chose than any other.
    """

    n_items: int
    n_votes: int
    fewest: int
    most: int
    alpha: Estimate
    alpha_all: Estimate
    kappa: Estimate
    shares: Mapping[str, float]
    labels: Mapping[str, int]
    n_plurality: int

    @property
    def n_labelled(self) -> int:
        return sum(self.labels.values())


def agreement(votes: VoteCounts, *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """The figures of some votes.

    Args:
        votes: items without a vote are left out.
    """
    named = votes.emotions()
    per_item = votes.table.sum(axis=1)
    voted = per_item > 0
    table, totals = named.table[voted], per_item[voted]
    best, most = table.argmax(axis=1), table.max(axis=1, initial=0)
    wins = 2 * most > totals
    alone = (table == most[:, None]).sum(axis=1) == 1
    chosen = Counter(named.categories[k] for k in best[wins].tolist())
    again = {"resamples": resamples, "seed": seed}
    alpha = krippendorff_alpha(named, **again)
    flagged = bool(votes.table.sum() > named.table.sum())
    return Agreement(
        n_items=len(totals),
        n_votes=int(totals.sum()),
        fewest=int(totals.min()) if len(totals) else 0,
        most=int(totals.max(initial=0)),
        alpha=alpha,
        alpha_all=krippendorff_alpha(votes, **again) if flagged else alpha,
        kappa=fleiss_kappa(votes, **again),
        shares=_shares(votes),
        labels={name: chosen[name] for name in named.categories},
        n_plurality=int((alone & (most > 0)).sum()),
    )


def agreement_by_part(
    votes: VoteCounts, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Agreement]:
    """The figures of all items (``all``), and of each part, where there are several."""
    parts = sorted(set(votes.parts or ()))
    found = {"all": agreement(votes, resamples=resamples, seed=seed)}
    for part in parts if len(parts) > 1 else ():
        found[part] = agreement(votes.part(part), resamples=resamples, seed=seed)
    return found


def _shares(votes: VoteCounts) -> dict[str, float]:
    sums = votes.table.sum(axis=0)
    shares = sums / max(1, sums.sum())
    return dict(zip(votes.categories, np.asarray(shares).tolist(), strict=True))

"""Who belongs together: agglomerative clustering under constraints. Pure arithmetic.

Average linkage: the distance of two clusters is the weighted mean of the cosine distances of
their members, which for unit vectors is ``1 - mean_a . mean_b``. So a cluster is just its mean and
its weight, and no matrix of all pairs is ever made: memory is O(items), whatever their number.

Some items must stay apart (two faces on screen together are two people). That holds for all
their cluster-mates too: a merge that would bring two of them together never happens.

Some items are less sure than others (small, blurred, turned faces). They join a cluster but
never bridge two: clusters are made of sure items, and their means stay as the sure ones made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from caer_build.errors import SchemaError

Vectors = npt.NDArray[np.floating]
_BLOCK = 256
_DECIMALS = 6
"""Distances are rounded, so that the last bits of a sum never decide what is merged first."""


class _Clusters:
    """Clusters under way: their means, weights, members, and whom they must stay apart from."""

    def __init__(
        self, vectors: Vectors, weights: npt.NDArray[np.floating], apart: list[set[int]]
    ) -> None:
        self.means = np.array(vectors, dtype=np.float64)
        self.weights = np.array(weights, dtype=np.float64)
        self.apart = [set(others) for others in apart]
        self.members = [[i] for i in range(len(vectors))]
        self.alive = np.ones(len(vectors), dtype=bool)

    def distances(self, rows: Sequence[int]) -> npt.NDArray[np.float64]:
        """Of the clusters ``rows`` to all, (len(rows), n); infinite where no merge may be."""
        found = np.round(1.0 - self.means[rows] @ self.means.T, _DECIMALS)
        found[:, ~self.alive] = np.inf
        for i, row in enumerate(rows):
            found[i, row] = np.inf
            found[i, list(self.apart[row])] = np.inf
        return found

    def merge(self, kept: int, gone: int) -> None:
        total = self.weights[kept] + self.weights[gone]
        share = self.weights[gone] / total if total > 0 else 0.5
        self.means[kept] += share * (self.means[gone] - self.means[kept])
        self.weights[kept] = total
        self.members[kept] += self.members[gone]
        self.members[gone] = []
        self.alive[gone] = False
        for other in self.apart[gone]:
            self.apart[other].discard(gone)
            self.apart[other].add(kept)
        self.apart[kept] |= self.apart[gone]
        self.apart[gone] = set()


def _agglomerate(clusters: _Clusters, threshold: float) -> None:
    """Merges the two nearest clusters until no two are within ``threshold``.

    Every cluster knows its nearest. A merged cluster is never nearer to a third than the nearer
    of its two halves was, so only those whose nearest took part need to look again.
    """
    n = len(clusters.members)
    nearest = np.zeros(n, dtype=np.int64)
    distance = np.full(n, np.inf)

    def look(rows: list[int]) -> None:
        for at in range(0, len(rows), _BLOCK):
            block = rows[at : at + _BLOCK]
            found = clusters.distances(block)
            nearest[block] = found.argmin(axis=1)
            distance[block] = found.min(axis=1)

    look([int(row) for row in np.flatnonzero(clusters.alive)])
    while n and distance.min() <= threshold:
        first = int(distance.argmin())
        kept, gone = sorted((first, int(nearest[first])))
        clusters.merge(kept, gone)
        distance[gone] = np.inf
        again = ((nearest == kept) | (nearest == gone)) & clusters.alive & (distance <= threshold)
        again[kept] = True
        look([int(row) for row in np.flatnonzero(again)])


def _join(clusters: _Clusters, loose: Iterable[int], threshold: float) -> list[int]:
    """Lets loose items join the clusters of others, nearest first; the rest comes back.

    The clusters' means stay as they are.
    """
    loose = set(loose)
    rows = sorted(loose)
    homes = [i for i, members in enumerate(clusters.members) if members and i not in loose]
    if not rows or not homes:
        return rows
    candidates = []
    for at in range(0, len(rows), _BLOCK):
        block = rows[at : at + _BLOCK]
        found = clusters.distances(block)[:, homes]
        candidates += [
            (float(found[i, j]), block[i], homes[j])
            for i, j in np.argwhere(found <= threshold).tolist()
        ]
    for _, item, home in sorted(candidates):
        if item in loose and home not in clusters.apart[item]:
            loose.remove(item)
            mean, weight = clusters.means[home].copy(), clusters.weights[home]
            clusters.merge(home, item)
            clusters.means[home], clusters.weights[home] = mean, weight
    return sorted(loose)


def cluster(
    keys: Sequence[str],
    vectors: Vectors,
    weights: npt.NDArray[np.floating],
    sure: npt.NDArray[np.bool_],
    *,
    apart: Iterable[tuple[str, str]],
    threshold: float,
) -> list[list[str]]:
    """Groups items by the cosine of their vectors.

    The result depends on the items, never on the order in which they are given.

    Args:
        keys: (n,) different names; they order the items and break ties.
        vectors: (n, d) unit vectors, or means of such; a zero vector is near to nothing.
        weights: (n,) how much each counts in the mean of its cluster, >= 0.
        sure: (n,) whether the item may found and shape a cluster. The others join the nearest
            cluster of sure ones, and cluster among themselves only where there is none.
        apart: pairs of keys that must not end in one group.
        threshold: the largest mean cosine distance, in [0, 2], at which clusters are merged.

    Returns:
        The groups, each sorted, in the order of their first keys; every key is in exactly one.

    Raises:
        SchemaError: if keys repeat, sizes differ, or a pair names an unknown key or one key twice.
    """
    n = len(keys)
    if len(set(keys)) != n or not n == len(vectors) == len(weights) == len(sure):
        raise SchemaError(
            f"Clustering needs different keys and as many vectors, weights and marks, found {n} "
            f"keys ({len(set(keys))} different), {len(vectors)}, {len(weights)} and {len(sure)}."
        )
    order = sorted(range(n), key=lambda i: keys[i])
    place = {keys[i]: at for at, i in enumerate(order)}
    kept_apart: list[set[int]] = [set() for _ in range(n)]
    for a, b in apart:
        if a not in place or b not in place or a == b:
            raise SchemaError(f"Two different known keys were to stay apart, found {a!r}, {b!r}.")
        kept_apart[place[a]].add(place[b])
        kept_apart[place[b]].add(place[a])
    if n == 0:
        return []
    clusters = _Clusters(np.asarray(vectors)[order], np.asarray(weights)[order], kept_apart)
    loose = np.flatnonzero(~np.asarray(sure)[order])
    clusters.alive[loose] = False
    _agglomerate(clusters, threshold)
    rest = _join(clusters, loose.tolist(), threshold)
    clusters.alive[:] = False
    clusters.alive[rest] = True
    _agglomerate(clusters, threshold)
    names = [sorted(keys[order[i]] for i in members) for members in clusters.members if members]
    return sorted(names)

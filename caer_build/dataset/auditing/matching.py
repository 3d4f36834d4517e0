"""The same pictures among tens of thousands.

Descriptors find candidates: all of one set times all of another, block by block, so that a thousand
million pairs take seconds and memory holds a block. Thumbnails decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from caer_build.dataset.abreast import abreast
from caer_build.dataset.auditing.descriptors import Descriptors, Stored, mirrored
from caer_build.dataset.auditing.likeness import Likeness, Zoom, likeness
from caer_build.dataset.auditing.thumbnails import Thumbnails

NEAR = 0.85
"""cosine of descriptors. Frames of different scenes are below; of FER+'s faces, all alike, 2 pairs
in 10,000 are above; of copies of 20 kinds less than 1 in 100 is below"""
NEARER = 0.95
"""the same where no copy is looked for that was cropped or mirrored"""
_MOST = 6
"""candidates looked at a picture: the nearest"""
_ROWS, _COLUMNS = 128, 4_096
"""pictures compared at once"""
_CHUNK = 64
"""pictures whose candidates a worker looks at in one go"""

Indexes = npt.NDArray[np.int64]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pictures:
    """Pictures, all of a data set.

    Attributes:
        descriptors: (n, 2, 72).
        thumbs: of each.
    """

    descriptors: Descriptors | Stored
    thumbs: Thumbnails


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """How a picture is looked at to be like another.

    Attributes:
        turned: mirrored.
        zoom: which of the two looks like the other's middle.
    """

    turned: bool = False
    zoom: Zoom = 0


AS_IT_IS = Way()
_ZOOMS: tuple[Zoom, ...] = (-1, 0, 1)
_WAYS = tuple(Way(turned, zoom) for turned in (False, True) for zoom in _ZOOMS)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that may be the same, by places in the lists that are compared.

    Attributes:
        cosine: of their descriptors.
    """

    there: int
    here: int
    cosine: float
    way: Way


@dataclass(frozen=True, slots=True)
class Match:
    """A picture that is there, too, by indexes of pictures."""

    there: int
    here: int
    likeness: Likeness
    way: Way


def copies(pictures: Pictures, a: Indexes, b: Indexes, jobs: int, tell: Tell) -> Iterator[Match]:
    """For each picture of ``b`` that is also among ``a``, as it is, cropped or mirrored, which one
    it is there; a frame of the same take only where there is none.

    Args:
        a, b: indexes of pictures.
        jobs: threads that compare thumbnails.
        tell: called with (step, done, all).
    """
    found = _Nearest(len(b))
    for first in range(0, len(a), _COLUMNS):
        tell("searching", first, len(a))
        there = _some(pictures, a[first : first + _COLUMNS])
        for start in range(0, len(b), _ROWS):
            here, corner = _some(pictures, b[start : start + _ROWS]), (start, first)
            for turned in (False, True):
                whole, middle = np.moveaxis(mirrored(here) if turned else here, 1, 0)
                found.offer(corner, whole @ there[:, 0].T, NEAR, Way(turned))
                found.offer(corner, whole @ there[:, 1].T, NEAR, Way(turned, 1))
                found.offer(corner, middle @ there[:, 0].T, NEAR, Way(turned, -1))
    yield from _decided(found, pictures.thumbs, (a, b), jobs, tell)


def repeats(
    pictures: Pictures, a: Indexes, item_of: Indexes, jobs: int, tell: Tell
) -> Iterator[Match]:
    """For each picture that is there before, in another item, as it is, which one it is.

    Args:
        a: indexes of pictures, in an order.
        item_of: of all pictures; what one item shows twice does not count.
    """
    found = _Nearest(len(a))
    for first in range(0, len(a), _COLUMNS):
        tell("searching", first, len(a))
        columns = np.arange(first, min(first + _COLUMNS, len(a)))
        there = _some(pictures, a[columns])[:, 0]
        for start in range(first // _ROWS * _ROWS, len(a), _ROWS):
            rows = np.arange(start, min(start + _ROWS, len(a)))
            cosine = _some(pictures, a[rows])[:, 0] @ there.T
            cosine[columns[None, :] >= rows[:, None]] = -1
            cosine[item_of[a[columns]][None, :] == item_of[a[rows]][:, None]] = -1
            found.offer((start, first), cosine, NEARER, AS_IT_IS)
    yield from _decided(found, pictures.thumbs, (a, a), jobs, tell)


def _some(pictures: Pictures, which: Indexes) -> npt.NDArray[np.float32]:
    return np.asarray(pictures.descriptors[which], np.float32)


class _Nearest:
    """Of each picture the nearest ones so far, in some bytes each: most are like no other."""

    def __init__(self, n: int) -> None:
        self._there = np.full((n, _MOST), -1, np.int32)
        self._cosine = np.zeros((n, _MOST), np.float32)
        self._way = np.zeros((n, _MOST), np.int8)

    def __len__(self) -> int:
        return len(self._there)

    def of(self, here: int) -> list[Candidate]:
        """The candidates of a picture, the nearest first."""
        there, cosine, way = self._there[here], self._cosine[here], self._way[here]
        return [
            Candidate(int(there[k]), here, float(cosine[k]), _WAYS[way[k]])
            for k in np.flatnonzero(there >= 0)
        ]

    def offer(
        self, corner: tuple[int, int], cosine: npt.NDArray[np.float32], least: float, way: Way
    ) -> None:
        """Cosines of some pictures with some others, that begin at ``corner`` of all."""
        start, first = corner
        for row in np.flatnonzero(cosine.max(axis=1, initial=-1) >= least):
            near = np.flatnonzero(cosine[row] >= least)
            if len(near) > _MOST:
                near = near[np.argpartition(-cosine[row, near], _MOST)[:_MOST]]
            here = start + int(row)
            new = [Candidate(first + int(n), here, float(cosine[row, n]), way) for n in near]
            for k, best in enumerate(_best((*self.of(here), *new))):
                self._there[here, k], self._cosine[here, k] = best.there, best.cosine
                self._way[here, k] = _WAYS.index(best.way)


def _best(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Each picture once, the way it is nearest; the nearest ones, the earlier of equals."""
    nearest: dict[int, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: (-c.cosine, c.there, c.way)):
        nearest.setdefault(candidate.there, candidate)
    return tuple(nearest.values())[:_MOST]


def _decided(
    found: _Nearest,
    thumbs: Thumbnails,
    indexes: tuple[Indexes, Indexes],
    jobs: int,
    tell: Tell,
) -> Iterator[Match]:
    def decide(start: int) -> list[Match]:
        several = map(found.of, range(start, min(start + _CHUNK, len(found))))
        return [match for one in several if (match := _decide(one, thumbs, *indexes)) is not None]

    starts = range(0, len(found), _CHUNK)
    for start, matches in zip(starts, abreast(decide, starts, jobs), strict=True):
        tell("comparing", min(start + _CHUNK, len(found)), len(found))
        yield from matches


def _decide(
    candidates: Sequence[Candidate], thumbs: Thumbnails, a: Indexes, b: Indexes
) -> Match | None:
    """The first that is the same picture; else the first that is of the same take."""
    take = None
    for candidate in candidates:
        there, here, way = int(a[candidate.there]), int(b[candidate.here]), candidate.way
        second = np.ascontiguousarray(thumbs[here][:, ::-1]) if way.turned else thumbs[here]
        alike = likeness(thumbs[there], second, way.zoom)
        if alike == "picture":
            return Match(there, here, alike, way)
        if alike == "take" and take is None and way == AS_IT_IS:
            take = Match(there, here, alike, way)
    return take

"""The faces that stand in the scenes: FER+ in its own splits, a face in one split only."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.controlled.setting import N_CLASSES, SPLITS
from benchmarks.ferplus_faces import faces_of, majority

Rows = npt.NDArray[np.int64]


class FacePool:
    """The faces with a label under the majority protocol, without contempt.

    FER2013 has pictures several times, also across its splits. A picture is kept once: in test
    rather than in validation, there rather than in train.
    """

    @cached_property
    def _rows(self) -> dict[tuple[str, int], Rows]:
        rows: dict[tuple[str, int], Rows] = {}
        seen: set[bytes] = set()
        for split in reversed(SPLITS):
            faces = faces_of(split)
            labels = majority(faces.votes)
            kept = np.zeros(len(labels), np.bool_)
            for k in np.flatnonzero((labels >= 0) & (labels < N_CLASSES)):
                digest = hashlib.sha1(faces.pictures[k].tobytes()).digest()
                kept[k] = digest not in seen
                seen.add(digest)
            for label in range(N_CLASSES):
                rows[split, label] = np.flatnonzero(kept & (labels == label))
        return rows

    def n(self, split: str, label: int) -> int:
        """How many faces of a class a split has."""
        return len(self._rows[split, label])

    def row(self, split: str, label: int, which: int) -> int:
        """Which row of FER+'s table of that split a face is: it is known by that."""
        return int(self._rows[split, label][which])

    def picture(self, split: str, label: int, which: int) -> npt.NDArray[np.uint8]:
        """A face, (48, 48) grey."""
        return faces_of(split).pictures[self.row(split, label, which)]

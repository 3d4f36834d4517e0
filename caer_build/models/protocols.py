"""What the stages need of a model: one method each, and a ``version`` that goes into the key.

An adapter imports its package when it is made, not when its module is imported, and raises
:class:`~caer_build.errors.ModelMissing` with the remedy where the package or file is absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

FEATURE_WIDTH, FEATURE_HEIGHT = 48, 27
CHIP_SIZE = 150


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of one picture, ordered by x1, then y1.

    Attributes:
        boxes: (n, 4) xyxy px of that picture.
        scores: (n,) in [0, 1].
        landmarks: (n, 5, 2) px: right eye, left eye, nose, right and left mouth corner (as the
            person means them); NaN where the detector gives none.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)


class ShotScorer(Protocol):
    """Says of each frame how likely a shot ends at it."""

    version: str

    def scores(self, chunks: Iterator[Images]) -> Floats:
        """Scores (n, 2) in [0, 1] of the n frames in ``chunks``, each (m, 27, 48, 3) RGB.

        ``[f, 0]``: a shot ends at f, by a cut between f and f + 1 or about the middle of a
        gradual transition. ``[f, 1]``: f lies in a gradual transition. 0.5 is the threshold.
        """
        ...


class FaceDetector(Protocol):
    """Finds faces in a picture."""

    version: str

    def detect(self, picture: Images) -> Faces:
        """The faces of one (h, w, 3) BGR picture, boxes cut at its borders."""
        ...


class FaceEmbedder(Protocol):
    """Turns aligned faces into vectors whose cosine says whether two are one person."""

    version: str
    same_person_distance: float
    """the cosine distance at which same and other person are about equally likely"""

    def embed(self, chips: Images) -> Floats:
        """(n, d) unit vectors of (n, 150, 150, 3) RGB aligned chips."""
        ...

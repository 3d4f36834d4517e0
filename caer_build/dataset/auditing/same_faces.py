"""The same people in two splits, told by their faces: slow, and a guess, where no ids tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.findings import Finding, found
from caer_build.dataset.auditing.opening import Opened, Picture, open_shelf, shelves
from caer_build.records import SPLITS, Item

if TYPE_CHECKING:
    from caer_build.models.protocols import Faces

_WIDTH = 480
_DISTANCE = 0.2
"""cosine. The build takes tracks of several crops up to 0.3 for one person; there one pair of
strangers in 5,000 is as near, which among millions of pairs would be too many"""
_BLOCK = 512


def findings_by_faces(
    root: Path, items: Sequence[Item], tell: Callable[[int, int], None]
) -> list[Finding]:
    """Items whose largest face is that of an item of another split.

    Args:
        tell: called with (items done, all).

    Raises:
        ModelMissing: if the face models' packages are not installed.
    """
    if any(item.person_id is not None for item in items):
        said = "faces were not compared: the data set says who is who"
        return [Finding("same_face", "note", 1, said)]
    known, vectors = _embedded(root, items, tell)
    splits = np.array([str(item.split) for item in known])
    examples = []
    for earlier, later in combinations(SPLITS, 2):
        a, b = np.flatnonzero(splits == earlier), np.flatnonzero(splits == later)
        for here, there, distance in _nearest(vectors, a, b):
            one, other = known[here], known[there]
            examples.append(f"{one.file} and {other.file} (distance {distance:.2f})")
    message = (
        f"{{n}} of {len(known)} items with a face show one within {_DISTANCE} of a face of another "
        "split: probably the same person (a guess by a face recogniser)"
    )
    compared = f"faces were compared in {len(known)} items, {len(items) - len(known)} show none"
    return [
        *found("same_face", "note", message, examples),
        Finding("faces_compared", "note", len(known), compared),
    ]


def _embedded(
    root: Path, items: Sequence[Item], tell: Callable[[int, int], None]
) -> tuple[list[Item], npt.NDArray[np.float32]]:
    from caer_build.models import face_detectors, face_embedders
    from caer_build.models.locations import model_folder

    folder = model_folder()
    detector = face_detectors.load("auto", folder, _WIDTH)
    embedder = face_embedders.load("auto", folder)
    known: list[Item] = []
    vectors: list[npt.NDArray[np.float32]] = []
    for number, opened in enumerate(_opened(root, items), start=1):
        if isinstance(opened, Opened):
            picture = opened.pictures[len(opened.pictures) // 2]
            chip = _chip(picture, detector.detect(picture))
            if chip is not None:
                known.append(opened.item)
                vectors.append(embedder.embed(chip[None])[0])
        tell(number, len(items))
    return known, np.array(vectors, np.float32).reshape(len(known), -1)


def _opened(root: Path, items: Sequence[Item]) -> Iterator[Opened | tuple[Item, str]]:
    for shelf in shelves(items):
        yield from open_shelf(root, shelf)


def _chip(picture: Picture, faces: Faces) -> Picture | None:
    """The largest face, upright, RGB; None: there is none with landmarks."""
    from caer_build.models.alignment import align

    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    for which in np.argsort(-sides.prod(axis=1)) if len(faces) else ():
        if not np.isnan(faces.landmarks[which]).any():
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            return align(np.asarray(rgb, np.uint8), faces.landmarks[which])
    return None


def _nearest(
    vectors: npt.NDArray[np.float32], a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int, float]]:
    """For each of ``b`` that is near to any of ``a``: the nearest of ``a``, it, their distance."""
    if len(a) == 0:
        return
    for start in range(0, len(b), _BLOCK):
        asked = b[start : start + _BLOCK]
        distance = 1 - vectors[asked] @ vectors[a].T
        for row, nearest in enumerate(distance.argmin(axis=1)):
            if distance[row, nearest] <= _DISTANCE:
                yield int(a[nearest]), int(asked[row]), float(distance[row, nearest])

"""Faces that are not there, lie outside, or lie in test exactly where they do in train."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caer_build.boxes import iou
from caer_build.dataset.auditing.findings import Finding, found
from caer_build.records import EMOTIONS, Item

if TYPE_CHECKING:
    import pyarrow as pa

_BESIDE = 1.0
"""px by which a box may stick out: boxes are rounded"""
_SAME_PLACE = 0.8
_SHIFT = 37
"""numbers by which train is shifted to see what chance gives: more than a clip has stills"""
_EXCESS = 0.1
"""by which the share must be larger than what chance gives to be a leak"""
_FEWEST = 50
"""pairs of boxes from which a share means something"""
Sizes = Mapping[str, tuple[int, int]]


def findings_by_boxes(
    items: Sequence[Item], faces: Iterable[pa.Table], sizes: Sizes
) -> list[Finding]:
    """What the faces of a data set tell.

    Args:
        faces: tables of :class:`ItemFace`; without any there is nothing to be found.
        sizes: width and height of items in px, by item_id, where they are known.
    """
    ids = [item.item_id for item in items]
    wide = np.array([sizes.get(i, (np.inf, np.inf)) for i in ids], float).reshape(-1, 2)
    outside: list[str] = []
    # Only stills without ids are laid side by side; the boxes of others need not be kept.
    unknown = {item.item_id for item in items if item.kind == "still" and item.clip_id is None}
    target: dict[str, npt.NDArray[np.float64]] = {}
    with_target: set[str] = set()
    any_face = False
    for table in faces:
        any_face = any_face or len(table) > 0
        outside += _outside(table, ids, wide)
        own = table.filter(table["is_target"])
        with_target.update(own["item_id"].unique().to_pylist())
        if unknown:
            names = own["item_id"].to_pylist()
            target |= {n: box for n, box in zip(names, _box(own), strict=True) if n in unknown}
    if not any_face:
        return []
    without = [str(i.file or i.item_id) for i in items if i.item_id not in with_target]
    return [
        *found("box_outside", "fault", "face boxes that reach out of the picture: {n}", outside),
        *found("no_face", "fault", "items without a box of the face they are about: {n}", without),
        *_same_places(items, target),
    ]  # fmt: skip


def _box(table: pa.Table) -> npt.NDArray[np.float64]:
    columns = [table[side].to_numpy() for side in ("x1", "y1", "x2", "y2")]
    return np.asarray(np.stack(columns, axis=1), np.float64)


def _outside(table: pa.Table, ids: Sequence[str], wide: npt.NDArray[np.float64]) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    known = table.filter(pc.is_in(table["item_id"], pa.array(ids, pa.string())))
    boxes = _box(known)
    place = pc.index_in(known["item_id"], pa.array(ids, pa.string())).to_numpy()
    limits = wide[place] + _BESIDE
    beyond = (boxes[:, :2] < -_BESIDE).any(axis=1) | (boxes[:, 2:] > limits).any(axis=1)
    return [
        f"{ids[place[row]]} frame {known['frame'][int(row)].as_py()}: "
        f"{', '.join(f'{v:.0f}' for v in boxes[row])}"
        for row in np.flatnonzero(beyond)
    ]


def _same_places(
    items: Sequence[Item], target: Mapping[str, npt.NDArray[np.float64]]
) -> list[Finding]:
    """Whether stills of train and test come from the same videos, where no ids tell.

    Those of one video have faces at one place. Train and test of a class are laid side by side in
    the order of their files: far more faces that lie at the same place than where one side is
    shifted are no accident.
    """
    aligned = _share_at_same_place(items, target, 0)
    shifted = _share_at_same_place(items, target, _SHIFT)
    if aligned is None or shifted is None:
        return []
    accident = aligned - shifted < _EXCESS
    message = (
        f"{aligned:.0%} of the test stills have their face where the train still of the same "
        f"class and number has it (IoU > {_SAME_PLACE}), {shifted:.0%} where that {_SHIFT} numbers "
        f"further has it: {'an accident' if accident else 'they come from the same videos'}"
    )
    return [Finding("face_geometry", "note" if accident else "leak", 1, message)]


def _share_at_same_place(
    items: Sequence[Item], target: Mapping[str, npt.NDArray[np.float64]], shift: int
) -> float | None:
    """[0, 1]; None where there are too few pairs to tell."""
    classes: dict[tuple[str | None, str | None], list[Item]] = defaultdict(list)
    for item in items:
        classes[item.split, item.emotion].append(item)
    n_same = n_pairs = 0
    for emotion in EMOTIONS:
        train, test = classes["train", emotion], classes["test", emotion]
        if not train:
            continue
        for number, item in enumerate(test):
            there = target.get(train[(number + shift) % len(train)].item_id)
            here = target.get(item.item_id)
            if here is not None and there is not None:
                n_pairs += 1
                n_same += bool(iou(here[None], there[None])[0, 0] > _SAME_PLACE)
    return n_same / n_pairs if n_pairs >= _FEWEST else None

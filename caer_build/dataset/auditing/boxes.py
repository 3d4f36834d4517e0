"""Faces that are not there, lie outside, or lie in one split where they do in another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.courses import NOTHING, SAME_PLACE, Course, InPlace, in_place
from caer_build.dataset.auditing.findings import Finding, found
from caer_build.records import SPLITS, Item

if TYPE_CHECKING:
    import pyarrow as pa

_BESIDE = 1.0
"""px by which a box may stick out: boxes are rounded"""
_EXCESS, _SPREADS = 0.1, 3.0
"""by which a share must be larger than what chance gives to be a leak: this much, and this many
standard deviations"""
_FEWEST = 50
"""boxes from which a share means something"""
_DIGITS = re.compile(r"[0-9]+")
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
    """Whether stills of two splits come from the same videos, where no ids tell."""
    classes: dict[tuple[str | None, str | None], list[Item]] = defaultdict(list)
    for item in items:
        classes[item.split, item.emotion].append(item)
    courses = {key: _course(several, target) for key, several in classes.items()}
    emotions = sorted({emotion for _, emotion in classes}, key=str)
    said: list[tuple[bool, str]] = []
    for earlier, later in combinations(SPLITS, 2):
        both = [
            in_place(courses[earlier, emotion], courses[later, emotion])
            for emotion in emotions
            if (earlier, emotion) in courses and (later, emotion) in courses
        ]
        whole = sum(both, NOTHING)
        if whole.n >= _FEWEST:
            said.append((_excessive(whole), _in_words(earlier, later, whole)))
    leaks = [words for excessive, words in said if excessive]
    return [
        *found(
            "face_geometry",
            "leak",
            "pairs of splits whose faces follow one another, so that they are probably stills of "
            "the same videos: {n}",
            leaks,
        ),
        *found(
            "face_geometry_chance",
            "note",
            "pairs of splits whose faces lie at the same places no more often than by chance: {n}",
            [words for excessive, words in said if not excessive],
        ),
    ]


def _in_words(earlier: str, later: str, whole: InPlace) -> str:
    aligned, *turned = whole.n_same / whole.n
    return (
        f"{later} beside {earlier}, each class in the order of its file numbers: {aligned:.0%} of "
        f"{whole.n} faces lie where {earlier} has one (IoU > {SAME_PLACE}); with {later} turned by "
        f"a quarter, a half, three quarters of its class {', '.join(f'{t:.0%}' for t in turned)}"
    )


def _excessive(whole: InPlace) -> bool:
    """Whether more faces are in place than the luckiest turn and chance explain."""
    aligned, luckiest = whole.n_same[0] / whole.n, whole.n_same[1:].max() / whole.n
    share = (aligned + luckiest) / 2
    spread = np.sqrt(share * (1 - share) / whole.n_runs)
    return bool(aligned - luckiest > max(_EXCESS, _SPREADS * spread))


def _course(items: Sequence[Item], target: Mapping[str, npt.NDArray[np.float64]]) -> Course:
    """The faces of a class of a split, by the numbers of their files.

    Lists are shuffled and leave numbers out; where names have no numbers of their own, they are
    in alphabetical order.
    """
    numbers = [_number(item) for item in items]
    if len(set(numbers)) < len(items) or None in numbers:
        items = sorted(items, key=lambda item: str(item.file or item.item_id))
        numbers = list(range(len(items)))
    at = np.array(numbers, float)
    order = np.argsort(at)
    nowhere = np.full(4, np.nan)
    boxes = np.stack([target.get(items[k].item_id, nowhere) for k in order])
    return Course((at[order] - at.min()) / max(at.max() - at.min(), 1.0), boxes)


def _number(item: Item) -> int | None:
    """The last number in the name of an item's file."""
    name = str(item.file or item.item_id).rpartition("/")[2]
    digits = _DIGITS.findall(name.rpartition(".")[0] or name)
    return int(digits[-1]) if digits else None

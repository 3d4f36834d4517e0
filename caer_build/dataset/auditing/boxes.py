"""Faces that are not there, lie outside, or lie in one split where they do in another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.courses import NOTHING, SAME_PLACE, Course, InPlace, in_place
from caer_build.dataset.auditing.findings import Finding, found
from caer_build.records import SPLITS, Item
from caer_build.rows import Places, values_in

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
Sizes = npt.NDArray[np.float64]
"""(n, 2) width and height of items in px; infinite where they are not known"""


def findings_by_boxes(
    items: Sequence[Item], faces: Iterable[pa.Table], sizes: Sizes
) -> list[Finding]:
    """What the faces of a data set tell.

    Args:
        faces: tables of :class:`ItemFace`; without any there is nothing to be found.
    """
    places = Places(values_in(items, "item_id"))
    # Only stills without ids are laid side by side; the boxes of others need not be kept.
    no_ids = zip(values_in(items, "kind"), values_in(items, "clip_id"), strict=True)
    unknown = np.array([kind == "still" and clip_id is None for kind, clip_id in no_ids], bool)
    target = np.full((len(items) if unknown.any() else 0, 4), np.nan)
    with_target = np.zeros(len(items), bool)
    outside: list[str] = []
    any_face = False
    for table in faces:
        any_face = any_face or len(table) > 0
        item = places.of(table["item_id"])
        outside += _outside(table, item, sizes)
        of_target = table["is_target"].to_numpy() & (item >= 0)
        with_target[item[of_target]] = True
        asked = np.flatnonzero(of_target & unknown[item])
        target[item[asked]] = _box(table)[asked]
    if not any_face:
        return []
    without = np.flatnonzero(~with_target)
    return [
        *found("box_outside", "fault", "face boxes that reach out of the picture: {n}", outside),
        *found("no_face", "fault", "items without a box of the face they are about: {n}",
               (_named(items[int(k)]) for k in without), len(without)),
        *_same_places(items, target),
    ]  # fmt: skip


def _box(table: pa.Table) -> npt.NDArray[np.float64]:
    columns = [table[side].to_numpy() for side in ("x1", "y1", "x2", "y2")]
    return np.asarray(np.stack(columns, axis=1), np.float64)


def _named(item: Item) -> str:
    return str(item.file or item.item_id)


def _outside(table: pa.Table, item: npt.NDArray[np.int64], sizes: Sizes) -> list[str]:
    boxes = _box(table)
    limits = sizes[item] + _BESIDE
    beyond = (boxes[:, :2] < -_BESIDE).any(axis=1) | (boxes[:, 2:] > limits).any(axis=1)
    return [
        f"{table['item_id'][int(row)]} frame {table['frame'][int(row)]}: "
        f"{', '.join(f'{v:.0f}' for v in boxes[row])}"
        for row in np.flatnonzero(beyond & (item >= 0))
    ]


def _same_places(items: Sequence[Item], target: npt.NDArray[np.float64]) -> list[Finding]:
    """Whether stills of two splits come from the same videos, where no ids tell.

    Args:
        target: (n, 4) boxes of items, NaN of others; or none at all.
    """
    if not len(target):
        return []
    classes: dict[tuple[str | None, str | None], list[tuple[str, int]]] = defaultdict(list)
    for place, item in enumerate(items):
        classes[item.split, item.emotion].append((_named(item), place))
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


def _course(files: Sequence[tuple[str, int]], target: npt.NDArray[np.float64]) -> Course:
    """The faces of a class of a split, by the numbers of their files.

    Lists are shuffled and leave numbers out; where names have no numbers of their own, they are
    in alphabetical order.

    Args:
        files: names, and where their boxes are.
    """
    numbers = [_number(name) for name, _ in files]
    if len(set(numbers)) < len(files) or None in numbers:
        files = sorted(files)
        numbers = list(range(len(files)))
    at = np.array(numbers, float)
    order = np.argsort(at)
    boxes = target[np.array([place for _, place in files])[order]]
    return Course((at[order] - at.min()) / max(at.max() - at.min(), 1.0), boxes)


def _number(file: str) -> int | None:
    """The last number in the name of a file."""
    name = file.rpartition("/")[2]
    digits = _DIGITS.findall(name.rpartition(".")[0] or name)
    return int(digits[-1]) if digits else None

"""Leaks that ids tell: what stands in two splits and should not. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from caer_build.dataset.auditing.findings import Finding, Severity, found
from caer_build.dataset.statistics import pairs_of
from caer_build.records import SPLITS, Item
from caer_build.rows import Places, columns_of, values_in

if TYPE_CHECKING:
    import pyarrow as pa

_IDS: tuple[tuple[str, str, Severity, str], ...] = (
    ("clip_id", "same_clip", "leak", "clips in two splits: {n}"),
    ("person_id", "same_person", "leak", "persons in two splits: {n}"),
    ("group_id", "same_group", "leak", "groups that were to stand together, in two splits: {n}"),
    ("shot_id", "same_shot", "note", "shots with clips in two splits: {n}"),
    ("episode_id", "same_episode", "note", "episodes with clips in two splits: {n}"),
    ("show", "same_show", "note", "shows with clips in two splits: {n}"),
)

_AT_ONCE = 2_000
"""rows that are objects at a time"""


def findings_by_ids(items: Sequence[Item], faces: Iterable[pa.Table]) -> list[Finding]:
    """What stands in two splits.

    Args:
        faces: tables of :class:`ItemFace`.
    """
    findings = []
    for column, kind, severity, message in _IDS:
        splits = _splits_by(items, column)
        findings += found(kind, severity, message, _straddling(splits))
    return [*findings, *_shared_frames(items), *_seen_elsewhere(items, faces)]


def _splits_by(items: Sequence[Item], column: str) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = defaultdict(list)
    for value, split in pairs_of(items, column, "split"):
        if value is not None and split is not None:
            splits[value].append(split)
    return splits


def _straddling(splits_of: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"{name} is in {' and '.join(s for s in SPLITS if s in splits)}"
        for name, splits in sorted(splits_of.items())
        if len(splits) > 1
    ]


def _shared_frames(items: Sequence[Item]) -> list[Finding]:
    """Items of one episode whose spans overlap and that stand in two splits."""
    import pyarrow as pa

    names = ("episode_id", "start_frame", "end_frame", "split")
    spans = columns_of(Item, items, *names)
    spans = spans.append_column("number", pa.array(range(len(spans)), pa.int64())).drop_null()
    in_order = spans.sort_by([(name, "ascending") for name in (*names[:3], "number")])
    examples = []
    for _, several in groupby(_rows(in_order), key=itemgetter(0)):
        # Of each split, the item that reaches furthest: what begins before its end shares frames.
        furthest: dict[str, tuple[int, int]] = {}
        for _, start, end, split, number in several:
            for other, (reached, earlier) in sorted(furthest.items()):
                if other != split and start < reached:
                    examples.append((earlier, other, number, split))
            if end > furthest.get(split, (0, 0))[0]:
                furthest[split] = end, number
    told = (
        f"{items[one].item_id} ({other}) and {items[two].item_id} ({split})"
        for one, other, two, split in examples
    )
    return found("shared_frames", "leak", "items that share frames with one of another split: {n}",
                 told, len(examples))  # fmt: skip


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _seen_elsewhere(items: Sequence[Item], faces: Iterable[pa.Table]) -> list[Finding]:
    """People of one split, whoever they are there, who are seen in items of another."""
    person_of = {t: p for t, p in pairs_of(items, "track_id", "person_id") if t and p}
    home = _splits_by(items, "person_id")
    places = Places(values_in(items, "item_id"))
    splits = list(values_in(items, "split"))
    names = ["item_id", "face", "person_id"]
    examples = []
    for table in faces:
        there = table.select(names).group_by(names).aggregate([]).select(names)
        there = there.sort_by([("item_id", "ascending"), ("face", "ascending")])
        for place, (item_id, face, said) in zip(
            places.of(there["item_id"]), _rows(there), strict=True
        ):
            person, split = said or person_of.get(face), splits[place] if place >= 0 else None
            if person is None or split is None or not home[person] or split in home[person]:
                continue
            where = " and ".join(s for s in SPLITS if s in home[person])
            examples.append(f"{person} of {where} is seen in {item_id} ({split})")
    said = "items that show somebody whose clips are in another split: {n}"
    return found("person_seen", "leak", said, examples)

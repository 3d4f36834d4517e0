"""Leaks that ids tell: what stands in two splits and should not. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from caer_build.dataset.auditing.findings import Finding, Severity, found
from caer_build.records import SPLITS, Item

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


def _splits_by(items: Sequence[Item], column: str) -> dict[str, set[str]]:
    splits: dict[str, set[str]] = defaultdict(set)
    for item in items:
        value = getattr(item, column)
        if value is not None and item.split is not None:
            splits[value].add(item.split)
    return splits


def _straddling(splits_of: Mapping[str, set[str]]) -> list[str]:
    return [
        f"{name} is in {' and '.join(s for s in SPLITS if s in splits)}"
        for name, splits in sorted(splits_of.items())
        if len(splits) > 1
    ]


def _shared_frames(items: Sequence[Item]) -> list[Finding]:
    """Items of one episode whose spans overlap and that stand in two splits."""
    episodes: dict[str, list[tuple[int, int, Item]]] = defaultdict(list)
    for item in items:
        if None not in (item.episode_id, item.start_frame, item.end_frame, item.split):
            span = int(item.start_frame or 0), int(item.end_frame or 0)
            episodes[str(item.episode_id)].append((*span, item))
    examples = []
    for _, several in sorted(episodes.items()):
        # Of each split, the item that reaches furthest: what begins before its end shares frames.
        furthest: dict[str, tuple[int, Item]] = {}
        for start, end, item in sorted(several, key=_by_place):
            split = str(item.split)
            for other, (reached, earlier) in sorted(furthest.items()):
                if other != split and start < reached:
                    examples.append(f"{earlier.item_id} ({other}) and {item.item_id} ({split})")
            if end > furthest.get(split, (0, item))[0]:
                furthest[split] = end, item
    return found("shared_frames", "leak", "items that share frames with one of another split: {n}",
                 examples)  # fmt: skip


def _by_face(row: tuple[str, str, str | None]) -> tuple[str, str]:
    return row[:2]


def _by_place(entry: tuple[int, int, Item]) -> tuple[int, int, str]:
    return entry[0], entry[1], entry[2].item_id


def _seen_elsewhere(items: Sequence[Item], faces: Iterable[pa.Table]) -> list[Finding]:
    """People of one split, whoever they are there, who are seen in items of another."""
    person_of = {i.track_id: i.person_id for i in items if i.track_id and i.person_id}
    home = _splits_by(items, "person_id")
    split_of = {item.item_id: item.split for item in items if item.split is not None}
    examples = []
    names = ["item_id", "face", "person_id"]
    for table in faces:
        there = table.select(names).group_by(names).aggregate([])
        columns = [there[name].to_pylist() for name in names]
        for item_id, face, said in sorted(zip(*columns, strict=True), key=_by_face):
            person, split = said or person_of.get(face), split_of.get(item_id)
            if person is None or split is None or not home[person] or split in home[person]:
                continue
            where = " and ".join(s for s in SPLITS if s in home[person])
            examples.append(f"{person} of {where} is seen in {item_id} ({split})")
    said = "items that show somebody whose clips are in another split: {n}"
    return found("person_seen", "leak", said, examples)

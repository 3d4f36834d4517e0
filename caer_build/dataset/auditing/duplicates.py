"""The same file or picture more than once; files that are none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from caer_build.dataset.auditing.album import Album, Look
from caer_build.dataset.auditing.findings import Finding, found
from caer_build.dataset.auditing.matching import same_picture_pairs
from caer_build.records import SPLITS, Item

_TINY = 32
"""px: a picture that is narrower or lower"""


def findings_by_pictures(album: Album) -> list[Finding]:
    """What the pictures of a data set tell."""
    same = _by_digest(album.looks)
    near = _near_across(album)
    return [*_same_files(same), *_near(near), *_conflicts(same, near), *_faults(album.looks)]


Pair = tuple[Item, Item]


def _by_digest(looks: Sequence[Look]) -> list[list[Item]]:
    several: dict[str, list[Item]] = defaultdict(list)
    for look in looks:
        if look.sha256 is not None:
            several[look.sha256].append(look.item)
    return [items for items in several.values() if len(items) > 1]


def _same_files(same: Sequence[Sequence[Item]]) -> list[Finding]:
    across = [items for items in same if len({item.split for item in items}) > 1]
    within = [items for items in same if len({item.split for item in items}) == 1]
    return [
        *found(
            "same_file",
            "leak",
            "files in two splits, byte for byte: {n}",
            [" and ".join(_named(item) for item in _one_a_split(items)) for items in across],
        ),
        *found(
            "same_file_in_split",
            "note",
            "files that are more than once in their split: {n}",
            [" and ".join(_named(item) for item in items[:2]) for items in within],
        ),
    ]


def _one_a_split(items: Sequence[Item]) -> list[Item]:
    return _in_order({item.split: item for item in reversed(items)}.values())


def _near_across(album: Album) -> list[Pair]:
    """Items of two splits that show the same picture and are not the same file, one pair an item
    of the later split."""
    splits = np.array([str(look.item.split) for look in album.looks])
    of_picture = splits[album.look_of] if len(album.looks) else splits
    pairs: dict[str, Pair] = {}
    for earlier, later in combinations(SPLITS, 2):
        a, b = np.flatnonzero(of_picture == earlier), np.flatnonzero(of_picture == later)
        for here, there in same_picture_pairs(album.hashes, album.small, a, b):
            one, other = album.looks[album.look_of[here]], album.looks[album.look_of[there]]
            if one.sha256 != other.sha256:
                pairs.setdefault(other.item.item_id, (one.item, other.item))
    return list(pairs.values())


def _near(pairs: Sequence[Pair]) -> list[Finding]:
    return found(
        "near_duplicate",
        "leak",
        "pictures of another split, coded anew or resized: {n}",
        [f"{_named(a)} and {_named(b)}" for a, b in pairs],
    )


def _conflicts(same: Sequence[Sequence[Item]], near: Sequence[Pair]) -> list[Finding]:
    pairs = [pair for items in same for pair in combinations(_one_an_emotion(items), 2)]
    return found(
        "label_conflict",
        "fault",
        "pictures that have two emotions: {n}",
        [f"{_named(a)} and {_named(b)}" for a, b in (*pairs, *near) if _differ(a, b)],
    )


def _one_an_emotion(items: Sequence[Item]) -> list[Item]:
    return _in_order({(item.emotion, item.track_id): item for item in reversed(items)}.values())


def _in_order(items: Iterable[Item]) -> list[Item]:
    """Train before test, each by name."""
    splits = (*SPLITS, None)
    return sorted(items, key=lambda item: (splits.index(item.split), item.item_id))


def _differ(a: Item, b: Item) -> bool:
    # Two people of one picture may feel differently.
    other_face = None not in (a.track_id, b.track_id) and a.track_id != b.track_id
    return None not in (a.emotion, b.emotion) and a.emotion != b.emotion and not other_face


def _faults(looks: Sequence[Look]) -> list[Finding]:
    sizes = Counter((look.width, look.height) for look in looks if look.width)
    tiny = [look for look in looks if 0 < min(look.width, look.height) < _TINY]
    common = [f"{n} of {w}x{h} px" for (w, h), n in sizes.most_common()]
    return [
        *found(
            "unreadable",
            "fault",
            "files that cannot be used as they are: {n}",
            [f"{_named(look.item)} {look.trouble}" for look in looks if look.trouble],
        ),
        *found(
            "tiny",
            "fault",
            f"pictures of less than {_TINY} px: {{n}}",
            [f"{_named(look.item)}: {look.width}x{look.height} px" for look in tiny],
        ),
        *found("sizes", "note", "sizes of pictures: {n}", common, len(sizes) if common[1:] else 0),
    ]


def _named(item: Item) -> str:
    return str(item.file or item.item_id)

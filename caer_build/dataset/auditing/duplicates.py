"""The same file or picture more than once; files that are none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from caer_build.dataset.auditing.album import Album, Look
from caer_build.dataset.auditing.findings import Finding, found
from caer_build.dataset.auditing.likeness import Likeness
from caer_build.dataset.auditing.matching import Match, copies, repeats
from caer_build.records import SPLITS, Item

_TINY = 32
"""px: a picture that is narrower or lower"""
_FEW_TAKES, _SHARE_OF_TAKES = 3, 0.01
"""pictures of the same take, also as a share of validation and test, from which they are no
accident: two people may have sat before the same wall"""


Tell = Callable[[str, int, int], None]


def findings_by_pictures(album: Album, jobs: int, tell: Tell, *, leaks_only: bool) -> list[Finding]:
    """What the pictures of a data set tell.

    Args:
        jobs: threads that compare pictures.
        tell: called with (step, done, all).
        leaks_only: do not look for copies within a split.
    """
    same = _by_digest(album.looks)
    across = _across(album, jobs, tell)
    copied = [pair for pair in across if pair.likeness == "picture"]
    again = [] if leaks_only else _again(album, jobs, tell)
    return [
        *_same_files(same),
        *_copies(copied),
        *_takes([pair for pair in across if pair.likeness == "take"], album.looks),
        *found(
            "near_duplicate_in_split",
            "note",
            "pictures that their own split has already: {n}",
            [str(pair) for pair in again],
        ),
        *_conflicts(same, [*copied, *again]),
        *_faults(album.looks),
    ]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items of which the second shows what the first does.

    Attributes:
        how: what was done to it, as far as it can be told.
    """

    first: Item
    second: Item
    likeness: Likeness = "picture"
    how: str = ""

    def __str__(self) -> str:
        return f"{_named(self.first)} and {_named(self.second)}{self.how}"


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


def _across(album: Album, jobs: int, tell: Tell) -> list[Pair]:
    """Items of two splits that show the same and are not the same file, one pair an item of the
    later split: of a picture, if there is any such."""
    splits = np.array([str(look.item.split) for look in album.looks])
    of_picture = splits[album.look_of] if len(album.looks) else splits
    pairs: dict[str, Pair] = {}
    for earlier, later in combinations(SPLITS, 2):
        a, b = np.flatnonzero(of_picture == earlier), np.flatnonzero(of_picture == later)
        for match in copies(album.pictures, a, b, jobs, tell):
            one, other = (album.looks[album.look_of[n]] for n in (match.there, match.here))
            before = pairs.get(other.item.item_id)
            if one.sha256 != other.sha256 and (before is None or before.likeness == "take"):
                pair = Pair(one.item, other.item, match.likeness, _how(match))
                pairs[other.item.item_id] = pair
    return list(pairs.values())


def _how(match: Match) -> str:
    words = ["mirrored"] * match.way.turned + ["cropped"] * (match.way.zoom != 0)
    return f" ({', '.join(words)})" if words else ""


def _again(album: Album, jobs: int, tell: Tell) -> list[Pair]:
    """Items that show a picture which another one of their split shows; one pair an item."""
    splits = np.array([str(look.item.split) for look in album.looks])
    of_picture = splits[album.look_of] if len(album.looks) else splits
    pairs: dict[str, Pair] = {}
    for split in (*SPLITS, None):
        own = np.flatnonzero(of_picture == str(split))
        for match in repeats(album.pictures, own, album.look_of, jobs, tell):
            one, other = (album.looks[album.look_of[n]] for n in (match.there, match.here))
            # What ids say to be one shot may look alike.
            known = one.item.shot_id is not None and one.item.shot_id == other.item.shot_id
            if match.likeness == "picture" and one.sha256 != other.sha256 and not known:
                pairs.setdefault(other.item.item_id, Pair(one.item, other.item))
    return list(pairs.values())


def _copies(pairs: Sequence[Pair]) -> list[Finding]:
    return found(
        "near_duplicate",
        "leak",
        "pictures that another split has, too, coded anew, resized, cropped, mirrored or otherwise "
        "edited: {n}",
        [str(pair) for pair in pairs],
    )


def _takes(pairs: Sequence[Pair], looks: Sequence[Look]) -> list[Finding]:
    """Where ids say which shots they are, the ids are right: it is only one camera position."""
    other_shots = [p for p in pairs if None not in (p.first.shot_id, p.second.shot_id)]
    takes = [pair for pair in pairs if pair not in other_shots]
    n_later = sum(look.item.split in SPLITS[1:] for look in looks)
    many = len(takes) >= max(_FEW_TAKES, _SHARE_OF_TAKES * n_later)
    return [
        *found(
            "same_take",
            "leak" if many else "note",
            "pictures of another moment of what another split shows, from the very same camera "
            "position: {n}",
            [str(pair) for pair in takes],
        ),
        *found(
            "same_camera",
            "note",
            "pictures from the camera position of another shot, in another split: {n}",
            [str(pair) for pair in other_shots if pair.first.shot_id != pair.second.shot_id],
        ),
    ]


def _conflicts(same: Sequence[Sequence[Item]], near: Sequence[Pair]) -> list[Finding]:
    pairs = [Pair(*two) for items in same for two in combinations(_one_an_emotion(items), 2)]
    return found(
        "label_conflict",
        "fault",
        "pictures that have two emotions: {n}",
        [str(pair) for pair in (*pairs, *near) if _differ(pair.first, pair.second)],
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

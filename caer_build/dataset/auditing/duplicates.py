"""The same file or picture more than once; files that are none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

from caer_build.dataset.auditing.album import Album, Look
from caer_build.dataset.auditing.findings import Finding, found
from caer_build.dataset.auditing.likeness import Likeness
from caer_build.dataset.auditing.matching import Match, copies, repeats
from caer_build.records import SPLITS
from caer_build.rows import Rows

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
        *found(
            "near_duplicate",
            "leak",
            "pictures that another split has, too, coded anew, resized, cropped, mirrored or "
            "otherwise edited: {n}",
            (_told(pair, album.looks) for pair in copied),
            len(copied),
        ),
        *_takes([pair for pair in across if pair.likeness == "take"], album.looks),
        *found(
            "near_duplicate_in_split",
            "note",
            "pictures that their own split has already: {n}",
            (_told(pair, album.looks) for pair in again),
            len(again),
        ),
        *_conflicts(same, [*copied, *again], album.looks),
        *_faults(album.looks),
    ]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items of which the second shows what the first does, by indexes of looks.

    Attributes:
        how: what was done to it, as far as it can be told.
    """

    first: int
    second: int
    likeness: Likeness = "picture"
    how: str = ""


def _told(pair: Pair, looks: Rows[Look]) -> str:
    return f"{looks[pair.first].name} and {looks[pair.second].name}{pair.how}"


def _by_digest(looks: Rows[Look]) -> list[list[Look]]:
    """The files that are there more than once, byte for byte."""
    hashes, n = np.unique([hash(digest) for digest in looks.values("sha256")], return_counts=True)
    # Most data sets have none: only if there are some, their names are looked up.
    again = set(hashes[n > 1].tolist()) - {hash(None)}
    several: dict[str, list[Look]] = defaultdict(list)
    for look in looks if again else ():
        if look.sha256 is not None and hash(look.sha256) in again:
            several[look.sha256].append(look)
    return [same for same in several.values() if len(same) > 1]


def _same_files(same: Sequence[Sequence[Look]]) -> list[Finding]:
    across = [looks for looks in same if len({look.split for look in looks}) > 1]
    within = [looks for looks in same if len({look.split for look in looks}) == 1]
    return [
        *found(
            "same_file",
            "leak",
            "files in two splits, byte for byte: {n}",
            [" and ".join(look.name for look in _one_a_split(looks)) for looks in across],
        ),
        *found(
            "same_file_in_split",
            "note",
            "files that are more than once in their split: {n}",
            [" and ".join(look.name for look in looks[:2]) for looks in within],
        ),
    ]


def _one_a_split(looks: Sequence[Look]) -> list[Look]:
    return _in_order({look.split: look for look in reversed(looks)}.values())


def _across(album: Album, jobs: int, tell: Tell) -> list[Pair]:
    """Items of two splits that show the same and are not the same file, one pair an item of the
    later split: of a picture, if there is any such."""
    of_picture = _splits(album)
    pairs: dict[int, Pair] = {}
    for earlier, later in combinations(SPLITS, 2):
        a, b = np.flatnonzero(of_picture == earlier), np.flatnonzero(of_picture == later)
        for match in copies(album.pictures, a, b, jobs, tell):
            one, other = (int(album.look_of[n]) for n in (match.there, match.here))
            before = pairs.get(other)
            if before is not None and before.likeness != "take":
                continue
            if album.looks[one].sha256 != album.looks[other].sha256:
                pairs[other] = Pair(one, other, match.likeness, _how(match))
    return list(pairs.values())


def _splits(album: Album) -> npt.NDArray[np.str_]:
    """(n,) of each picture, which split it is in."""
    splits = np.array(album.looks.table(["split"])["split"].to_pylist(), np.str_)
    return splits[album.look_of] if len(splits) else splits


def _how(match: Match) -> str:
    words = ["mirrored"] * match.way.turned + ["cropped"] * (match.way.zoom != 0)
    return f" ({', '.join(words)})" if words else ""


def _again(album: Album, jobs: int, tell: Tell) -> list[Pair]:
    """Items that show a picture which another one of their split shows; one pair an item."""
    of_picture = _splits(album)
    pairs: dict[int, Pair] = {}
    for split in (*SPLITS, None):
        own = np.flatnonzero(of_picture == str(split))
        for match in repeats(album.pictures, own, album.look_of, jobs, tell):
            if match.likeness != "picture":
                continue
            first, second = (int(album.look_of[n]) for n in (match.there, match.here))
            one, other = album.looks[first], album.looks[second]
            # What ids say to be one shot may look alike.
            known = one.shot_id is not None and one.shot_id == other.shot_id
            if one.sha256 != other.sha256 and not known:
                pairs.setdefault(second, Pair(first, second))
    return list(pairs.values())


def _takes(pairs: Sequence[Pair], looks: Rows[Look]) -> list[Finding]:
    """Where ids say which shots they are, the ids are right: it is only one camera position."""
    takes, other_shots = [], []
    for pair in pairs:
        shots = looks[pair.first].shot_id, looks[pair.second].shot_id
        if None in shots:
            takes.append(pair)
        elif shots[0] != shots[1]:
            other_shots.append(pair)
    splits = looks.table(["split"])["split"].to_pylist()
    many = len(takes) >= max(_FEW_TAKES, _SHARE_OF_TAKES * sum(s in SPLITS[1:] for s in splits))
    return [
        *found(
            "same_take",
            "leak" if many else "note",
            "pictures of another moment of what another split shows, from the very same camera "
            "position: {n}",
            (_told(pair, looks) for pair in takes),
            len(takes),
        ),
        *found(
            "same_camera",
            "note",
            "pictures from the camera position of another shot, in another split: {n}",
            (_told(pair, looks) for pair in other_shots),
            len(other_shots),
        ),
    ]


def _conflicts(
    same: Sequence[Sequence[Look]], near: Sequence[Pair], looks: Rows[Look]
) -> list[Finding]:
    exact = ((*two, "") for several in same for two in combinations(_one_an_emotion(several), 2))
    alike = ((looks[pair.first], looks[pair.second], pair.how) for pair in near)
    return found(
        "label_conflict",
        "fault",
        "pictures that have two emotions: {n}",
        (
            f"{one.name} and {other.name}{how}"
            for one, other, how in chain(exact, alike)
            if _differ(one, other)
        ),
    )


def _one_an_emotion(looks: Sequence[Look]) -> list[Look]:
    return _in_order({(look.emotion, look.track_id): look for look in reversed(looks)}.values())


def _in_order(looks: Iterable[Look]) -> list[Look]:
    """Train before test, each by name."""
    splits = (*SPLITS, None)
    return sorted(looks, key=lambda look: (splits.index(look.split), look.item_id))


def _differ(a: Look, b: Look) -> bool:
    # Two people of one picture may feel differently.
    other_face = None not in (a.track_id, b.track_id) and a.track_id != b.track_id
    return None not in (a.emotion, b.emotion) and a.emotion != b.emotion and not other_face


def _faults(looks: Rows[Look]) -> list[Finding]:
    columns = looks.table(["width", "height"])
    sides = zip(columns["width"].to_pylist(), columns["height"].to_pylist(), strict=True)
    sizes = Counter((width, height) for width, height in sides if width)
    common = [f"{n} of {w}x{h} px" for (w, h), n in sizes.most_common()]
    return [
        *found(
            "unreadable",
            "fault",
            "files that cannot be used as they are: {n}",
            (f"{look.name} {look.trouble}" for look in looks if look.trouble),
        ),
        *found(
            "tiny",
            "fault",
            f"pictures of less than {_TINY} px: {{n}}",
            (
                f"{look.name}: {look.width}x{look.height} px"
                for look in looks
                if 0 < min(look.width, look.height) < _TINY
            ),
        ),
        *found("sizes", "note", "sizes of pictures: {n}", common, len(sizes) if common[1:] else 0),
    ]

"""What must stand together in a split: clips of one show, person or episode, and in any case clips
that share frames.

Two clips of one shot may be cut around two people: the pixels are the same. So a clip is about one
person and *shows* several. By person, a clip may only stand where everybody in it stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

By: TypeAlias = Literal["show", "person", "episode", "clip"]
STRICTEST_FIRST: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled clip as a split looks at it.

    Attributes:
        people: everybody whose face is in it, its target among them.
        start_frame, end_frame: of its episode, half-open.
    """

    clip_id: str
    emotion: str
    show: str
    episode_id: str
    person_id: str
    people: frozenset[str]
    start_frame: int
    end_frame: int


def sharing_frames(examples: Iterable[Example]) -> dict[str, str]:
    """Of each clip the first of those that it shares frames with, directly or through others.

    Clips of one episode whose spans overlap form a chain::

        |----a----|                       a, b and c stand together: a
               |------b------|
                          |--c--|
                                    |--d--|                           d
    """
    first_of: dict[str, str] = {}
    for one in _by_episode(examples):
        head, reached = "", -1
        for example in sorted(one, key=_by_place):
            if example.start_frame >= reached:
                head = example.clip_id
            first_of[example.clip_id] = head
            reached = max(reached, example.end_frame)
    return first_of


def bridging(examples: Iterable[Example], earlier: Mapping[str, str]) -> set[str]:
    """The clips that share frames with clips of two splits.

    Args:
        earlier: the split of clips that stand, by clip_id; none of these is a bridge.
    """
    found = set()
    for one in _by_episode(examples):
        standing = [example for example in one if example.clip_id in earlier]
        for late in one:
            touched = {earlier[e.clip_id] for e in standing if _overlap(e, late)}
            if late.clip_id not in earlier and len(touched) > 1:
                found.add(late.clip_id)
    return found


def group_ids(examples: Sequence[Example], by: By) -> dict[str, str]:
    """The group of each clip."""
    if by == "clip":
        return sharing_frames(examples)
    of = {"show": _show, "person": _person, "episode": _episode}[by]
    return {example.clip_id: of(example) for example in examples}


def bonds(examples: Sequence[Example], groups: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Of each clip the groups, its own among them, that must stand in one split for it to stand.

    Only by person a clip can have more than one: those of everybody in it who has clips of their
    own, and those of the clips that it shares frames with.
    """
    known = set(groups.values())
    chains: dict[str, set[str]] = defaultdict(set)
    first_of = sharing_frames(examples)
    for example in examples:
        chains[first_of[example.clip_id]].add(groups[example.clip_id])
    return {
        e.clip_id: frozenset(chains[first_of[e.clip_id]] | (e.people & known)) for e in examples
    }


def _by_episode(examples: Iterable[Example]) -> list[list[Example]]:
    episodes: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        episodes[example.episode_id].append(example)
    return list(episodes.values())


def _overlap(one: Example, other: Example) -> bool:
    return one.start_frame < other.end_frame and other.start_frame < one.end_frame


def _by_place(example: Example) -> tuple[int, int, str]:
    return example.start_frame, example.end_frame, example.clip_id


def _show(example: Example) -> str:
    return example.show


def _person(example: Example) -> str:
    return example.person_id


def _episode(example: Example) -> str:
    return example.episode_id

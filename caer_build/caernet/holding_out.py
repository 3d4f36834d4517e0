"""A validation split for a data set without one, out of its training items.

The released CAER-S has train and test only. Whoever picks the best epoch on test reports what was
picked, not what is true; so a share of train is held out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from caer_build.records import Item
from caer_build.store import digest_of

_LEVELS = ("group_id", "person_id", "clip_id")
"""what must not stand on both sides, the widest first"""


def with_validation(items: Sequence[Item], share: float) -> tuple[Item, ...]:
    """The items, some of train being validation; as they are where there is a validation split.

    Whole groups, persons or clips are taken where every item states them, in an order that
    depends on their names alone. Where nobody states anything, the last files of each emotion
    are: neighbours in a folder come from one video, so at most one video an emotion is cut.

    Args:
        share: of the training items that are held out, (0, 1).
    """
    train = [item for item in items if item.split == "train"]
    if not train or any(item.split == "validation" for item in items):
        return tuple(items)
    level = next((n for n in _LEVELS if all(getattr(i, n) is not None for i in train)), None)
    held = _last_files(train, share) if level is None else _groups(train, level, share)
    return tuple(replace(i, split="validation") if i.item_id in held else i for i in items)


def _groups(train: Sequence[Item], level: str, share: float) -> set[str]:
    sizes = Counter(getattr(item, level) for item in train)
    chosen: set[str] = set()
    n = 0
    for name in sorted(sizes, key=digest_of):
        # The last group stays: there has to be something to train on.
        if n >= share * len(train) or len(chosen) + 1 == len(sizes):
            break
        chosen.add(name)
        n += sizes[name]
    return {item.item_id for item in train if getattr(item, level) in chosen}


def _last_files(train: Sequence[Item], share: float) -> set[str]:
    by_emotion: dict[str | None, list[str]] = defaultdict(list)
    for item in train:
        by_emotion[item.emotion].append(item.item_id)
    held: set[str] = set()
    for names in by_emotion.values():
        n = min(len(names) - 1, math.ceil(share * len(names)))
        held |= set(names[len(names) - n :])
    return held

"""The layouts in which CAER and CAER-S were released.

::

    CAER/train/Anger/0001.avi      CAER-S/train/Anger/0001.png
         validation/...                   validation/...    (released: train and test alone)
         test/...                         test/...

Read back with OpenCV, which is what nearly all public code of CAER uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from caer_build.dataset.layouts.layout import Seen, labelled
from caer_build.dataset.layouts.opening import require_picture
from caer_build.dataset.statistics import splits_of
from caer_build.records import EMOTIONS, SPLITS, Item, ItemKind
from caer_build.rows import Rows


@dataclass(frozen=True)
class Released:
    """CAER or CAER-S, as it was released.

    Attributes:
        two_way: without a validation split, as the released CAER-S: its items go to train.
    """

    name: str
    top: str
    kinds: tuple[ItemKind, ...]
    suffix: str
    two_way: bool = False
    archived: bool = False

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        for item in labelled(items, self.kinds[0]):
            joined = self.two_way and item.split == "validation"
            yield replace(item, split="train") if joined else item

    def places(self, items: Sequence[Item]) -> Iterator[str]:
        last: Counter[str] = Counter()
        for item in items:
            folder = f"{self.top}/{item.split}/{item.emotion}"
            last[folder] += 1
            yield f"{folder}/{last[folder]:04d}{self.suffix}"

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        """Nothing but the folders of emotions that no item has: readers number what they find."""
        for split in splits_of(items):
            for emotion in EMOTIONS:
                (folder / self.top / split / emotion).mkdir(parents=True, exist_ok=True)

    def read_back(self, folder: Path) -> Iterator[Seen]:
        for split in SPLITS:
            for emotion in EMOTIONS:
                for file in sorted((folder / self.top / split / emotion).glob(f"*{self.suffix}")):
                    require_picture(file)
                    yield Seen(file.relative_to(folder).as_posix(), split, emotion)


def caer() -> Released:
    """``CAER/{train,validation,test}/<Emotion>/NNNN.avi``."""
    return Released("caer", "CAER", ("clip",), ".avi")


def caer_s(*, two_way: bool = False) -> Released:
    """``CAER-S/{train,validation,test}/<Emotion>/NNNN.png``; ``two_way``: without validation."""
    return Released("caer-s", "CAER-S", ("still",), ".png", two_way)

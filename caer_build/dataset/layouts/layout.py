"""What a layout is: where files go, what else is written, and how its users read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from caer_build.records import Item, ItemKind


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as the users' own library gives it.

    Attributes:
        file: as in :class:`Item`.
        emotion: the class's name there.
    """

    file: str
    split: str
    emotion: str


class Layout(Protocol):
    """A form of a data set."""

    @property
    def name(self) -> str:
        """As ``--format`` takes it."""
        ...

    @property
    def kinds(self) -> tuple[ItemKind, ...]:
        """Of items that it holds."""
        ...

    @property
    def suffix(self) -> str | None:
        """Of the files of items; None: media-free."""
        ...

    @property
    def archived(self) -> bool:
        """Files are packed into archives by :meth:`write_index`, out of ``media/``."""
        ...

    def described(self) -> dict[str, Any]:
        """Its name and options, JSON: a part of what an export is made of."""
        ...

    def choose(self, items: Sequence[Item]) -> list[Item]:
        """The items that it holds, in the order in which they are numbered."""
        ...

    def places(self, items: Sequence[Item]) -> dict[str, str]:
        """Where the file of each item belongs, by item_id; of a media-free one, the item_id."""
        ...

    def write_index(self, folder: Path, items: Sequence[Item]) -> None:
        """Writes what the form has beside files, faces and votes, which are there already."""
        ...

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """What the library of its users finds.

        Raises:
            DatasetError: if it cannot read it.
        """
        ...


def labelled(items: Sequence[Item], kind: ItemKind) -> list[Item]:
    """The items of a kind that have a place in a data set: an emotion and a split."""
    return [i for i in items if i.kind == kind and i.emotion is not None and i.split is not None]


def numbered(items: Sequence[Item]) -> list[int]:
    """1, 2, 3 … for the items of each split and emotion, in their order."""
    last: Counter[tuple[str | None, str | None]] = Counter()
    numbers = []
    for item in items:
        last[item.split, item.emotion] += 1
        numbers.append(last[item.split, item.emotion])
    return numbers

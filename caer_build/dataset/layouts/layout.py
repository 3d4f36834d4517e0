"""What a layout is: where files go, what else is written, and how its users read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from caer_build.records import SPLITS, Item, ItemKind, Split
from caer_build.rows import Rows


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

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items that it holds, in the order in which they are numbered."""
        ...

    def places(self, items: Sequence[Item]) -> Iterator[str]:
        """Where the file of each item belongs, in their order."""
        ...

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        """Writes what the form has beside files, faces and votes, which are there already."""
        ...

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """What the library of its users finds.

        Raises:
            DatasetError: if it cannot read it.
        """
        ...


def labelled(items: Iterable[Item], kind: ItemKind) -> Iterator[Item]:
    """The items of a kind that have a place in a data set: an emotion and a split."""
    for item in items:
        if item.kind == kind and item.emotion is not None and item.split is not None:
            yield item


def each_split(items: Rows[Item]) -> Iterator[tuple[Split, Rows[Item]]]:
    """The splits that have items, in their order, and those items."""
    for split in SPLITS:
        there = items.having("split", split)
        if there:
            yield split, there

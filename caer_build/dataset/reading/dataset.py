"""What every reader gives: a data set without its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caer_build.arrow import to_table
from caer_build.dataset.reading.votes import VoteCounts, none_counted
from caer_build.records import Item, ItemFace

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 50_000


def no_faces() -> Iterator[pa.Table]:
    """Of a data set without face boxes."""
    return iter(())


@dataclass(frozen=True)
class Dataset:
    """A data set that was read: what it holds, not its pictures.

    Attributes:
        root: the folder; ``root / item.file`` is an item's file, unless it is in an archive.
        layout: which layout it was found to have: ``ours``, ``caer``, ``caer-s``,
            ``class-folders``, ``afew``, ``ncaer-s``, ``fer+``, ``box-lists`` or ``coco``.
        items: clips and stills, in the order of their files. What the data set does not say is
            None: sizes in px are known of ours and of COCO only, because no file is opened.
        notes: sentences on what was odd or left out; for people.
        faces: ``faces()`` gives the face boxes as Arrow tables of :class:`ItemFace` (px of the
            frame, ``x2`` and ``y2`` exclusive), some items at a time; nothing where there are
            none. Of a still the frame is 0.
        votes: ``votes()`` gives how many people said what; without items where nobody knows.
        facts: what a data set of ours says of how it was made (``dataset.json``); else empty.
    """

    root: Path
    layout: str
    items: Sequence[Item]
    notes: tuple[str, ...] = ()
    faces: Callable[[], Iterator[pa.Table]] = no_faces
    votes: Callable[[], VoteCounts] = none_counted
    facts: Mapping[str, Any] = field(default_factory=dict)


def face_tables(faces: Iterable[ItemFace]) -> Iterator[pa.Table]:
    """Faces as tables, some thousand rows each."""
    left = iter(faces)
    while rows := list(islice(left, _ROWS)):
        yield to_table(ItemFace, rows)

"""What an export says of itself, read once for its card and its Croissant metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caer_build.dataset import metadata
from caer_build.dataset.catalogue import ABOUT
from caer_build.dataset.statistics import FaceSizes, face_sizes
from caer_build.records import CountedVote, Cut, Episode, Item, ItemFace
from caer_build.rows import values_in
from caer_build.store import sha256_of

TABLES: tuple[tuple[type, str], ...] = (
    (Item, "a row a clip or still: file, split, emotion, soft label, where it came from"),
    (ItemFace, "every face in every frame; the target's is marked"),
    (CountedVote, "the answers behind the labels, of annotators under pseudonyms"),
    (Cut, "where each clip lies in its episode"),
    (Episode, "the episodes, with the digests of their files"),
)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a data set by its name there; rows of a table only."""

    name: str
    n_bytes: int
    sha256: str
    n_rows: int | None = None


@dataclass(frozen=True)
class Described:
    """All that card and Croissant are made of.

    Attributes:
        said: form, layout and facts, as in ``dataset.json``; leaks if there are any.
        faces: sizes of targets.
        tables: of ``metadata/``, in the order of ``TABLES``.
        archives: in which the items lie, where they lie in some.
    """

    said: Mapping[str, Any]
    items: Sequence[Item]
    votes: Sequence[CountedVote]
    faces: FaceSizes
    tables: Sequence[ListedFile]
    archives: Sequence[ListedFile]

    @property
    def about(self) -> Mapping[str, Any]:
        """What the makers stated."""
        found: Mapping[str, Any] = self.facts.get(ABOUT, {})
        return found

    @property
    def facts(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.said["facts"]
        return found

    @property
    def layout(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.said["layout"]
        return found

    @property
    def name(self) -> str:
        return str(self.about.get("name", "Unnamed data set"))


def describe(folder: Path, said: Mapping[str, Any], items: Sequence[Item]) -> Described:
    """An export that has its tables and files.

    Args:
        said: form, layout and facts.
    """
    import pyarrow.parquet as pq

    tables = []
    for record, _ in TABLES:
        file = metadata.table_file(folder, record)
        tables.append(_listed(folder, file, pq.read_metadata(file).num_rows))
    archived = said["layout"]["archived"]
    archives = tops_of(items) if archived else []
    return Described(
        said,
        items,
        metadata.packed_rows(folder, CountedVote),
        face_sizes(metadata.face_tables(folder), items),
        tables,
        [_listed(folder, folder / name) for name in archives],
    )


def tops_of(items: Sequence[Item]) -> list[str]:
    """What the files of items lie in, seen from the data set's folder."""
    return sorted({file.partition("/")[0] for file in values_in(items, "file") if file})


def _listed(folder: Path, file: Path, n_rows: int | None = None) -> ListedFile:
    name = file.relative_to(folder).as_posix()
    return ListedFile(name, file.stat().st_size, sha256_of(file), n_rows)

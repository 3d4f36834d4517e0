"""FER+: small grey faces in mosaics, each with the votes of ten people.

::

    ferplus_train.csv        a row a face: how many chose each category
    ferplus_train_00.webp    mosaics of 48x48 px faces, row by row; the next file when one is full
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caer_build.dataset.reading.dataset import Dataset
from caer_build.dataset.reading.names import emotion_of, split_of
from caer_build.dataset.reading.notes import Notes
from caer_build.dataset.reading.votes import VoteCounts
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, Item

SHAPE = "ferplus_<split>.csv with mosaics ferplus_<split>_NN.webp: FER+"
SIDE = 48
"""px of a face"""
CATEGORIES = (*EMOTIONS, "contempt", "unknown", "not_a_face")
FLAGS = frozenset({"unknown", "not_a_face"})
_COLUMNS = frozenset({"neutral", "happiness", "sadness", "contempt", "unknown"})
"""what tells its tables from others; the other columns differ between copies"""


def read(root: Path, notes: Notes, boxes: Path | None = None) -> Dataset | None:  # noqa: ARG001
    """The data set in a folder; None: there is none. The faces are the whole pictures."""
    files = [file for file in sorted(root.glob("*.csv")) if is_table(file)]
    parts = [(file, mosaics) for file in files if (mosaics := _mosaics(file))]
    if not parts:
        return None
    items: list[Item] = []
    tables = []
    for file, mosaics in parts:
        votes = read_table(file)
        tables.append(votes)
        items += _items(file, votes, mosaics, notes)
    return Dataset(root, "fer+", tuple(items), votes=lambda: _joined(tables))


def is_table(file: Path) -> bool:
    """Whether a CSV file has the columns of FER+."""
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        header = next(csv.reader(lines), [])
    return set(header) >= _COLUMNS


def read_table(file: Path) -> VoteCounts:
    """The votes in a table of FER+: one of ours, or the one that was released.

    Raises:
        DatasetError: if a cell is no number.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = {_category(name): name for name in rows[0]} if rows else {}
    try:
        table = np.array([[int(row[columns[c]]) for c in CATEGORIES] for row in rows], np.int64)
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"Expected whole numbers in the columns of votes of {file}, found otherwise: {error}."
        ) from error
    ids = tuple(f"{file.stem}-{number:05d}" for number in range(len(rows)))
    usage = [row.get("Usage") for row in rows]
    split = split_of(file.stem)
    parts = tuple(str(u or split) for u in usage) if split or any(usage) else None
    return VoteCounts(ids, CATEGORIES, table.reshape(len(ids), len(CATEGORIES)), FLAGS, parts)


def _category(column: str) -> str:
    return emotion_of(column) or {"NF": "not_a_face"}.get(column, column)


def _mosaics(table: Path) -> list[Path]:
    return sorted(p for p in table.parent.glob(f"{table.stem}_*") if p.suffix in (".webp", ".png"))


def _items(table: Path, votes: VoteCounts, mosaics: list[Path], notes: Notes) -> Iterator[Item]:
    places = _places(mosaics)
    chosen = _chosen(votes.table)
    split = split_of(table.stem)
    for item_id, counts, emotion in zip(votes.item_ids, votes.table, chosen, strict=True):
        place = next(places, None)
        if place is None:
            notes.count("rows of votes without a face in the mosaics, left out", item_id)
            continue
        if emotion is None:
            notes.count("faces without an emotion: no category, or none of the seven, has the "
                        "most votes", item_id)  # fmt: skip
        file, x, y = place
        yield Item(
            item_id=item_id,
            kind="still",
            file=file.name,
            split=split,
            emotion=emotion,
            n_votes=int(counts.sum()),
            n_agreeing=int(counts.max()),
            n_frames=1,
            width=SIDE,
            height=SIDE,
            crop_x=x,
            crop_y=y,
            crop_width=SIDE,
            crop_height=SIDE,
            **_soft(counts[: len(EMOTIONS)]),
        )


def _soft(named: NDArray[np.int64]) -> dict[str, Any]:
    """Shares of the votes that name one of the seven; nothing where none does."""
    if not named.sum():
        return {}
    shares = (named / named.sum()).tolist()
    return {f"p_{e.lower()}": share for e, share in zip(EMOTIONS, shares, strict=True)}


def _places(mosaics: list[Path]) -> Iterator[tuple[Path, int, int]]:
    """Where the faces are: file, left and upper edge in px."""
    for file in mosaics:
        # The header is enough: the mosaic itself is not decoded.
        with Image.open(file) as mosaic:
            width, height = mosaic.size
        for y in range(0, height - SIDE + 1, SIDE):
            for x in range(0, width - SIDE + 1, SIDE):
                yield file, x, y


def _chosen(table: NDArray[np.int64]) -> list[str | None]:
    """What most chose; None: two categories are even, or it is none of the seven."""
    best = table.argmax(axis=1)
    alone = (table == table.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return [
        CATEGORIES[k] if only and k < len(EMOTIONS) else None
        for k, only in zip(best.tolist(), alone.tolist(), strict=True)
    ]


def _joined(tables: list[VoteCounts]) -> VoteCounts:
    ids = tuple(item_id for votes in tables for item_id in votes.item_ids)
    parts = tuple(part for votes in tables for part in votes.parts or ())
    table = np.concatenate([votes.table for votes in tables])
    return VoteCounts(ids, CATEGORIES, table, FLAGS, parts if len(parts) == len(ids) else None)

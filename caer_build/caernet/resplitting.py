"""Splits for training where a data set does not bring all three, and data sets joined into one.

The released CAER-S has no validation split, and nobody has the labels of AFEW's test clips::

    train, validation, test     as they are
    train, test                 a tenth of train becomes validation
    train, validation           validation is what is tested on; a tenth of train is validation

What is picked by validation is never picked by what is tested on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.caernet.holding_out import with_validation
from caer_build.caernet.preparing import HELD_OUT
from caer_build.dataset.reading import Dataset
from caer_build.errors import DatasetError
from caer_build.records import Item

if TYPE_CHECKING:
    import pyarrow as pa


def with_all_splits(dataset: Dataset) -> tuple[Dataset, str]:
    """The data set with items to train on, to validate on and to test on; and what was done.

    Items without a label or a split are left out. What of train becomes validation is what
    ``caer train`` takes, see :mod:`~caer_build.caernet.holding_out`.

    Raises:
        DatasetError: if there is nothing to train on, or nothing to test on.
    """
    items = [i for i in dataset.items if i.emotion is not None and i.split is not None]
    there = {item.split for item in items}
    if "train" not in there or len(there) < 2:
        found = ", ".join(sorted(str(split) for split in there)) or "none"
        raise DatasetError(
            f"Expected {dataset.root} to have labelled items in train and in test (or "
            f"validation), found {found}.",
            "Split it, or name the folder that holds its splits.",
        )
    if len(there) == 3:
        return replace(dataset, items=tuple(items)), ""
    said = "validation: a tenth of train, as the data set brings none"
    if "test" not in there:
        items = [replace(i, split="test") if i.split == "validation" else i for i in items]
        said = "tested on validation, as no test labels are there; validation: a tenth of train"
    return replace(dataset, items=with_validation(items, HELD_OUT)), said


@dataclass(frozen=True)
class _Part:
    name: str
    dataset: Dataset
    splits: frozenset[str]


def joined(own: Dataset, other: Dataset, *, trained_on_both: bool) -> Dataset:
    """A data set that is tested on one data set, and trained on another or on both.

    Args:
        own: whose test split is tested on; with all splits.
        other: whose train split is trained on; with all splits.
        trained_on_both: else nothing of ``own`` but its test split is there, and validation is
            the other's.
    """
    parts = (
        _Part("own", own, frozenset({"train", "validation", "test"} if trained_on_both
                                    else {"test"})),
        _Part("other", other, frozenset({"train"} if trained_on_both
                                        else {"train", "validation"})),
    )  # fmt: skip
    root = Path(os.path.commonpath([part.dataset.root.absolute() for part in parts]))
    items = [item for part in parts for item in _renamed(part, root)]

    def faces() -> Iterator[pa.Table]:
        import pyarrow.compute as pc

        for part in parts:
            for table in part.dataset.faces():
                ids = pc.binary_join_element_wise(part.name, table["item_id"], "/")
                yield table.set_column(table.schema.get_field_index("item_id"), "item_id", ids)

    return Dataset(root, f"{own.layout}+{other.layout}", tuple(items), faces=faces)


def _renamed(part: _Part, root: Path) -> Iterable[Item]:
    """Two data sets may have the same names."""
    place = part.dataset.root.absolute().relative_to(root).as_posix()
    for item in part.dataset.items:
        if item.split in part.splits:
            file = None if item.file is None else f"{place}/{item.file}"
            yield replace(item, item_id=f"{part.name}/{item.item_id}", file=file)

"""Finding an item of a data set by what people call it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from caer_build.dataset.reading import Dataset
from caer_build.errors import DatasetError
from caer_build.records import Item

MADE_OF = ("clip_id", "episode_id", "shot_id", "track_id", "person_id", "group_id", "show")
"""columns of items by whose values files are found"""
_N_MATCHES = 5
_NEIGHBOURS = 200


def item_called(dataset: Dataset, what: str) -> Item | None:
    """The item of this id or file; None: there is none.

    Raises:
        DatasetError: if several files end so.
    """
    names = possible_names(dataset, what)
    for item in dataset.items:
        if item.item_id in names or item.file in names:
            return item
    ends = [item for item in dataset.items if item.file and item.file.endswith(f"/{what}")]
    if len(ends) > 1:
        raise DatasetError(
            f"{len(ends)} files of {dataset.root} are called {what}.",
            f"Say which: {', '.join(str(item.file) for item in ends[:_N_MATCHES])}"
            f"{', …' if len(ends) > _N_MATCHES else ''}.",
        )
    return ends[0] if ends else None


def possible_names(dataset: Dataset, what: str) -> set[str]:
    """What a file may be called that is named as people name files: from here, or from there."""
    names = {what.rstrip("/"), what.removeprefix("./")}
    place, root = Path(what).resolve(), dataset.root.resolve()
    if place.is_relative_to(root) and place != root:
        names.add(place.relative_to(root).as_posix())
    return names


def suggestion(dataset: Dataset, what: str) -> str:
    """What may have been meant, as a sentence."""
    known = {getattr(item, c) for item in dataset.items for c in ("item_id", "file", *MADE_OF)}
    names = sorted(name for name in known if name is not None)
    begins = [name for name in _beside(names, what) if what and name.startswith(what)]
    near = begins[:_N_MATCHES] or get_close_matches(what, _alike(names, what), _N_MATCHES)
    if not near:
        return "Files and ids stand in metadata/items.parquet, and files in the folder."
    return f"Did you mean {', '.join(near)}?"


def _alike(names: Sequence[str], what: str) -> list[str]:
    """Those that begin or end most like it: to compare it with 300,000 would take half a minute."""
    backwards = sorted(name[::-1] for name in names)
    ends = [name[::-1] for name in _beside(backwards, what[::-1])]
    return sorted({*_beside(names, what), *ends})


def _beside(names: Sequence[str], what: str) -> Sequence[str]:
    """The neighbours that it would have in a sorted list."""
    place = bisect_left(names, what)
    return names[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]

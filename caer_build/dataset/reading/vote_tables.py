"""Votes of data sets of all kinds, and of tables that others published."""

from __future__ import annotations

from pathlib import Path

from caer_build.dataset.reading import cremad, ferplus
from caer_build.dataset.reading.recognising import read_dataset
from caer_build.dataset.reading.votes import VoteCounts
from caer_build.errors import DatasetError


def read_votes(path: Path) -> VoteCounts:
    """How many people said what.

    Args:
        path: the folder of a data set with votes (ours, FER+), or a CSV table of FER+ or CREMA-D.

    Raises:
        DatasetError: if there are no votes.
    """
    if not path.is_file():
        votes = read_dataset(path).votes()
        if not votes.item_ids:
            raise DatasetError(
                f"Expected a data set with votes, found none in {path}.",
                "Exports of caer and FER+ have them; CREMA-D's are a table.",
            )
        return votes
    if ferplus.is_table(path):
        return ferplus.read_table(path)
    if cremad.is_table(path):
        return cremad.read_table(path)
    raise DatasetError(
        f"Expected a CSV table of votes, FER+'s or CREMA-D's, found other columns in {path}.",
        "Votes of a project are looked at with `caer annotate status`.",
    )

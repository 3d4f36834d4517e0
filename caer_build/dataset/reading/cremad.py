"""The votes of CREMA-D: acted clips, each judged by its voice, by its face, and by both.

``tabulatedVotes.csv`` has a row for each clip and way of judging it, with a column of votes for
each of six emotions (no Surprise); who voted is not in it. The first digit of a row's number is the
way: 1 voice, 2 face, 3 both (the shares of votes for the emotion that was acted, 0.40, 0.57 and
0.63, are those of the paper, Cao et al. 2014).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from caer_build.dataset.reading.votes import VoteCounts
from caer_build.errors import DatasetError

_COLUMNS = {
    "A": "Anger", "D": "Disgust", "F": "Fear", "H": "Happy", "N": "Neutral", "S": "Sad",
}  # fmt: skip
_WAYS = {"1": "voice", "2": "face", "3": "both"}
_NAME, _NUMBER = "fileName", ""


def is_table(file: Path) -> bool:
    """Whether a CSV file has the columns of CREMA-D's votes."""
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        header = next(csv.reader(lines), [])
    return set(header) >= {*_COLUMNS, _NAME, "numResponses"}


def read_table(file: Path) -> VoteCounts:
    """The votes, with the three ways of judging as parts.

    Raises:
        DatasetError: if a cell is no number, or a row's number begins otherwise.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    try:
        ways = tuple(_WAYS[row[_NUMBER][:1]] for row in rows)
        table = np.array([[int(row[c]) for c in _COLUMNS] for row in rows], np.int64)
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"Expected whole numbers in the columns {', '.join(_COLUMNS)} of {file}, and row "
            f"numbers that begin with 1, 2 or 3, found otherwise: {error!r}."
        ) from error
    ids = tuple(f"{way}/{row[_NAME]}" for way, row in zip(ways, rows, strict=True))
    shaped = table.reshape(len(ids), len(_COLUMNS))
    return VoteCounts(ids, tuple(_COLUMNS.values()), shaped, parts=ways)

"""Gold clips from a table: a CSV file that says of each clip what it shows, and why."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Connection

from caer_build.annotation.gold import CHECK, mark_gold, set_use
from caer_build.annotation.review import find_clip
from caer_build.errors import SchemaError, VoteError

COLUMNS = ("clip_id", "emotion", "reason")
USE = "use"
_SAID = 10
"""problems that are listed; a file that is wrong throughout has no more to tell"""


def mark_from_csv(connection: Connection, file: Path, now_ms: int) -> Counter[str]:
    """Makes the clips of a file gold, all of them or none.

    Args:
        file: CSV in UTF-8 with a header: ``clip_id`` (or what people are shown of it), ``emotion``,
            ``reason`` and, if wanted, ``use``, one of :data:`gold.USES`; empty: a check.

    Returns:
        How many clips each use has got.

    Raises:
        SchemaError: if it is no such file.
        VoteError: if lines cannot be taken; which, and why.
    """
    counts: Counter[str] = Counter()
    problems, seen = [], set()
    for line, row in _rows(file):
        clip_id = find_clip(connection, row["clip_id"])
        use = row.get(USE) or CHECK
        try:
            if clip_id is None:
                raise VoteError(f"The project has no clip {row['clip_id']!r}.")
            if clip_id in seen:
                raise VoteError(f"{clip_id} stands in the file twice.")
            mark_gold(connection, clip_id, row["emotion"], row["reason"], by=None, now_ms=now_ms)
            set_use(connection, clip_id, use, None, now_ms)
        except VoteError as error:
            problems.append(f"line {line}: {error.message}")
            continue
        seen.add(clip_id)
        counts[use] += 1
    if problems:
        listed = "\n".join(problems[:_SAID])
        more = len(problems) - _SAID
        raise VoteError(
            f"{file}: nothing was marked.\n{listed}" + (f"\n… and {more} more." if more > 0 else "")
        )
    return counts


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The lines of the file with their numbers."""
    expected = f"expected the columns {', '.join(COLUMNS)} and, if wanted, {USE}"
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            header = list(reader.fieldnames or ())
            if not set(COLUMNS) <= set(header) or set(header) - {*COLUMNS, USE}:
                raise SchemaError(f"{file}: {expected}, found {', '.join(header) or 'none'}.")
            for row in reader:
                # What is missing or left over has no column, or no text.
                if None in row or None in row.values():
                    raise SchemaError(
                        f"{file}, line {reader.line_num}: expected {len(header)} cells."
                    )
                yield reader.line_num, {name: cell.strip() for name, cell in row.items()}
    except OSError as error:
        raise SchemaError(f"{file} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise SchemaError(f"{file} is no CSV in UTF-8: {error}.") from error

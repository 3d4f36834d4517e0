"""Votes in files: CSV, JSON lines and Parquet, all with the columns of :class:`Vote`.

Our own exports have all of them. A file that was made elsewhere needs the clip, the annotator, the
answer and the confidence; what it does not say is filled in by :class:`Elsewhere`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from caer_build.arrow import schema, to_table
from caer_build.errors import SchemaError
from caer_build.records import Vote

COLUMNS = tuple(name for name in Vote.__dataclass_fields__ if name != "table")
NEEDED = ("clip_id", "annotator_id", "emotion", "confidence_step")
"""of a file that was made elsewhere"""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""what a spreadsheet would run, or take off, at the start of a cell"""
_BATCH = 10_000

_vote = TypeAdapter(Vote)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one place of a file holds.

    Attributes:
        place: such as "line 7".
        vote: None: it cannot be read; ``problem`` says why.
    """

    place: str
    vote: Vote | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What stands for columns that a file does not have, or that are empty where they must not be.

    Attributes:
        confidence_steps: of the project.
        now_ms: when answers were given of which nothing is said.
    """

    confidence_steps: int
    now_ms: int

    def completed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A row with all columns, for whose answers of one person and clip there is one name: the
        same file can be taken in again, and is known."""
        said = {name: value for name, value in values.items() if value is not None}
        answered_at = said.get("answered_at", said.get("received_at", self.now_ms))
        found: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "vote_id": 0, "purpose": "vote", "revision": 1,
            "confidence_steps": self.confidence_steps, "shown_at": answered_at,
            "answered_at": answered_at, "received_at": answered_at, "play_count": 0, "speed": 100,
            "audio_on": False, **said,
        }  # fmt: skip
        about = (found[name] for name in ("clip_id", "annotator_id", "purpose", "revision"))
        digest = hashlib.sha256(json.dumps([str(part) for part in about]).encode()).hexdigest()
        found["request_id"] = found["request_id"] or f"elsewhere-{digest[:32]}"
        return found


Reader: TypeAlias = Callable[[Path, Elsewhere | None], Iterator[Entry]]


def entry(
    place: str, values: object, elsewhere: Elsewhere | None = None, *, strict: bool = False
) -> Entry:
    """The entry of a row that was read.

    Args:
        values: by column.
        elsewhere: None: all columns must be there.
        strict: texts that look like numbers are no numbers.
    """
    if not isinstance(values, Mapping):
        return Entry(place, None, "Expected an object with the columns of a vote.")
    strange = sorted(map(str, set(values) - set(COLUMNS)))
    if strange:
        return Entry(place, None, f"Unknown columns: {', '.join(strange)}.")
    row = dict(values) if elsewhere is None else elsewhere.completed(values)
    try:
        if strict:
            return Entry(place, _vote.validate_json(json.dumps(row), strict=True))
        return Entry(place, _vote.validate_python(row))
    except SchemaError as error:
        return Entry(place, None, error.message)
    except ValidationError as error:
        found = [": ".join([*map(str, e["loc"]), e["msg"]]) for e in error.errors()]
        return Entry(place, None, f"{'; '.join(found)}.")


def read_csv(file: Path, elsewhere: Elsewhere | None = None) -> Iterator[Entry]:
    """Entries of a CSV file in UTF-8 with a header.

    Raises:
        SchemaError: if it is no such file.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            header = next(reader, [])
            _check_columns(file, header, elsewhere)
            for cells in reader:
                place = f"line {reader.line_num}"
                if len(cells) != len(header):
                    problem = f"Expected {len(header)} cells, found {len(cells)}."
                    yield Entry(place, None, problem)
                    continue
                said = [c.removeprefix("'") or None for c in cells]
                yield entry(place, dict(zip(header, said, strict=True)), elsewhere)
        except (csv.Error, UnicodeDecodeError) as error:
            raise SchemaError(
                f"{file}, line {reader.line_num + 1}: this is no CSV in UTF-8: {error}."
            ) from error


def read_jsonl(file: Path, elsewhere: Elsewhere | None = None) -> Iterator[Entry]:
    """Entries of a file with one JSON object a line; empty lines are passed over."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"line {number}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Entry(place, None, f"This is no JSON: {error}.")
                continue
            yield entry(place, values, elsewhere, strict=True)


def read_parquet(file: Path, elsewhere: Elsewhere | None = None) -> Iterator[Entry]:
    """Entries of a Parquet file.

    Raises:
        SchemaError: if it is no such file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as table:
            _check_columns(file, table.schema_arrow.names, elsewhere)
            number = 0
            for batch in table.iter_batches(_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield entry(f"row {number}", row, elsewhere)
    except (pa.ArrowException, OSError) as error:
        raise SchemaError(f"{file} is no Parquet file that can be read: {error}.") from error


READERS: Mapping[str, Reader] = {".csv": read_csv, ".jsonl": read_jsonl, ".parquet": read_parquet}
"""by the ending of a file's name"""


def write_csv(file: IO[bytes], votes: Iterable[Vote]) -> None:
    """Writes votes as CSV; a cell that a spreadsheet would run begins with an apostrophe."""
    text = _Text(file)
    # Both characters: a cell that holds either of them is quoted only then (Python 3.11).
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for vote in votes:
        writer.writerow([_cell(getattr(vote, name)) for name in COLUMNS])


def write_jsonl(file: IO[bytes], votes: Iterable[Vote]) -> None:
    """Writes votes as JSON lines."""
    for vote in votes:
        line = json.dumps({name: getattr(vote, name) for name in COLUMNS}, ensure_ascii=False)
        file.write(line.encode() + b"\n")


def write_parquet(file: IO[bytes], votes: Iterable[Vote]) -> None:
    """Writes votes as Parquet, with the schema of the record."""
    import pyarrow.parquet as pq

    left = iter(votes)
    with pq.ParquetWriter(file, schema(Vote), compression="zstd") as writer:
        while batch := list(islice(left, _BATCH)):
            writer.write_table(to_table(Vote, batch))


@dataclass(frozen=True, slots=True)
class _Text:
    """What the csv module writes to."""

    file: IO[bytes]

    def write(self, text: str) -> int:
        return self.file.write(text.encode())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _check_columns(file: Path, names: Sequence[str], elsewhere: Elsewhere | None) -> None:
    needed = COLUMNS if elsewhere is None else NEEDED
    missing = [name for name in needed if name not in names]
    strange = sorted({name for name in names if name not in COLUMNS or names.count(name) > 1})
    if missing or strange:
        raise SchemaError(
            f"{file} has not the columns of votes: missing {missing or 'none'}, "
            f"unknown or twice {strange or 'none'}.",
            f"Expected {', '.join(needed)}. A file of votes may have {', '.join(COLUMNS)}.",
        )

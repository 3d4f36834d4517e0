"""Votes out of a project and into it: CSV, JSON lines, Parquet, and Label Studio's JSON.

Exports name nobody: people are called by pseudonyms of the project's own
(:func:`caer_build.annotation.ledger.pseudonyms`). An import is decided row by row over all its
files: what fits is taken, every row that does not is reported with its file, place and reason. A
file that cannot be read as what it should be stops the import before anything is taken. A dry run
decides everything and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, select

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.events import record
from caer_build.annotation.freezing import FOLDER
from caer_build.annotation.intake import Offer, Refusal, look_over, take_in
from caer_build.annotation.label_studio import (
    Place,
    labeling_config,
    read_label_studio,
    write_label_studio,
)
from caer_build.annotation.ledger import each_vote, n_left_out, pseudonyms
from caer_build.annotation.project import load_settings
from caer_build.annotation.vote_files import (
    Elsewhere,
    Entry,
    Reader,
    read_csv,
    read_jsonl,
    read_parquet,
    write_csv,
    write_jsonl,
    write_parquet,
)
from caer_build.errors import SchemaError
from caer_build.records import Vote
from caer_build.store import disk_errors, flush

LABEL_STUDIO = "label-studio"
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet", ".json": LABEL_STUDIO}
"""by the ending of a file's name"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or, on a dry run, would do.

    Attributes:
        n_rows: rows that the files hold: taken, known and refused ones.
        n_known: taken before; found by their request ids and passed over.
        n_people: people who were new to the project.
    """

    dry_run: bool
    n_rows: int
    n_taken: int
    n_known: int
    n_refused: int
    n_people: int
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        files: the votes, and for Label Studio its labeling interface.
        n_votes: rows; every revision is one.
        n_withdrawn: votes that were left out, for their clips were withdrawn.
    """

    files: tuple[str, ...]
    n_votes: int
    n_clips: int
    n_people: int
    n_withdrawn: int = 0


def format_of(file: Path, given: str | None) -> str:
    """The format that is given, or that the file's name says.

    Raises:
        SchemaError: if there is no such format.
    """
    found = given or FORMATS.get(file.suffix.lower(), "")
    if found not in FORMATS.values():
        raise SchemaError(
            f"{given or file.name}: expected one of {', '.join(FORMATS.values())}.",
            "Say which it is with --format.",
        )
    return found


def import_votes(
    database: Database,
    files: Sequence[Path],
    now_ms: int,
    *,
    given_format: str | None = None,
    dry_run: bool = False,
) -> Imported:
    """Takes the votes of some files into a project.

    They are taken a thousand at a time, so that nobody who labels meanwhile has to wait. If it is
    stopped, the same import again finds the votes that were taken and goes on with the others.

    Raises:
        SchemaError: if a file is not what it should be.
        VoteError: if the database holds no project.
    """
    readable = [(file, format_of(file, given_format)) for file in files]
    offers: list[Offer] = []
    refusals: list[Refusal] = []
    place = _place(database)
    elsewhere = Elsewhere(place.confidence_steps, now_ms)
    for file, its_format in readable:
        for entry in _entries(file, its_format, place, elsewhere):
            if entry.vote is None:
                refusals.append(Refusal(str(file), entry.place, entry.problem))
            else:
                offers.append(Offer(str(file), entry.place, entry.vote))
    names = ", ".join(file.name for file in files)
    if dry_run:
        intake = look_over(database, offers)
    else:
        _note(database, "importing", now_ms, f"{len(offers)} votes: {names}")
        intake = take_in(database, offers, now_ms)
    refusals += intake.refusals
    found = Imported(
        dry_run, intake.n_taken + intake.n_known + len(refusals), intake.n_taken,
        intake.n_known, len(refusals), intake.n_people, tuple(refusals),
    )  # fmt: skip
    if not dry_run:
        detail = f"{found.n_taken} votes taken, {found.n_refused} refused: {names}"
        _note(database, "imported", now_ms, detail)
    return found


def _note(database: Database, kind: str, now_ms: int, detail: str) -> None:
    with database.writing() as connection:
        record(connection, kind, now_ms, detail=detail)


def export_votes(
    database: Database,
    file: Path,
    *,
    given_format: str | None = None,
    only_latest: bool = False,
) -> Exported:
    """Writes the votes of a project; a file that is there is replaced when all is written.

    Votes on clips that were withdrawn are left out, and counted.

    Label Studio gets its labeling interface beside them, as ``<stem>.xml``.

    Args:
        only_latest: not the answers that were changed later.

    Raises:
        SchemaError: if the format is unknown.
        StoreError: if it cannot be written.
        VoteError: if the database holds no project.
    """
    its_format = format_of(file, given_format)
    with database.reading() as connection:
        is_label_studio = its_format == LABEL_STUDIO
        votes = _Counting(
            each_vote(
                connection, pseudonyms(connection), only_latest=only_latest, by_clip=is_label_studio
            )
        )
        steps = load_settings(connection).confidence_steps
        videos = _videos(connection) if is_label_studio else {}
        writers: dict[str, Callable[[IO[bytes], Iterable[Vote]], None]] = {
            "csv": write_csv,
            "jsonl": write_jsonl,
            "parquet": write_parquet,
            LABEL_STUDIO: partial(write_label_studio, videos=videos),
        }
        _replace(file, lambda part: writers[its_format](part, votes))
        n_withdrawn = n_left_out(connection)
    files = [str(file)]
    if is_label_studio:
        interface = file.with_suffix(".xml")
        interface_text = labeling_config(max(steps, votes.most_steps)).encode()
        _replace(interface, lambda part: part.write(interface_text))
        files.append(str(interface))
    return Exported(tuple(files), votes.n, len(votes.clips), len(votes.people), n_withdrawn)


class _Counting:
    """Votes that are counted as they go by, once."""

    def __init__(self, votes: Iterator[Vote]) -> None:
        self._votes = votes
        self.n = self.most_steps = 0
        self.clips: set[str] = set()
        self.people: set[str] = set()

    def __iter__(self) -> Iterator[Vote]:
        for vote in self._votes:
            self.n += 1
            self.most_steps = max(self.most_steps, vote.confidence_steps)
            self.clips.add(vote.clip_id)
            self.people.add(vote.annotator_id)
            yield vote


def _place(database: Database) -> Place:
    with database.reading() as connection:
        steps = load_settings(connection).confidence_steps
        rows = connection.execute(select(t.clip.c.public_id, t.clip.c.clip_id))
        return Place({row.public_id: row.clip_id for row in rows}, steps)


def _entries(file: Path, its_format: str, place: Place, elsewhere: Elsewhere) -> Iterator[Entry]:
    if not file.is_file():
        raise SchemaError(f"There is no file {file}.")
    if its_format == LABEL_STUDIO:
        return read_label_studio(file, place)
    readers: dict[str, Reader] = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}
    return readers[its_format](file, elsewhere)


def _videos(connection: Connection) -> dict[str, str]:
    """Where Label Studio finds the clips if its local files are those of the workspace."""
    rows = connection.execute(select(t.clip.c.clip_id, t.clip.c.public_id))
    folder = f"/data/local-files/?d={FOLDER}/clips"
    return {row.clip_id: f"{folder}/{row.public_id}.mp4" for row in rows}


def _replace(file: Path, write: Callable[[IO[bytes]], object]) -> None:
    part = file.with_name(f".{file.name}.part")
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as opened:
                write(opened)
            flush(part)
            part.replace(file)
            flush(file.parent)
        finally:
            part.unlink(missing_ok=True)

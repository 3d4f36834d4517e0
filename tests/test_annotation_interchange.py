"""Votes out of a project and into another one, on both databases, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from caer_build.annotation import tables as t
from caer_build.annotation.accounts import invite, join
from caer_build.annotation.database import Database, sqlite_url
from caer_build.annotation.interchange import FORMATS, Imported, export_votes, import_votes
from caer_build.annotation.ledger import aliases, pseudonyms, recorded_votes
from caer_build.annotation.office import now_ms
from caer_build.annotation.overview import overview
from caer_build.annotation.passwords import hashed
from caer_build.annotation.revisions import latest
from caer_build.annotation.signing_in import Attempt, sign_in
from caer_build.annotation.vote_files import write_jsonl
from caer_build.errors import NotAllowed, SchemaError, VoteError
from caer_build.records import Vote
from tests.annotating import Project, answer_to, frozen, make_project
from tests.chaos.checker import faults_of_books
from tests.voting import vote

CLIPS = [frozen(k) for k in range(8)]
IDS = [clip.clip_id for clip in CLIPS]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Database]:
    """Another database, in which votes were given."""
    opened = Database(sqlite_url(tmp_path / "elsewhere.sqlite"))
    yield opened
    opened.close()


def votes_of(project: Project) -> list[Vote]:
    with project.database.reading() as connection:
        return recorded_votes(connection, pseudonyms(connection))


def votes_given(database: Database) -> Project:
    """A project with answers of every kind."""
    project = make_project(database, clips=CLIPS, repeat_share=0.5, repeat_after=1)
    office = project.office
    for number, person in enumerate(project.people):
        for turn, said in enumerate(["Sad", "Fear", "Happy", "Sad"]):
            lease = office.leases(person)[0]
            project.clock.pass_s(6)
            office.answer(person, answer_to(lease, said, confidence_step=(number + turn) % 5))
        reopened = office.reopen(person)
        assert reopened is not None
        lease, before = reopened
        office.answer(person, answer_to(lease, "Anger", revises=before["request_id"]))
        lease = office.leases(person)[0]
        office.answer(person, answer_to(lease, None, flag="cannot_tell"))
        lease = office.leases(person)[0]
        broken = answer_to(lease, None, flag="broken", reason='=1+1, "no\npicture" ✗')
        office.answer(person, broken)
    return project


def without_names(votes: list[Vote]) -> list[Vote]:
    """Votes whose numbers, and whose people's names, say nothing but who is who."""
    people: dict[str, str] = {}
    return [
        replace(v, vote_id=0, annotator_id=people.setdefault(v.annotator_id, f"#{len(people)}"))
        for v in sorted(votes, key=lambda v: v.request_id)
    ]


def offered(project: Project, tmp_path: Path, *votes: Vote, dry_run: bool = False) -> Imported:
    """Imports some votes."""
    file = tmp_path / "offered.jsonl"
    # In ASCII, so that a file can hold what is no text at all.
    file.write_text("".join(json.dumps(asdict(v)) + "\n" for v in votes))
    return import_votes(project.database, [file], project.clock(), dry_run=dry_run)


@pytest.mark.parametrize("ending", FORMATS)
def test_votes_go_round(
    ending: str, elsewhere: Database, database: Database, tmp_path: Path
) -> None:
    there, here = votes_given(elsewhere), make_project(database, clips=CLIPS, n_people=2)
    given = votes_of(there)
    assert {v.purpose for v in given} == {"vote", "repeat"}
    assert {v.flag for v in given} == {None, "broken", "cannot_tell"}
    assert max(v.revision for v in given) == 2
    file = tmp_path / f"votes{ending}"
    written = export_votes(elsewhere, file)
    assert (written.n_votes, written.n_people) == (len(given), 3)
    found = import_votes(database, [file], now_ms())
    assert found == Imported(False, len(given), len(given), 0, 0, 3, ())
    assert without_names(votes_of(here)) == without_names(given)
    again = import_votes(database, [file], now_ms())
    assert again == Imported(False, len(given), 0, len(given), 0, 0, ())
    back = tmp_path / f"back{ending}"
    export_votes(database, back)
    returned = import_votes(elsewhere, [back], now_ms())
    assert (returned.n_known, returned.n_refused) == (0, len(given))  # others' pseudonyms
    own = import_votes(database, [back], now_ms())
    assert (own.n_known, own.n_people) == (len(given), 0)


def test_slots_and_pairs_are_as_if_given_here(
    elsewhere: Database, database: Database, tmp_path: Path
) -> None:
    there, here = votes_given(elsewhere), make_project(database, clips=CLIPS, n_people=0)
    export_votes(elsewhere, tmp_path / "votes.csv")
    import_votes(database, [tmp_path / "votes.csv"], now_ms())

    def facts(project: Project) -> dict[str, object]:
        with project.database.reading() as connection:
            rows = connection.execute(
                select(t.clip.c.clip_id, func.count())
                .join(t.slot, t.slot.c.clip_id == t.clip.c.clip_id)
                .where(t.slot.c.answered)
                .group_by(t.clip.c.clip_id)
            ).all()
            pairs = connection.execute(select(t.pair.c.n_clips)).scalars().all()
            errands = connection.execute(
                select(t.errand.c.purpose, t.errand.c.clip_id).where(t.errand.c.answered)
            ).all()
            return {
                "answered": dict(map(tuple, rows)),
                "pairs": sorted(pairs),
                "errands": sorted(map(tuple, errands)),
            }

    assert facts(here) == facts(there)
    with database.reading() as connection:
        clips = connection.execute(select(t.clip.c.n_slots, t.clip.c.n_open, t.clip.c.clip_id))
        answered = facts(here)["answered"]
        assert isinstance(answered, dict)
        for clip in clips:
            assert clip.n_open == clip.n_slots - answered.get(clip.clip_id, 0)


def test_only_the_latest(elsewhere: Database, database: Database, tmp_path: Path) -> None:
    there, here = votes_given(elsewhere), make_project(database, clips=CLIPS, n_people=0)
    standing = latest(votes_of(there))
    written = export_votes(elsewhere, tmp_path / "votes.parquet", only_latest=True)
    assert written.n_votes == len(standing) < len(votes_of(there))
    found = import_votes(database, [tmp_path / "votes.parquet"], now_ms())
    assert found.n_taken == len(standing)
    assert without_names(votes_of(here)) == without_names(standing)


def test_a_dry_run_leaves_nothing(elsewhere: Database, database: Database, tmp_path: Path) -> None:
    votes_given(elsewhere)
    here = make_project(database, clips=CLIPS, n_people=1)
    export_votes(elsewhere, tmp_path / "votes.csv")

    def everything() -> list[object]:
        with database.reading() as connection:
            return [connection.execute(select(table)).all() for table in t.metadata.sorted_tables]

    before = everything()
    dry = import_votes(database, [tmp_path / "votes.csv"], now_ms(), dry_run=True)
    assert everything() == before
    wet = import_votes(database, [tmp_path / "votes.csv"], now_ms())
    assert dry == replace(wet, dry_run=True)
    assert len(votes_of(here)) == wet.n_taken


def test_people_are_called_by_what_tells_nothing(
    elsewhere: Database, database: Database, tmp_path: Path
) -> None:
    there, here = votes_given(elsewhere), make_project(database, clips=CLIPS)
    file = tmp_path / "votes.csv"
    export_votes(elsewhere, file)
    with elsewhere.reading() as connection:
        called, known_as = pseudonyms(connection), aliases(connection)
        names = connection.scalars(select(t.annotator.c.name)).all()
    assert len(set(called.values())) == len(there.people)
    text = file.read_text()
    assert not any(secret in text for secret in [*known_as.values(), *names])
    assert all(name in text for name in called.values())
    with database.reading() as connection:
        assert not set(pseudonyms(connection).values()) & set(called.values())
    assert len(here.people) == len(there.people)


def test_imported_people_cannot_sign_in_and_get_no_work(database: Database, tmp_path: Path) -> None:
    project = make_project(database, clips=CLIPS, n_people=1)
    found = offered(project, tmp_path, vote(IDS[0], "ann@lab.org"), vote(IDS[1], "ann@lab.org"))
    assert (found.n_taken, found.n_people) == (2, 1)
    with database.reading() as connection:
        row = connection.execute(
            select(t.annotator).where(t.annotator.c.name == "imported: ann@lab.org")
        ).one()
    assert (row.alias, row.role, row.password_hash) == ("a002", "annotator", None)
    with database.reading() as connection:
        standing = overview(connection, project.clock())
    assert (standing.retired, standing.imported) == (0, 1)
    assert row.retired_at == project.clock()
    for password in ("", "correct horse battery"):
        with pytest.raises(NotAllowed):
            sign_in(database, Attempt(row.name, ""), password, project.clock())
    with pytest.raises(NotAllowed, match="no more"):
        project.office.leases(row.annotator_id)
    later = offered(project, tmp_path, vote(IDS[2], "ann@lab.org"))
    assert (later.n_taken, later.n_people) == (1, 0)


def test_an_alias_or_a_name_in_a_file_is_somebody_else(database: Database, tmp_path: Path) -> None:
    project = make_project(database, clips=CLIPS, n_people=1)
    found = offered(project, tmp_path, vote(IDS[0], "a001"), vote(IDS[0], "Person 1"))
    assert (found.n_taken, found.n_people) == (2, 2)
    with database.reading() as connection:
        authors = set(connection.scalars(select(t.vote.c.annotator_id)))
    assert project.people[0] not in authors


def test_who_signs_in_under_an_imported_name_gets_no_votes(
    database: Database, tmp_path: Path
) -> None:
    project = make_project(database, clips=CLIPS, n_people=0)
    with database.writing() as connection:
        token = invite(connection, "annotator", "", None, project.clock())
        join(connection, token, "imported: bob", project.clock(), password_hash=hashed("x" * 12))
    found = offered(project, tmp_path, vote(IDS[0], "bob"))
    assert [r.reason for r in found.refusals] == [
        "An account that can sign in is named imported: bob."
    ]


def test_a_clip_takes_three_different_people(database: Database, tmp_path: Path) -> None:
    project = make_project(database, clips=CLIPS, n_people=1)
    me = project.people[0]
    lease = project.office.leases(me)[0]
    office = project.office
    taken = offered(project, tmp_path, vote(lease.clip_id, "ann"), vote(lease.clip_id, "bob"))
    assert taken.n_taken == 2
    refused = offered(
        project, tmp_path, vote(lease.clip_id, "cy"), vote(lease.clip_id, "ann", "Fear")
    )
    assert [(r.place, r.reason) for r in refused.refusals] == [
        (
            "line 1",
            "Somebody has this clip on the screen and its last place with it; import later.",
        ),
        ("line 2", "ann has given revision 1 of this answer already."),
    ]
    assert office.answer(me, answer_to(lease)).receipt.purpose == "vote"
    full = offered(project, tmp_path, vote(lease.clip_id, "cy"))
    assert "answers of 3 people" in full.refusals[0].reason
    changed = offered(project, tmp_path, vote(lease.clip_id, "ann", "Fear", revision=2))
    assert changed.n_taken == 1
    with database.reading() as connection:
        slots = select(t.slot).where(t.slot.c.clip_id == lease.clip_id)
        assert len({row.annotator_id for row in connection.execute(slots)}) == 3
        assert {row.answered for row in connection.execute(slots)} == {True}
        open_ones = select(t.clip.c.n_open).where(t.clip.c.clip_id == lease.clip_id)
        assert connection.scalar(open_ones) == 0
        assert connection.scalars(select(t.pair.c.n_clips)).all() == [1, 1, 1]


def test_own_answers_come_back_to_their_people(database: Database, tmp_path: Path) -> None:
    """An export of a project fills the slot that its author holds there."""
    project = make_project(database, clips=CLIPS, n_people=1)
    me = project.people[0]
    lease = project.office.leases(me)[0]
    with database.reading() as connection:
        pseudonym = pseudonyms(connection)[me]
    found = offered(project, tmp_path, vote(lease.clip_id, pseudonym))
    assert (found.n_taken, found.n_people) == (1, 0)
    assert [v.annotator_id for v in votes_of(project)] == [pseudonym]
    assert lease.clip_id not in [held.clip_id for held in project.office.leases(me)]


def test_what_is_refused_says_why(database: Database, tmp_path: Path) -> None:
    project = make_project(database, clips=CLIPS, n_people=0)
    good = vote(IDS[0], "ann")
    assert offered(project, tmp_path, good).n_taken == 1
    cases: list[tuple[Vote, str]] = [
        (replace(good, emotion="Fear"), "another answer, or the answer has changed"),
        (replace(good, annotator_id="bob"), "another answer"),
        (vote("no-such-clip", "bob"), "no clip no-such-clip"),
        (vote(IDS[1], "b\x00b"), "printable"),
        (vote(IDS[1], "\ud800"), "Invalid JSON"),
        (vote(IDS[1], ""), "printable"),
        (vote(IDS[1], "bob", "broken", reason="\x00"), "all of them text"),
        (vote(IDS[1], "bob", "broken", reason="x" * 501), "500 characters"),
        (vote(IDS[1], "bob", received_at=10**16), "milliseconds"),
        (vote(IDS[1], "bob", play_count=-1), "counted from 0"),
        (vote(IDS[1], "bob", speed=300), "50 to 150"),
        (vote(IDS[1], "bob", revision=10**7), "revisions"),
        (vote(IDS[0], "ann", purpose="adjudication"), "votes on a clip and adjudicates"),
    ]
    found = offered(project, tmp_path, *(v for v, _ in cases))
    assert (found.n_taken, found.n_people) == (0, 0)
    by_line = {int(r.place.split()[1]): r.reason for r in found.refusals}
    assert len(by_line) == len(cases)
    for line, (_, said) in enumerate(cases, 1):
        assert said in by_line[line]
    assert len(votes_of(project)) == 1


def test_rows_of_one_file_are_held_against_each_other(database: Database, tmp_path: Path) -> None:
    project = make_project(database, clips=CLIPS, n_people=0)
    first = vote(IDS[0], "ann")
    second = vote(IDS[0], "ann", "Fear", revision=2)
    four = [vote(IDS[1], who) for who in ("ann", "bob", "cy", "dee")]
    found = offered(project, tmp_path, second, first, first, *four)
    assert (found.n_rows, found.n_taken, found.n_known, found.n_refused) == (7, 5, 1, 1)
    assert found.refusals[0].place == "line 7"
    assert len(votes_of(project)) == 5


def test_many_votes_in_several_chunks(database: Database, tmp_path: Path) -> None:
    clips = [frozen(k) for k in range(500)]
    project = make_project(database, clips=clips, n_people=0)
    people = ("ann", "bob", "cy", "dee")
    votes = [vote(c.clip_id, who) for who in people for c in clips]
    found = offered(project, tmp_path, *votes)
    assert (found.n_taken, found.n_refused, found.n_people) == (1500, 500, 3)
    with database.reading() as connection:
        assert connection.scalars(select(t.pair.c.n_clips)).all() == [500] * 3
        assert connection.scalar(select(func.sum(t.clip.c.n_open))) == 0
        kinds = connection.scalars(select(t.event.c.kind).order_by(t.event.c.event_id)).all()
        assert list(kinds) == ["importing", "imported"]


IMPORT = """
import sys
from pathlib import Path
from caer_build.annotation.database import Database
from caer_build.annotation.interchange import import_votes
import_votes(Database(sys.argv[1]), [Path(sys.argv[2])], 1)
"""


def many_votes(folder: Path, n_clips: int) -> tuple[Path, list[Vote]]:
    """A file with the votes of three people for each of many clips."""
    clips = [frozen(k) for k in range(n_clips)]
    votes = [
        vote(c.clip_id, who, request_id=f"import-{number}-{who}")
        for number, c in enumerate(clips)
        for who in ("ann", "bob", "cy")
    ]
    file = folder / "votes.jsonl"
    with file.open("wb") as opened:
        write_jsonl(opened, votes)
    return file, votes


def test_an_import_that_is_killed_has_taken_the_beginning_and_can_go_on(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    make_project(database, n_clips=4000, n_people=0)
    file, votes = many_votes(tmp_path, 4000)
    process = subprocess.Popen([sys.executable, "-c", IMPORT, database_url, str(file)])

    def taken() -> list[str]:
        with database.reading() as connection:
            query = select(t.vote.c.request_id).order_by(t.vote.c.vote_id)
            return list(connection.scalars(query))

    while len(taken()) < 2000 and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    before = taken()
    assert before == [v.request_id for v in votes[: len(before)]], "a beginning, in order"
    assert 2000 <= len(before) < len(votes)
    with database.reading() as connection:
        assert faults_of_books(connection) == []
    dry = import_votes(database, [file], 1, dry_run=True)
    assert (dry.n_known, dry.n_taken, dry.n_refused) == (len(before), 12_000 - len(before), 0)
    assert replace(import_votes(database, [file], 1), dry_run=True) == dry
    assert taken() == [v.request_id for v in votes]
    with database.reading() as connection:
        assert faults_of_books(connection) == []


def test_people_label_while_votes_come_in(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    project = make_project(database, n_clips=3000, n_people=1)
    file, votes = many_votes(tmp_path, 2000)
    me = project.people[0]
    process = subprocess.Popen([sys.executable, "-c", IMPORT, database_url, str(file)])
    while process.poll() is None:
        # PostgreSQL passes over clips that are being written to: a look may find none for a moment.
        for lease in project.office.leases(me)[:1]:
            project.office.answer(me, answer_to(lease))
        time.sleep(0.02)
    with database.reading() as connection:
        authors = list(connection.scalars(select(t.vote.c.annotator_id).order_by(t.vote.c.vote_id)))
        assert faults_of_books(connection) == []
    imported = [k for k, author in enumerate(authors) if author != me]
    mine = [k for k, author in enumerate(authors) if author == me]
    assert len(imported) > len(votes) // 2, "all but where no place was left"
    assert any(imported[0] < k < imported[-1] for k in mine)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_who_said_what_and_how_sure_is_enough(
    database: Database, tmp_path: Path, ending: str
) -> None:
    """From a spreadsheet: everything else has a default, and the same file is known again."""
    project = make_project(database, clips=CLIPS, n_people=0)
    rows: list[dict[str, object]] = [
        {"clip_id": IDS[0], "annotator_id": "ada", "emotion": "Sad", "confidence_step": 3},
        {"clip_id": IDS[0], "annotator_id": "bo", "emotion": None, "confidence_step": None},
        {"clip_id": IDS[1], "annotator_id": "ada", "emotion": "Joy", "confidence_step": 3},
        {"clip_id": IDS[2], "annotator_id": "ada", "emotion": "Sad", "confidence_step": 7},
        {"clip_id": "none", "annotator_id": "ada", "emotion": "Sad", "confidence_step": 3},
    ]
    for number, row in enumerate(rows):
        row["flag"] = "cannot_tell" if number == 1 else None
    file = tmp_path / f"sheet.{ending}"
    if ending == "csv":
        lines = [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
        file.write_text("\n".join([",".join(rows[0]), *lines]))
    elif ending == "jsonl":
        kept = ({k: v for k, v in row.items() if v is not None} for row in rows)
        file.write_text("\n".join(map(json.dumps, kept)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    at = now_ms()
    found = import_votes(database, [file], at)
    assert (found.n_taken, found.n_refused, found.n_people) == (2, 3, 2)
    said = sorted((v.annotator_id, v.emotion, v.flag, v.confidence_step) for v in votes_of(project))
    assert {s[1:] for s in said} == {("Sad", None, 3), (None, "cannot_tell", None)}
    for v in votes_of(project):
        assert (v.purpose, v.revision, v.confidence_steps, v.reason) == ("vote", 1, 5, None)
        assert (v.shown_at, v.answered_at, v.received_at) == (at, at, at)
        assert (v.play_count, v.speed, v.audio_on) == (0, 100, False)
    again = import_votes(database, [file], now_ms())
    assert (again.n_taken, again.n_known) == (0, 2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "missing"),
        ("a.csv", b"clip_id,annotator_id,emotion\n", r"missing \['confidence_step'\]"),
        ("a.csv", b"clip,who\n", "unknown or twice"),
        ("a.csv", b"\xff\xfe\x00", "no CSV in UTF-8"),
        ("a.parquet", b"PAR1 not really", "no Parquet file"),
        ("a.json", b"{", "is no JSON"),
        ("a.json", b"{}", "a list of tasks"),
        ("a.txt", b"", "expected one of csv"),
    ],
)
def test_files_that_are_something_else(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    database = Database(sqlite_url(tmp_path / "votes.sqlite"))
    project = make_project(database, clips=CLIPS, n_people=0)
    good, bad = tmp_path / "good.jsonl", tmp_path / name
    with good.open("wb") as opened:
        write_jsonl(opened, [vote(IDS[0], "ann")])
    bad.write_bytes(content)
    with pytest.raises(SchemaError, match=said):
        import_votes(database, [good, bad], now_ms())
    assert votes_of(project) == []  # nothing of the good one either
    with pytest.raises(SchemaError, match="no file"):
        import_votes(database, [tmp_path / "missing.csv"], now_ms())


def test_rows_that_cannot_be_read(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "votes.sqlite"))
    make_project(database, clips=CLIPS, n_people=0)
    row = asdict(vote(IDS[0], "ann"))
    file = tmp_path / "votes.jsonl"
    lines = [
        "{",
        "[]",
        "[" * 100_000,
        json.dumps(row | {"speed": "fast"}),
        json.dumps(row | {"speed": "100"}),
        json.dumps(row | {"audio_on": 1}),
        json.dumps({k: v for k, v in row.items() if k != "clip_id"}),
        json.dumps(row | {"mood": "good"}),
        json.dumps(row | {"emotion": "Joy"}),
        json.dumps(row | {"revision": 2.5}),
        "",
        json.dumps(row),
    ]
    file.write_text("\n".join(lines))
    found = import_votes(database, [file], now_ms())
    assert (found.n_rows, found.n_taken, found.n_refused) == (11, 1, 10)
    said = {r.place: r.reason for r in found.refusals}
    assert "speed" in said["line 4"]
    assert "clip_id" in said["line 7"]
    assert "Unknown columns: mood" in said["line 8"]
    assert "an emotion" in said["line 9"]
    csv = tmp_path / "votes.csv"
    export_votes(database, csv)
    header, only = csv.read_text().splitlines()
    csv.write_text("\n".join([header, "too,few", only.replace("Happy", "Joy"), only]) + "\n")
    found = import_votes(database, [csv], now_ms())
    assert [(r.place, r.file) for r in found.refusals] == [
        ("line 2", str(csv)),
        ("line 3", str(csv)),
    ]


def test_there_must_be_a_project(tmp_path: Path) -> None:
    from caer_build.annotation.upgrading import upgrade

    database = Database(sqlite_url(tmp_path / "votes.sqlite"))
    with database.writing() as connection:
        upgrade(connection)
    with pytest.raises(VoteError, match="no project"):
        export_votes(database, tmp_path / "votes.csv")
    assert not (tmp_path / "votes.csv").exists()

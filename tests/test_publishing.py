"""What is published of results, and what the store keeps of deleted persons."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build import overrides, upkeep
from caer_build.pipeline import STAGES
from caer_build.publishing import Publication, published_persons
from caer_build.purging import blank_crops, purge, remove_vectors
from caer_build.records import (
    ClipBox,
    Cut,
    FaceCrop,
    FaceDetection,
    Identity,
    Person,
    TrackBox,
    TrackDetection,
    TrackEmbedding,
)
from caer_build.stage import Source, write_parquet
from caer_build.store import MANIFEST, Result, Workspace, read_json, write_json
from tests.toy_workspace import clip, episode, shot, track

SHOT = shot(0, 50)
FACES = [track(SHOT, 0), track(SHOT, 1)]
GONE, STAYS = (face.track_id for face in FACES)
EPISODE = Source("toy.s01e01", "toy", 1, 1, Path("/nowhere"), "sha")
JPEGS = [b"\xff\xd8first\xff\xd9", b"\xff\xd8second, longer\xff\xd9"]


def result(work: Workspace, stage: str, unit: str, files: dict[str, Any], key: str = "k") -> Result:
    with work.draft(stage, unit, key) as draft:
        for name, content in files.items():
            path = draft.folder / name
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                write_parquet(path, *content)
        draft.facts.update(deleted=[GONE] if stage == "identities" else [])
        return draft.commit({"stage": stage, "unit": unit})


def results_of(work: Workspace, key: str = "k") -> dict[tuple[str, str], Result]:
    """An episode of two faces in one shot; one of them was deleted."""
    detections = [
        FaceDetection("toy.s01e01", 5, i, 9.0 * i, 0.0, 9.0 * i + 8, 8.0, 0.9, [], 50.0, None)
        for i in range(2)
    ]
    crops = [
        FaceCrop(5, 0, 0.0, 0.0, 8.0, 8.0, 0, len(JPEGS[0])),
        FaceCrop(5, 1, 9.0, 0.0, 17.0, 8.0, len(JPEGS[0]), len(JPEGS[1])),
    ]
    members = [TrackDetection(face.track_id, 5, i) for i, face in enumerate(FACES)]
    boxes = [
        TrackBox(face.track_id, f, 9.0 * i, 0.0, 9.0 * i + 8, 8.0, False)
        for i, face in enumerate(FACES)
        for f in range(50)
    ]
    vectors = [TrackEmbedding(face.track_id, "toy", [1.0, 0.0], 1) for face in FACES]
    rows = [clip(SHOT, face) for face in FACES]
    in_clip = [
        ClipBox(rows[1].clip_id, 0, face, face == STAYS, 0.0, 0.0, 8.0, 8.0, False)
        for face in (GONE, STAYS)
    ]
    kept = rows[1]
    place = Cut(
        kept.clip_id, "toy.s01e01", kept.start_frame, kept.end_frame, 0, 1, 0.0, 0.5, 1.0, None, "a"
    )
    pieces = {rows[1].clip_id: {"key": f"piece-{key}", "file": "clip.mp4"}}
    result(work, "cutting", "toy.s01e01/pieces", {"clip.mp4": b"cut"}, f"piece-{key}")
    made: dict[tuple[str, str], dict[str, Any]] = {
        ("ingest", "toy.s01e01"): {},
        ("scan", "toy.s01e01"): {
            "episodes.parquet": (type(episode()), [episode()]),
            "detections.parquet": (FaceDetection, detections),
            "crops.parquet": (FaceCrop, crops),
            "crops.bin": b"".join(JPEGS),
        },
        ("shots", "toy.s01e01"): {"shots.parquet": (type(SHOT), [SHOT])},
        ("tracks", "toy.s01e01"): {
            "tracks.parquet": (type(FACES[0]), FACES),
            "track_boxes.parquet": (TrackBox, boxes),
            "track_detections.parquet": (TrackDetection, members),
        },
        ("embeddings", "toy.s01e01"): {"embeddings.parquet": (TrackEmbedding, vectors)},
        ("identities", "toy"): {
            "identities@toy.s01e01.parquet": (
                Identity,
                [Identity(STAYS, "toy.s01e01", f"{STAYS}-p", 0.0)],
            ),
            "persons.parquet": (Person, [Person(f"{STAYS}-p", "toy", STAYS, None, None, None)]),
        },
        ("clips", "toy.s01e01"): {},
        ("repeats", "toy"): {},
        ("screening", "toy.s01e01"): {},
        ("cutting", "toy.s01e01"): {
            "clips.parquet": (type(rows[0]), rows),
            "clip_boxes.parquet": (ClipBox, in_clip),
            "cuts.parquet": (Cut, [place]),
            "pieces.json": json.dumps(pieces).encode(),
        },
    }
    return {
        (stage, unit): result(work, stage, unit, files, key)
        for (stage, unit), files in made.items()
    }


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "work")


def published(work: Workspace, table: str, column: str) -> list[Any]:
    values: list[Any] = pq.read_table(work.tables / f"{table}.parquet")[column].to_pylist()
    return values


def test_nothing_of_a_deleted_person_is_published(work: Workspace) -> None:
    Publication(work, STAGES, results_of(work), [EPISODE]).publish()
    for table in ("tracks", "track_boxes", "embeddings", "identities", "clip_boxes"):
        assert set(published(work, table, "track_id")) == {STAYS}, table
    assert published(work, "detections", "index") == [1]
    assert published(work, "clips", "track_id") == [GONE, STAYS]


def test_while_nobody_is_named_nobody_can_be_left_out_so_all_are(work: Workspace) -> None:
    """A build that stops before the identities cannot know whose tracks these are."""
    results = results_of(work)
    early = {k: r for k, r in results.items() if k[0] in ("ingest", "scan", "shots", "tracks")}
    Publication(work, STAGES, early, [EPISODE]).publish()
    assert published(work, "tracks", "track_id") == [GONE, STAYS]
    overrides.add(work, "delete", f"{GONE}-p", None, None)
    Publication(work, STAGES, early, [EPISODE]).publish()
    assert published(work, "tracks", "track_id") == []
    assert published(work, "detections", "index") == []
    assert published(work, "shots", "shot_id") == [SHOT.shot_id]


def contents(work: Workspace) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for f in (work.tables, work.clips) for p in f.iterdir()}


def test_a_show_that_failed_keeps_what_was_published(work: Workspace) -> None:
    results = results_of(work)
    Publication(work, STAGES, results, [EPISODE]).publish()
    before = contents(work)
    assert len(before) == 12
    fewer = {k: r for k, r in results.items() if k[0] in ("ingest", "scan", "shots")}
    Publication(work, STAGES, fewer, [EPISODE], ["toy"]).publish()
    assert contents(work) == before
    # Beside a show that did not fail, too.
    other = Source("z.s01e01", "z", 1, 1, Path("/nowhere"), "z")
    Publication(work, STAGES, fewer, [EPISODE, other], ["toy"]).publish()
    assert set(contents(work)) == set(before)
    assert published(work, "track_boxes", "track_id") == [STAYS] * 50
    assert published(work, "clips", "track_id") == [GONE, STAYS]
    assert [p.person_id for p in published_persons(work)] == [f"{STAYS}-p"]


def test_an_episode_that_failed_is_dropped_but_its_persons_are_remembered(work: Workspace) -> None:
    results = results_of(work)
    Publication(work, STAGES, results, [EPISODE]).publish()
    Publication(work, STAGES, {}, [EPISODE]).publish()
    assert published(work, "clips", "clip_id") == []
    assert list(work.clips.iterdir()) == []
    assert [p.person_id for p in published_persons(work)] == [f"{STAYS}-p"]


def test_a_deletion_reaches_the_store(work: Workspace) -> None:
    old = results_of(work, "old")
    new = results_of(work, "new")
    keys = {(k, name): r.key_digest(name) for k, r in new.items() for name in r.files}
    publication = Publication(work, STAGES, new, [EPISODE])
    publication.publish()
    assert purge(publication)
    left = {k for k, r in old.items() if r.folder.exists()}
    assert left == {("ingest", "toy.s01e01"), ("shots", "toy.s01e01"), ("repeats", "toy")}
    assert {p.name for p in work.root.glob("stages/cutting/*/pieces/*")} == {"piece-new"}
    scan = new["scan", "toy.s01e01"].folder
    assert (scan / "crops.bin").read_bytes() == bytes(len(JPEGS[0])) + JPEGS[1]
    vectors = new["embeddings", "toy.s01e01"].folder / "embeddings.parquet"
    assert pq.read_table(vectors)["track_id"].to_pylist() == [STAYS]
    # All is whole, and no key changes.
    assert upkeep.verify(work, repair=False).broken == []
    again = {k: work.find(*k, "new") for k in new}
    assert {
        (k, name): r.key_digest(name) for k, r in again.items() if r for name in r.files
    } == keys
    before = {p: p.read_bytes() for p in work.root.glob("stages/**/*") if p.is_file()}
    assert not purge(publication)
    assert {p: p.read_bytes() for p in work.root.glob("stages/**/*") if p.is_file()} == before


def test_nothing_is_purged_of_an_episode_that_is_not_complete(work: Workspace) -> None:
    results = results_of(work)
    del results["cutting", "toy.s01e01"]
    assert not purge(Publication(work, STAGES, results, [EPISODE]))
    assert not purge(Publication(work, STAGES, results_of(work), [EPISODE], ["toy"]))
    assert (results["scan", "toy.s01e01"].folder / "crops.bin").read_bytes() == b"".join(JPEGS)


def crops_result(work: Workspace, pieces: Iterable[bytes]) -> tuple[Result, list[bytes]]:
    stored = list(pieces)
    ends = np.cumsum([0, *(len(p) for p in stored)]).tolist()
    rows = [FaceCrop(i, 0, 0.0, 0.0, 1.0, 1.0, ends[i], len(p)) for i, p in enumerate(stored)]
    files = {"crops.bin": b"".join(stored), "crops.parquet": (FaceCrop, rows)}
    return result(work, "scan", "e", files), stored


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=12),
    data=st.data(),
)
def test_blanked_crops_are_zeros_and_the_result_is_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], data: st.DataObject
) -> None:
    work = Workspace.create(tmp_path_factory.mktemp("crops") / "work")
    made, stored = crops_result(work, pieces)
    first = data.draw(st.sets(st.integers(0, len(pieces) - 1)))
    second = data.draw(st.sets(st.integers(0, len(pieces) - 1)))
    digest = made.key_digest("crops.bin")
    for chosen in (first, second, first):
        blank_crops(made.folder, {(i, 0) for i in chosen})
    expected = [
        bytes(len(p)) if i in first | second else p for i, p in enumerate(stored)
    ]  # fmt: skip
    assert (made.folder / "crops.bin").read_bytes() == b"".join(expected)
    found = work.find("scan", "e", "k", every_digest=True)
    assert found is not None
    assert found.key_digest("crops.bin") == digest


def test_an_interrupted_purge_is_finished_by_the_next(work: Workspace) -> None:
    """Stopped when the manifest was written and half of the crops were zeros."""
    made, stored = crops_result(work, [b"abc", b"defg", b"hi"])
    blank_crops(made.folder, {(0, 0), (1, 0)})
    (made.folder / "crops.bin").write_bytes(bytes(3) + b"\0\0fghi")
    assert work.find("scan", "e", "k", every_digest=True) is None
    assert blank_crops(made.folder, {(0, 0), (1, 0)})
    assert work.find("scan", "e", "k", every_digest=True) is not None
    assert stored[2] == (made.folder / "crops.bin").read_bytes()[-2:]


def test_vectors_are_removed_once(work: Workspace) -> None:
    rows = [TrackEmbedding(t, "toy", [1.0], 1) for t in ("a", "b")]
    made = result(work, "embeddings", "e", {"embeddings.parquet": (TrackEmbedding, rows)})
    assert remove_vectors(made.folder, {"a"})
    assert not remove_vectors(made.folder, {"a"})
    assert work.find("embeddings", "e", "k", every_digest=True) is not None


def test_the_key_is_made_of_what_the_stage_wrote(work: Workspace) -> None:
    made, _ = crops_result(work, [b"abc"])
    plain = made.key_digest("crops.bin")
    assert plain == made.files["crops.bin"]["sha256"]
    manifest = read_json(made.folder / MANIFEST)
    manifest["files"]["crops.bin"] |= {"sha256": "x", "key_sha256": plain}
    write_json(made.folder / MANIFEST, manifest)
    assert Result(made.folder, manifest).key_digest("crops.bin") == plain

"""Croissant metadata, read with mlcroissant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import mlcroissant
import pandas as pd
import pytest

from caer_build.dataset.exporting import export
from caer_build.dataset.layouts.choice import FORMATS, layout_of
from caer_build.records import EMOTIONS
from tests.exporting import toy_catalogue

STATED = {
    "name": "Toy", "version": "1.2.0", "description": "For tests.", "creators": ["A. B."],
    "institutions": ["C."], "licence": "CC-BY-4.0", "published": "2026-02-03",
    "citation": "@misc{toy}", "url": "https://caer.example/toy", "languages": ["en"],
    "collected_from": "2025-01-01", "collected_to": "2025-06-30", "consent": "All agreed.",
}  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def made(clips: Path, out: Path, form: str, stated: dict[str, Any]) -> mlcroissant.Dataset:
    export(toy_catalogue(clips).stating(stated), out, layout_of(form), lambda *_: None)
    found = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    return found


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return None if value is None or pd.isna(value) else value


@pytest.mark.parametrize("form", FORMATS)
def test_mlcroissant_reads_every_table_of_every_format(
    form: str, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    found = made(clips, out, form, {})
    for name in ("items", "faces", "votes", "cuts", "episodes"):
        expected = pd.read_parquet(out / "metadata" / f"{name}.parquet").to_dict("records")
        rows = [
            {key.partition("/")[2]: plain(value) for key, value in row.items()}
            for row in found.records(name)
        ]
        assert rows == [{k: plain(v) for k, v in row.items()} for row in expected], name
    names = [plain(row["emotions/name"]) for row in found.records("emotions")]
    assert names == list(EMOTIONS)


@pytest.mark.parametrize("form", ["caer", "webdataset", "media-free"])
def test_files_are_named_with_their_digests(form: str, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = made(clips, out, form, {})
    files = [f for f in found.metadata.distribution if isinstance(f, mlcroissant.FileObject)]
    for file in files:
        data = (out / file.content_url).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file.sha256
        assert file.content_size == f"{len(data)} B"
    archives = sorted(f.id for f in files if f.id.endswith(".tar"))
    assert archives == (sorted(f.name for f in out.glob("*.tar")) if form == "webdataset" else [])
    sets = [f for f in found.metadata.distribution if isinstance(f, mlcroissant.FileSet)]
    patterns = {"caer": ["CAER/**/*.avi"], "webdataset": ["*.mp4"]}
    assert [s.includes for s in sets] == ([patterns[form]] if form in patterns else [])
    if form == "caer":
        assert len(list(out.glob(sets[0].includes[0]))) == 12


def test_what_was_stated_is_there_and_what_was_not_is_not(clips: Path, tmp_path: Path) -> None:
    bare = made(clips, tmp_path / "bare", "media-free", {}).metadata
    assert (bare.name, bare.license, bare.version, bare.date_published, bare.url) == (
        "Unnamed data set", None, None, None, None,
    )  # fmt: skip
    assert bare.description == "NOT STATED: fill in `description` of `caer export --about`"
    assert bare.annotator_demographics == [
        "NOT STATED: fill in `annotator_demographics` of `caer export --about`"
    ]
    assert bare.annotations_per_item == "3"
    full = made(clips, tmp_path / "full", "media-free", STATED).metadata
    assert (full.name, full.license, full.version) == ("Toy", ["CC-BY-4.0"], "1.2.0")
    assert [creator.name for creator in full.creators] == ["A. B.", "C."]
    assert str(full.date_published).startswith("2026-02-03")
    days = [str(day)[:10] for day in full.data_collection_timeframe]
    assert days == ["2025-01-01", "2025-06-30"]
    assert "Consent: All agreed." in full.personal_sensitive_information
    assert full.data_biases[0].startswith("Shares of the categories: Anger 16.67 %, Disgust 16.67")
    assert full.cite_as == "@misc{toy}"
    assert not full.ctx.issues.warnings


def test_every_field_of_responsible_ai_is_one_that_mlcroissant_knows(
    clips: Path, tmp_path: Path
) -> None:
    found = made(clips, tmp_path / "out", "caer", STATED).metadata
    written = json.loads((tmp_path / "out" / "croissant.json").read_text())
    names = [key.partition(":")[2] for key in written if key.startswith("rai:")]
    assert len(names) == 15
    for name in names:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        attribute = snake.replace("time_frame", "timeframe")
        assert getattr(found, attribute) is not None, name


def test_the_same_data_set_has_the_same_bytes(clips: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        made(clips, tmp_path / name, "caer", STATED)
    for file in ("croissant.json", "README.md", "SHA256SUMS"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert "rai:dataLimitations" in json.loads((tmp_path / "one" / "croissant.json").read_text())

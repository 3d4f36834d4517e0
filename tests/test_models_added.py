"""Models that are there, and files that users add."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caer_build.cli.main import app
from caer_build.errors import CaerError, IntegrityError, ModelMissing
from caer_build.models import added
from caer_build.models.catalogue import ADDABLE, PACKAGED, addable_for, find_packaged
from caer_build.models.face_detectors import load
from tests.test_models_face_detectors import write_as_yunet

OWN = "face_detection_yunet_own.onnx"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A real network that OpenCV runs as YuNet, under a name its authors did not publish."""
    file = tmp_path / OWN
    write_as_yunet(file)
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    chosen = tmp_path / "models"
    monkeypatch.setenv("CAER_MODELS", str(chosen))
    return chosen


def test_an_added_model_is_found_by_the_build(network: Path, folder: Path) -> None:
    taken = added.add(network, folder)
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    assert (taken.path, taken.sha256, taken.state) == (folder / OWN, digest, "whole")
    assert taken.path.read_bytes() == network.read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == [OWN, "models.json"]
    record = json.loads((folder / "models.json").read_text())
    assert record == {OWN: {"bytes": network.stat().st_size, "sha256": digest}}
    assert load("auto", folder, 320).version.startswith(f"YuNet {OWN}")


def test_states_of_what_is_there(network: Path, folder: Path) -> None:
    assert added.list_added(folder) == []
    added.add(network, folder)
    by_hand = folder / "face_detection_yunet_other.onnx"
    by_hand.write_bytes(network.read_bytes())
    states = {a.path.name: a.state for a in added.list_added(folder)}
    assert states == {OWN: "whole", by_hand.name: "unrecorded"}
    with (folder / OWN).open("ab") as stream:
        stream.write(b"\0")
    states = {a.path.name: a.state for a in added.list_added(folder)}
    assert states == {OWN: "changed", by_hand.name: "unrecorded"}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("network.onnx", b"", (CaerError, "not the name of a model")),
        (OWN, b"version https://git-lfs.github.com/spec/v1\noid x\n", (IntegrityError, "LFS")),
        (OWN, b"<!DOCTYPE html><html></html>", (IntegrityError, "web page")),
        (OWN, b"not a network", (ModelMissing, OWN)),
        ("face_detection_yunet_2023mar.onnx", b"short", (IntegrityError, "232589 bytes")),
        ("face_recognition_sface_2021dec.onnx", b"short", (IntegrityError, "38696353 bytes")),
    ],
)
def test_what_is_no_model_is_refused_and_leaves_nothing(
    name: str, content: bytes, expected: tuple[type[CaerError], str], tmp_path: Path, folder: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(expected[0], match=expected[1]) as caught:
        added.add(file, folder)
    assert caught.value.remedy
    assert list(folder.iterdir() if folder.is_dir() else ()) == []


def test_a_refused_file_leaves_the_one_that_was_there(network: Path, folder: Path) -> None:
    added.add(network, folder)
    whole = network.read_bytes()
    network.write_bytes(b"not a network")
    with pytest.raises(ModelMissing):
        added.add(network, folder)
    assert (folder / OWN).read_bytes() == whole
    assert [a.state for a in added.list_added(folder)] == ["whole"]


def test_an_absent_file_is_said_to_be_absent(folder: Path) -> None:
    with pytest.raises(CaerError, match="no file"):
        added.add(folder / OWN, folder)


def test_a_detector_is_no_embedder(network: Path) -> None:
    sface = addable_for("face_recognition_sface_2021dec.onnx")
    assert sface is not None
    as_sface = network.rename(network.with_name(sface.files))
    with pytest.raises(ModelMissing, match="SFace"):
        added.try_out(sface, as_sface)


def test_packaged_models_are_what_was_installed() -> None:
    found = {m.name: find_packaged(m) for m in PACKAGED}
    recogniser = found["dlib ResNet"]
    assert recogniser is not None
    assert recogniser.expected_sha256 is not None
    assert all(f is None or f.is_whole() for f in found.values())


def test_names_that_the_build_reads() -> None:
    yunet, sface = ADDABLE
    assert addable_for("face_detection_yunet_2026may.onnx") is yunet
    assert addable_for("face_recognition_sface_2021dec.onnx") is sface
    assert addable_for("face_recognition_sface_2021dec_int8.onnx") is None


def test_the_commands_say_what_is_there(network: Path, folder: Path) -> None:
    run = CliRunner().invoke
    before = json.loads(run(app, ["models", "list", "--json"]).stdout)["models"]
    assert {m["model"] for m in before if m["state"] == "can be added"} == {"YuNet", "SFace"}
    assert run(app, ["models", "add", str(network)]).exit_code == 0
    after = json.loads(run(app, ["models", "list", "--json"]).stdout)["models"]
    assert [m["where"] for m in after if m["model"] == "YuNet"] == [str(folder / OWN)]
    good = run(app, ["models", "verify", "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["broken"] == []
    (folder / OWN).write_bytes(b"damaged")
    bad = run(app, ["models", "verify", "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["broken"] == ["YuNet"]

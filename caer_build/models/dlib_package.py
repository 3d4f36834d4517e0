"""Whether dlib is there, and which: only ``paper.toml`` needs it."""

from __future__ import annotations

from importlib import metadata

from caer_build.errors import ModelMissing


def dlib_version(what: str) -> str:
    """The package and its version, for a stage's key.

    Args:
        what: that needs it, as the beginning of a sentence.

    Raises:
        ModelMissing: if dlib is not installed.
    """
    try:
        import dlib
    except ImportError as error:
        raise ModelMissing(
            f"{what} needs dlib, which is not installed.",
            "Install the extra `paper` of caer-build, or run `pip install dlib-bin`; the recipes "
            "caer and quick do without.",
        ) from error
    try:
        return f"dlib-bin {metadata.version('dlib-bin')}"
    except metadata.PackageNotFoundError:
        return f"dlib {dlib.__version__}"

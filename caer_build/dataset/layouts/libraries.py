"""Libraries with which an export is read back: missed before any work, not after it."""

from __future__ import annotations

from importlib.util import find_spec

from caer_build.errors import ModelMissing


def require_library(form: str, package: str) -> None:
    """See that a package is installed with which a format is read back.

    Raises:
        ModelMissing: if it is not.
    """
    if find_spec(package) is None:
        raise ModelMissing(
            f"Exports as {form} are read back with the package {package}, which is not installed.",
            "pip install 'caer-build[dataset]'",
        )

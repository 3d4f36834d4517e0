"""Libraries with which an export is read back: missed before any work, and blamed by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from caer_build.errors import CaerError, DatasetError, ModelMissing


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


@contextmanager
def reading(package: str, folder: Path) -> Iterator[None]:
    """Around what a library does with a data set.

    Raises:
        DatasetError: for whatever the library raises; each has errors of its own.
    """
    try:
        yield
    except CaerError:
        raise
    except Exception as error:
        raise DatasetError(
            f"{package} cannot read {folder}: {type(error).__name__}: {error}", "Export again."
        ) from error

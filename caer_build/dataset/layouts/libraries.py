"""Libraries with which an export is read back: missed before any work, and blamed by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from caer_build.errors import CaerError, DatasetError, ModelMissing

_PATTERNS = {"hf": ("datasets", "[]*?"), "webdataset": ("webdataset", "{}")}
"""by format: its library, and characters of a path that mean something to it"""


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


def require_plain_path(form: str, out: Path) -> None:
    """See that the library of a format can open a data set by its path.

    Raises:
        DatasetError: if it takes a character of it for a part of a pattern of names.
    """
    library, special = _PATTERNS.get(form, ("", ""))
    found = sorted(set(special) & set(str(out.absolute())))
    if found:
        raise DatasetError(
            f"The package {library}, with which {form} is loaded, takes {' '.join(found)} in "
            f"{out.absolute()} for a pattern of names.",
            "Name a folder without.",
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

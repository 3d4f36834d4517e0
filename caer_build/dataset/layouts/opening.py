"""Opening a file of an item with OpenCV, as nearly all public code of CAER does."""

from __future__ import annotations

from pathlib import Path

from caer_build.errors import DatasetError

_PICTURES = {".png"}


def require_file(file: Path) -> Path:
    """A file that a data set names.

    Raises:
        DatasetError: if it is not there.
    """
    if not file.is_file():
        raise DatasetError(f"The data set names {file}, which is not there.", "Export again.")
    return file


def require_picture(file: Path) -> None:
    """Decode the first picture of a clip or still.

    Raises:
        DatasetError: if there is none.
    """
    if not (_shows(file) if file.suffix in _PICTURES else _plays(file)):
        raise DatasetError(f"OpenCV cannot read {file}.", "Export again.")


def _plays(file: Path) -> bool:
    import cv2

    reader = cv2.VideoCapture(str(file))
    found: bool = reader.read()[0]
    reader.release()
    return found


def _shows(file: Path) -> bool:
    import cv2

    return cv2.imread(str(file)) is not None

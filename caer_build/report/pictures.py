"""Pictures as ``data:`` addresses, so that a report is one file."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from caer_build.errors import IntegrityError

Pixels = npt.NDArray[np.uint8]
_YELLOW, _DARK = (64, 214, 255), (20, 20, 20)


def data_address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def jpeg_of(picture: Pixels, quality: int = 80) -> bytes:
    """A BGR picture (h, w, 3) as JPEG."""
    import cv2

    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data.tobytes())


def with_box(picture: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """A copy with a frame around the target, visible on light and dark.

    Args:
        box: xyxy as shares [0, 1] of the picture's width and height.
    """
    import cv2

    height, width = picture.shape[:2]
    x1, y1, x2, y2 = (round(v * s) for v, s in zip(box, (width, height) * 2, strict=True))
    copy = picture.copy()
    for colour, thickness in ((_DARK, 4), (_YELLOW, 2)):
        cv2.rectangle(copy, (x1, y1), (x2 - 1, y2 - 1), colour, thickness)
    return copy


def square(jpeg: bytes, side: int) -> bytes:
    """The middle square of a JPEG, scaled to ``side`` px.

    Raises:
        IntegrityError: if it is no JPEG.
    """
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise IntegrityError(
            "A stored face crop is no JPEG.", "Run `caer verify --repair` on the workspace."
        )
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = picture[top : top + edge, left : left + edge]
    how = cv2.INTER_AREA if edge > side else cv2.INTER_CUBIC
    return jpeg_of(np.asarray(cv2.resize(middle, (side, side), interpolation=how), np.uint8))

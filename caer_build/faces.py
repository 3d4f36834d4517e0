"""Faces: pure arithmetic on landmarks, boxes and small grey pictures.

Landmarks are (5, 2) px: right eye, left eye, nose, right and left mouth corner, right and left as
the person means them; the right eye of a person who faces the camera stands at the picture's left::

        0     1
           2            x grows to the picture's right, y downwards
         3   4
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SHARPNESS_SIDE = 64
LOOSE_MARGIN = 0.6
"""A crop 1.6 faces wide holds a chip of dlib's template (padding 0.25) turned by any angle: such a
chip is about as wide as the face is high, and 1.41 times that across when turned by 45 degrees."""
CROP_SIDE = 192

# A head seen from the front, in units of half the distance between the eyes: x to the picture's
# right, z towards the camera. Depths as in the common six-point head model (nose tip 27 mm before
# the outer eye corners, mouth corners 2 mm before them), eyes 63 mm and mouth corners 50 mm apart.
_MODEL_X = np.array([-1.0, 1.0, 0.0, -0.8, 0.8])
_MODEL_Y = np.array([0.0, 0.0, 1.08, 2.0, 2.0])
_MODEL_Z = np.array([0.0, 0.0, 0.8, 0.06, 0.06])
_MODEL = np.stack([_MODEL_X, _MODEL_Y, _MODEL_Z, np.ones(5)], axis=1)
_FIT = np.linalg.pinv(_MODEL)
"""(4, 5): least squares of the five points' x on the model's x, y, z and a shift."""


def yaw_deg(landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """How far heads are turned, from five landmarks each.

    The roll is taken out (the line of the eyes plus that of the mouth is laid level), then the
    x of a rigid head under parallel projection, ``x = a X + b Y + c Z + t``, is fitted by least
    squares; a head turned by the yaw y has ``a ~ cos y`` and ``c ~ sin y``. A rough estimate: a
    few degrees on a frontal face, more where the far eye is hidden and the detector guesses it.

    Args:
        landmarks: (n, 5, 2) px.

    Returns:
        (n,) degrees in [-180, 180]: 0 frontal, positive where the nose points to the picture's
        right, NaN where a landmark is NaN.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    across = (points[:, 1] - points[:, 0]) + (points[:, 4] - points[:, 3])
    length = np.hypot(across[:, 0], across[:, 1])
    level = np.divide(across, length[:, None], out=np.zeros_like(across), where=length[:, None] > 0)
    level[length == 0] = (1.0, 0.0)
    x = np.einsum("nij,nj->ni", points, level)
    solution = x @ _FIT.T
    return np.asarray(np.degrees(np.arctan2(solution[:, 2], solution[:, 0])))


def sharpness(grey_face: npt.NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a face at 64x64 px; higher is sharper.

    Args:
        grey_face: (h, w) the face's box cut from the full frame, any size but empty. A face
            smaller than 64 px is enlarged and so counts as blurred, which it is.
    """
    import cv2

    small = max(grey_face.shape) > SHARPNESS_SIDE
    how = cv2.INTER_AREA if small else cv2.INTER_LINEAR
    face = cv2.resize(grey_face, (SHARPNESS_SIDE, SHARPNESS_SIDE), interpolation=how)
    return float(cv2.Laplacian(face, cv2.CV_64F).var())


@dataclass(frozen=True, slots=True)
class LooseCrop:
    """Which part of a frame is kept for later alignment, and at which size.

    Attributes:
        x1, y1, x2, y2: whole px of the frame, inside it, ends exclusive.
        width, height: px of the stored picture, never larger than the part itself.
    """

    x1: int
    y1: int
    x2: int
    y2: int
    width: int
    height: int

    def to_crop(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Points (..., 2) in px of the frame -> px of the stored picture."""
        scale = np.array([self.width / (self.x2 - self.x1), self.height / (self.y2 - self.y1)])
        return np.asarray((np.asarray(points, np.float64) - (self.x1, self.y1)) * scale)

    def cut(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The stored picture (height, width, channels) out of a whole frame."""
        import cv2

        part = picture[self.y1 : self.y2, self.x1 : self.x2]
        if part.shape[:2] == (self.height, self.width):
            return np.ascontiguousarray(part)
        size = (self.width, self.height)
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def loose_crop_box(
    box: npt.ArrayLike,
    frame_width: int,
    frame_height: int,
    margin: float = LOOSE_MARGIN,
    max_side: int = CROP_SIDE,
) -> LooseCrop:
    """The square around a face, cut at the frame's borders, to be stored at ``max_side`` at most.

    Args:
        box: xyxy px of the frame; must overlap it.
        margin: how much larger than the longer side of the box the square is; 0.6 = 1.6 times.
        max_side: px; a larger square is stored smaller, a smaller one as it is.
    """
    x1, y1, x2, y2 = (float(v) for v in np.asarray(box, np.float64))
    half = max(x2 - x1, y2 - y1) * (1 + margin) / 2
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    left = min(max(0, int(np.floor(centre_x - half))), frame_width - 1)
    top = min(max(0, int(np.floor(centre_y - half))), frame_height - 1)
    right = max(min(frame_width, int(np.ceil(centre_x + half))), left + 1)
    bottom = max(min(frame_height, int(np.ceil(centre_y + half))), top + 1)
    scale = min(1.0, max_side / (2 * half))
    width = min(max_side, max(1, round((right - left) * scale)))
    height = min(max_side, max(1, round((bottom - top) * scale)))
    return LooseCrop(left, top, right, bottom, width, height)

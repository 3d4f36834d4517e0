"""SFace through OpenCV, where the user has its file.

Source: https://github.com/opencv/opencv_zoo/tree/main/models/face_recognition_sface (Apache 2.0).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from caer_build.errors import ModelMissing
from caer_build.models.alignment import TEMPLATE, similarity
from caer_build.models.protocols import Floats, Images

SFACE_FILE = "face_recognition_sface_2021dec.onnx"
SFACE_SIZE = 112
SFACE_TEMPLATE = np.array(
    [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]
)
"""(5, 2) px of its 112x112 chip: where OpenCV's alignCrop puts the landmarks."""


class SFace:
    """SFace (128 values) on aligned chips.

    Raises:
        ModelMissing: if OpenCV or the model's file is not there.
    """

    same_person_distance = 0.637
    """1 - 0.363, the cosine its authors recommend."""

    def __init__(self, model_dir: Path | None, threads: int = 1) -> None:
        path = (model_dir or Path()) / SFACE_FILE
        if model_dir is None or not path.is_file():
            raise ModelMissing(
                f"The face embedder sface needs {SFACE_FILE}, not found in {model_dir}.",
                f"Add the file: caer models add {SFACE_FILE}",
            )
        try:
            import cv2
        except ImportError as error:
            raise ModelMissing(
                "The face embedder sface needs OpenCV, which is not installed.",
                "Install it: pip install opencv-python-headless",
            ) from error
        cv2.setNumThreads(threads)
        try:
            self._network = cv2.FaceRecognizerSF.create(str(path), "")
        except cv2.error as error:
            raise ModelMissing(
                f"{path} was expected to be the SFace model: {error.err}.",
                "Download it again from the OpenCV model zoo.",
            ) from error
        self._to_chip = similarity(TEMPLATE, SFACE_TEMPLATE)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        self.version = f"sface {digest} opencv {cv2.__version__} threads {threads}"

    def embed(self, chips: Images) -> Floats:
        """(n, 128) unit vectors of (n, 150, 150, 3) RGB aligned chips, one chip at a time."""
        import cv2

        found = np.empty((len(chips), 128), dtype=np.float32)
        for i, chip in enumerate(chips):
            bgr = np.ascontiguousarray(chip[..., ::-1])
            # OpenCV's chip shows more of the face than dlib's: its rim repeats the border.
            face = cv2.warpAffine(
                bgr, self._to_chip, (SFACE_SIZE, SFACE_SIZE), borderMode=cv2.BORDER_REPLICATE
            )
            found[i] = self._network.feature(face)[0]
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

"""YuNet through OpenCV, where the user has put its .onnx file.

Network and weights: https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet
(MIT); no wheel ships them, so the file is looked for in a folder of models.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np

from caer_build.errors import ModelMissing
from caer_build.models.face_results import no_faces, shrunk, tidy
from caer_build.models.protocols import Faces, Floats, Images

FILES = "face_detection_yunet*.onnx"
NMS_IOU = 0.3
MOST_FACES = 1000


def find_file(model_dir: Path | None) -> Path | None:
    """The newest YuNet by name in the folder (full precision before int8), if there is one."""
    found = sorted(model_dir.glob(FILES)) if model_dir is not None else []
    whole = [file for file in found if "int8" not in file.name]
    usable = whole or found
    return usable[-1] if usable else None


class YuNet:
    """YuNet in OpenCV's own post-processing. Calls from several threads take turns.

    Args:
        file: the .onnx.
        width: px; a wider picture is scaled down to it inside.
        threshold: faces with a lower score [0, 1] are left out.

    Raises:
        ModelMissing: if OpenCV cannot read the file as YuNet.
    """

    def __init__(self, file: Path, width: int, threshold: float) -> None:
        import cv2

        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.version = (
            f"YuNet {file.name} {digest[:12]} (OpenCV {cv2.__version__}), {width} px, "
            f"score >= {threshold:g}"
        )
        self._width = width
        self._lock = threading.Lock()
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(file), "", (32, 32), threshold, NMS_IOU, MOST_FACES
            )
        except cv2.error as error:
            raise ModelMissing(
                f"{file}: expected a YuNet face detector, but OpenCV cannot read it ({error.err}).",
                "Fetch the file again or take it out of the models folder.",
            ) from error

    def detect(self, picture: Images) -> Faces:
        """The faces of one (h, w, 3) BGR picture."""
        small, factor = shrunk(picture, self._width)
        with self._lock:
            self._network.setInputSize((small.shape[1], small.shape[0]))
            _, found = self._network.detect(small)
        if found is None:
            return no_faces()
        rows: Floats = np.array(found, np.float32)
        boxes = np.concatenate([rows[:, 0:2], rows[:, 0:2] + rows[:, 2:4]], axis=1) * factor
        landmarks = rows[:, 4:14].reshape(-1, 5, 2) * np.float32(factor)
        return tidy(boxes, rows[:, 14], landmarks, picture.shape[1], picture.shape[0])

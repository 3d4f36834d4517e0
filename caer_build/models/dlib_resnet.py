"""dlib's face recognition network, run by ONNX Runtime: about six times as fast as by dlib.

The weights stay where their wheel put them (face-recognition-models, CC0); they are read by
:mod:`caer_build.models.dlib_weights`, written into an ONNX graph in memory, and never stored.
"""

from __future__ import annotations

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
    "-893 846 537 -497 -918 -166 -63 -981 1480 -787 2011 -371 -2406 -452 -172 1154 -1487 "
    "-1381 -1081 -688 333 418 -69 272 -1402 -3034 -743 -1001 318 -1035 358 667 -1859 -499 "
    "128 479 -477 -676 2094 65 -1825 79 489 2513 1848 -140 154 -514 1134 -2491 398 1600 "
    "1406 941 712 -1433 312 1285 -2021 698 709 -1135 -265 -381 1631 690 -980 -1388 1620 "
    "-1486 -577 758 -1075 -1699 -2756 384 3359 1373 -1915 217 -800 -143 227 531 -487 -417 "
    "-875 217 1852 -169 -225 2230 116 -224 309 389 -1016 -243 -897 74 198 -912 -116 1035 "
    "-1769 1877 -222 -171 -319 -204 -672 -49 1611 -2518 2042 1654 -21 1360 407 601 -204 "
    "-196 -1618 -1115 391 -263 199 361 "
)
MEAN_DESCRIPTOR = np.array(_MEAN_TEN_THOUSANDTHS.split(), dtype=np.float32) / 10_000
"""(128,) what the descriptors of all people have in common: halfway between the mean of 55 photos
of 5 people and that of 1,100 faces of FER2013. Taken off, what is left tells people apart better:
in television footage the equal error rate over pairs of faces fell from 6.5 % to 4.3 %."""


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
        try:
            import onnx  # noqa: F401
            import onnxruntime
        except ImportError as error:
            raise ModelMissing(
                f"The face embedder dlib-resnet needs {error.name}, which is not installed.",
                "Install it: pip install onnxruntime onnx",
            ) from error
        path = weights_file(WEIGHTS_FILE)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            to_onnx(read_residual_net(path)), options, providers=["CPUExecutionProvider"]
        )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        runtime = importlib.metadata.version("onnxruntime")
        self.version = f"dlib-resnet {digest} onnxruntime {runtime} threads {threads}"

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

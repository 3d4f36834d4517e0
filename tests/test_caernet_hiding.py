"""Nothing of a hidden face reaches the context stream: asked of the network, pixel by pixel.

The way is the one that is trained and tested on: the full frame, faces hidden, made small, stored
as bytes, cropped, and through the network to its logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import MEAN_RGB, STD_RGB, prepared
from caer_build.caernet.batches import Batch
from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.model import CAERNet
from caer_build.caernet.pictures import MEAN_BGR, context_of
from caer_build.caernet.predicting import infer
from caer_build.caernet.streams import streams_of

SIDE = 32
TARGET, OTHER = (10.4, 8.7, 21.2, 18.1), (25.5, 2.0, 30.9, 9.5)
LARGE, SMALL = (40, 44), (24, 33)
"""height and width of frames that are made smaller (by areas), and larger (between pixels)"""

pytestmark = pytest.mark.usefixtures("one_thread")


def frame_of(size: tuple[int, int], seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def covered(size: tuple[int, int], boxes: Sequence[Sequence[float]]) -> npt.NDArray[np.bool_]:
    """Pixels of which a box has any part."""
    found = np.zeros(size, np.bool_)
    for y, x in np.ndindex(size):
        found[y, x] = any(
            x1 < x + 1 and x < x2 and y1 < y + 1 and y < y2 for x1, y1, x2, y2 in boxes
        )
    return found


def context_net(n_dims: int) -> CAERNet:
    torch.manual_seed(n_dims)
    net = CAERNet(Architecture(n_dims, "context")).double().eval()
    # Inputs are of single precision; it computes in double, so that no change is lost.
    net.context[0].register_forward_pre_hook(lambda _, given: (given[0].double(),))
    return net


@torch.no_grad()
def logits_of(
    net: CAERNet, frames: Sequence[npt.NDArray[np.uint8]], settings: StoreSettings
) -> torch.Tensor:
    """What a network of stills says of frames, (n, 7), the way they are stored and read."""
    stored = [streams_of(frame, TARGET, [OTHER], settings) for frame in frames]
    faces, contexts = (torch.from_numpy(np.stack(some)) for some in zip(*stored, strict=True))
    none = torch.zeros(len(frames), dtype=torch.int64)
    batch = Batch(faces, contexts, none, none, none, none)
    return infer(net, batch, torch.device("cpu"), SIDE).logits


@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["made smaller", "made larger"])
@pytest.mark.parametrize(
    ("hide", "hidden"), [("target", [TARGET]), ("all", [TARGET, OTHER]), ("none", [])]
)
def test_every_pixel_that_is_changed_changes_the_logits_unless_it_is_hidden(
    size: tuple[int, int], hide: Any, hidden: list[Any]
) -> None:
    """Each pixel of the frame by itself; with nothing hidden those of the faces count as well."""
    settings = StoreSettings(hide=hide, face_px=16, context_width=SIDE, context_height=SIDE)
    net, frame = context_net(2), frame_of(size)
    before = logits_of(net, [frame], settings)
    changes = np.zeros(size)
    for y in range(size[0]):
        others, columns = np.repeat(frame[None], size[1], 0), np.arange(size[1])
        # Far from what it was, whatever it was.
        others[columns, y, columns] ^= 128
        after = logits_of(net, list(others), settings)
        changes[y] = (after - before).abs().amax(1).numpy()
    inside = covered(size, hidden)
    assert inside.any() == bool(hidden)
    assert changes[inside].max(initial=0) < 1e-12
    assert changes[~inside].min() > 1e-8


def resizing(n_from: int, n_to: int, how: int) -> torch.Tensor:
    """How the rows of a picture are made of those of another, (n_to, n_from)."""
    rows = cv2.resize(np.eye(n_from, dtype=np.float32), (n_from, n_to), interpolation=how)
    return torch.from_numpy(rows).double()


@pytest.mark.parametrize("n_dims", [2, 3])
@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["made smaller", "made larger"])
def test_the_gradient_of_the_logits_is_nothing_inside_a_hidden_face(
    n_dims: int, size: tuple[int, int]
) -> None:
    """Of clips the face moves. The way is written once more so that it has a gradient; what it
    gives is held against the real one."""
    n_frames = 8 if n_dims == 3 else 1
    boxes = [[value + shift for value in TARGET] for shift in range(n_frames)]
    frames = np.stack([frame_of(size, seed) for seed in range(n_frames)])
    how = cv2.INTER_AREA if size == LARGE else cv2.INTER_LINEAR
    down, across = resizing(size[0], SIDE, how), resizing(size[1], SIDE, how)
    leaf = torch.from_numpy(frames).double().requires_grad_()
    fill = torch.tensor(MEAN_BGR).double()
    seen = leaf.clone()
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        seen[k, math.floor(y1) : math.ceil(y2), math.floor(x1) : math.ceil(x2)] = fill
    small = torch.einsum("ah,thwc,bw->tabc", down, seen, across)
    real = np.stack([
        context_of(frame, [box], (SIDE, SIDE)) for frame, box in zip(frames, boxes, strict=True)
    ])  # fmt: skip
    assert np.abs(small.detach().numpy() - real).max() <= 1, "but for rounding it is the real way"
    inputs = ((small.flip(-1) - torch.tensor(MEAN_RGB)) / torch.tensor(STD_RGB)).movedim(-1, 0)[
        None
    ]
    stored = torch.from_numpy(real[..., ::-1].copy())[None]
    assert (inputs.detach() - prepared(stored, None, SIDE)).abs().max() <= 1.01 / min(STD_RGB)
    said = context_net(n_dims)(None, inputs if n_dims == 3 else inputs[:, :, 0])
    said.logits.square().sum().backward()
    slopes = leaf.grad.abs().sum(-1).numpy()
    for k, box in enumerate(boxes):
        inside = covered(size, [box])
        assert inside.any()
        assert (slopes[k][inside] == 0).all()
        assert (slopes[k][~inside] > 0).all()

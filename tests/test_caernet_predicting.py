"""What is said of a clip is the mean of what is said of its windows: by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from caer_build.caernet.augment import MEAN_RGB, STD_RGB
from caer_build.caernet.batches import Batches
from caer_build.caernet.model import Inference
from caer_build.caernet.predicting import answers
from caer_build.caernet.sources import Places
from caer_build.records import EMOTIONS

ODDS = {0: 1.0, 8: 2.0, 14: 594.0, 50: 2.0}
"""of the first emotion against each of the others, by the frame with which a window begins"""


class Numbered:
    """Frames whose every pixel is their number in the part."""

    feeds_gpu = False

    def frames(self, parts: Places, frames: Places) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        pixels = torch.from_numpy(frames.astype(np.uint8))[:, :, None, None, None]
        faces = pixels.expand(*frames.shape, 4, 4, 3)
        return faces, faces


class Telling(nn.Module):
    """Says of a window what its first frame stands for."""

    architecture = SimpleNamespace(has_face=True, has_context=False)

    def forward(self, faces: Tensor, context: None) -> Inference:  # noqa: ARG002
        assert faces.shape[1:3] == (3, 16)
        numbers = (faces * STD_RGB[0] + MEAN_RGB[0])[:, 0, 0, 0, 0].round().int().tolist()
        logits = torch.zeros(len(faces), len(EMOTIONS))
        logits[:, 0] = torch.tensor([math.log(ODDS[n]) for n in numbers])
        weights = torch.tensor([[n / 100, 1 - n / 100] for n in numbers])
        return Inference(logits, None, weights)


def test_a_clip_of_thirty_ticks_is_the_mean_of_its_three_windows() -> None:
    """They begin at 0, 8 and 14 and lie in two batches. The second clip, of three ticks, has one
    window; its frames begin at 50."""
    soft = {f"p_{emotion.lower()}": math.nan for emotion in EMOTIONS}
    rows: list[dict[str, Any]] = [
        {"split": "test", "emotion": "Happy", "part": 0, "first": first, "n_sampled": n, **soft}
        for first, n in ((0, 30), (50, 3))
    ]
    store: Any = SimpleNamespace(items=pd.DataFrame(rows))
    batches = Batches(store, "test", 2, clips=True, source=Numbered())
    said = answers(Telling(), batches, torch.device("cpu"), 16, "fp32")
    assert said.n_windows.tolist() == [3, 1]
    # Odds of w to 1 against six others are a share of w / (w + 6).
    mean = (1 / 7 + 1 / 4 + 99 / 100) / 3
    assert said.probabilities[:, 0].tolist() == pytest.approx([mean, 1 / 4])
    assert said.probabilities[:, 1].tolist() == pytest.approx([(1 - mean) / 6, 1 / 8])
    # The softmax of the mean of the logits would be another.
    odds = (1 * 2 * 594) ** (1 / 3)
    assert abs(odds / (odds + 6) - mean) > 0.1
    assert said.fusion is not None
    assert said.fusion[:, 0].tolist() == pytest.approx([(0 + 8 + 14) / 300, 0.5])

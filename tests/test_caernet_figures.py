"""What is said about attention is right, and the figures are drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from caer_build.caernet import figures
from caer_build.caernet.attending import area_of, in_crop, mass_on, target_boxes
from caer_build.caernet.figures import Example, overlaid
from caer_build.caernet.framestore import BLANK, FrameStore, StoreSettings, part_folder
from caer_build.caernet.store_parts import Frame, write_part
from caer_build.records import Item


def test_mass_by_hand() -> None:
    """A map of 2 x 2 positions, each of them 10 px of the crop."""
    attention = torch.tensor([[[0.1, 0.2], [0.3, 0.4]]])
    for box, expected in (
        ((0, 0, 20, 20), 1.0),
        ((0, 0, 10, 10), 0.1),
        ((10, 0, 20, 20), 0.2 + 0.4),
        ((5, 5, 15, 15), (0.1 + 0.2 + 0.3 + 0.4) / 4),
        ((0, 10, 15, 15), (0.3 + 0.4 / 2) / 2),
        ((7, 7, 7, 7), 0.0),
    ):
        mass = mass_on(attention, torch.tensor([box]), 20)
        assert mass.tolist() == pytest.approx([expected]), box
    even = torch.full((1, 7, 7), 1 / 49)
    box = torch.tensor([[13.0, 20.0, 70.0, 90.0]])
    assert mass_on(even, box, 112).item() == pytest.approx(area_of(box, 112).item())
    assert area_of(box, 112).item() == pytest.approx(57 * 70 / 112**2)


def test_boxes_follow_the_context_into_the_crop() -> None:
    settings = StoreSettings()  # 171 x 128, of which the middle 112 x 112 begins at 29, 8
    boxes = torch.tensor([[0.0, 0.0, 342.0, 256.0], [100.0, 50.0, 200.0, 150.0]])
    sizes = torch.tensor([[342, 256], [342, 256]])
    found = in_crop(boxes, sizes, settings, 112)
    assert found[0].tolist() == [0, 0, 112, 112]
    assert found[1].tolist() == [50 - 29, 25 - 8, 100 - 29, 75 - 8]


def test_target_boxes_are_means_and_missing_ones_are_said(tmp_path: Path) -> None:
    """Of what was stored, tick by tick; an item without any has none."""
    picture = np.zeros((16, 16, 3), np.uint8)
    frames = {
        "b": [Frame(picture, picture, None, (50, 30), BLANK)],
        "a": [
            Frame(picture, picture, box, (80, 60))
            for box in ((0, 0, 10, 10), None, (10, 20, 30, 40), (10, 20, 30, 40))
        ],
    }
    items = [Item("b", "still", None, "test", "Sad"), Item("a", "clip", None, "test", "Sad")]
    write_part(part_folder(tmp_path, 0), items, lambda item: iter(frames[item.item_id]))
    store = FrameStore(tmp_path, StoreSettings(), 1)
    boxes, sizes = target_boxes(store, store.items)
    assert boxes[0].isnan().all()
    assert boxes[1].tolist() == pytest.approx([20 / 3, 40 / 3, 70 / 3, 30])
    assert sizes.tolist() == [[50, 30], [80, 60]]


def test_figures_are_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = np.full((64, 64, 3), 120, np.uint8)
    peak = np.full((4, 4), 0.01)
    peak[0, 3] = 0.85
    seen = overlaid(grey, peak).astype(int)
    assert seen[4, 60].sum() > 3 * 120 + 100, "bright where it looks"
    assert seen[60, 4].sum() < 3 * 120 - 100, "dark where it does not"
    assert (overlaid(grey, None) == grey).all()
    even = overlaid(grey, np.full((4, 4), 1 / 16)).astype(int)
    assert even.sum(-1).max() < 3 * 125, "nowhere bright if it looks everywhere alike"
    examples = [
        Example(grey[:48, :48], grey, "Sad", said, (0.3, 0.7), peak, 0.25, (40, 0, 60, 20))
        for said in ("Sad", "Happy", "Sad")
    ]
    counts = rng.integers(1, 9, (2, 7, 7))
    counts[:, 1] = 0
    figures.fusion_weights(examples, tmp_path / "4.png")
    figures.confusions({"face": counts[0], "both": counts[1]}, tmp_path / "7.png")
    figures.attention_maps({"hidden": examples, "shown": examples[:2]}, tmp_path / "8.png")
    figures.per_category({"a": counts, "b": counts[:1]}, tmp_path / "9.png")
    for name in "4789":
        picture = cv2.imread(str(tmp_path / f"{name}.png"))
        assert picture is not None
        assert picture.std() > 5

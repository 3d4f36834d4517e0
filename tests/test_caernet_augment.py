"""What is done to pictures before a network sees them; expected values written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from caer_build.caernet.augment import MEAN_RGB, STD_RGB, Augmentation, Draws, draw, prepared
from caer_build.caernet.pictures import MEAN_BGR
from caer_build.errors import RecipeError

NOTHING = Draws(
    torch.tensor([False]), *(torch.ones(1) for _ in range(3)), *(torch.zeros(1) for _ in range(2))
)


def clip(*levels: int) -> torch.Tensor:
    """A clip of two frames of 2 x 4 px; each row is the levels, in all colours."""
    row = torch.tensor(levels, dtype=torch.uint8)
    return row.view(1, 1, 1, 4, 1).expand(1, 2, 2, 4, 3).contiguous()


def levels(batch: torch.Tensor) -> torch.Tensor:
    """The grey levels behind a network's input, of colour, frame and row 0."""
    return (batch * torch.tensor(STD_RGB).view(1, 3, 1, 1, 1)
            + torch.tensor(MEAN_RGB).view(1, 3, 1, 1, 1))[0, 0, 0, 0]  # fmt: skip


def test_nothing_drawn_changes_nothing() -> None:
    pictures = clip(0, 100, 200, 255)
    tested = prepared(pictures, None)
    assert tested.shape == (1, 3, 2, 2, 4)
    torch.testing.assert_close(levels(tested), torch.tensor([0.0, 100, 200, 255]))
    torch.testing.assert_close(prepared(pictures, NOTHING), tested)


def test_what_is_hidden_is_zero() -> None:
    assert tuple(reversed(MEAN_BGR)) == MEAN_RGB
    hidden = torch.tensor(MEAN_RGB).to(torch.uint8).expand(1, 1, 4, 4, 3)
    assert prepared(hidden, None).abs().max() == 0


def test_flip_and_colours_by_hand() -> None:
    pictures = clip(0, 100, 200, 100)
    flipped = prepared(pictures, replace(NOTHING, flip=torch.tensor([True])))
    torch.testing.assert_close(levels(flipped), torch.tensor([100.0, 200, 100, 0]))
    bright = prepared(pictures, replace(NOTHING, brightness=torch.tensor([1.5])))
    torch.testing.assert_close(levels(bright), torch.tensor([0.0, 150, 255, 150]))
    # The mean grey is 100.
    flat = prepared(pictures, replace(NOTHING, contrast=torch.tensor([0.5])))
    torch.testing.assert_close(levels(flat), torch.tensor([50.0, 100, 150, 100]))
    red = torch.tensor([200, 100, 0], dtype=torch.uint8).expand(1, 1, 2, 2, 3)
    grey = 0.299 * 200 + 0.587 * 100
    pale = prepared(red, replace(NOTHING, saturation=torch.tensor([0.5])))
    torch.testing.assert_close(levels(pale)[0], torch.tensor(grey + (200 - grey) / 2))


def test_one_change_for_all_frames_and_both_streams() -> None:
    draws = draw(8, Augmentation(), torch.Generator().manual_seed(3))
    assert 0 < draws.flip.sum() < 8
    one = torch.randint(0, 256, (1, 1, 32, 32, 3), dtype=torch.uint8)
    said = prepared(one.expand(8, 4, 32, 32, 3), draws)
    assert (said == said[:, :, :1]).all(), "the same for every frame"
    again = prepared(one.expand(8, 1, 32, 32, 3), draws)
    torch.testing.assert_close(said[:, :, :1], again)
    stills = prepared(one[:, 0].expand(8, 32, 32, 3), draws)
    torch.testing.assert_close(stills, again.squeeze(2))
    same = draw(8, Augmentation(), torch.Generator().manual_seed(3))
    torch.testing.assert_close(same.left, draws.left)


def test_crops_lie_inside_and_the_middle_is_the_middle() -> None:
    columns = torch.arange(171, dtype=torch.uint8).view(1, 1, 1, 171, 1)
    pictures = columns.expand(4, 1, 128, 171, 3)
    middle = prepared(pictures, None, 112)
    assert middle.shape == (4, 3, 1, 112, 112)
    assert round(float(levels(middle)[0])) == 29
    last = replace(
        draw(4, Augmentation(), torch.Generator()),
        flip=torch.zeros(4, dtype=torch.bool),
        left=torch.full((4,), 0.9999),
        brightness=torch.ones(4),
        contrast=torch.ones(4),
        saturation=torch.ones(4),
    )
    assert round(float(levels(prepared(pictures, last, 112))[-1])) == 170


def test_what_cannot_be_drawn_is_said() -> None:
    for wrong in ({"flip": 1.5}, {"contrast": 1.0}, {"crop": 8}):
        with pytest.raises(RecipeError, match="Expected"):
            Augmentation(**wrong)

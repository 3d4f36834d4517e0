"""From stored bytes to what a network is given, on the device that it runs on.

A clip is flipped, and its colours are changed, as a whole: the same for all its frames and for
both streams. Its random numbers come from a generator on the CPU, so that a run is the same
whatever device it goes on with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor

from caer_build.errors import RecipeError

MEAN_RGB, STD_RGB = (124.0, 116.0, 104.0), (58.4, 57.1, 57.4)
"""grey levels; ImageNet's. The mean is what hidden faces are filled with: they become 0"""
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed.

    Attributes:
        flip: share of clips that are mirrored, [0, 1].
        brightness, contrast, saturation: a factor is drawn from 1 - x to 1 + x for each, [0, 1).
        crop: px of the square that is taken of the context, at random in training and in the
            middle in testing.
    """

    flip: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    crop: int = 112

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"Expected {name} in [0, 1), found {getattr(self, name)}.")
        if not 0 <= self.flip <= 1 or self.crop < 16:
            raise RecipeError(
                f"Expected flip in [0, 1] and crop >= 16 px, found {self.flip} and {self.crop}."
            )


@dataclass(frozen=True)
class Draws:
    """What was drawn for each of a batch's samples; (B,) each.

    Attributes:
        flip: mirrored or not.
        brightness, contrast, saturation: factors.
        left, top: of the context's crop, as shares of what there is to choose from, [0, 1).
    """

    flip: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    left: Tensor
    top: Tensor

    def share(self, rank: int, n_ranks: int) -> Draws:
        """Of every ``n_ranks``-th sample, from ``rank`` on."""
        return Draws(*(getattr(self, f.name)[rank::n_ranks] for f in fields(self)))

    def to(self, device: torch.device) -> Draws:
        """On a device, in one copy that nobody waits for."""
        if device.type == self.flip.device.type:
            return self
        drawn = torch.stack([getattr(self, f.name).double() for f in fields(self)])
        if device.type == "cuda":
            drawn = drawn.pin_memory()
        flip, *others = drawn.to(device, non_blocking=True)
        return Draws(flip > 0, *others)


def draw(n: int, how: Augmentation, generator: torch.Generator) -> Draws:
    """For a batch of training."""
    flip, brightness, contrast, saturation, left, top = torch.rand(
        6, n, generator=generator, dtype=torch.float64
    )
    return Draws(
        flip < how.flip,
        1 + how.brightness * (2 * brightness - 1),
        1 + how.contrast * (2 * contrast - 1),
        1 + how.saturation * (2 * saturation - 1),
        left,
        top,
    )


def prepared(pictures: Tensor, draws: Draws | None, crop: int | None = None) -> Tensor:
    """The input of a stream: (B, 3, T, H, W) of clips, (B, 3, H, W) of stills; float32, about 0.

    Args:
        pictures: (B, T, H, W, 3) or (B, H, W, 3) uint8 RGB, on any device.
        draws: of training; None: nothing is changed, and the crop is in the middle.
        crop: px of the square that is taken; None: the whole picture.
    """
    clips = pictures if pictures.dim() == 5 else pictures.unsqueeze(1)
    if crop is not None:
        clips = _cropped(clips, draws, crop)
    if draws is not None:
        # As bytes: they are a quarter of what floats are.
        flip = draws.flip.to(clips.device).view(-1, 1, 1, 1, 1)
        clips = torch.where(flip, clips.flip(-2), clips)
    # Channels second, as convolutions want them; the bytes stay where they are.
    floats = clips.permute(0, 4, 1, 2, 3).float()
    if draws is None:
        floats = (floats - _column(MEAN_RGB, floats)) / _column(STD_RGB, floats)
    else:
        floats = _recoloured(floats, draws)
    return floats if pictures.dim() == 5 else floats.squeeze(2)


def _cropped(clips: Tensor, draws: Draws | None, size: int) -> Tensor:
    height, width = clips.shape[2:4]
    if draws is None or not len(clips):
        top, left = (height - size) // 2, (width - size) // 2
        return clips[:, :, top : top + size, left : left + size]
    tops = (draws.top * (height - size + 1)).long()
    lefts = (draws.left * (width - size + 1)).long()
    if clips.device.type != "cpu":
        return _picked(clips, tops, lefts, size)
    cut = [
        clip[:, top : top + size, left : left + size]
        for clip, top, left in zip(clips, tops.tolist(), lefts.tolist(), strict=True)
    ]
    return torch.stack(cut)


def _picked(clips: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor:
    """The crops in one go, which nobody has to wait for; on the CPU it is slower than slices."""
    along = torch.arange(size, device=clips.device)
    rows, columns = tops[:, None] + along, lefts[:, None] + along
    sample = torch.arange(len(clips), device=clips.device).view(-1, 1, 1, 1)
    frame = torch.arange(clips.shape[1], device=clips.device).view(1, -1, 1, 1)
    return clips[sample, frame, rows[:, None, :, None], columns[:, None, None, :]]


def _recoloured(floats: Tensor, draws: Draws) -> Tensor:
    """Brightness, contrast about a clip's mean grey, saturation about each pixel's grey; about 0.

    Until colours are clipped to 0 and 255, a new colour is ``gain`` times the old one and ``tint``
    times its grey and a constant of the clip: so it is one pass over the pixels, not one for each
    change and one more to bring them about 0.
    """
    brightness, contrast, saturation = (
        factor.to(floats.device, floats.dtype).view(-1, 1, 1, 1, 1)
        for factor in (draws.brightness, draws.contrast, draws.saturation)
    )
    mean, spread = _column(MEAN_RGB, floats), _column(STD_RGB, floats)
    grey = (floats * _column(_LUMA, floats)).sum(1, keepdim=True)
    gain = brightness * contrast
    constant = brightness * (1 - contrast) * grey.mean((2, 3, 4), keepdim=True)
    changed = torch.addcmul((constant - mean) / spread, floats, gain * saturation / spread)
    changed = changed.addcmul_(grey, gain * (1 - saturation) / spread)
    return changed.clamp_(-mean / spread, (255 - mean) / spread)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    """A value a channel, beside (B, 3, T, H, W)."""
    return _constants(values, like.device, like.dtype)


@lru_cache(maxsize=64)
def _constants(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Brought to the device once: it would be waited for each time."""
    return torch.tensor(values, device=device, dtype=dtype).view(1, -1, 1, 1, 1)

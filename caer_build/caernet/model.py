"""CAER-Net and CAER-Net-S (Lee et al., ICCV 2019, section 3).

::

    faces   (B, 3, T, 96, 96)   -> encoder -> (B, 256, T/8, 6, 6) -> mean -> X_F (B, 256) -.
                                                                                   fusion -+> (B, 7)
    context (B, 3, T, 112, 112) -> encoder -> (B, 256, T/8, 7, 7) -> sum --> X_C (B, 256) -'
                                       '-> attention (B, T/8, 7, 7) -^

CAER-Net-S is the same without T. What is left out of an :class:`Architecture` has no weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caer_build.caernet.architecture import WIDTHS, Architecture
from caer_build.errors import RecipeError

_ATTENTION_WIDTH = 128
_FUSION_WIDTH = 128
_CLASSIFIER_WIDTH = 128


@dataclass(frozen=True, slots=True)
class Inference:
    """What a network says of a batch.

    Attributes:
        logits: (B, classes).
        attention: where it looked in the context, (B, T', H', W') or of stills (B, H', W'); each
            time step sums to 1. None without context attention.
        fusion: the weights of face and context, (B, 2), each row sums to 1. None without fusion
            attention.
    """

    logits: Tensor
    attention: Tensor | None
    fusion: Tensor | None


class CAERNet(nn.Module):
    """The network of an architecture."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        n_dims, width = architecture.n_dims, WIDTHS[-1]
        self.face = _encoder(n_dims) if architecture.has_face else None
        self.context = _encoder(n_dims) if architecture.has_context else None
        self.attention: nn.Module | None = None
        if architecture.has_context and architecture.context_attention:
            self.attention = _attention(n_dims, architecture.logit_activation)
        both = architecture.streams == "both"
        self.fusion: nn.ModuleList | None = None
        if both and architecture.fusion_attention:
            self.fusion = nn.ModuleList(_weigher(width) for _ in range(2))
        # 1x1 convolutions on pooled features are linear layers.
        self.classifier = nn.Sequential(
            nn.Linear(width * 2 if both else width, _CLASSIFIER_WIDTH),
            nn.ReLU(),
            nn.Dropout(architecture.dropout),
            nn.Linear(_CLASSIFIER_WIDTH, architecture.n_classes),
        )

    def forward(self, faces: Tensor | None, context: Tensor | None) -> Inference:
        """
        Args:
            faces: (B, 3, T, H, W) of clips, (B, 3, H, W) of stills, about 0; None where there is
                no face stream.
            context: the same, with the faces hidden; None where there is no context stream. H and
                W are multiples of 16, T of 8.

        Raises:
            RecipeError: if an input of a stream is missing.
        """
        features, attention = [], None
        if self.face is not None:
            features.append(_mean(self.face(_given(faces, "face"))))
        if self.context is not None:
            encoded = self.context(_given(context, "context"))
            if self.attention is None:
                features.append(_mean(encoded))
            else:
                attention = _spatial_softmax(self.attention(encoded))
                features.append(self._pooled(encoded, attention))
        joined, weights = self._fused(features)
        seen = None if attention is None else attention.squeeze(1)
        return Inference(self.classifier(joined), seen, weights)

    def _pooled(self, encoded: Tensor, attention: Tensor) -> Tensor:
        """Equation 4 and the average pooling after it, (B, C)."""
        weighted = (encoded * attention).flatten(2)
        n_positions = weighted.shape[2]
        if self.architecture.attention_pooling == "mean":
            return weighted.mean(2)
        # The sum over a time step's positions, the mean over time steps.
        per_step = attention.shape[-1] * attention.shape[-2]
        return weighted.sum(2) * (per_step / n_positions)

    def _fused(self, features: list[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Equation 5: the features side by side, each times its weight."""
        if self.fusion is None:
            return torch.cat(features, 1), None
        scores = [weigh(x) for weigh, x in zip(self.fusion, features, strict=True)]
        weights = torch.softmax(torch.cat(scores, 1).float(), 1)
        scaled = [x * weights[:, i : i + 1] for i, x in enumerate(features)]
        return torch.cat(scaled, 1), weights


def _given(batch: Tensor | None, stream: str) -> Tensor:
    if batch is None:
        raise RecipeError(f"This network has a {stream} stream and was given nothing for it.")
    return batch


def _encoder(n_dims: int) -> nn.Sequential:
    """Five convolutions, four poolings; the first pooling leaves time as it is.

    Pooling comes before the ReLU: the largest of what is clipped is what is clipped of the
    largest, to the bit, and of four or eight numbers only one is left to clip.
    """
    layers: list[nn.Module] = []
    wide = 3
    for number, width in enumerate(WIDTHS):
        *convolution, activation = _convolution(n_dims, wide, width)
        pool = [_pool(n_dims, first=number == 0)] if number < len(WIDTHS) - 1 else []
        layers += [*convolution, *pool, activation]
        wide = width
    return nn.Sequential(*layers)


def _convolution(n_dims: int, n_in: int, n_out: int, *, activated: bool = True) -> list[nn.Module]:
    """3x3(x3) with BN and ReLU; the bias is the batch normalisation's."""
    kind = nn.Conv3d if n_dims == 3 else nn.Conv2d
    if not activated:
        return [kind(n_in, n_out, 3, padding=1)]
    norm = nn.BatchNorm3d if n_dims == 3 else nn.BatchNorm2d
    return [kind(n_in, n_out, 3, padding=1, bias=False), norm(n_out), nn.ReLU(inplace=True)]


def _pool(n_dims: int, *, first: bool) -> nn.Module:
    if n_dims == 2:
        return nn.MaxPool2d(2)
    return nn.MaxPool3d((1, 2, 2) if first else 2)


def _attention(n_dims: int, logit_activation: bool) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(n_dims, WIDTHS[-1], _ATTENTION_WIDTH),
        *_convolution(n_dims, _ATTENTION_WIDTH, 1, activated=logit_activation),
    )


def _weigher(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, _FUSION_WIDTH), nn.ReLU(inplace=True), nn.Linear(_FUSION_WIDTH, 1)
    )


def _mean(encoded: Tensor) -> Tensor:
    """Over space, and over time where there is one: (B, C)."""
    return encoded.flatten(2).mean(2)


def _spatial_softmax(logits: Tensor) -> Tensor:
    """Equation 3: over the positions of each time step, in single precision."""
    return torch.softmax(logits.float().flatten(-2), -1).view(logits.shape)

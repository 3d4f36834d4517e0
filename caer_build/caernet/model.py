"""CAER-Net and CAER-Net-S (Lee et al., ICCV 2019, section 3).

::

    faces   (B, 3, T, 96, 96)   -> encoder -> (B, 256, T/8, 6, 6) -> mean -> X_F (B, 256) -.
                                                                                   fusion -+> (B, 7)
    context (B, 3, T, 112, 112) -> encoder -> (B, 256, T/8, 7, 7) -> sum --> X_C (B, 256) -'
                                       '-> attention (B, T/8, 7, 7) -^

CAER-Net-S is the same without T. What is left out of an :class:`Architecture` has no weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caer_build.caernet.architecture import WIDTHS, Architecture, Widths
from caer_build.errors import RecipeError

_ATTENTION_WIDTH = 128
_FUSION_WIDTH = 128
_CLASSIFIER_WIDTH = 128
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "none": nn.Identity,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inference:
    """What a network says of a batch.

    Attributes:
        logits: (B, classes).
        attention: where it looked in the context, (B, T', H', W') or of stills (B, H', W'); each
            time step sums to 1 (where the softmax is over the clip, the clip does). None without
            context attention.
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
        n_dims, unpooled = architecture.n_dims, architecture.unpooled
        widths = architecture.context_widths
        self.face = _encoder(n_dims, WIDTHS, unpooled) if architecture.has_face else None
        self.context = _encoder(n_dims, widths, unpooled) if architecture.has_context else None
        self.attention: nn.Module | None = None
        if architecture.has_context and architecture.context_attention:
            self.attention = _attention(n_dims, widths[-1], architecture.logit_activation)
        n_features = [WIDTHS[-1]] * architecture.has_face + [widths[-1]] * architecture.has_context
        self.fusion: nn.ModuleList | None = None
        if architecture.streams == "both" and architecture.fusion_attention:
            self.fusion = nn.ModuleList(_weigher(n, architecture) for n in n_features)
        # 1x1 convolutions on pooled features are linear layers.
        self.classifier = nn.Sequential(
            nn.Linear(sum(n_features), _CLASSIFIER_WIDTH),
            nn.ReLU(),
            nn.Dropout(architecture.dropout),
            nn.Linear(_CLASSIFIER_WIDTH, architecture.n_classes),
        )

    def forward(self, faces: Tensor | None, context: Tensor | None) -> Inference:
        """
        Shapes are those of clips, T' = T/8; stills are without T and T'.

        Args:
            faces: (B, 3, T, H, W), about 0; None where there is no face stream.
            context: the same, with the faces hidden; None where there is no context stream. H and
                W are multiples of 16, T of 8.

        Raises:
            RecipeError: if an input of a stream is missing.
        """
        features, attention = [], None
        if self.face is not None:
            encoded = self.face(_given(faces, "face"))  # (B, 256, T', H/16, W/16)
            features.append(self._averaged(encoded))  # X_F: (B, 256)
        if self.context is not None:
            encoded = self.context(_given(context, "context"))  # (B, 256, T', H/16, W/16)
            if self.attention is None:
                features.append(self._averaged(encoded))  # X_C: (B, 256)
            else:
                logits = self.attention(encoded)  # (B, 1, T', H/16, W/16)
                attention = self._attended(logits)  # the same; each time step sums to 1
                features.append(self._pooled(encoded, attention))  # X_C: (B, 256)
        joined, weights = self._fused(features)  # (B, 512), of one stream (B, 256); (B, 2)
        seen = None if attention is None else attention.squeeze(1)  # (B, T', H/16, W/16)
        return Inference(self.classifier(joined), seen, weights)  # logits: (B, classes)

    def _averaged(self, encoded: Tensor) -> Tensor:
        """(B, C, T', H', W') -> (B, C): the mean over positions, then what is left of time."""
        return self._over_time(encoded.flatten(-2).mean(-1))

    def _attended(self, logits: Tensor) -> Tensor:
        """Equation 3, (B, 1, T', H', W') -> the same: in single precision."""
        together = -2 if self.architecture.attention_softmax == "step" else 2
        flat = logits.float().flatten(together)  # (B, 1, T', H'W') or (B, 1, T'H'W')
        return torch.softmax(flat, -1).view(logits.shape)

    def _pooled(self, encoded: Tensor, attention: Tensor) -> Tensor:
        """Equation 4 and the average pooling after it, (B, C, T', H', W') -> (B, C)."""
        weighted = (encoded * attention).flatten(-2)  # (B, C, T', H'W')
        if self.architecture.attention_pooling == "mean":
            return self._over_time(weighted.mean(-1))
        sums = weighted.sum(-1)  # (B, C, T')
        if self.architecture.attention_softmax == "clip" and sums.dim() == 3:
            # A time step has a share of the clip's attention; even attention is the plain mean.
            sums = sums * sums.shape[2]
        return self._over_time(sums)

    def _over_time(self, steps: Tensor) -> Tensor:
        """(B, C, T') -> (B, C); of stills (B, C) stays."""
        if steps.dim() == 2:
            return steps
        return steps.amax(2) if self.architecture.time_pooling == "max" else steps.mean(2)

    def _fused(self, features: list[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Equation 5: the features side by side, each times its weight; and the weights.

        Args:
            features: (B, C) of each stream.
        """
        if self.fusion is None:
            return torch.cat(features, 1), None
        scores = [weigh(x) for weigh, x in zip(self.fusion, features, strict=True)]  # (B, 1) each
        weights = torch.softmax(torch.cat(scores, 1).float(), 1)  # (B, 2)
        scaled = [x * weights[:, i : i + 1] for i, x in enumerate(features)]  # (B, C) each
        return torch.cat(scaled, 1), weights


def _given(batch: Tensor | None, stream: str) -> Tensor:
    if batch is None:
        raise RecipeError(f"This network has a {stream} stream and was given nothing for it.")
    return batch


def _encoder(n_dims: int, widths: Widths, unpooled: int) -> nn.Sequential:
    """Five convolutions, four poolings; the first pooling leaves time as it is.

    Pooling comes before the ReLU: the largest of what is clipped is what is clipped of the
    largest, to the bit, and of four or eight numbers only one is left to clip.
    """
    layers: list[nn.Module] = []
    wide, n_pools = 3, 0
    for number, width in enumerate(widths, 1):
        *convolution, activation = _convolution(n_dims, wide, width)
        pool = [] if number == unpooled else [_pool(n_dims, first=n_pools == 0)]
        layers += [*convolution, *pool, activation]
        wide, n_pools = width, n_pools + len(pool)
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


def _attention(n_dims: int, width: int, logit_activation: bool) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(n_dims, width, _ATTENTION_WIDTH),
        *_convolution(n_dims, _ATTENTION_WIDTH, 1, activated=logit_activation),
    )


def _weigher(n_features: int, architecture: Architecture) -> nn.Sequential:
    """(B, C) -> (B, 1)."""
    dropout = architecture.fusion_dropout
    return nn.Sequential(
        nn.Linear(n_features, _FUSION_WIDTH),
        _ACTIVATIONS[architecture.fusion_activation](),
        *([nn.Dropout(dropout)] if dropout else []),
        nn.Linear(_FUSION_WIDTH, 1),
    )

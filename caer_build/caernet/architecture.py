"""What a network is made of: every place where the paper leaves a choice is a field here.

The presets: ``paper`` takes the text of section 3.2 literally, ``ours`` puts right what cannot
have been meant. Ablations (table 3) are the same fields with streams and modules left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from caer_build.errors import RecipeError

Streams = Literal["face", "context", "both"]
STREAMS = ("face", "context", "both")
N_EMOTIONS = 7
Widths = tuple[int, int, int, int, int]
WIDTHS: Widths = (32, 64, 128, 256, 256)
"""of the five convolutions of the face stream (section 3.2.1)"""
_CHOICES: dict[str, tuple[Any, ...]] = {
    "n_dims": (2, 3),
    "streams": STREAMS,
    "unpooled": (1, 2, 3, 4, 5),
    "attention_softmax": ("step", "clip"),
    "attention_pooling": ("mean", "sum"),
    "time_pooling": ("mean", "max"),
    "fusion_activation": ("relu", "tanh", "none"),
}


@dataclass(frozen=True)
class Architecture:
    """A CAER-Net, or a part of one.

    Attributes:
        n_dims: 3: CAER-Net, of clips; 2: CAER-Net-S, of stills.
        streams: which are there.
        context_widths: of the five convolutions of the context stream. The text has four; the face
            stream's are 32, 64, 128, 256, 256.
        unpooled: the convolution, counted from 1, that no pooling follows: in each stream there
            are five and four. The first pooling leaves time as it is.
        context_attention: the attention inference module; without it the context features are
            averaged plainly.
        fusion_attention: the weights of the two streams; without it they are concatenated as they
            are.
        logit_activation: batch normalisation and ReLU on the one-channel logit of the attention,
            which the text can be read to say: it clips every negative logit before the softmax.
        attention_softmax: over the positions of each time step, as the text says, or over those of
            the whole clip.
        attention_pooling: over the weighted features of a time step: "mean" as the text says,
            which makes them H x W times smaller; "sum" makes uniform attention the plain mean.
        time_pooling: of what is left of a stream's features for each time step.
        fusion_activation: between the two layers that weigh a stream.
        fusion_dropout: there, [0, 1).
        dropout: between the two layers of the classifier, [0, 1).
        n_classes: of the classifier.

    Raises:
        RecipeError: if it cannot be built.
    """

    n_dims: int = 3
    streams: Streams = "both"
    context_widths: Widths = WIDTHS
    unpooled: Literal[1, 2, 3, 4, 5] = 5
    context_attention: bool = True
    fusion_attention: bool = True
    logit_activation: bool = False
    attention_softmax: Literal["step", "clip"] = "step"
    attention_pooling: Literal["mean", "sum"] = "sum"
    time_pooling: Literal["mean", "max"] = "mean"
    fusion_activation: Literal["relu", "tanh", "none"] = "relu"
    fusion_dropout: float = 0.0
    dropout: float = 0.5
    n_classes: int = N_EMOTIONS

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise RecipeError(
                    f"Expected {name} to be one of {', '.join(map(str, known))}, found {value!r}."
                )
        # Files know lists only.
        object.__setattr__(self, "context_widths", tuple(self.context_widths))
        if len(self.context_widths) != len(WIDTHS) or min(self.context_widths) < 1:
            raise RecipeError(
                f"Expected five context_widths of 1 or more, found {self.context_widths}."
            )
        for name in ("dropout", "fusion_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"Expected {name} in [0, 1), found {getattr(self, name)}.")
        if self.n_classes < 2:
            raise RecipeError(f"Expected at least 2 classes, found {self.n_classes}.")

    @property
    def model(self) -> str:
        """Its name among the networks."""
        return "caer-net" if self.n_dims == 3 else "caer-net-s"

    @property
    def has_face(self) -> bool:
        return self.streams != "context"

    @property
    def has_context(self) -> bool:
        return self.streams != "face"

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


def preset(name: str, n_dims: int) -> Architecture:
    """The architecture of a preset, ``paper`` or ``ours``.

    Raises:
        RecipeError: if there is no such preset.
    """
    if name == "ours":
        return Architecture(n_dims)
    if name == "paper":
        return Architecture(n_dims, logit_activation=True, attention_pooling="mean")
    raise RecipeError(f"No preset {name!r}.", "There are ours and paper.")

"""What CAER-Net is compared with (section 5.2): AlexNet, VGG-16, ResNet-50 and C3D.

Each is a network's convolutions, pretrained, with two fully connected layers as its classifier.
They see the whole picture, faces included. Frozen, they are the paper's "ImageNet-X" and
"Sports-1M-C3D"; else its "fine-tuned X", of which all parameters are trained.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from torch import Tensor, nn

from caer_build.caernet.architecture import N_EMOTIONS
from caer_build.caernet.c3d import LAYER_NAMES, N_FEATURES, C3DFeatures
from caer_build.caernet.model import Inference
from caer_build.errors import CheckpointError, ModelMissing, RecipeError

Backbone = Literal["alexnet", "vgg16", "resnet50", "c3d"]
_FEATURES: dict[str, int] = {
    "alexnet": 256 * 6 * 6, "vgg16": 512 * 7 * 7, "resnet50": 2048, "c3d": N_FEATURES,
}  # fmt: skip
BACKBONES: tuple[Backbone, ...] = ("alexnet", "vgg16", "resnet50", "c3d")
FETCHED, FRESH = "imagenet", "none"


@dataclass(frozen=True)
class BaselineSettings:
    """A baseline.

    Attributes:
        model: which network.
        weights: what its convolutions begin with: "imagenet" as torchvision fetches them (there
            are none for C3D), a file of such weights, or "none".
        frozen: only the two fully connected layers are trained.
        hidden: width of the first of them; the paper does not say.
        dropout: between them, [0, 1).
        n_classes: of the classifier.

    Raises:
        RecipeError: if it cannot be built.
    """

    model: Backbone = "vgg16"
    weights: str = FETCHED
    frozen: bool = False
    hidden: int = 512
    dropout: float = 0.5
    n_classes: int = N_EMOTIONS

    def __post_init__(self) -> None:
        if self.model not in BACKBONES:
            raise RecipeError(
                f"Expected one of {', '.join(BACKBONES)} as the model, found {self.model!r}."
            )
        if not 0 <= self.dropout < 1 or self.n_classes < 2 or self.hidden < 1:
            raise RecipeError(
                "Expected dropout in [0, 1), at least 2 classes and a hidden width of 1 or more, "
                f"found {self.dropout}, {self.n_classes} and {self.hidden}."
            )

    @property
    def n_dims(self) -> int:
        return 3 if self.model == "c3d" else 2

    @property
    def has_face(self) -> bool:
        return False

    @property
    def has_context(self) -> bool:
        return True

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


class Baseline(nn.Module):
    """A network's convolutions and two fully connected layers."""

    def __init__(self, architecture: BaselineSettings) -> None:
        super().__init__()
        self.architecture = architecture
        name = architecture.model
        self.features = C3DFeatures() if name == "c3d" else _convolutions(torchvision_model(name))
        self.features.requires_grad_(not architecture.frozen)
        self.classifier = nn.Sequential(
            nn.Linear(_FEATURES[name], architecture.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(architecture.dropout),
            nn.Linear(architecture.hidden, architecture.n_classes),
        )

    def forward(self, faces: Tensor | None, context: Tensor | None) -> Inference:  # noqa: ARG002
        """
        Args:
            faces: not read.
            context: (B, 3, 224, 224) about 0; of C3D (B, 3, 16, 112, 112).

        Raises:
            RecipeError: if there is no picture.
        """
        if context is None:
            raise RecipeError("This network reads contexts and was given none.")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.architecture.frozen):
            features = self.features(context)
        return Inference(self.classifier(features), None, None)

    def train(self, mode: bool = True) -> Baseline:
        """What is frozen keeps its statistics, too."""
        super().train(mode)
        if self.architecture.frozen:
            self.features.eval()
        return self


def begin_with_weights(network: nn.Module) -> None:
    """Give a baseline's convolutions the weights with which it begins.

    Raises:
        ModelMissing: if they cannot be had.
        CheckpointError: if a file does not hold them.
    """
    if not isinstance(network, Baseline):
        raise RecipeError(f"Expected a baseline, found {type(network).__name__}.")
    settings = network.architecture
    if settings.weights == FRESH:
        return
    if settings.model == "c3d":
        if settings.weights == FETCHED:
            raise ModelMissing(
                "The Sports-1M weights of C3D cannot be fetched.",
                "Give a file: --set architecture.weights=FILE; or train from scratch with none.",
            )
        given = _read(Path(settings.weights))
        wanted = {key: t for key, t in given.items() if key.split(".")[0] in LAYER_NAMES}
        _load(network.features, wanted, settings.weights)
        return
    fetched = settings.weights == FETCHED
    whole = torchvision_model(settings.model, pretrained=fetched)
    if not fetched:
        # The thousand classes of a file are of no use here, and need not be there.
        heads = {k: t for k, t in whole.state_dict().items() if k.startswith(("classifier", "fc"))}
        _load(whole, {**_read(Path(settings.weights)), **heads}, settings.weights)
    network.features.load_state_dict(_convolutions(whole).state_dict())


def torchvision_model(name: str, *, pretrained: bool = False) -> nn.Module:
    """A whole network of torchvision, with its thousand classes.

    Raises:
        ModelMissing: if torchvision, or its weights, cannot be had.
    """
    try:
        from torchvision.models import get_model
    except ImportError as error:
        raise ModelMissing(
            f"{name} is torchvision's, which is not installed.", "pip install torchvision"
        ) from error
    except RuntimeError as error:
        raise ModelMissing(
            f"torchvision does not work with torch {torch.__version__}: {error}.",
            "Install the two of one kind: torchvision's ordinary wheel wants a torch for GPUs.",
        ) from error
    try:
        model: nn.Module = get_model(name, weights="IMAGENET1K_V1" if pretrained else None)
    except OSError as error:
        raise ModelMissing(
            f"The weights of {name} cannot be fetched: {error}.",
            "Fetch them elsewhere, and give the file: --set architecture.weights=FILE.",
        ) from error
    return model


def _convolutions(model: Any) -> nn.Module:
    """A network of torchvision up to where its fully connected layers begin: (B, features)."""
    if hasattr(model, "features"):
        layers = [("features", model.features), ("avgpool", model.avgpool)]
    else:
        layers = [(name, layer) for name, layer in model.named_children() if name != "fc"]
    return nn.Sequential(OrderedDict([*layers, ("flatten", nn.Flatten())]))


def _read(file: Path) -> dict[str, Tensor]:
    """A state dict out of a file that cannot run code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        said = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, UnpicklingError, SafetensorError) as error:
        raise CheckpointError(
            f"{file} cannot be read as weights ({type(error).__name__}).",
            "Expected a state dict as .pth or .safetensors.",
        ) from error
    if not isinstance(said, Mapping) or not all(isinstance(t, Tensor) for t in said.values()):
        raise CheckpointError(f"{file}: expected a state dict, found {type(said).__name__}.")
    return dict(said)


def _load(module: nn.Module, weights: Mapping[str, Tensor], file: str) -> None:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise CheckpointError(
            f"{file} holds the weights of another network: {' '.join(lines[1:2])}",
            "Give weights of the model that is trained.",
        ) from error

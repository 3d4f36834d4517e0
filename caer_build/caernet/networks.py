"""Every network that can be trained, by its name.

A network is a ``torch.nn.Module`` built of settings, a frozen dataclass of plain values; calling
it with ``(faces, context)`` gives an :class:`~caer_build.caernet.model.Inference`, and its
``architecture`` is the settings it was built of. A stream that it does not read is given as None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from torch import nn

from caer_build.caernet import architecture, regime
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.baselines import (
    BACKBONES,
    Backbone,
    Baseline,
    BaselineSettings,
    begin_with_weights,
)
from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.model import CAERNet
from caer_build.caernet.regime import Regime
from caer_build.caernet.windows import Windows
from caer_build.errors import CheckpointError, RecipeError

PRESETS = ("ours", "paper")
_TIME_HALVED, _C3D_FRAMES = 8, 16


class NetworkSettings(Protocol):
    """What a network is made of."""

    @property
    def model(self) -> str:
        """Its name among :data:`KINDS`."""

    @property
    def n_dims(self) -> int:
        """3: it reads clips; 2: stills."""

    @property
    def n_classes(self) -> int:
        """Of its logits."""

    @property
    def has_face(self) -> bool:
        """It reads faces."""

    @property
    def has_context(self) -> bool:
        """It reads contexts."""

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""


@dataclass(frozen=True)
class Preset:
    """Everything that is set for a network before anybody sets anything."""

    architecture: NetworkSettings
    regime: Regime
    augmentation: Augmentation
    store: StoreSettings
    windows: Windows = field(default_factory=Windows)


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
        settings: the class of its settings; their fields are what ``run.json`` keeps.
        build: settings -> network.
        preset: name of a preset -> everything that it sets.
        pretrain: gives a network the weights with which its training begins, where these are
            not drawn.
    """

    settings: type[Any]
    build: Callable[[Any], nn.Module]
    preset: Callable[[str], Preset]
    pretrain: Callable[[nn.Module], None] | None = None


def _caer_net(name: str) -> Preset:
    """Decisions 8 and 14: the paper hides every face in black."""
    store = StoreSettings(hide="all", fill="black") if name == "paper" else StoreSettings()
    return Preset(architecture.preset(name, 3), regime.preset(name), Augmentation(), store)


def _caer_net_s(name: str) -> Preset:
    """Decision 8: the paper's stills are 224 px in both streams."""
    if name == "ours":
        return Preset(
            architecture.preset(name, 2), regime.preset(name), Augmentation(), StoreSettings()
        )
    store = StoreSettings(
        hide="all", fill="black", face_px=224, context_width=342, context_height=256
    )
    return Preset(architecture.preset(name, 2), regime.preset(name), Augmentation(crop=224), store)


def _baseline(model: Backbone) -> Kind:
    """Section 5.2: 224 px of stills, as their weights were trained on, C3D's 112; lr 1e-4."""
    settings = BaselineSettings(model)
    # Faces are stored with every frame, and nobody looks at these.
    sizes = (171, 128, 112) if model == "c3d" else (342, 256, 224)
    store = StoreSettings("none", face_px=16, context_width=sizes[0], context_height=sizes[1])

    def preset(name: str) -> Preset:
        steps = replace(regime.preset(name), lr=1e-4)
        return Preset(settings, steps, Augmentation(crop=sizes[2]), store)

    return Kind(BaselineSettings, Baseline, preset, begin_with_weights)


KINDS: dict[str, Kind] = {
    "caer-net": Kind(Architecture, CAERNet, _caer_net),
    "caer-net-s": Kind(Architecture, CAERNet, _caer_net_s),
    **{model: _baseline(model) for model in BACKBONES},
}


def preset(model: str, name: str) -> Preset:
    """What a preset sets for a model.

    Raises:
        RecipeError: if there is no such model or preset.
    """
    if name not in PRESETS:
        raise RecipeError(f"No preset {name!r}.", f"There are {' and '.join(PRESETS)}.")
    return _kind(model).preset(name)


def build(settings: NetworkSettings, *, pretrained: bool = False) -> nn.Module:
    """A network.

    Args:
        pretrained: with the weights with which its training begins; otherwise with drawn ones.
    """
    kind = _kind(settings.model)
    network = kind.build(settings)
    if pretrained and kind.pretrain is not None:
        kind.pretrain(network)
    return network


def check(preset: Preset) -> None:
    """Whether the parts of what is set go together.

    Raises:
        RecipeError: naming everything that does not.
    """
    network, store = preset.architecture, preset.store
    crop, length = preset.augmentation.crop, preset.windows.length
    problems = []
    if network.has_context and crop > min(store.context_width, store.context_height):
        problems.append(
            f"augmentation.crop: a square of {crop} px does not fit into contexts of "
            f"{store.context_width} x {store.context_height}"
        )
    if network.n_dims == 3 and network.model == "c3d" and length != _C3D_FRAMES:
        problems.append(f"windows.length: c3d reads {_C3D_FRAMES} frames, found {length}")
    elif network.n_dims == 3 and length % _TIME_HALVED:
        problems.append(
            f"windows.length: {network.model} halves time three times; expected a multiple of "
            f"{_TIME_HALVED}, found {length}"
        )
    if problems:
        raise RecipeError("The settings cannot be right:\n  " + "\n  ".join(problems))


def settings_of(model: str, said: Mapping[str, Any]) -> NetworkSettings:
    """The settings that a run keeps of its network.

    Raises:
        CheckpointError: if another version of this package wrote them.
    """
    kind = _kind(model)
    known = {field.name for field in fields(kind.settings)}
    if said.keys() != known:
        odd = ", ".join(sorted(said.keys() ^ known))
        raise CheckpointError(
            f"Expected the settings of {model}, found a difference in {odd}.",
            "Use the version of caer-build that trained it: run.json names it.",
        )
    settings: NetworkSettings = kind.settings(**said)
    return settings


def _kind(model: str) -> Kind:
    if model not in KINDS:
        raise RecipeError(f"No model {model!r}.", f"There are {', '.join(KINDS)}.")
    return KINDS[model]

"""The baselines are the published networks, begin with given weights, train what they should."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from caer_build.caernet import networks
from caer_build.caernet.baselines import BaselineSettings, torchvision_model
from caer_build.caernet.c3d import C3DFeatures
from caer_build.caernet.explaining import explain
from caer_build.caernet.runs import TrainedRun
from caer_build.cli.main import app
from caer_build.errors import CheckpointError, ModelMissing, RecipeError
from tests.toy_stills import face_picture, released_stills

pytestmark = pytest.mark.usefixtures("one_thread")


def n_weights(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "millions"), [("alexnet", 61.1), ("vgg16", 138.4), ("resnet50", 25.6)]
)
def test_sizes_are_the_published_ones(name: str, millions: float, operators: None) -> None:
    with torch.device("meta"):
        assert round(n_weights(torchvision_model(name)) / 1e6, 1) == millions


def test_the_size_of_c3d_is_the_published_one() -> None:
    """78.4 M with the 101 classes of UCF101, 80.0 M with the 487 of Sports-1M."""
    with torch.device("meta"):
        convolutions = n_weights(C3DFeatures())
    by_hand = [3 * 64, 64 * 128, 128 * 256, 256 * 256, 256 * 512, *[512 * 512] * 3]
    assert convolutions == 27 * sum(by_hand) + 64 + 128 + 2 * 256 + 4 * 512
    fully_connected = (8192 + 1) * 4096 + (4096 + 1) * 4096
    whole = {n: convolutions + fully_connected + (4096 + 1) * n for n in (101, 487)}
    assert [round(n / 1e6, 1) for n in whole.values()] == [78.4, 80.0]


@pytest.mark.parametrize(
    ("name", "features"), [("alexnet", 9216), ("vgg16", 25088), ("resnet50", 2048)]
)
def test_two_layers_classify_what_the_convolutions_see(
    name: str, features: int, operators: None
) -> None:
    with torch.device("meta"):
        network = networks.build(networks.preset(name, "ours").architecture)
        said = network(None, torch.empty(2, 3, 224, 224))
    assert (said.logits.shape, said.attention, said.fusion) == ((2, 7), None, None)
    assert n_weights(network.classifier) == (features + 1) * 512 + (512 + 1) * 7


def test_c3d_reads_clips() -> None:
    preset = networks.preset("c3d", "paper")
    assert (preset.regime.lr, preset.store.hide, preset.augmentation.crop) == (1e-4, "none", 112)
    with torch.device("meta"):
        network = networks.build(preset.architecture)
        assert network(None, torch.empty(2, 3, 16, 112, 112)).logits.shape == (2, 7)
    with pytest.raises(RecipeError, match="was given none"):
        network(torch.empty(1), None)


def test_c3d_sees_grey_levels_less_their_mean_blue_first(tmp_path: Path) -> None:
    torch.manual_seed(0)
    features = C3DFeatures()
    clip = torch.zeros(1, 3, 16, 112, 112)
    clip[:, 0] = 1 / 58.4  # one grey level of red
    seen: list[torch.Tensor] = []
    features.conv1.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    features(clip)
    assert seen[0][0, :, 0, 0, 0].tolist() == pytest.approx([0, 0, 1])


def test_c3d_begins_with_the_weights_of_a_file(tmp_path: Path) -> None:
    theirs = {n: torch.rand_like(t) for n, t in C3DFeatures().state_dict().items()}
    extra = {"fc8.weight": torch.zeros(487, 4096), "fc8.bias": torch.zeros(487)}
    torch.save({**theirs, **extra}, tmp_path / "c3d.pth")
    settings = BaselineSettings("c3d", str(tmp_path / "c3d.pth"), frozen=True)
    network = networks.build(settings, pretrained=True)
    assert all(torch.equal(t, theirs[n]) for n, t in network.features.state_dict().items())
    drawn = networks.build(settings)
    assert not torch.equal(drawn.features.conv1.weight, theirs["conv1.weight"])
    with pytest.raises(ModelMissing, match="cannot be fetched"):
        networks.build(BaselineSettings("c3d"), pretrained=True)
    networks.build(BaselineSettings("c3d", "none"), pretrained=True)
    del theirs["conv5b.bias"]
    save_file(theirs, tmp_path / "half.safetensors")
    (tmp_path / "text.pth").write_text("no weights")
    for name, what in (("half.safetensors", "another network"), ("text.pth", "cannot be read"),
                       ("absent.pth", "cannot be read")):  # fmt: skip
        with pytest.raises(CheckpointError, match=what):
            networks.build(BaselineSettings("c3d", str(tmp_path / name)), pretrained=True)


def test_resnet_begins_with_the_weights_of_a_file(operators: None, tmp_path: Path) -> None:
    theirs = torchvision_model("resnet50").state_dict()
    torch.save({k: t for k, t in theirs.items() if not k.startswith("fc")}, tmp_path / "r.pth")
    settings = BaselineSettings("resnet50", str(tmp_path / "r.pth"))
    network = networks.build(settings, pretrained=True)
    assert torch.equal(network.features.conv1.weight, theirs["conv1.weight"])
    last = network.features.layer4[2].bn3.running_var
    assert torch.equal(last, theirs["layer4.2.bn3.running_var"])


def test_what_is_frozen_stays(operators: None) -> None:
    """Batch statistics, too; of a fine-tuned network everything moves."""
    for frozen in (True, False):
        torch.manual_seed(0)
        network = networks.build(BaselineSettings("resnet50", "none", frozen=frozen))
        before = {n: t.clone() for n, t in network.state_dict().items()}
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        network.train()
        network(None, torch.randn(2, 3, 64, 64)).logits.square().sum().backward()
        optimizer.step()
        moved = {n for n, t in network.state_dict().items() if not torch.equal(t, before[n])}
        kinds = {name.split(".")[0] for name in moved}
        assert kinds == ({"classifier"} if frozen else {"features", "classifier"})
        if not frozen:
            assert "features.bn1.running_mean" in moved


def test_wrong_settings_are_named() -> None:
    for wrong in ({"model": "vgg19"}, {"dropout": 1.0}, {"n_classes": 1}):
        with pytest.raises(RecipeError, match="Expected"):
            BaselineSettings(**wrong)  # type: ignore[arg-type]


def test_a_torchvision_that_cannot_be_used_is_named() -> None:
    """In a process of its own, where nothing is declared."""
    code = (
        "from caer_build.caernet.baselines import torchvision_model; torchvision_model('alexnet')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if find_spec("torchvision") is None:
        assert "ModelMissing: alexnet is torchvision's, which is not installed" in done.stderr
    elif done.returncode:
        assert "ModelMissing: torchvision does not work with torch" in done.stderr


def test_a_frozen_one_is_trained_goes_on_and_is_explained(operators: None, tmp_path: Path) -> None:
    """From the command line, on small pictures without boxes: nobody looks for faces."""
    stills = released_stills(tmp_path / "toy", n_train=3, n_test=1)
    for name in ("train.txt", "test.txt"):
        (stills / name).unlink()
    run = tmp_path / "run"
    settings = ("architecture.weights=none", "architecture.frozen=true", "augmentation.crop=64",
                "store.context_width=86", "store.context_height=64",
                "regime.batch_size=8")  # fmt: skip
    command = ["train", str(stills), "-o", str(run), "--model", "alexnet",
               *(f"--set={assignment}" for assignment in settings)]  # fmt: skip
    first, second = (convolutions_after(epochs, command, run) for epochs in (1, 2))
    assert torch.equal(first, second)
    assert not list(tmp_path.glob("faces-*"))
    done = CliRunner().invoke(app, ["evaluate", str(run), str(stills)])
    assert done.exit_code == 0, done.output
    opened = TrainedRun.open(run)
    assert [epoch["number"] for epoch in opened.said["epochs"]] == [1, 2]
    picture = cv2.resize(face_picture(0, 0), (86, 64))
    said = explain(opened.network(torch.device("cpu")), picture, picture, 64, torch.device("cpu"))
    assert (said.by, said.weights) == ("Grad-CAM", None)
    assert said.looked is not None
    assert said.looked.sum() == pytest.approx(1)


def convolutions_after(epochs: int, command: list[str], run: Path) -> torch.Tensor:
    """The first convolution's weights after so many epochs."""
    done = CliRunner().invoke(app, [*command, "--epochs", str(epochs)])
    assert done.exit_code == 0, done.output
    return load_file(run / "last.safetensors")["weights.features.features.0.weight"]

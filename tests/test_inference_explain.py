"""Where a network looked: its own attention, or Grad-CAM; and the figure of it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from caer_build.caernet import networks
from caer_build.caernet.baselines import BaselineSettings
from caer_build.caernet.explaining import explain
from caer_build.caernet.grad_cam import as_shares, grad_cam
from caer_build.caernet.runs import TrainedRun
from caer_build.cli.main import app
from caer_build.errors import DatasetError
from caer_build.inference.explained import explain_file
from tests.trained import fresh_run

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def picture(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people side by side."""
    reader = cv2.VideoCapture(str(data / "episodes" / "lobby.s01e02.mp4"))
    reader.set(cv2.CAP_PROP_POS_FRAMES, 260)
    file = tmp_path_factory.mktemp("picture") / "three.png"
    cv2.imwrite(str(file), reader.read()[1])
    return file


def test_the_attention_is_the_network_s_own(fresh_runs: Path) -> None:
    rng = np.random.default_rng(0)
    for model, time in (("caer-net", (16,)), ("caer-net-s", ())):
        network = TrainedRun.open(fresh_runs / model).network(CPU)
        faces = rng.integers(0, 256, (*time, 32, 32, 3), np.uint8)
        contexts = rng.integers(0, 256, (*time, 32, 43, 3), np.uint8)
        said = explain(network, faces, contexts, 32, CPU)
        mean, std = torch.tensor([124.0, 116.0, 104.0]), torch.tensor([58.4, 57.1, 57.4])
        given = [
            ((torch.from_numpy(p.copy()).float() - mean) / std).movedim(-1, 0)[None]
            for p in (faces, contexts[..., 5:37, :])
        ]
        with torch.no_grad():
            expected = network(*given)
        steps = expected.attention[0].double().reshape(-1, 2, 2)
        assert said.looked == pytest.approx(steps.mean(0).numpy(), abs=1e-5)
        assert said.looked.sum() == pytest.approx(1)
        assert said.weights == pytest.approx(expected.fusion[0].tolist(), abs=1e-5)
        assert (said.by, said.probabilities.shape) == ("attention", (7,))


@pytest.mark.parametrize("frozen", [True, False])
def test_grad_cam_by_hand(frozen: bool) -> None:
    """C3D whose last convolution always says the same, and whose classifier is a plain sum."""
    torch.manual_seed(0)
    network = networks.build(BaselineSettings("c3d", "none", frozen=frozen)).eval()
    network.classifier = nn.Sequential(nn.Linear(8192, 7))
    maps = torch.zeros(2, 512, 2, 7, 7)
    maps[:, 0, 0, 1, 2], maps[:, 0, 1, 4, 5], maps[:, 3, 0, 6, 6] = 3.0, 1.0, -5.0

    class Fixed(nn.Conv3d):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return maps[: len(given)]

    network.features.conv5b = Fixed(512, 512, 3)
    with torch.no_grad():
        network.classifier[0].weight.zero_()
        # The first channel's 4 x 4 pooled places speak for Happy, and against Sad.
        network.classifier[0].weight[3, :16], network.classifier[0].weight[5, :16] = 1, -1
    clips = torch.zeros(2, 3, 16, 16, 16)
    happy, sad = grad_cam(network, clips, torch.tensor([3, 5]))
    assert happy.shape == (2, 7, 7)
    # Two places of the channel's 98 are positive and reach the pool: their slopes are 1.
    expected = torch.zeros(2, 7, 7, dtype=torch.float64)
    expected[0, 1, 2], expected[1, 4, 5] = 3 * 2 / 98, 1 * 2 / 98
    assert torch.allclose(happy, expected)
    assert not sad.any(), "what speaks against it is not shown"
    even = as_shares(torch.stack([happy, sad]))[1]
    assert even.flatten().tolist() == pytest.approx([1 / 49] * 49)
    assert all(p.grad is None for p in network.parameters())
    said = explain(network, np.zeros((16, 32, 32, 3), np.uint8),
                   np.zeros((16, 20, 27, 3), np.uint8), 16, CPU)  # fmt: skip
    assert (said.by, said.weights, said.looked.shape) == ("Grad-CAM", None, (7, 7))
    assert said.looked.sum() == pytest.approx(1)


def test_a_figure_of_a_picture(fresh_runs: Path, picture: Path, tmp_path: Path) -> None:
    run = TrainedRun.open(fresh_runs / "caer-net-s")
    done = explain_file(run, picture, tmp_path / "a.png", CPU)
    assert done.faces == ("t00", "t01", "t02")
    assert done.face == "t01", "the one in the middle"
    drawn = cv2.imread(str(tmp_path / "a.png"))
    assert drawn.shape[1] > 2 * drawn.shape[0]
    # The picture itself is in the figure: its left edge is 0.08 inches from the left, at 200 dpi.
    there = cv2.imread(str(picture))
    inside = drawn[-16 - 480 : -16, 16 : 16 + 853]
    small = cv2.resize(there, (853, 480), interpolation=cv2.INTER_AREA)
    assert np.abs(inside.astype(int) - small).mean() < 6
    other = explain_file(run, picture, tmp_path / "b.pdf", CPU, face="t02")
    assert other.face == "t02"
    assert (tmp_path / "b.pdf").read_bytes()[:4] == b"%PDF"
    with pytest.raises(DatasetError, match="has no face t07"):
        explain_file(run, picture, tmp_path / "c.png", CPU, face="t07")


def test_a_moment_of_a_video_from_the_command_line(
    fresh_runs: Path, data: Path, tmp_path: Path
) -> None:
    """face_noface shows a face in its first half only."""
    file, out = data / "media" / "face_noface.mov", tmp_path / "x.png"
    command = ["explain-model", str(fresh_runs / "caer-net"), str(file), "-o", str(out), "--json"]
    said = json.loads(CliRunner().invoke(app, [*command, "--at", "1"]).stdout)
    assert sum(said["p"].values()) == pytest.approx(1)
    assert sum(map(sum, said["looked"])) == pytest.approx(1)
    assert out.is_file()
    nobody = CliRunner().invoke(app, [*command, "--at", "5"])
    assert isinstance(nobody.exception, DatasetError)
    assert "shows no face there" in str(nobody.exception)
    late = CliRunner().invoke(app, [*command, "--at", "500"])
    assert "before the 500 s of --at" in str(late.exception)


def test_without_a_file_it_says_where_it_drew(picture: Path, tmp_path: Path) -> None:
    run = fresh_run(tmp_path / "run", "caer-net-s")
    command = ["explain-model", str(run), str(picture)]
    said = CliRunner().invoke(app, command)
    first = run / "explanations" / "three.png"
    assert said.stdout.rstrip().endswith(f"Figure: {first}")
    assert first.stat().st_size > 10_000
    other = json.loads(CliRunner().invoke(app, [*command, "--face", "t02", "--json"]).stdout)
    assert other["figure"] == str(run / "explanations" / "three-t02.png")
    assert Path(other["figure"]).is_file(), "another face has another figure"
    deep = tmp_path / "new" / "folder" / "a.pdf"
    assert CliRunner().invoke(app, [*command, "-o", str(deep)]).exit_code == 0
    assert deep.is_file()
    wrong = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "a.txt")])
    assert wrong.exit_code == 2
    assert "expected .png or .pdf" in wrong.output

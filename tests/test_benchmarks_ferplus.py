"""FER+ under its majority protocol: who counts, and what training is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.ferplus import COUNTS, draw_curve, examples, scores
from benchmarks.ferplus_faces import CLASSES, faces_of, majority, most_voted
from benchmarks.ferplus_training import Change, Epoch, Examples, How, augmented, plain, train_faces
from caer_build.caernet.regime import Regime
from caer_build.errors import CheckpointError, RecipeError

pytestmark = pytest.mark.usefixtures("one_thread")


def votes(**counts: int) -> list[int]:
    names = (*CLASSES, "unknown", "not_a_face")
    assert set(counts) <= set(names)
    return [counts.get(name, 0) for name in names]


def test_majority_by_hand() -> None:
    table = np.array([
        votes(Happy=6, Neutral=4),
        votes(Happy=5, Neutral=5),  # half is not more than half
        votes(Happy=4, Neutral=3, Sad=1, Fear=1, unknown=1),  # without single votes 4 of 7
        votes(Happy=4, Neutral=3, Sad=2, Fear=1),  # 4 of 9
        votes(unknown=8, Sad=2),
        votes(not_a_face=10),
        votes(contempt=7, Anger=3),
    ])  # fmt: skip
    happy, contempt = CLASSES.index("Happy"), CLASSES.index("contempt")
    assert majority(table).tolist() == [happy, -1, happy, -1, -1, -1, contempt]
    worth = most_voted(table)
    assert worth[1, happy] == worth[1, CLASSES.index("Neutral")] == 0.5
    assert worth[4, CLASSES.index("Sad")] == 1
    assert worth[5].sum() == 0
    assert worth[:5].sum(1).tolist() == [1] * 5


def test_there_are_as_many_as_published(data: Path) -> None:
    assert COUNTS == {"train": 25_057, "validation": 3_199, "test": 3_153}
    for split, n in COUNTS.items():
        found = examples(split)
        assert found.pictures.shape == (n, 48, 48)
        assert (found.targets.argmax(1) == found.labels).all()
    assert len(faces_of("test").votes) == 3_573
    # Of the test split, counted in its table by other means: Anger, Disgust, Fear, ...
    assert torch.bincount(examples("test").labels).tolist() == [
        273, 18, 83, 893, 1090, 384, 396, 16,
    ]  # fmt: skip
    soft = examples("validation", "distribution").targets
    assert torch.allclose(soft.sum(1), torch.ones(len(soft)))
    assert (soft.max(1).values < 1).any()
    with pytest.raises(RecipeError, match="found 'votes'"):
        examples("test", "votes")


def test_changed_faces_are_still_faces(data: Path) -> None:
    some = examples("validation").pictures[:64]
    still = Change(flip=0, turn=0, scale=0, shift=0, contrast=0, erase=0)
    same = augmented(some, still, torch.Generator().manual_seed(1))
    assert same.shape == (64, 3, 96, 96)
    assert torch.allclose(same, plain(some), atol=1e-4)
    mirrored = augmented(some, Change(1, 0, 0, 0, 0, 0), torch.Generator().manual_seed(1))
    assert torch.allclose(mirrored, plain(some).flip(-1), atol=1e-4)
    changed = augmented(some, Change(), torch.Generator().manual_seed(1))
    assert torch.equal(changed, augmented(some, Change(), torch.Generator().manual_seed(1)))
    alike = torch.nn.functional.cosine_similarity(changed.flatten(1), plain(some).flatten(1))
    assert 0.2 < alike.mean() < 0.98
    cut = augmented(some, Change(0, 0, 0, 0, 0, 1), torch.Generator().manual_seed(1))
    holes = (cut[:, 0] == 0).double().mean((1, 2))
    assert holes.min() > 0.02
    assert holes.max() < 0.2


def test_it_learns_and_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(32) % 2
    pictures = rng.integers(0, 60, (32, 48, 48)) + 150 * labels[:, None, None]
    given = Examples(
        torch.from_numpy(pictures.astype(np.uint8)),
        torch.eye(8)[labels],
        torch.from_numpy(labels),
    )
    regime = Regime(epochs=2, batch_size=8, lr=1e-3, warm_up=0.0)
    told: list[Epoch] = []
    for epochs in (regime, regime):
        network, done = train_faces(given, given, tmp_path / "run", How(epochs), told.append)
    assert len(told) == len(done) == 2, "a finished run is not trained again"
    assert done[-1].loss < done[0].loss
    assert network.face is not None
    assert network.context is None
    one = How(Regime(epochs=1, batch_size=8))
    for _ in range(2):
        _, first = train_faces(given, given, tmp_path / "one", one, told.append)
        (tmp_path / "one" / "best.safetensors").unlink()
    assert len(told) == 3, "killed before the best was kept, it is kept, and not trained again"
    assert len(first) == 1
    other = Regime(epochs=2, batch_size=16)
    with pytest.raises(CheckpointError, match="other settings"):
        train_faces(given, given, tmp_path / "run", How(other), told.append)
    draw_curve(done, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5_000


def test_scores_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7])
    said = np.array([0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 0])
    found = {row.metric: row.value for row in scores("ours", said, labels)}
    assert found["accuracy"] == pytest.approx(9 / 12)
    assert found["uar"] == pytest.approx((0.5 + 6 + 0.5) / 8)
    # 0: said 3, true 4, 2 hits; 1: 3, 1, 1; 7: 1, 2, 1.
    assert found["macro_f1"] == pytest.approx((4 / 7 + 2 / 4 + 2 / 3 + 5) / 8)

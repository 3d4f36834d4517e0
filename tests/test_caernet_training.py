"""Training learns, goes on as if it had never stopped, and says what it did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from caer_build.arrow import to_table
from caer_build.caernet import checkpoint
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.batches import Batches
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.model import CAERNet
from caer_build.caernet.predicting import predict
from caer_build.caernet.regime import Regime, preset
from caer_build.caernet.storing import make_store
from caer_build.caernet.train import Plan, train
from caer_build.dataset.reading import Dataset
from caer_build.errors import CheckpointError, DatasetError, RecipeError
from caer_build.records import EMOTIONS, Item, ItemFace

SIZE = StoreSettings(face_px=32, context_width=43, context_height=32)
PLAN = Plan(
    Architecture(2), Regime(epochs=4, batch_size=8, lr=1e-3, warm_up=0.0), Augmentation(crop=32)
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """84 stills whose face has a colour for each emotion; twelve each, of them two to validate on
    and two to test on."""
    root = tmp_path_factory.mktemp("set")
    items, faces = [], []
    for number in range(84):
        emotion = number % 7
        rng = np.random.default_rng(number)
        picture = rng.integers(0, 256, (60, 80, 3), np.uint8)
        colour = np.array([40 * (emotion % 3) + 60, 40 * (emotion // 3) + 60, 30 * emotion + 30])
        picture[10:42, 20:52] = np.clip(colour + rng.normal(0, 10, (32, 32, 3)), 0, 255)
        cv2.imwrite(str(root / f"{number}.png"), picture)
        split = ("validation", "test")[number % 2] if number >= 56 else "train"
        p = {f"p_{e.lower()}": float(k == emotion) for k, e in enumerate(EMOTIONS)}
        name = f"i{number:03d}"
        items.append(Item(name, "still", f"{number}.png", split, EMOTIONS[emotion], **p))
        faces.append(ItemFace(name, 0, "a", True, 20, 10, 52, 42, False))
    dataset = Dataset(root, "ours", tuple(items), faces=lambda: iter([to_table(ItemFace, faces)]))
    return make_store(dataset, root / "store", SIZE, lambda *_: None)


def test_it_learns_what_there_is_to_learn(store: FrameStore, tmp_path: Path) -> None:
    plan = replace(PLAN, regime=replace(PLAN.regime, epochs=12))
    done = train(store, tmp_path / "run", plan, lambda _: None)
    assert done[0].loss > 1.2
    assert done[-1].loss < 0.5 * done[0].loss
    network = CAERNet(PLAN.architecture)
    checkpoint.load_weights(tmp_path / "run" / "best.safetensors", network)
    test = Batches(store, "test", 8, clips=False)
    said = predict(network, test, torch.device("cpu"), 32)
    assert said.shape == (14, 7)
    assert (said.argmax(1) == test.labels).double().mean() > 0.7
    best = max(done, key=lambda e: (e.validation_accuracy, -e.validation_loss))
    validation = Batches(store, "validation", 8, clips=False)
    again = predict(network, validation, torch.device("cpu"), 32)
    assert float((again.argmax(1) == validation.labels).double().mean()) == pytest.approx(
        best.validation_accuracy
    )


def test_two_and_two_epochs_are_four(store: FrameStore, tmp_path: Path) -> None:
    """To the bit: weights, optimizer, every number of every epoch."""
    whole = train(store, tmp_path / "whole", PLAN, lambda _: None)

    class Stopped(Exception):
        pass

    def stop(epoch: object) -> None:
        if epoch.number == 2:  # type: ignore[attr-defined]
            raise Stopped

    with pytest.raises(Stopped):
        train(store, tmp_path / "halves", PLAN, stop)
    halves = train(store, tmp_path / "halves", PLAN, lambda _: None)
    timeless = [replace(epoch, seconds=0.0) for epoch in whole]
    assert [replace(epoch, seconds=0.0) for epoch in halves] == timeless
    for name in ("last.safetensors", "best.safetensors"):
        one, other = (load_file(tmp_path / run / name) for run in ("whole", "halves"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    with pytest.raises(CheckpointError, match="other settings"):
        train(store, tmp_path / "whole", replace(PLAN, augmentation=Augmentation()), lambda _: None)


def test_batches_are_every_item_once_in_an_order_of_the_seed(store: FrameStore) -> None:
    batches = Batches(store, "train", 8, clips=False)
    order = [i for batch in batches.epoch(1, 0) for i in batch.items.tolist()]
    assert sorted(order) == list(range(56))
    assert order == [i for batch in batches.epoch(1, 0) for i in batch.items.tolist()]
    assert order != [i for batch in batches.epoch(2, 0) for i in batch.items.tolist()]
    assert order != [i for batch in batches.epoch(1, 1) for i in batch.items.tolist()]
    ranks = [Batches(store, "train", 8, clips=False, rank=r, n_ranks=2) for r in range(2)]
    halves = [[i for b in rank.epoch(1, 0) for i in b.items.tolist()] for rank in ranks]
    assert sorted(halves[0] + halves[1]) == list(range(56)), "nothing twice, nothing left out"
    labels = batches.items.emotion.map(EMOTIONS.index).tolist()
    assert batches.labels.tolist() == labels


def test_learning_rates_by_hand() -> None:
    literal = preset("paper")
    assert [literal.lr_at(s, 10) for s in (0, 39, 40, 80)] == pytest.approx(
        [5e-3, 5e-3, 5e-4, 5e-5]
    )
    ours = Regime(epochs=10, lr=1.0, warm_up=0.1)
    assert [ours.lr_at(s, 10) for s in (0, 9, 10, 55, 100)] == pytest.approx(
        [0.1, 1.0, 1.0, 0.5, 0.0]
    )
    for wrong in ({"optimizer": "adam"}, {"epochs": 0}, {"lr": 0.0}, {"labels": "noisy"}):
        with pytest.raises(RecipeError, match="Expected"):
            Regime(**wrong)


def test_checkpoints_of_others_are_refused(store: FrameStore, tmp_path: Path) -> None:
    checkpoint.save_weights(tmp_path / "a.safetensors", CAERNet(Architecture(2, streams="face")), 1)
    with pytest.raises(CheckpointError, match="another network"):
        checkpoint.load_weights(tmp_path / "a.safetensors", CAERNet(Architecture(2)))
    (tmp_path / "b.safetensors").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match="no checkpoint that can be read"):
        checkpoint.load_weights(tmp_path / "b.safetensors", CAERNet(Architecture(2)))
    with pytest.raises(CheckpointError, match="no training run"):
        checkpoint.read_run(tmp_path)
    with pytest.raises(DatasetError, match="no item in dev"):
        Batches(store, "dev", 8, clips=False)

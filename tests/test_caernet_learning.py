"""What training does with settings: precision, labels, weights of classes, stopping; and what it
never sees."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from caer_build.caernet import checkpoint, runlog
from caer_build.caernet.architecture import Architecture
from caer_build.caernet.augment import Augmentation
from caer_build.caernet.batches import Batch, Batches
from caer_build.caernet.compute import Compute, checked
from caer_build.caernet.evaluation import evaluate
from caer_build.caernet.framestore import ITEMS, FrameStore, StoreSettings, part_folder
from caer_build.caernet.model import CAERNet
from caer_build.caernet.objective import Objective, class_weights
from caer_build.caernet.predicting import infer
from caer_build.caernet.regime import Regime
from caer_build.caernet.runs import TrainedRun
from caer_build.caernet.selfcheck import Given
from caer_build.caernet.storing import make_store
from caer_build.caernet.train import Epoch, Plan, _is_over, train
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.errors import CheckpointError, DatasetError, IntegrityError
from caer_build.records import EMOTIONS
from tests.toy_stills import released_stills

SIZE = StoreSettings(face_px=32, context_width=43, context_height=32)
CPU = torch.device("cpu")
STILL = Augmentation(0, 0, 0, 0, crop=32)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """42 pictures to train on, 7 to validate on, 7 to test on; Anger has soft labels."""
    root = released_stills(tmp_path_factory.mktemp("set") / "CAER-S", n_train=7, n_test=1)
    read = read_dataset(root)
    items = []
    for item in read.items:
        changed = item
        if item.split == "train" and item.file.endswith("0007.png"):
            changed = replace(changed, split="validation")
        if item.emotion == "Anger":
            changed = replace(changed, p_anger=0.75, p_disgust=0.25, p_fear=0.0, p_happy=0.0,
                              p_neutral=0.0, p_sad=0.0, p_surprise=0.0)  # fmt: skip
        items.append(changed)
    return replace(read, items=tuple(items))


@pytest.fixture(scope="module")
def store(dataset: Dataset) -> FrameStore:
    return make_store(dataset, dataset.root.parent / "store", SIZE, lambda *_: None)


@pytest.mark.parametrize("n_dims", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_one_batch_is_learnt_by_heart(store: FrameStore, n_dims: int) -> None:
    clips = n_dims == 3
    batches = Batches(store, "validation", 7 if n_dims == 2 else 2, clips=clips)
    batch = next(iter(batches.all_windows()))
    torch.manual_seed(0)
    network = checked(CAERNet(Architecture(n_dims, dropout=0.0)).train(), CPU, Compute(),
                      Given(2, 32, 32), learns=True)  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(30 if n_dims == 2 else 16):
        said = infer(network, batch, CPU, 32)
        loss = functional.cross_entropy(said.logits, batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert torch.equal(said.logits.argmax(1), batch.labels)


def plan(**regime: object) -> Plan:
    return Plan(
        Architecture(2, streams="face", dropout=0.0),
        Regime(**{"epochs": 3, "batch_size": 8, "warm_up": 0.0, **regime}),  # type: ignore[arg-type]
        STILL,
    )


@pytest.mark.slow
@pytest.mark.parametrize("n_dims", [2, 3])
def test_loss_curves_of_bf16_and_single_precision_agree(
    store: FrameStore, tmp_path: Path, n_dims: int
) -> None:
    architecture = Architecture(n_dims, streams="face", dropout=0.0)
    single, half = (
        train(store, tmp_path / name,
              replace(plan(), architecture=architecture, compute=Compute(precision=name)),
              lambda _: None)
        for name in ("fp32", "bf16")
    )  # fmt: skip
    assert single != half, "bf16 was on"
    assert single[-1].loss < 0.8 * single[0].loss
    for one, other in zip(single, half, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=0.05)


def test_what_test_says_trains_nothing(dataset: Dataset, store: FrameStore, tmp_path: Path) -> None:
    """Other labels and other pictures of test give the same weights to the bit."""
    before = train(store, tmp_path / "one", plan(epochs=2), lambda _: None)
    other = make_store(dataset, tmp_path / "store", SIZE, lambda *_: None)
    for number in range(other.n_parts):
        file = part_folder(other.folder, number) / ITEMS
        items = pd.read_parquet(file)
        tested = items.split == "test"
        items.loc[tested, "emotion"] = "Fear"
        items.to_parquet(file)
        for name in ("faces.u8", "context.u8"):
            place = part_folder(other.folder, number) / name
            held = bytearray(place.read_bytes())
            size = len(held) // int(items.n_sampled.sum())
            for first in items[tested]["first"]:
                held[first * size : (first + 1) * size] = bytes(size)
            place.write_bytes(held)
    again = FrameStore(other.folder, other.settings, other.n_parts)
    assert Batches(again, "test", 8, clips=False).labels.unique().tolist() == [2]
    after = train(again, tmp_path / "other", plan(epochs=2), lambda _: None)
    assert [replace(e, seconds=0) for e in after] == [replace(e, seconds=0) for e in before]
    for name in (checkpoint.LAST, checkpoint.BEST):
        one, two = (load_file(tmp_path / run / name) for run in ("one", "other"))
        assert all(torch.equal(one[key], two[key]) for key in one)


def test_weights_of_classes_by_hand() -> None:
    """Six of one class, two of another, none of a third: inverse weights are as 1 to 3."""
    labels = torch.tensor([0] * 6 + [1] * 2)
    inverse = class_weights(labels, Regime(class_weights="inverse"), 3)
    # 1/6 and 1/2, divided by their mean over the items, (6/6 + 2/2) / 8.
    torch.testing.assert_close(inverse[:2], torch.tensor([4 / 6, 4 / 2]))
    root = class_weights(labels, Regime(class_weights="root"), 3)
    assert float(root[1] / root[0]) == pytest.approx(3**0.5)
    assert float(root[labels].mean()) == pytest.approx(1)
    assert class_weights(labels, Regime(), 3).tolist() == [1, 1, 1]
    assert inverse.isfinite().all()


@pytest.mark.parametrize("labels", ["hard", "soft"])
@pytest.mark.parametrize("weights", ["none", "inverse"])
def test_the_objective_is_torchs_and_its_shares_add_up(
    store: FrameStore, labels: str, weights: str
) -> None:
    regime = Regime(labels=labels, class_weights=weights)  # type: ignore[arg-type]
    whole = Batches(store, "train", 5, clips=False)
    batch = next(iter(whole.epoch(1, 0)))
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    given = class_weights(whole.labels, regime, 7)
    wanted = batch.soft if labels == "soft" else batch.labels
    expected = functional.cross_entropy(logits, wanted, weight=given)
    torch.testing.assert_close(Objective(whole, regime, 7, CPU)(logits, batch), expected)
    shares = []
    for rank in range(2):
        mine = Batches(store, "train", 5, clips=False, rank=rank, n_ranks=2)
        part = next(iter(mine.epoch(1, 0)))
        assert torch.equal(part.whole, batch.items)
        shares.append(Objective(mine, regime, 7, CPU)(logits[rank::2], part))
    torch.testing.assert_close(sum(shares), expected)


def test_soft_labels_are_the_votes_where_there_are_some(store: FrameStore) -> None:
    batches = Batches(store, "train", 8, clips=False)
    anger = batches.labels == EMOTIONS.index("Anger")
    assert anger.any()
    votes = torch.tensor([0.75, 0.25, 0, 0, 0, 0, 0])
    assert (batches.soft[anger] == votes).all()
    hard = functional.one_hot(batches.labels[~anger], 7).float()
    assert torch.equal(batches.soft[~anger], hard)


def test_soft_labels_are_what_is_learnt(store: FrameStore, tmp_path: Path) -> None:
    hard, soft = (
        train(store, tmp_path / labels, plan(labels=labels, epochs=1), lambda _: None)
        for labels in ("hard", "soft")
    )
    assert hard[0].loss != soft[0].loss


def epochs(*scores: float) -> list[Epoch]:
    return [Epoch(k + 1, 1.0, 0.5, 1.0, score, 0.1, 1.0) for k, score in enumerate(scores)]


def test_it_ends_after_so_many_epochs_without_a_better_one() -> None:
    two = Regime(patience=2)
    assert not _is_over([], two)
    assert not _is_over(epochs(0.5, 0.4), two)
    assert _is_over(epochs(0.5, 0.4, 0.5), two), "as good is not better"
    assert not _is_over(epochs(0.5, 0.4, 0.6), two)
    assert not _is_over(epochs(0.5, *[0.4] * 20), Regime(patience=0))


def test_a_run_that_was_over_stays_over(store: FrameStore, tmp_path: Path) -> None:
    """A learning rate of nothing makes no epoch better than the first."""
    still = plan(epochs=9, patience=2, lr=1e-30)
    done = train(store, tmp_path / "run", still, lambda _: None)
    assert len(done) < 9
    again = train(store, tmp_path / "run", still, lambda _: None)
    assert again == done


def test_killed_between_two_files_nothing_is_mixed(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint of epoch 2 is there, run.json still says 1."""
    whole = train(store, tmp_path / "whole", plan(), lambda _: None)
    write = runlog.RunLog.write

    def killed(self: runlog.RunLog, done: list[Epoch]) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        write(self, done)

    monkeypatch.setattr(runlog.RunLog, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path / "run", plan(), lambda _: None)
    monkeypatch.undo()
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["epochs"]) == 1
    done = train(store, tmp_path / "run", plan(), lambda _: None)
    assert [replace(e, seconds=0) for e in done] == [replace(e, seconds=0) for e in whole]
    one, other = (load_file(tmp_path / run / "last.safetensors") for run in ("whole", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_killed_before_the_best_weights_are_kept_they_are_those_of_the_run(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a second training of that epoch would come to: it is not trained again."""
    whole = train(store, tmp_path / "whole", plan(), lambda _: None)
    best = max(whole, key=lambda e: e.score).number
    run = tmp_path / "run"

    def killed(file: Path, network: object, epoch: int) -> None:
        done = runlog.epochs_of(checkpoint.said_of(run / checkpoint.LAST))
        assert [e.number for e in done] == list(range(1, epoch + 1)), "last is written first"
        if epoch == best:
            raise KeyboardInterrupt
        save(file, network, epoch)  # type: ignore[arg-type]

    save = checkpoint.save_weights
    monkeypatch.setattr(checkpoint, "save_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        train(store, run, plan(), lambda _: None)
    monkeypatch.undo()
    # What is gone on with is all that there is to do: no epoch, or others.
    train(store, run, plan(), lambda _: None)
    assert checkpoint.is_of_epoch(run / checkpoint.BEST, best)
    one, other = (load_file(tmp_path / r / checkpoint.BEST) for r in ("whole", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    said = json.loads((run / "run.json").read_text())
    assert said["best"] == best
    assert len(said["epochs"]) == 3


def test_a_run_killed_after_its_last_checkpoint_says_all_of_its_epochs(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no epoch left to train, and its files are brought up to date all the same."""
    write = runlog.RunLog.write

    def killed(self: runlog.RunLog, done: list[Epoch]) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        write(self, done)

    monkeypatch.setattr(runlog.RunLog, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path / "run", plan(), lambda _: None)
    monkeypatch.undo()
    train(store, tmp_path / "run", plan(), lambda _: None)
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["epochs"]) == 3


def test_sgd_goes_on_to_the_bit_too(store: FrameStore, tmp_path: Path) -> None:
    sgd = plan(optimizer="sgd", lr=1e-2, schedule="steps", drop_every=1)
    train(store, tmp_path / "whole", sgd, lambda _: None)
    shorter = replace(sgd, regime=replace(sgd.regime, epochs=1))
    train(store, tmp_path / "halves", shorter, lambda _: None)
    train(store, tmp_path / "halves", sgd, lambda _: None)
    one, other = (load_file(tmp_path / run / "last.safetensors") for run in ("whole", "halves"))
    assert any("momentum_buffer" in key for key in one)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_no_item_is_left_out_of_an_evaluation(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(store, tmp_path / "run", plan(epochs=1), lambda _: None)
    run = TrainedRun.open(tmp_path / "run")
    tested = store.items[store.items.split == "test"].item_id.tolist()
    found = evaluate(run, store, "test", tested)
    assert found.predictions.item_id.tolist() == tested
    assert found.metrics.n == 7
    for wrong in (tested[1:], [*tested, "another"], [*tested[1:], "another"]):
        with pytest.raises(DatasetError, match=r"Expected the . items of test, found 7"):
            evaluate(run, store, "test", wrong)
    every = Batches.all_windows

    def all_but_one(self: Batches) -> Iterator[Batch]:
        for batch in every(self):
            keep = batch.items != 3
            yield replace(
                batch, **{f.name: getattr(batch, f.name)[keep] for f in fields(batch)[:-1]}
            )

    monkeypatch.setattr(Batches, "all_windows", all_but_one)
    with pytest.raises(IntegrityError, match="an answer for each of 7 items, found 6"):
        evaluate(run, store, "test", tested)


def test_a_run_of_another_version_is_refused(store: FrameStore, tmp_path: Path) -> None:
    train(store, tmp_path / "run", plan(epochs=1), lambda _: None)
    file = tmp_path / "run" / "run.json"
    said = json.loads(file.read_text())
    assert TrainedRun.open(tmp_path / "run").plan == plan(epochs=1)
    for change in ({"plan": {**said["plan"], "regime": {"speed": 3}}}, {"best": None}):
        broken = {k: v for k, v in {**said, **change}.items() if v is not None}
        file.write_text(json.dumps(broken))
        with pytest.raises(CheckpointError, match="not as this version writes it"):
            TrainedRun.open(tmp_path / "run")


def test_events_are_those_of_the_log(store: FrameStore, tmp_path: Path) -> None:
    """Of a run that went on, too; read back as the records that TensorBoard reads."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    train(store, tmp_path / "run", plan(epochs=1), lambda _: None)
    done = train(store, tmp_path / "run", plan(epochs=2), lambda _: None)
    found = {}
    for file in sorted((tmp_path / "run" / "events").iterdir()):
        held = file.read_bytes()
        while held:
            # A record: its length, a checksum, itself, a checksum.
            (length,) = struct.unpack("<Q", held[:8])
            event = event_pb2.Event.FromString(held[12 : 12 + length])
            held = held[16 + length :]
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    for epoch in done:
        assert found["loss", epoch.number] == pytest.approx(epoch.loss)
        assert found["validation_accuracy", epoch.number] == pytest.approx(
            epoch.validation_accuracy
        )
    assert len(found) == 2 * 6

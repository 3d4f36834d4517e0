"""How good a trained network is on a split of a data set: figures, and every prediction.

Nobody else reads the test split: training sees ``train``, and picks its best epoch on
``validation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from caer_build.caernet import bootstrap
from caer_build.caernet.batches import Batches
from caer_build.caernet.compute import Compute, ready, set_up
from caer_build.caernet.distributed import ALONE, Ranks
from caer_build.caernet.framestore import BLANK, INTERPOLATED
from caer_build.caernet.metrics import Metrics, measured
from caer_build.caernet.predicting import Answers, answers
from caer_build.caernet.sources import MappedSource
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS
from caer_build.store import write_atomically, write_json

if TYPE_CHECKING:
    import pandas as pd

    from caer_build.caernet.bootstrap import Interval
    from caer_build.caernet.framestore import FrameStore
    from caer_build.caernet.runs import TrainedRun

PREDICTIONS, METRICS = "predictions.parquet", "metrics.json"
_LINEAGE = (
    "kind", "file", "clip_id", "track_id", "person_id", "episode_id", "show", "group_id",
    "start_frame", "end_frame",
)  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        split: of the data set.
        predictions: a row an item: item_id, split, emotion, predicted, p_<emotion> x 7,
            face_weight and context_weight (of the fusion; null without it), n_windows,
            padded_share (of a window's frames that are there twice because the clip is short),
            face_seen_share and face_interpolated_share (of the item's frames: those with a box of
            the face, and those of them where it was not detected but interpolated), and where the
            item comes from.
        metrics: of all items.
        intervals: figure -> its 95 % interval.
        always_share: accuracy of whoever always says the split's most frequent emotion.
    """

    split: str
    predictions: pd.DataFrame
    metrics: Metrics
    intervals: dict[str, Interval]
    always_share: float

    def described(self) -> dict[str, Any]:
        """Without the predictions, JSON."""
        return {
            "split": self.split,
            "n": self.metrics.n,
            "intervals": {name: found.described() for name, found in self.intervals.items()},
            "metrics": self.metrics.described(),
            "always_share": self.always_share,
            "padded_items": int((self.predictions.padded_share > 0).sum()),
            "items_without_face": int((self.predictions.face_seen_share == 0).sum()),
        }

    def write(self, folder: Path, about: dict[str, Any]) -> None:
        """Write predictions and figures.

        Args:
            about: what else the figures say of themselves.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / PREDICTIONS, self.predictions.to_parquet(None, index=False))
        write_json(folder / METRICS, {**about, **self.described()})


def evaluate(
    run: TrainedRun,
    store: FrameStore,
    split: str,
    expected: Sequence[str],
    device: str = "cpu",
    *,
    compute: Compute | None = None,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Evaluate the best epoch of a run.

    Args:
        expected: the item_ids of the split that have a label; each gets its prediction.
        device: cpu, cuda or cuda:N.

    Raises:
        CheckpointError: if the run cannot be read.
        DatasetError: if the split is empty, or the store holds other items than expected.
        DeviceError: if the device computes wrongly.
    """
    plan, how, there = run.plan, compute or Compute(), torch.device(device)
    set_up(there, how)
    batches = Batches(
        store, split, plan.regime.batch_size, clips=plan.architecture.n_dims == 3,
        rank=ranks.rank, n_ranks=ranks.n, windows=plan.windows,
        source=MappedSource(store, feeds_gpu=there.type == "cuda"),
    )  # fmt: skip
    _check(batches.items.item_id, expected, split)
    crop = plan.augmentation.crop
    given = plan.given(store.settings.face_px, ranks.n)
    network = ready(run.network(there), there, how, given)
    said = answers(network, batches, there, crop, how.precision)
    return of_answers(said, store, batches, split)


def of_answers(said: Answers, store: FrameStore, batches: Batches, split: str) -> Evaluation:
    """The figures of what a network said of all items of a split."""
    probabilities, labels = said.probabilities.numpy(), batches.labels.numpy()
    clusters = bootstrap.clusters_of(batches.items)
    return Evaluation(
        split,
        _table(said, store, batches),
        measured(probabilities, labels, EMOTIONS),
        {
            name: bootstrap.interval(name, probabilities, labels, clusters)
            for name in bootstrap.FIGURES
        },
        float(np.bincount(labels).max() / len(labels)),
    )


def _check(found: pd.Series[str], expected: Sequence[str], split: str) -> None:
    missing, more = set(expected) - set(found), set(found) - set(expected)
    if missing or more or len(found) != len(expected):
        raise DatasetError(
            f"Expected the {len(expected)} items of {split}, found {len(found)} in the frame "
            f"store: {len(missing)} are missing, {len(more)} are of another data set.",
            "Make the frame store again.",
        )


def _table(said: Answers, store: FrameStore, batches: Batches) -> pd.DataFrame:
    import pandas as pd

    items = batches.items
    probabilities = said.probabilities.numpy()
    if len(probabilities) != len(items):
        raise DatasetError(f"Expected {len(items)} predictions, found {len(probabilities)}.")
    columns: dict[str, Any] = {name: items[name] for name in ("item_id", "split", "emotion")}
    columns["predicted"] = [EMOTIONS[k] for k in probabilities.argmax(1)]
    columns |= {f"p_{e.lower()}": probabilities[:, k] for k, e in enumerate(EMOTIONS)}
    for k, name in enumerate(("face_weight", "context_weight")):
        columns[name] = None if said.fusion is None else said.fusion[:, k].numpy()
    columns["n_windows"] = said.n_windows.numpy()
    columns["padded_share"] = batches.padded
    states = [
        store.face_states(part, np.arange(first, first + n, dtype=np.int64))
        for part, first, n in zip(
            *(items[c].tolist() for c in ("part", "first", "n_sampled")), strict=True
        )
    ]
    columns["face_seen_share"] = [float((of_item != BLANK).mean()) for of_item in states]
    columns["face_interpolated_share"] = [
        float((of_item == INTERPOLATED).mean()) for of_item in states
    ]
    columns |= {name: items[name] for name in _LINEAGE}
    table = pd.DataFrame(columns)
    weights = ["face_weight", "context_weight"]
    table[weights] = table[weights].astype("float64")
    return table

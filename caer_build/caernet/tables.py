"""The paper's tables, trained again: a cell a row, k seeds each, one after the other.

::

    OUT/stores/frames-<key>/       decoded once, for all cells that see the same
        runs/<network>/<seed>/     training runs; they go on where they were stopped
        cells/<network>.json       what came of its seeds; a seed that is there is not run again

A network is known by all that makes it: model, settings, what it sees. Rows of several tables that
are the same network share its runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from caer_build.caernet import checkpoint, networks
from caer_build.caernet.attending import Looking
from caer_build.caernet.batches import Batches
from caer_build.caernet.compute import Compute, ready
from caer_build.caernet.framestore import FrameStore, StoreSettings
from caer_build.caernet.networks import NetworkSettings, Preset
from caer_build.caernet.predicting import predict
from caer_build.caernet.preparing import with_known_faces
from caer_build.caernet.published import NO_NETWORK, PaperRow, rows_of
from caer_build.caernet.resplitting import joined, with_all_splits
from caer_build.caernet.storing import keep_store
from caer_build.caernet.train import Plan, train
from caer_build.dataset.reading import Dataset
from caer_build.errors import DatasetError, ModelMissing
from caer_build.records import EMOTIONS
from caer_build.store import digest_of, read_json, write_json

Say = Callable[[str], None]
OWN_NETWORKS = ("caer-net", "caer-net-s")
_SMALL = StoreSettings(face_px=48, context_width=86, context_height=64)
_SMALL_CROP = 64


@dataclass(frozen=True)
class How:
    """How the cells of a table are run.

    Attributes:
        preset: ours or paper.
        seeds: how many runs a cell.
        epochs: None: the preset's.
        is_small: pictures of 48 and 64 px, whatever the preset says: for a CPU, and for a look.
        device: cpu, cuda or cuda:N.
        weights: baseline -> file of the weights that it begins with; else they are fetched.
        verify: look at every byte of the frames that are kept.
        compute: how fast.
    """

    preset: str = "ours"
    seeds: int = 5
    epochs: int | None = None
    is_small: bool = False
    device: str = "cpu"
    weights: Mapping[str, str] = field(default_factory=dict)
    verify: bool = False
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True)
class CellResult:
    """What came of a row.

    Attributes:
        confusions: (seeds, 7, 7) counts of test items, rows their emotion; None: not run.
        reason: why it was not run; else empty.
        looking: at the target's face, of a network that figures 8 and 10 show.
    """

    row: PaperRow
    confusions: npt.NDArray[np.int64] | None
    reason: str = ""
    looking: Looking | None = None

    @property
    def accuracies(self) -> npt.NDArray[np.float64]:
        """(seeds,), [0, 1]."""
        return np.array([np.trace(c) / c.sum() for c in self._counted()])

    @property
    def macro_f1s(self) -> npt.NDArray[np.float64]:
        """(seeds,), [0, 1]; over the emotions that the test split has."""
        found = []
        for c in self._counted():
            is_there, both = c.sum(1) > 0, c.sum(0) + c.sum(1)
            found.append((2 * np.diag(c)[is_there] / both[is_there]).mean())
        return np.array(found)

    @property
    def mean_recalls(self) -> npt.NDArray[np.float64]:
        """(seeds,), [0, 1]; the unweighted mean of the emotions' recall, of those there are."""
        found = []
        for c in self._counted():
            is_there = c.sum(1) > 0
            found.append((np.diag(c)[is_there] / c.sum(1)[is_there]).mean())
        return np.array(found)

    @property
    def n_items(self) -> int:
        """Test items; each is predicted once by every seed."""
        return 0 if self.confusions is None else int(self.confusions[0].sum())

    def _counted(self) -> npt.NDArray[np.int64]:
        return np.zeros((0, 7, 7), np.int64) if self.confusions is None else self.confusions


class Tables:
    """The cells of tables over a data set.

    Args:
        own: what is tested on.
        other: table 6: what else is trained on; table 3: the data set of the other kind, clips or
            stills; None: rows that need it are not run.
        out: folder of everything.
    """

    def __init__(self, own: Dataset, other: Dataset | None, out: Path, how: How, say: Say) -> None:
        self._own, self.note = with_all_splits(with_known_faces(own))
        self._other = None if other is None else with_all_splits(with_known_faces(other))[0]
        self._out, self._how, self._say = out, how, say
        self._stores: dict[tuple[str, str, StoreSettings], FrameStore] = {}

    def run(self, table: int) -> Iterator[CellResult]:
        """The rows of a table, as they are done."""
        for row in rows_of(table):
            yield self.cell(row)

    def architecture(self, row: PaperRow) -> NetworkSettings:
        """The network that a row is."""
        found: Any = self._preset(row).architecture
        if row.model in OWN_NETWORKS:
            return replace(  # type: ignore[no-any-return]
                found,
                streams=row.streams,
                context_attention=row.context_attention,
                fusion_attention=row.fusion_attention,
            )
        weights = self._how.weights.get(str(row.model), found.weights)
        return replace(found, frozen=not row.fine_tuned, weights=weights)  # type: ignore[no-any-return]

    def plan(self, row: PaperRow, seed: int) -> Plan:
        """How a row's network is trained."""
        how, preset = self._how, self._preset(row)
        regime = replace(preset.regime, seed=seed)
        if how.epochs is not None:
            regime = replace(regime, epochs=how.epochs)
        augmentation = preset.augmentation
        if how.is_small and row.model in OWN_NETWORKS:
            augmentation = replace(augmentation, crop=_SMALL_CROP)
        return Plan(
            self.architecture(row), regime, augmentation, how.device, how.compute, preset.windows
        )

    def store_settings(self, row: PaperRow) -> StoreSettings:
        """What a row's network sees."""
        settings = self._preset(row).store
        if self._how.is_small and row.model in OWN_NETWORKS:
            settings = replace(_SMALL, hide=settings.hide, fill=settings.fill)
        return replace(settings, hide="none") if row.shows_faces else settings

    def _preset(self, row: PaperRow) -> Preset:
        if row.model is None:
            raise DatasetError(f"{row.name} is {NO_NETWORK}.")
        return networks.preset(row.model, self._how.preset)

    def reason_not_to(self, row: PaperRow) -> str:
        """Why a row cannot be run; empty: it can."""
        if row.model is None:
            return NO_NETWORK
        if row.trained_on != "own" and self._other is None:
            return "needs the other data set (--other)"
        dataset = self._dataset(row)
        if dataset is None:
            return f"needs {row.kind}s, and there are none"
        if row.model in OWN_NETWORKS and not any(len(table) for table in dataset.faces()):
            return "the data set has no face boxes"
        return ""

    def store(self, row: PaperRow) -> FrameStore:
        """The frames that a row's network sees; decoded if they are not there yet."""
        dataset = self.dataset(row)
        settings = self.store_settings(row)
        seen = (row.kind, row.trained_on, settings)
        if seen not in self._stores:
            self._stores[seen] = keep_store(
                dataset, self._out / "stores", settings, lambda *_: None,
                verify=self._how.verify, say=self._say,
            )  # fmt: skip
        return self._stores[seen]

    def name_of(self, row: PaperRow) -> str:
        """The name of a row's network: its runs lie in a folder of that name, a seed each."""
        digest = digest_of([self.plan(row, 0).described(), self.store(row).folder.name])
        return f"{row.model}-{digest[:10]}"

    def run_folder(self, row: PaperRow, seed: int) -> Path:
        """Where a run of a row lies."""
        return self._out / "runs" / self.name_of(row) / str(seed)

    def dataset(self, row: PaperRow) -> Dataset:
        """What a row is trained and tested on.

        Raises:
            DatasetError: if there is nothing of its kind.
        """
        found = self._dataset(row)
        if found is None:
            raise DatasetError(f"{row.name} needs {row.kind}s, and there are none.")
        return found

    def _dataset(self, row: PaperRow) -> Dataset | None:
        """What a row is trained and tested on; None: there is nothing of its kind."""
        if row.trained_on != "own" and self._other is not None:
            both = row.trained_on == "both"
            return _of_kind(joined(self._own, self._other, trained_on_both=both), row.kind)
        found = _of_kind(self._own, row.kind)
        # Table 3 has networks of clips and of stills, each for a data set of its own.
        if found is None and self._other is not None and row.table == 3:
            found = _of_kind(self._other, row.kind)
        return found

    def cell(self, row: PaperRow) -> CellResult:
        """A row; what of it was done before is not done again."""
        reason = self.reason_not_to(row)
        if reason:
            self._say(f"{row.name}: not run: {reason}")
            return CellResult(row, None, reason)
        facts = self._out / "cells" / f"{self.name_of(row)}.json"
        done = read_json(facts)["confusions"] if facts.is_file() else []
        for seed in range(len(done), self._how.seeds):
            try:
                done.append(self._seed(row, seed))
            except ModelMissing as error:
                # The weights that a baseline begins with are not to be had here.
                self._say(f"{row.name}: not run: {error}")
                return CellResult(row, None, str(error))
            write_json(facts, {"row": row.name, "confusions": done})
        return CellResult(row, np.array(done[: self._how.seeds]))

    def _seed(self, row: PaperRow, seed: int) -> list[list[int]]:
        plan, folder, store = self.plan(row, seed), self.run_folder(row, seed), self.store(row)
        about = {"store": store.settings.described(), "data": {"key": store.folder.name}}
        train(store, folder, plan, lambda _: None, about=about)
        device, crop = torch.device(plan.device), plan.augmentation.crop
        given = plan.given(store.settings.face_px)
        network = ready(self.network(row, seed), device, plan.compute, given)
        clips = row.kind == "clip"
        test = Batches(store, "test", plan.regime.batch_size, clips=clips, windows=plan.windows)
        said = predict(network, test, device, crop, plan.compute.precision).argmax(1)
        found = confusion(test.labels.numpy(), said.numpy())
        self._say(f"{row.name}, seed {seed}: {np.trace(found) / found.sum():.4f}")
        counts: list[list[int]] = found.tolist()
        return counts

    def network(self, row: PaperRow, seed: int) -> nn.Module:
        """The network of a run's best epoch, on the CPU."""
        network = networks.build(self.architecture(row))
        checkpoint.load_weights(self.run_folder(row, seed) / checkpoint.BEST, network)
        return network


def confusion(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """(7, 7) counts; rows are the labels."""
    n = len(EMOTIONS)
    return np.bincount(labels * n + predicted, minlength=n * n).reshape(n, n)


def _of_kind(dataset: Dataset, kind: str) -> Dataset | None:
    items = tuple(item for item in dataset.items if item.kind == kind)
    return replace(dataset, items=items) if items else None

"""Where the networks of a table look: the numbers of figures 8 and 10.

The paper draws where CAER-Net looks with faces hidden and not, and beside a fine-tuned VGG, and
gives no number. Here the share of the attention on the target's face is measured over the whole
test split, for each seed, and kept for each item beside the run::

    OUT/runs/<network>/<seed>/attention.parquet     item_id, on_face, even
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from caer_build.caernet import bootstrap
from caer_build.caernet.attending import Looking, area_of, in_crop, mass_on, target_boxes
from caer_build.caernet.batches import Batches
from caer_build.caernet.predicting import Answers, answers
from caer_build.caernet.tables import OWN_NETWORKS, CellResult, Tables
from caer_build.errors import DatasetError
from caer_build.store import write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from caer_build.caernet.bootstrap import Interval
    from caer_build.caernet.published import PaperRow

KEPT = "attention.parquet"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two rows of a table that a figure sets side by side.

    Attributes:
        figure: of the paper.
        one, other: names of rows.
    """

    table: int
    figure: int
    one: str
    other: str


PAIRS = (
    Pair(3, 8, "CAER-Net-S F+C+cA+fA", "CAER-Net-S, faces not hidden"),
    Pair(3, 8, "CAER-Net F+C+cA+fA", "CAER-Net, faces not hidden"),
    Pair(4, 10, "CAER-Net-S", "Fine-tuned VGGNet"),
)


@dataclass(frozen=True)
class Difference:
    """How much more of its attention one network of a pair has on faces than the other.

    Attributes:
        on_face: of the same items and resamples.
    """

    pair: Pair
    on_face: Interval

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Looked:
    """A network of one seed over the test split.

    Attributes:
        on_face: (n,) share of the attention on the target's box; NaN without a box.
        even: (n,) what even attention would leave there.
        boxes: (n, 4) of the target's face, px of the crop.
    """

    batches: Batches
    found: Answers
    on_face: Floats
    even: Floats
    boxes: Floats


class Looks:
    """Looks at the networks that the rows of tables left behind, at each no more than once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._first: dict[str, Looked] = {}

    def of_first(self, row: PaperRow) -> Looked:
        """The network of the first seed, of which examples are drawn."""
        name = self.tables.name_of(row)
        if name not in self._first:
            self._first[name] = self._looked(row, 0)
        return self._first[name]

    def measured(
        self, table: int, results: Sequence[CellResult]
    ) -> tuple[list[CellResult], list[Difference]]:
        """The results, those that figures show with how much they look at faces; and how much the
        two of each pair differ in that."""
        pairs = [pair for pair in PAIRS if pair.table == table]
        shown = {name for pair in pairs for name in (pair.one, pair.other)}
        tables = {
            r.row.name: self._of_seeds(r)
            for r in results
            if r.row.name in shown and r.confusions is not None
        }
        # A data set in which nobody has a face box has nothing to say here.
        tables = {name: found for name, found in tables.items() if len(found)}
        looks = {name: _looking(r, tables[name]) for r in results if (name := r.row.name) in tables}
        differences = [
            Difference(pair, _more(tables[pair.one], tables[pair.other]))
            for pair in pairs
            if {pair.one, pair.other} <= tables.keys()
        ]
        return [replace(r, looking=looks.get(r.row.name)) for r in results], differences

    def _of_seeds(self, result: CellResult) -> pd.DataFrame:
        """A row a test item that has a face, by item_id: on_face, the mean over seeds, even, and
        what it may be resampled by."""
        row = result.row
        seeds = [self._kept(row, seed) for seed in range(len(result.accuracies))]
        found = seeds[0].assign(on_face=np.mean([seed.on_face for seed in seeds], axis=0))
        items = self.tables.store(row).items.set_index("item_id")
        levels = [level for level in bootstrap.LEVELS if level in items]
        return found.join(items[levels]).dropna(subset="on_face")

    def _kept(self, row: PaperRow, seed: int) -> pd.DataFrame:
        """The shares of a seed's network, by item_id; measured where they are not there yet."""
        import pandas as pd

        file = self.tables.run_folder(row, seed) / KEPT
        if not file.is_file():
            looked = self.of_first(row) if seed == 0 else self._looked(row, seed)
            shares = {"item_id": looked.batches.items.item_id, "on_face": looked.on_face,
                      "even": looked.even}  # fmt: skip
            write_atomically(file, pd.DataFrame(shares).to_parquet(None, index=False))
        return pd.read_parquet(file).set_index("item_id")

    def _looked(self, row: PaperRow, seed: int) -> Looked:
        store, plan = self.tables.store(row), self.tables.plan(row, seed)
        batches = Batches(
            store, "test", plan.regime.batch_size, clips=row.kind == "clip", windows=plan.windows
        )
        device, crop = torch.device(plan.device), plan.augmentation.crop
        network = self.tables.network(row, seed).to(device)
        found = answers(network, batches, device, crop, plan.compute.precision, with_attention=True)
        if found.attention is None:
            raise DatasetError(f"{row.name} does not say where it looks.")
        boxes, sizes = target_boxes(store, batches.items)
        seen = in_crop(boxes, sizes, store.settings, crop)
        on_face, even = mass_on(found.attention, seen, crop), area_of(seen, crop)
        # Nobody's face: no figure, rather than none of it.
        there = ~boxes.isnan().any(1)
        nowhere = torch.full_like(on_face, torch.nan)
        on_face, even = (torch.where(there, shares, nowhere) for shares in (on_face, even))
        return Looked(batches, found, on_face.numpy(), even.numpy(), seen.numpy())


def _looking(result: CellResult, shares: pd.DataFrame) -> Looking:
    by = "attention" if result.row.model in OWN_NETWORKS else "Grad-CAM"
    clusters = bootstrap.clusters_of(shares)
    on_face, even = (
        bootstrap.mean(shares[name].to_numpy(np.float64), clusters) for name in ("on_face", "even")
    )
    return Looking(by, len(result.accuracies), on_face, even)


def _more(one: pd.DataFrame, other: pd.DataFrame) -> Interval:
    """How much more of ``one`` lies on the face, of the items that both have."""
    both = one[one.index.isin(other.index)]
    more = both.on_face - other.on_face[both.index]
    return bootstrap.mean(more.to_numpy(np.float64), bootstrap.clusters_of(both))

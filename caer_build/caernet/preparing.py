"""From a data set that was read to one that a network can be trained on: what it reads, with faces
and with a validation split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from caer_build.caernet.holding_out import with_validation
from caer_build.dataset.reading.dataset import face_tables
from caer_build.errors import DatasetError
from caer_build.records import SPLITS, Item, ItemFace

if TYPE_CHECKING:
    from caer_build.caernet.framestore import StoreSettings
    from caer_build.caernet.networks import NetworkSettings
    from caer_build.dataset.reading import Dataset

HELD_OUT = 0.1


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready.

    Attributes:
        dataset: with the items that have a label and a split and are of the kind that is read.
        held_out: share of train that became validation; 0: the data set has a validation split.
        left_out: sentences on what was not taken.
    """

    dataset: Dataset
    held_out: float
    left_out: tuple[str, ...]

    def in_split(self, split: str) -> list[str]:
        """The item_ids of a split."""
        return [item.item_id for item in self.dataset.items if item.split == split]

    def described(self) -> dict[str, Any]:
        """What it is, JSON."""
        counts = Counter(item.split for item in self.dataset.items)
        return {
            "name": self.dataset.root.absolute().name,
            "layout": self.dataset.layout,
            "items": {split: counts[split] for split in SPLITS if counts[split]},
            "held_out": self.held_out,
        }


def model_for(dataset: Dataset) -> str:
    """The model for a data set: CAER-Net where there are clips, else CAER-Net-S."""
    clips = any(item.kind == "clip" for item in dataset.items)
    return "caer-net" if clips else "caer-net-s"


def prepared(
    dataset: Dataset,
    network: NetworkSettings,
    store: StoreSettings,
    held_out: float = HELD_OUT,
) -> Prepared:
    """Make a data set ready for a network.

    Args:
        held_out: share of train that becomes validation where there is no validation split.

    Raises:
        DatasetError: if it has nothing that the network reads, or no face boxes.
    """
    kind = _kind_for(dataset, network)
    items = [i for i in dataset.items if i.kind == kind]
    labelled = [i for i in items if i.emotion is not None and i.split is not None]
    if not labelled:
        raise DatasetError(
            f"Expected {kind}s with a label and a split in {dataset.root}, found "
            f"{len(items)} {kind}s without.", "Label and split them, or give another data set."
        )  # fmt: skip
    left_out = [
        f"{n} {what} are left out."
        for n, what in (
            (len(dataset.items) - len(items), f"items that are no {kind}s"),
            (len(items) - len(labelled), f"{kind}s without a label or a split"),
        )
        if n
    ]
    has_validation = any(item.split == "validation" for item in labelled)
    chosen = labelled if has_validation else with_validation(labelled, held_out)
    ready = replace(dataset, items=tuple(chosen))
    if network.has_face or store.hide != "none":
        ready = with_known_faces(ready)
        _require_faces(ready)
    return Prepared(ready, 0.0 if has_validation else held_out, tuple(left_out))


def _kind_for(dataset: Dataset, network: NetworkSettings) -> str:
    kinds = {item.kind for item in dataset.items}
    if network.n_dims == 3 and "clip" not in kinds:
        raise DatasetError(
            f"{network.model} reads clips, and {dataset.root} holds stills.",
            "Give --model caer-net-s, or a data set of clips.",
        )
    return "clip" if network.n_dims == 3 or "still" not in kinds else "still"


def with_known_faces(dataset: Dataset) -> Dataset:
    """The data set with the face boxes that nobody needs to look for: of FER+ every picture is a
    face."""
    if dataset.layout == "fer+":
        return replace(dataset, faces=lambda: face_tables(map(_whole, dataset.items)))
    return dataset


def _require_faces(dataset: Dataset) -> None:
    if not any(len(table) for table in dataset.faces()):
        raise DatasetError(
            f"{dataset.root} has no face boxes, and they are needed: for the face stream, and to "
            "hide faces from the context.",
            "Give lists of boxes with --boxes; or leave faces out with "
            "--set architecture.streams=context --set store.hide=none.",
        )


def _whole(item: Item) -> ItemFace:
    width, height = float(item.width or 0), float(item.height or 0)
    return ItemFace(item.item_id, 0, "face", True, 0.0, 0.0, width, height, False)

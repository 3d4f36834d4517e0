"""The figures that belong to a table, drawn of the runs that its cells left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from caer_build.caernet import figures
from caer_build.caernet.attending import area_of, in_crop, mass_on, target_boxes
from caer_build.caernet.batches import Batches
from caer_build.caernet.figures import Example
from caer_build.caernet.pictures import Pixels
from caer_build.caernet.predicting import Answers, answers
from caer_build.caernet.published import PaperRow
from caer_build.caernet.tables import CellResult, Tables
from caer_build.records import EMOTIONS

_N_EXAMPLES = 6
_NAMES = {"caer-net": "CAER-Net", "caer-net-s": "CAER-Net-S"}


@dataclass(frozen=True)
class Looked:
    """A network of the first seed over the test split.

    Attributes:
        mass: (n,) share of the attention on the target's box, NaN without a box; None without
            attention.
        area: the box's mean share of the crop: the mass on it if attention were even.
    """

    batches: Batches
    found: Answers
    mass: torch.Tensor | None
    area: float


def draw(tables: Tables, table: int, results: Sequence[CellResult], out: Path) -> list[Path]:
    """Draw the figures of a table whose cells were run: 4, 7 and 8 of table 3, 9 and 10 of 4."""
    there = {r.row.name: r for r in results if r.confusions is not None}
    if table == 3:
        return [file for model in _NAMES for file in _of_ablations(tables, model, there, out)]
    if table == 4:
        return list(_of_peers(tables, there, out))
    return []


def _of_peers(tables: Tables, there: Mapping[str, CellResult], out: Path) -> Iterator[Path]:
    counts = {name: r.confusions for name, r in there.items() if r.confusions is not None}
    if counts:
        file = out / "figure9.png"
        figures.per_category(counts, file)
        yield file
    vgg, own = there.get("Fine-tuned VGGNet"), there.get("CAER-Net-S")
    if vgg is None or own is None:
        return
    peers = {
        f"{vgg.row.name}, Grad-CAM": (vgg.row, _looked(tables, vgg.row)),
        f"{own.row.name}, attention": (own.row, _looked(tables, own.row)),
    }
    chosen = _chosen(*(looked for _, looked in peers.values()))
    file = out / "figure10.png"
    figures.attention_maps(_panels(tables, peers, chosen), file)
    yield file


def _of_ablations(
    tables: Tables, model: str, there: Mapping[str, CellResult], out: Path
) -> Iterator[Path]:
    name = _NAMES[model]
    face, whole = there.get(f"{name} F"), there.get(f"{name} F+C+cA+fA")
    shown = there.get(f"{name}, faces not hidden")
    pair = {r.row.name: r.confusions.sum(0) for r in (face, whole)
            if r is not None and r.confusions is not None}  # fmt: skip
    if len(pair) == 2:
        file = out / f"figure7-{model}.png"
        figures.confusions(pair, file)
        yield file
    if whole is None:
        return
    with_hiding = _looked(tables, whole.row)
    chosen = _chosen(with_hiding)
    file = out / f"figure4-{model}.png"
    figures.fusion_weights(_examples(tables, whole.row, with_hiding, chosen), file)
    yield file
    panels = {f"{name}, faces hidden": (whole.row, with_hiding)}
    if shown is not None:
        panels[f"{name}, faces not hidden"] = (shown.row, _looked(tables, shown.row))
    file = out / f"figure8-{model}.png"
    figures.attention_maps(_panels(tables, panels, chosen), file)
    yield file


def _panels(
    tables: Tables, named: Mapping[str, tuple[PaperRow, Looked]], chosen: Sequence[int]
) -> dict[str, list[Example]]:
    """What each network saw of the same items; its name says how much it looks at faces."""
    return {
        f"{name}{_said(looked)}": _examples(tables, row, looked, chosen)
        for name, (row, looked) in named.items()
    }


def _said(looked: Looked) -> str:
    if looked.mass is None:
        return ""
    mass = float(looked.mass.nanmean())
    return f": {mass:.1%} on the target's face ({looked.area:.1%} if even)"


def _looked(tables: Tables, row: PaperRow) -> Looked:
    store, plan = tables.store(row), tables.plan(row, 0)
    batches = Batches(store, "test", plan.regime.batch_size, clips=row.kind == "clip")
    device = torch.device(plan.device)
    crop = plan.augmentation.crop
    found = answers(tables.network(row, 0).to(device), batches, device, crop, with_attention=True)
    mass, area = None, 0.0
    if found.attention is not None:
        boxes, sizes = target_boxes(store, batches.items)
        seen = in_crop(boxes, sizes, store.settings, crop)
        mass, area = mass_on(found.attention, seen, crop), float(area_of(seen, crop).nanmean())
        # Nobody's face: no figure, rather than none of it.
        mass[boxes.isnan().any(1)] = torch.nan
    return Looked(batches, found, mass, area)


def _chosen(*networks: Looked) -> list[int]:
    """Items of as many emotions as there are, of each the one that all say surest."""
    labels = networks[0].batches.labels
    own = torch.arange(len(labels))
    surest = torch.stack([n.found.probabilities[own, labels] for n in networks]).amin(0)
    best = [
        int(mine[surest[mine].argmax()])
        for k in range(len(EMOTIONS))
        if len(mine := torch.where(labels == k)[0])
    ]
    return best[:_N_EXAMPLES]


def _examples(
    tables: Tables, row: PaperRow, looked: Looked, chosen: Sequence[int]
) -> list[Example]:
    store, crop = tables.store(row), tables.plan(row, 0).augmentation.crop
    predicted = looked.found.probabilities.argmax(1)
    attention, fusion = looked.found.attention, looked.found.fusion
    examples = []
    for k in chosen:
        item = looked.batches.items.iloc[k]
        middle = np.array([item["first"] + item["n_sampled"] // 2])
        examples.append(
            Example(
                store.faces(item["part"], middle)[0],
                _middle(store.contexts(item["part"], middle)[0], crop),
                item["emotion"],
                EMOTIONS[int(predicted[k])],
                None if fusion is None else (float(fusion[k, 0]), float(fusion[k, 1])),
                None if attention is None else attention[k].numpy(),
                None if looked.mass is None or looked.mass[k].isnan() else float(looked.mass[k]),
            )
        )
    return examples


def _middle(context: Pixels, crop: int) -> Pixels:
    """What a network sees of a stored context in testing."""
    top, left = (context.shape[0] - crop) // 2, (context.shape[1] - crop) // 2
    return context[top : top + crop, left : left + crop]
